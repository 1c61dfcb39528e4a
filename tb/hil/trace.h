// What the monitor saw: trace records, a log of lookups, counters.
//
// Promises: records in order of time, within a cycle in the order hil_top.sv calls; nothing is dropped.
// Costs: 64 bytes a record until drained; hot counters cost an increment.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "gen/trace_events.h"
#include "hil.h"

namespace harness {

// Lookup port of the TLB in one cycle.
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
  void record(uint64_t cycle, uint32_t event, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
  void lookup(uint64_t cycle, const LookupPins &pins);

  uint64_t pending() const { return (words_.size() - drained_) / kWords; }
  uint64_t drain(uint64_t *out, uint64_t max);
  uint64_t lookups_pending() const { return lookups_.size() - lookups_drained_; }
  uint64_t drain_lookups(hil_lookup_t *out, uint64_t max);

  bool log_lookups = false;
  uint64_t lookups = 0, hits = 0, misses = 0, hit_latency_min = 0, hit_latency_max = 0, hit_latency_sum = 0;
  std::array<uint64_t, DEV_CCH + 1> events{};  // records by event
  uint64_t shootdown_pages = 0;

 private:
  static constexpr unsigned kWords = 8;
  std::vector<uint64_t> words_;
  uint64_t drained_ = 0;
  std::vector<hil_lookup_t> lookups_;
  uint64_t lookups_drained_ = 0;
  std::array<uint64_t, 256> accepted_at_{};
};

}  // namespace harness
