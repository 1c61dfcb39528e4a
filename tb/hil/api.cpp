// The C ABI that needs no model. See hil.h.
#include <algorithm>
#include <cstring>
#include <memory>

#include "core.h"

namespace {

std::string creation_error;

int refuse(hil *h, const std::string &text) {
  h->error = text;
  return -1;
}

struct Statistic {
  const char *name;
  uint64_t (*value)(const hil &);
};

// Order is the index of hil_statistic; names are the keys of Device.statistics().
const Statistic kStatistics[] = {
    {"translations", [](const hil &h) { return h.trace.hits; }},
    {"tlb_lookups", [](const hil &h) { return h.trace.lookups; }},
    {"tlb_hits", [](const hil &h) { return h.trace.hits; }},
    {"tlb_misses", [](const hil &h) { return h.trace.misses; }},
    {"hit_latency_min", [](const hil &h) { return h.trace.hit_latency_min; }},
    {"hit_latency_max", [](const hil &h) { return h.trace.hit_latency_max; }},
    {"hit_latency_sum", [](const hil &h) { return h.trace.hit_latency_sum; }},
    {"faults", [](const hil &h) { return h.trace.events[DEV_MISS]; }},
    {"dropins", [](const hil &h) { return h.trace.events[DEV_FILL]; }},
    {"dropins_dropped", [](const hil &h) { return h.trace.events[DEV_FILL_DROPPED]; }},
    {"restarts", [](const hil &h) { return h.trace.events[DEV_RESTART]; }},
    {"shootdowns", [](const hil &h) { return h.trace.events[DEV_SHOOT_ACCEPT]; }},
    {"shootdowns_done", [](const hil &h) { return h.trace.events[DEV_SHOOT_DONE]; }},
    {"shootdown_pages", [](const hil &h) { return h.trace.shootdown_pages; }},
    {"kills", [](const hil &h) { return h.trace.events[DEV_KILL]; }},
    {"instructions", [](const hil &h) { return h.trace.events[DEV_CB_DONE]; }},
    {"irq_changes", [](const hil &h) { return h.irqs; }},
    {"snoops", [](const hil &h) { return h.snoops; }},
    {"mmio_reads", [](const hil &h) { return h.bus.reads; }},
    {"mmio_writes", [](const hil &h) { return h.bus.writes; }},
    {"mmio_errors", [](const hil &h) { return h.bus.errors; }},
    {"memory_read_beats", [](const hil &h) { return h.memory.read_beats; }},
    {"memory_read_bytes", [](const hil &h) { return h.memory.read_bytes; }},
    {"memory_write_beats", [](const hil &h) { return h.memory.write_beats; }},
    {"memory_write_bytes", [](const hil &h) { return h.memory.write_bytes; }},
    {"memory_decode_errors", [](const hil &h) { return h.memory.decode_errors; }},
    {"exclusive_reads", [](const hil &h) { return h.memory.exclusive_reads; }},
    {"exclusive_passed", [](const hil &h) { return h.memory.exclusive_passed; }},
    {"exclusive_failed", [](const hil &h) { return h.memory.exclusive_failed; }},
    {"checked_beats", [](const hil &h) { return h.oracle.checked_beats; }},
    {"checked_bytes", [](const hil &h) { return h.oracle.checked_bytes; }},
    {"violations", [](const hil &h) { return h.oracle.violations; }},
    {"evaluated_cycles", [](const hil &h) { return h.evaluated; }},
    {"skipped_cycles", [](const hil &h) { return h.skipped; }},
};

struct Setting {
  const char *name;
  uint64_t low, high;
  void (*apply)(hil &, uint64_t);
};

const Setting kSettings[] = {
    {"read_latency", 1, 1u << 30, [](hil &h, uint64_t v) { h.memory.read_latency = v; }},
    {"write_latency", 1, 1u << 30, [](hil &h, uint64_t v) { h.memory.write_latency = v; }},
    {"bytes_per_cycle", 1, harness::kLine,
     [](hil &h, uint64_t v) { h.memory.beat_cycles = static_cast<unsigned>((harness::kLine + v - 1) / v); }},
    {"max_outstanding", 1, 1u << 20, [](hil &h, uint64_t v) { h.memory.max_outstanding = v; }},
    {"skip", 0, 1, [](hil &h, uint64_t v) { h.skip = v != 0; }},
    {"oracle", 0, 1, [](hil &h, uint64_t v) { h.oracle.enabled = v != 0; }},
    {"asserts", 0, 1, [](hil &h, uint64_t v) { h.asserts = v != 0; }},
    {"mutant", 0, 255, [](hil &h, uint64_t v) { h.mutant = static_cast<uint8_t>(v); }},
    {"log_lookups", 0, 1, [](hil &h, uint64_t v) { h.trace.log_lookups = v != 0; }},
    {"max_violations", 1, 1u << 30, [](hil &h, uint64_t v) { h.oracle.max_violations = v; }},
};

}  // namespace

