// One harness: clock value, nodes, link, trace. Both hosts run exactly this code, called from the top module by DPI.
//
// Time: `next_` is the cycle the pins are in until the next clock edge. A clock edge calls `edge`, then for each node its handshakes,
// trace, probes and pins, then `tick` of cycle n. The tick decides the pins and the number of the following cycle: n + 1 or, when nothing
// can happen in between, a later one. What a design is made of (nodes, sidebands, counters, settings) stands in its own *_dpi.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bus.h"
#include "hil.h"
#include "link.h"
#include "memory.h"
#include "oracle.h"
#include "trace.h"

namespace harness {

constexpr unsigned kSnoopKinds = HIL_SNOOP_FENCE + 1;
constexpr unsigned kNodeIrqs = 16;

// What a node showed this cycle beside its handshakes.
struct NodePins {
  BusIn bus;
  bool rready, bready;
  uint32_t irq;
};

// One system as the device sees it: processors on its register bus, memory, who may touch it, interrupt lines, probes.
struct Node {
  Node(ViolationLog &log, uint8_t number) : oracle(log, number), memory(oracle) {}
  void reset();

  Oracle oracle;
  Memory memory;
  Bus bus;
  NodePins in{};
  uint32_t irq = 0;
  std::array<std::vector<uint32_t>, kSnoopKinds> snooped;
  uint64_t snoops = 0, irqs = 0;
};

class Model;  // native.cpp: the Verilated model, if this process owns it

}  // namespace harness

struct hil {
  hil();

  void reset();
  // The first call of a clock edge: the cycle it belongs to.
  void edge(uint64_t now);
  void snoop(unsigned node, unsigned kind, uint32_t index) { nodes[node].snooped[kind].push_back(index); }
  void record(unsigned node, uint32_t event, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
    trace.record(now_, node, event, a0, a1, a2, a3, a4, a5);
  }
  // The last call of a clock edge; `quiet`: quiescent_o, no request on a memory port, nothing on a link; `deadline`: the devices' next.
  void tick(bool quiet, uint64_t deadline);
  bool arm(uint64_t until);
  uint32_t take(hil_event_t *events, uint32_t max);
  void fail(const std::string &text);

  void forget_horizon() { status_[1] = 0; }

  uint64_t done_cycle() const { return status_[0]; }
  const uint64_t *status() const { return status_.data(); }
  uint64_t now() const { return now_; }
  uint64_t next() const { return next_; }
  bool stop() const { return stop_; }

  harness::ViolationLog violations;
  std::vector<harness::Node> nodes;
  harness::Links links;
  harness::Trace trace;
  harness::Model *model = nullptr;
  bool skip = true;
  bool asserts = true;
  uint8_t mutant = 0;
  uint64_t evaluated = 0, skipped = 0;
  bool failed = false;
  uint64_t failure_cycle = 0;
  std::string error;

 private:
  uint64_t horizon(bool quiet, uint64_t deadline) const;
  uint64_t following(uint64_t cycle) const;
  hil_event_t &event(hil_event_kind kind, unsigned node, uint64_t cycle);

  std::vector<hil_event_t> events_;
  size_t taken_ = 0;
  uint64_t now_ = 0, next_ = 1, until_ = 0;
  uint64_t violations_seen_ = 0;
  bool stop_ = true;
  std::array<uint64_t, 2> status_{};  // hil_status
};

namespace harness {

// A counter of the whole harness, and one that each node has.
struct Statistic {
  const char *name;
  uint64_t (*value)(const ::hil &);
};
struct NodeStatistic {
  const char *name;
  uint64_t (*value)(const ::hil &, unsigned node);
};

// A setting: its range, and what it does. Values outside are refused.
struct Setting {
  const char *name;
  uint64_t low, high;
  void (*apply)(::hil &, uint64_t);
};

// What this build simulates.
struct Design {
  unsigned nodes;
  const char *window;     // what a node's registers are called
  uint64_t window_bytes;
  std::span<const NodeStatistic> node_statistics;
  std::span<const Statistic> statistics;
  std::span<const Setting> settings;
};
extern const Design design;  // gru_dpi.cpp, hca_dpi.cpp

// The harness DPI calls go to: the one that is being advanced.
extern ::hil *active;

}  // namespace harness
