// The harness's memory model and oracle without a simulator, for tests/unit/test_hil_memory.py.
#include <cstring>

#include "link.h"
#include "memory.h"

using namespace harness;

struct shim_pins {
  uint8_t arready, awready, wready, rvalid, rid, rresp, bvalid, bid, bresp;
  uint8_t line[kLine];
};

struct shim {
  ViolationLog log;
  Oracle oracle{log};
  Memory memory{oracle};
};

static Address address(int id, uint64_t pa, int size, int lock, int mapped, int ctx, uint64_t va) {
  const auto number = static_cast<uint8_t>(id);
  const auto owner = mapped ? Owner::Context : Owner::Kernel;
  return {number, static_cast<uint8_t>(size), lock != 0, pa, {owner, static_cast<uint32_t>(ctx), number, 0, va}};
}

extern "C" {

shim *shim_new(uint8_t *data, uint64_t bytes, const uint64_t *words, uint64_t frames, const uint32_t *ctx_mm, uint32_t contexts) {
  auto *s = new shim;
  s->memory.reset();
  s->memory.bind(data, bytes);
  s->oracle.bind(words, frames, ctx_mm, contexts);
  return s;
}
void shim_delete(shim *s) { delete s; }

void shim_set(shim *s, uint64_t read_latency, uint64_t write_latency, unsigned beat_cycles, uint64_t outstanding) {
  s->memory.read_latency = read_latency;
  s->memory.write_latency = write_latency;
  s->memory.beat_cycles = beat_cycles;
  s->memory.max_outstanding = outstanding;
}

void shim_ar(shim *s, uint64_t cycle, int id, uint64_t pa, int size, int lock, int mapped, int ctx, uint64_t va) {
  s->memory.accept_read(cycle, address(id, pa, size, lock, mapped, ctx, va));
}
void shim_aw(shim *s, uint64_t cycle, int id, uint64_t pa, int size, int lock, int mapped, int ctx, uint64_t va) {
  s->memory.accept_address(cycle, address(id, pa, size, lock, mapped, ctx, va));
}
void shim_w(shim *s, uint64_t cycle, const uint8_t *line, uint64_t strobe) { s->memory.accept_data(cycle, line, strobe); }

void shim_regions(shim *s, const uint64_t *regions, uint32_t keys, const uint32_t *qp_pd, uint32_t qps) {
  s->oracle.bind_regions(regions, keys, qp_pd, qps);
}
// One beat of an HCA, judged by the oracle alone: 0, or the reason it is illegal.
uint32_t shim_judge(shim *s, uint32_t key, uint32_t qpn, uint32_t need, uint64_t va, uint64_t pa, int write, unsigned lane, unsigned count) {
  const User user{Owner::Region, key, qpn, need, va, static_cast<uint8_t>(count)};
  const size_t before = s->log.records.size();
  return s->oracle.check(0, user, pa, write != 0, true, {lane, count}) ? 0 : s->log.records[before].reason;
}
// The same through the memory: a read that uses `bytes`, a write with these strobes.
void shim_region_ar(shim *s, uint64_t cycle, uint32_t key, uint32_t qpn, uint32_t need, uint64_t va, uint64_t pa, unsigned bytes) {
  s->memory.accept_read(cycle, {0, 6, false, pa, {Owner::Region, key, qpn, need, va, static_cast<uint8_t>(bytes)}});
}
void shim_region_aw(shim *s, uint64_t cycle, uint32_t key, uint32_t qpn, uint32_t need, uint64_t va, uint64_t pa, uint64_t strobe) {
  const uint8_t line[kLine] = {};
  s->memory.accept_address(cycle, {0, 6, false, pa, {Owner::Region, key, qpn, need, va, 0}});
  s->memory.accept_data(cycle, line, strobe);
}

// End of `cycle`; the pins of the next one.
void shim_tick(shim *s, uint64_t cycle, int rtaken, int btaken, shim_pins *out) {
  s->memory.tick(cycle, rtaken != 0, btaken != 0);
  s->memory.settle(cycle + 1);
  const MemoryPins &pins = s->memory.pins;
  *out = {pins.arready, pins.awready, pins.wready, pins.rvalid, pins.rid, pins.rresp, pins.bvalid, pins.bid, pins.bresp, {}};
  std::memcpy(out->line, s->memory.rline.data(), kLine);
}

uint64_t shim_violations(const shim *s) { return s->oracle.violations; }
uint64_t shim_checked(const shim *s) { return s->oracle.checked_beats; }
void shim_violation(const shim *s, uint64_t index, hil_violation_t *out) { *out = s->log.records[index]; }

// ---- the link's fates -------------------------------------------------------------------------------------------------

Links *shim_links(uint64_t seed, uint64_t loss, uint64_t corrupt, uint64_t truncate) {
  auto *links = new Links;
  links->seed = seed;
  links->loss = loss;
  links->corrupt = corrupt;
  links->truncate = truncate;
  return links;
}
void shim_links_delete(Links *links) { delete links; }
void shim_links_target(Links *links, unsigned direction, unsigned opcode, uint64_t skip, unsigned fate) {
  links->target(direction, {opcode, skip, static_cast<Fate>(fate)});
}
void shim_links_tick(Links *links) { links->tick(); }
// A packet of `opcode` begins; its fate.
unsigned shim_links_packet(Links *links, unsigned direction, unsigned opcode) {
  const unsigned fate = (links->fates(direction) >> (2 * opcode)) & 3;
  links->packet(direction, opcode);
  return fate;
}
uint64_t shim_links_count(const Links *links, unsigned fate) { return links->count[fate]; }
}
