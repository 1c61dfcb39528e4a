// The C ABI that needs no model. See hil.h.
#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "core.h"

namespace {

std::string creation_error;

int refuse(hil *h, const std::string &text) {
  h->error = text;
  return -1;
}

using harness::design;
using harness::NodeStatistic;
using harness::Setting;
using harness::Statistic;

// Counters every node of every design has; the design's own come before them.
const NodeStatistic kNodeStatistics[] = {
    {"irq_changes", [](const hil &h, unsigned n) { return h.nodes[n].irqs; }},
    {"snoops", [](const hil &h, unsigned n) { return h.nodes[n].snoops; }},
    {"mmio_reads", [](const hil &h, unsigned n) { return h.nodes[n].bus.reads; }},
    {"mmio_writes", [](const hil &h, unsigned n) { return h.nodes[n].bus.writes; }},
    {"mmio_errors", [](const hil &h, unsigned n) { return h.nodes[n].bus.errors; }},
    {"memory_read_beats", [](const hil &h, unsigned n) { return h.nodes[n].memory.read_beats; }},
    {"memory_read_bytes", [](const hil &h, unsigned n) { return h.nodes[n].memory.read_bytes; }},
    {"memory_write_beats", [](const hil &h, unsigned n) { return h.nodes[n].memory.write_beats; }},
    {"memory_write_bytes", [](const hil &h, unsigned n) { return h.nodes[n].memory.write_bytes; }},
    {"memory_decode_errors", [](const hil &h, unsigned n) { return h.nodes[n].memory.decode_errors; }},
    {"exclusive_reads", [](const hil &h, unsigned n) { return h.nodes[n].memory.exclusive_reads; }},
    {"exclusive_passed", [](const hil &h, unsigned n) { return h.nodes[n].memory.exclusive_passed; }},
    {"exclusive_failed", [](const hil &h, unsigned n) { return h.nodes[n].memory.exclusive_failed; }},
    {"checked_beats", [](const hil &h, unsigned n) { return h.nodes[n].oracle.checked_beats; }},
    {"checked_bytes", [](const hil &h, unsigned n) { return h.nodes[n].oracle.checked_bytes; }},
    {"violations", [](const hil &h, unsigned n) { return h.nodes[n].oracle.violations; }},
};

const Statistic kStatistics[] = {
    {"evaluated_cycles", [](const hil &h) { return h.evaluated; }},
    {"skipped_cycles", [](const hil &h) { return h.skipped; }},
};

// A counter as hil_statistic gives it: of a node, or of the whole.
struct Counter {
  std::string name;
  const NodeStatistic *of_node;
  const Statistic *of_all;
  unsigned node;
};

const std::vector<Counter> &counters() {
  static const std::vector<Counter> all = [] {
    std::vector<Counter> made;
    for (unsigned n = 0; n < design.nodes; ++n) {
      const std::string prefix = n == 0 ? "" : std::string(1, static_cast<char>('a' + n)) + "_";
      for (const auto &list : {design.node_statistics, std::span<const NodeStatistic>(kNodeStatistics)}) {
        for (const NodeStatistic &one : list) made.push_back({prefix + one.name, &one, nullptr, n});
      }
    }
    for (const auto &list : {design.statistics, std::span<const Statistic>(kStatistics)}) {
      for (const Statistic &one : list) made.push_back({one.name, nullptr, &one, 0});
    }
    return made;
  }();
  return all;
}

// Applies a setting of the memory to every node's.
template <typename Member>
void for_memories(hil &h, Member member, uint64_t value) {
  for (harness::Node &node : h.nodes) node.memory.*member = static_cast<std::remove_reference_t<decltype(node.memory.*member)>>(value);
}

const Setting kSettings[] = {
    {"read_latency", 1, 1u << 30, [](hil &h, uint64_t v) { for_memories(h, &harness::Memory::read_latency, v); }},
    {"write_latency", 1, 1u << 30, [](hil &h, uint64_t v) { for_memories(h, &harness::Memory::write_latency, v); }},
    {"bytes_per_cycle", 1, harness::kLine,
     [](hil &h, uint64_t v) { for_memories(h, &harness::Memory::beat_cycles, (harness::kLine + v - 1) / v); }},
    {"max_outstanding", 1, 1u << 20, [](hil &h, uint64_t v) { for_memories(h, &harness::Memory::max_outstanding, v); }},
    {"skip", 0, 1, [](hil &h, uint64_t v) { h.skip = v != 0; }},
    {"oracle", 0, 1,
     [](hil &h, uint64_t v) {
       for (harness::Node &node : h.nodes) node.oracle.enabled = v != 0;
     }},
    {"asserts", 0, 1, [](hil &h, uint64_t v) { h.asserts = v != 0; }},
    {"mutant", 0, 255, [](hil &h, uint64_t v) { h.mutant = static_cast<uint8_t>(v); }},
    {"log_lookups", 0, 1, [](hil &h, uint64_t v) { h.trace.log_lookups = v != 0; }},
    {"max_violations", 1, 1u << 30, [](hil &h, uint64_t v) { h.violations.max = v; }},
};

const Setting *find_setting(const char *name) {
  for (const auto &list : {std::span<const Setting>(kSettings), design.settings}) {
    for (const Setting &setting : list) {
      if (std::strcmp(setting.name, name) == 0) return &setting;
    }
  }
  return nullptr;
}

bool no_node(const hil_t *h, uint32_t node) { return node >= h->nodes.size(); }

}  // namespace

