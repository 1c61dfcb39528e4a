// See memory.h.
#include "memory.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace harness {
namespace {

constexpr size_t kDataAhead = 4;  // write beats held without their address

uint64_t aligned(const Address &address) { return address.pa & ~((uint64_t{1} << address.size) - 1); }

// The bytes written. One with holes begins nowhere in the line: no sideband can describe it.
Span strobed(uint64_t strobe) {
  const auto count = static_cast<unsigned>(std::popcount(strobe));
  const auto lane = static_cast<unsigned>(std::countr_zero(strobe));
  const bool whole = count != 0 && lane + count == kLine - static_cast<unsigned>(std::countl_zero(strobe));
  return {whole ? lane : kLine, count};
}

// What a read wants: as its sideband says, or all it fetches.
Span used(const Address &address) {
  const bool told = address.user.owner == Owner::Region;
  return {static_cast<unsigned>(address.user.va & (kLine - 1)), told ? address.user.bytes : 1u << address.size};
}

}  // namespace

void Memory::bind(uint8_t *data, uint64_t bytes) {
  data_ = data;
  bytes_ = bytes;
}

void Memory::reset() {
  reads_.clear();
  addresses_.clear();
  beats_.clear();
  responses_.clear();
  monitors_.fill(Monitor{});
  pins = MemoryPins{};
  last_read_due_ = last_response_due_ = write_ready_at_ = 0;
  read_beats = read_bytes = write_beats = write_bytes = 0;
  exclusive_reads = exclusive_passed = exclusive_failed = decode_errors = 0;
}

void Memory::accept_read(uint64_t cycle, const Address &address) {
  const uint64_t due = std::max(cycle + read_latency, last_read_due_ + beat_cycles);
  last_read_due_ = due;
  reads_.push_back({address, due});
}

void Memory::accept_address(uint64_t cycle, const Address &address) {
  addresses_.push_back(address);
  match(cycle);
}

void Memory::accept_data(uint64_t cycle, const uint8_t *line, uint64_t strobe) {
  Data &data = beats_.emplace_back();
  std::memcpy(data.line.data(), line, kLine);
  data.strobe = strobe;
  write_ready_at_ = cycle + beat_cycles;
  match(cycle);
}

// Write data has no ID: addresses and data pair up in order.
void Memory::match(uint64_t cycle) {
  if (addresses_.empty() || beats_.empty()) return;
  const uint8_t resp = perform(cycle, addresses_.front(), beats_.front());
  const uint64_t due = std::max(cycle + write_latency, last_response_due_ + 1);
  last_response_due_ = due;
  responses_.push_back({addresses_.front().id, resp, due});
  addresses_.pop_front();
  beats_.pop_front();
}

uint8_t Memory::perform(uint64_t cycle, const Address &address, const Data &data) {
  const Span span = strobed(data.strobe);
  write_beats += 1;
  const bool inside = this->inside(address.pa);
  oracle_.check(cycle, address.user, address.pa, true, inside, span);
  if (!inside) {
    decode_errors += 1;
    return kDecErr;
  }
  if (address.lock) {
    Monitor &monitor = monitors_[address.id];
    const uint64_t pa = aligned(address);
    const bool pass = monitor.valid && monitor.pa == pa && monitor.size == address.size &&
                      std::memcmp(data_ + pa, monitor.value.data(), size_t{1} << address.size) == 0;
    monitor.valid = false;
    (pass ? exclusive_passed : exclusive_failed) += 1;
    if (!pass) return kOkay;
  }
  write_bytes += span.count;
  uint8_t *line = data_ + (address.pa & ~uint64_t{kLine - 1});
  if (data.strobe == ~uint64_t{0}) {
    std::memcpy(line, data.line.data(), kLine);
  } else {
    for (uint64_t left = data.strobe; left != 0; left &= left - 1) {
      const unsigned lane = static_cast<unsigned>(std::countr_zero(left));
      line[lane] = data.line[lane];
    }
  }
  return address.lock ? kExOkay : kOkay;
}

void Memory::sample(uint64_t cycle, const Address &address) {
  const unsigned bytes = 1u << address.size;
  read_beats += 1;
  const bool inside = this->inside(address.pa);
  oracle_.check(cycle, address.user, address.pa, false, inside, used(address));
  pins.rid = address.id;
  if (!inside) {
    decode_errors += 1;
    pins.rresp = kDecErr;
    rline.fill(0);
    return;
  }
  read_bytes += bytes;
  std::memcpy(rline.data(), data_ + (address.pa & ~uint64_t{kLine - 1}), kLine);
  pins.rresp = kOkay;
  if (address.lock) {
    Monitor &monitor = monitors_[address.id];
    monitor.valid = true;
    monitor.pa = aligned(address);
    monitor.size = address.size;
    std::memcpy(monitor.value.data(), data_ + monitor.pa, bytes);
    exclusive_reads += 1;
    pins.rresp = kExOkay;
  }
}

void Memory::tick(uint64_t cycle, bool rtaken, bool btaken) {
  if (rtaken) pins.rvalid = false;
  pins.rnew = false;
  if (!pins.rvalid && !reads_.empty() && reads_.front().due <= cycle + 1) {
    sample(cycle, reads_.front().address);
    reads_.pop_front();
    pins.rvalid = pins.rnew = true;
  }
  if (btaken) pins.bvalid = false;
  if (!pins.bvalid && !responses_.empty() && responses_.front().due <= cycle + 1) {
    pins.bvalid = true;
    pins.bid = responses_.front().id;
    pins.bresp = responses_.front().resp;
    responses_.pop_front();
  }
  pins.arready = reads_.size() + (pins.rvalid ? 1 : 0) < max_outstanding;
  pins.awready = addresses_.size() + responses_.size() + (pins.bvalid ? 1 : 0) < max_outstanding;
  room_for_data_ = beats_.size() < kDataAhead;
}

void Memory::settle(uint64_t next) { pins.wready = room_for_data_ && next >= write_ready_at_; }

uint64_t Memory::next_due() const {
  uint64_t due = kNever;
  if (!reads_.empty()) due = std::min(due, reads_.front().due - 1);
  if (!responses_.empty()) due = std::min(due, responses_.front().due - 1);
  return due;
}

}  // namespace harness
