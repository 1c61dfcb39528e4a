// What the monitor saw: trace records, a log of lookups, counters.
//
// Promises: records in order of time, within a cycle in the order the top module calls; nothing is dropped.
// Costs: 64 bytes a record until drained; hot counters cost an increment.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "gen/trace_events.h"
#include "hil.h"

namespace harness {

constexpr unsigned kMaxNodes = 2;
constexpr unsigned kTraceEvents = HDEV_CQE + 1;
constexpr unsigned kNodeCpus = 16;  // processors of a system: node n's device signs as processor 16 n, node 0's as nobody

// Lookup port of a translation cache in one cycle.
struct LookupPins {
  bool accepted;
  uint8_t cbr;
  bool answered, hit;
  uint8_t answered_cbr;
  uint64_t pa;
};

class Trace {
 public:
  void reset();
  void record(uint64_t cycle, unsigned node, uint32_t event, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
              uint64_t a5);
  void lookup(uint64_t cycle, unsigned node, const LookupPins &pins);

  uint64_t pending() const { return (words_.size() - drained_) / kWords; }
  uint64_t drain(uint64_t *out, uint64_t max);
  uint64_t lookups_pending() const { return lookups_.size() - lookups_drained_; }
  uint64_t drain_lookups(hil_lookup_t *out, uint64_t max);

  // What a node did.
  struct Counts {
    uint64_t lookups = 0, hits = 0, misses = 0, hit_latency_min = 0, hit_latency_max = 0, hit_latency_sum = 0;
    std::array<uint64_t, kTraceEvents> events{};  // records by event
    uint64_t shootdown_pages = 0;
    uint64_t packets_sent = 0;
  };

  bool log_lookups = false;
  std::array<Counts, kMaxNodes> counts{};

 private:
  static constexpr unsigned kWords = 8, kCpuShift = 32;
  std::vector<uint64_t> words_;
  uint64_t drained_ = 0;
  std::vector<hil_lookup_t> lookups_;
  uint64_t lookups_drained_ = 0;
  std::array<std::array<uint64_t, 256>, kMaxNodes> accepted_at_{};
};

}  // namespace harness