extern "C" {

int hil_abi_version(void) { return HIL_ABI_VERSION; }

uint32_t hil_nodes(const hil_t *h) { return static_cast<uint32_t>(h->nodes.size()); }

int hil_bind_memory(hil_t *h, uint32_t node, uint8_t *data, uint64_t bytes) {
  if (no_node(h, node)) return refuse(h, "no node " + std::to_string(node));
  if (data == nullptr || bytes == 0 || bytes % 4096 != 0) return refuse(h, "host memory must be whole frames of 4096 bytes");
  h->nodes[node].memory.bind(data, bytes);
  return 0;
}

int hil_bind_shadow(hil_t *h, uint32_t node, const uint64_t *words, uint64_t frames, uint64_t pool, const uint32_t *ctx_mm,
                    uint32_t contexts) {
  (void)pool;  // chains lead there by index
  if (no_node(h, node)) return refuse(h, "no node " + std::to_string(node));
  if (words == nullptr || ctx_mm == nullptr || frames == 0) return refuse(h, "the oracle needs its records");
  h->nodes[node].oracle.bind(words, frames, ctx_mm, contexts);
  return 0;
}

int hil_bind_regions(hil_t *h, uint32_t node, const uint64_t *regions, uint32_t keys, const uint32_t *qp_pd, uint32_t qps) {
  if (no_node(h, node)) return refuse(h, "no node " + std::to_string(node));
  if (regions == nullptr || qp_pd == nullptr) return refuse(h, "the oracle needs its records");
  h->nodes[node].oracle.bind_regions(regions, keys, qp_pd, qps);
  return 0;
}

int hil_configure(hil_t *h, const char *name, uint64_t value) {
  const Setting *setting = find_setting(name);
  if (setting == nullptr) return refuse(h, std::string("no setting '") + name + "'");
  if (value < setting->low || value > setting->high) {
    return refuse(h, std::string(name) + " must lie in " + std::to_string(setting->low) + ".." + std::to_string(setting->high) +
                         ", not " + std::to_string(value));
  }
  setting->apply(*h, value);
  h->forget_horizon();
  return 0;
}

int hil_submit(hil_t *h, const hil_request_t *requests, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    const hil_request_t &r = requests[i];
    const std::string what = "request " + std::to_string(r.serial) + ": ";
    if (r.at < h->done_cycle()) {
      return refuse(h, what + "cycle " + std::to_string(r.at) + " is in the past, now " + std::to_string(h->done_cycle()));
    }
    if (no_node(h, r.node)) return refuse(h, what + "no node " + std::to_string(r.node));
    if (r.kind > HIL_SWAP) return refuse(h, what + "unknown kind");
    if (r.count < 1 || r.count > 8) return refuse(h, what + "1 to 8 double-words, not " + std::to_string(r.count));
    if (r.addr % 8 != 0) return refuse(h, what + "address is not a multiple of 8");
    if (r.addr + 8 * r.count > design.window_bytes) return refuse(h, what + "address outside the " + design.window);
  }
  for (uint32_t i = 0; i < count; ++i) h->nodes[requests[i].node].bus.push(requests[i]);
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

uint64_t hil_violation_count(const hil_t *h) { return h->violations.records.size(); }

uint64_t hil_violations(const hil_t *h, uint64_t first, hil_violation_t *out, uint64_t max) {
  const auto &records = h->violations.records;
  if (first >= records.size()) return 0;
  const uint64_t count = std::min<uint64_t>(max, records.size() - first);
  std::copy_n(records.begin() + static_cast<std::ptrdiff_t>(first), count, out);
  return count;
}

const char *hil_statistic_name(uint32_t index) { return index < counters().size() ? counters()[index].name.c_str() : nullptr; }

uint64_t hil_statistic(const hil_t *h, uint32_t index) {
  if (index >= counters().size()) return 0;
  const Counter &counter = counters()[index];
  return counter.of_node != nullptr ? counter.of_node->value(*h, counter.node) : counter.of_all->value(*h);
}

const char *hil_last_error(const hil_t *h) { return h == nullptr ? creation_error.c_str() : h->error.c_str(); }
int hil_failed(const hil_t *h) { return h->failed; }
uint64_t hil_failure_cycle(const hil_t *h) { return h->failure_cycle; }

}  // extern "C"
