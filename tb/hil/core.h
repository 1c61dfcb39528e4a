// One harness: clock value, queues, memory, oracle, trace. Both hosts run exactly this code, called from hil_top.sv by DPI.
//
// Time: `next_` is the cycle the pins are in until the next clock edge. The tick of cycle n is the last DPI call of that clock edge; it
// decides the pins and the number of the following cycle, n + 1 or, when nothing can happen in between, a later one.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bus.h"
#include "hil.h"
#include "memory.h"
#include "oracle.h"
#include "trace.h"

namespace harness {

constexpr unsigned kSnoopKinds = 4;

struct TickIn {
  BusIn bus;
  bool rready, bready;
  bool quiet;  // quiescent_o and no request on the memory port
  uint64_t deadline;
  uint32_t irq;
};

class Model;  // native.cpp: the Verilated model, if this process owns it

}  // namespace harness

struct hil {
  hil() : memory(oracle) {}

  void reset();
  // The first call of a clock edge: the cycle it belongs to.
  void edge(uint64_t now);
  void snoop(unsigned kind, uint32_t index);
  void tick(const harness::TickIn &in);
  bool arm(uint64_t until);
  uint32_t take(hil_event_t *events, uint32_t max);
  void fail(const std::string &text);

  void forget_horizon() { status_[1] = 0; }

  uint64_t done_cycle() const { return status_[0]; }
  const uint64_t *status() const { return status_.data(); }
  uint64_t now() const { return now_; }
  uint64_t next() const { return next_; }
  bool stop() const { return stop_; }

  harness::Oracle oracle;
  harness::Memory memory;
  harness::Bus bus;
  harness::Trace trace;
  harness::Model *model = nullptr;
  bool skip = true;
  bool asserts = true;
  uint8_t mutant = 0;
  uint64_t evaluated = 0, skipped = 0, snoops = 0, irqs = 0;
  bool failed = false;
  uint64_t failure_cycle = 0;
  std::string error;

 private:
  uint64_t horizon(const harness::TickIn &in) const;
  uint64_t following(uint64_t cycle) const;

  std::vector<hil_event_t> events_;
  size_t taken_ = 0;
  std::array<std::vector<uint32_t>, harness::kSnoopKinds> snooped_;
  uint64_t now_ = 0, next_ = 1, until_ = 0;
  uint32_t irq_ = 0;
  uint64_t violations_seen_ = 0;
  bool stop_ = true;
  std::array<uint64_t, 2> status_{};  // hil_status
};

namespace harness {

// The harness DPI calls go to: the one that is being advanced.
extern ::hil *active;

}  // namespace harness