extern "C" {

int hil_abi_version(void) { return HIL_ABI_VERSION; }

int hil_bind_memory(hil_t *h, uint8_t *data, uint64_t bytes) {
  if (data == nullptr || bytes == 0 || bytes % 4096 != 0) return refuse(h, "host memory must be whole frames of 4096 bytes");
  h->memory.bind(data, bytes);
  return 0;
}

int hil_bind_shadow(hil_t *h, const uint64_t *words, uint64_t frames, uint64_t pool, const uint32_t *ctx_mm, uint32_t contexts) {
  (void)pool;  // chains lead there by index
  if (words == nullptr || ctx_mm == nullptr || frames == 0) return refuse(h, "the oracle needs its records");
  h->oracle.bind(words, frames, ctx_mm, contexts);
  return 0;
}

int hil_configure(hil_t *h, const char *name, uint64_t value) {
  for (const Setting &setting : kSettings) {
    if (std::strcmp(setting.name, name) != 0) continue;
    if (value < setting.low || value > setting.high) {
      return refuse(h, std::string(name) + " must lie in " + std::to_string(setting.low) + ".." + std::to_string(setting.high) +
                           ", not " + std::to_string(value));
    }
    setting.apply(*h, value);
    h->forget_horizon();
    return 0;
  }
  return refuse(h, std::string("no setting '") + name + "'");
}

int hil_submit(hil_t *h, const hil_request_t *requests, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    const hil_request_t &r = requests[i];
    const std::string what = "request " + std::to_string(r.serial) + ": ";
    if (r.at < h->done_cycle()) {
      return refuse(h, what + "cycle " + std::to_string(r.at) + " is in the past, now " + std::to_string(h->done_cycle()));
    }
    if (r.kind > HIL_SWAP) return refuse(h, what + "unknown kind");
    if (r.count < 1 || r.count > 8) return refuse(h, what + "1 to 8 double-words, not " + std::to_string(r.count));
    if (r.addr % 8 != 0) return refuse(h, what + "address is not a multiple of 8");
    if (r.addr + 8 * r.count > HIL_WINDOW_BYTES) return refuse(h, what + "address outside the chiplet window");
  }
  for (uint32_t i = 0; i < count; ++i) h->bus.push(requests[i]);
  h->forget_horizon();
  return 0;
}

int hil_arm(hil_t *h, uint64_t until) { return h->arm(until) ? 0 : -1; }

int hil_take(hil_t *h, hil_event_t *events, uint32_t max) {
  if (h->failed) return -1;
  return static_cast<int>(h->take(events, max));
}

uint64_t hil_cycle(const hil_t *h) { return h->done_cycle(); }
const uint64_t *hil_status(const hil_t *h) { return h->status(); }

uint64_t hil_trace_pending(const hil_t *h) { return h->trace.pending(); }
uint64_t hil_trace_drain(hil_t *h, uint64_t *records, uint64_t max) { return h->trace.drain(records, max); }
uint64_t hil_lookups_pending(const hil_t *h) { return h->trace.lookups_pending(); }
uint64_t hil_lookups_drain(hil_t *h, hil_lookup_t *records, uint64_t max) { return h->trace.drain_lookups(records, max); }

uint64_t hil_violation_count(const hil_t *h) { return h->oracle.records.size(); }

uint64_t hil_violations(const hil_t *h, uint64_t first, hil_violation_t *out, uint64_t max) {
  const auto &records = h->oracle.records;
  if (first >= records.size()) return 0;
  const uint64_t count = std::min<uint64_t>(max, records.size() - first);
  std::copy_n(records.begin() + static_cast<std::ptrdiff_t>(first), count, out);
  return count;
}

const char *hil_statistic_name(uint32_t index) { return index < std::size(kStatistics) ? kStatistics[index].name : nullptr; }

uint64_t hil_statistic(const hil_t *h, uint32_t index) {
  return index < std::size(kStatistics) ? kStatistics[index].value(*h) : 0;
}

const char *hil_last_error(const hil_t *h) { return h == nullptr ? creation_error.c_str() : h->error.c_str(); }
int hil_failed(const hil_t *h) { return h->failed; }
uint64_t hil_failure_cycle(const hil_t *h) { return h->failure_cycle; }

}  // extern "C"
