// See bus.h.
#include "bus.h"

#include <algorithm>

namespace harness {

void Bus::reset() {
  queue_ = {};
  state_ = State::Idle;
  pins = BusPins{};
  reads = writes = errors = 0;
}

// Put the current word on the pins.
void Bus::drive() {
  if (state_ == State::Read) {
    pins.addr = current_.addr + 8 * position_;
    pins.arvalid = true;
  } else {
    const uint32_t word = current_.count - 1 - position_;
    pins.addr = current_.addr + 8 * word;
    pins.wdata = current_.words[word];
    pins.awvalid = pins.wvalid = true;
  }
}

void Bus::start(uint64_t cycle) {
  if (queue_.empty() || queue_.top().at >= cycle) return;
  current_ = queue_.top();
  queue_.pop();
  state_ = current_.kind == HIL_WRITE ? State::Write : State::Read;
  position_ = 0;
  error_ = false;
  drive();
}

bool Bus::tick(uint64_t cycle, const BusIn &in, hil_event_t *done) {
  if (state_ == State::Idle) {
    start(cycle);
    return false;
  }
  if (in.awready) pins.awvalid = false;
  if (in.wready) pins.wvalid = false;
  if (in.arready) pins.arvalid = false;

  const bool answered = state_ == State::Read ? in.rvalid : in.bvalid;
  if (!answered) return false;
  if (state_ == State::Read) {
    reads += 1;
    current_.words[position_] = in.rdata;
    error_ |= in.rerror;
  } else {
    writes += 1;
    error_ |= in.berror;
  }
  position_ += 1;
  if (position_ < current_.count) {
    drive();
    return false;
  }
  if (state_ == State::Read && current_.kind == HIL_SWAP) {
    state_ = State::Write;
    position_ = 0;
    drive();
    return false;
  }
  *done = hil_event_t{};
  done->kind = HIL_MMIO_DONE;
  done->node = current_.node;
  done->count = current_.kind == HIL_WRITE ? 0 : current_.count;
  done->cycle = cycle;
  done->serial = current_.serial;
  done->value = error_;
  std::copy(current_.words, current_.words + done->count, done->words);
  errors += error_;
  state_ = State::Idle;
  start(cycle);
  return true;
}

}  // namespace harness
