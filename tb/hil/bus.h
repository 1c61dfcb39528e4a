// Request queue and AXI4-Lite master: the processors' side of a node's register window.
//
// Promises: requests are served one at a time in the order (at, serial); a request is taken in cycle at + 1 at the earliest.
//   One access is outstanding: the address (and data) is on the pins until accepted, the next word follows the cycle after the response.
//   Writes go from the highest address down, so that double-word 0 with its start bit lands last; reads go upwards; a swap
//   reads all its words, then writes back what it read, highest address first.
// Costs: a heap operation per request.
#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include "hil.h"

namespace harness {

// What the device showed this cycle.
struct BusIn {
  bool awready, wready, bvalid, arready, rvalid;
  bool berror, rerror;
  uint64_t rdata;
};

// What the master drives next cycle.
struct BusPins {
  bool awvalid, wvalid, arvalid;
  uint64_t addr;
  uint64_t wdata;
};

class Bus {
 public:
  void reset();
  void push(const hil_request_t &request) { queue_.push(request); }
  // End of cycle. True when a request finished: `done` holds its answer.
  bool tick(uint64_t cycle, const BusIn &in, hil_event_t *done);

  bool idle() const { return state_ == State::Idle; }
  // Cycle whose tick takes the next request; kNever when none is queued.
  uint64_t next_start() const { return queue_.empty() ? ~uint64_t{0} : queue_.top().at + 1; }

  BusPins pins{};
  uint64_t reads = 0, writes = 0, errors = 0;

 private:
  enum class State { Idle, Read, Write };
  struct Later {
    bool operator()(const hil_request_t &a, const hil_request_t &b) const {
      return a.at != b.at ? a.at > b.at : a.serial > b.serial;
    }
  };

  void start(uint64_t cycle);
  void drive();

  std::priority_queue<hil_request_t, std::vector<hil_request_t>, Later> queue_;
  hil_request_t current_{};
  State state_ = State::Idle;
  uint32_t position_ = 0;  // words finished in this phase
  bool error_ = false;
};

}  // namespace harness
