// See trace.h.
#include "trace.h"

#include <algorithm>
#include <cstring>

namespace harness {

void Trace::reset() {
  const bool log = log_lookups;
  *this = Trace();
  log_lookups = log;
}

void Trace::record(uint64_t cycle, unsigned node, uint32_t event, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                   uint64_t a5) {
  const uint64_t who = node == 0 ? 0 : uint64_t{kNodeCpus * node + 1} << kCpuShift;
  const uint64_t record[kWords] = {cycle, who | event, a0, a1, a2, a3, a4, a5};
  words_.insert(words_.end(), record, record + kWords);
  Counts &c = counts[node];
  if (event < c.events.size()) c.events[event] += 1;
  if (event == DEV_SHOOT_ACCEPT) c.shootdown_pages += a3 + 1;
  if (event == HDEV_PACKET) c.packets_sent += a4;
}

void Trace::lookup(uint64_t cycle, unsigned node, const LookupPins &pins) {
  Counts &c = counts[node];
  auto &accepted_at = accepted_at_[node];
  if (pins.answered) {
    const uint64_t accepted = accepted_at[pins.answered_cbr];
    if (pins.hit) {
      const uint64_t latency = cycle - accepted;
      c.hit_latency_min = c.hits == 0 ? latency : std::min(c.hit_latency_min, latency);
      c.hit_latency_max = std::max(c.hit_latency_max, latency);
      c.hit_latency_sum += latency;
      c.hits += 1;
    } else {
      c.misses += 1;
    }
    if (log_lookups) lookups_.push_back({accepted, cycle, pins.answered_cbr | uint64_t{node} << 32, pins.hit, pins.pa});
  }
  if (pins.accepted) {
    c.lookups += 1;
    accepted_at[pins.cbr] = cycle;
  }
}

uint64_t Trace::drain(uint64_t *out, uint64_t max) {
  const uint64_t count = std::min(max, pending());
  std::memcpy(out, words_.data() + drained_, count * kWords * sizeof(uint64_t));
  drained_ += count * kWords;
  if (drained_ == words_.size()) {
    words_.clear();
    drained_ = 0;
  }
  return count;
}

uint64_t Trace::drain_lookups(hil_lookup_t *out, uint64_t max) {
  const uint64_t count = std::min(max, lookups_pending());
  std::copy_n(lookups_.begin() + static_cast<std::ptrdiff_t>(lookups_drained_), count, out);
  lookups_drained_ += count;
  if (lookups_drained_ == lookups_.size()) {
    lookups_.clear();
    lookups_drained_ = 0;
  }
  return count;
}

}  // namespace harness
