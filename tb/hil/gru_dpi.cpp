// DPI imports of hil_top.sv, and what the harness counts of a GRU.
#include <cstring>

#include "Vtop__Dpi.h"
#include "core.h"

namespace harness {
namespace {

uint64_t events(const ::hil &h, unsigned n, trace_event event) { return h.trace.counts[n].events[event]; }

const NodeStatistic kStatistics[] = {
    {"translations", [](const ::hil &h, unsigned n) { return h.trace.counts[n].hits; }},
    {"tlb_lookups", [](const ::hil &h, unsigned n) { return h.trace.counts[n].lookups; }},
    {"tlb_hits", [](const ::hil &h, unsigned n) { return h.trace.counts[n].hits; }},
    {"tlb_misses", [](const ::hil &h, unsigned n) { return h.trace.counts[n].misses; }},
    {"hit_latency_min", [](const ::hil &h, unsigned n) { return h.trace.counts[n].hit_latency_min; }},
    {"hit_latency_max", [](const ::hil &h, unsigned n) { return h.trace.counts[n].hit_latency_max; }},
    {"hit_latency_sum", [](const ::hil &h, unsigned n) { return h.trace.counts[n].hit_latency_sum; }},
    {"faults", [](const ::hil &h, unsigned n) { return events(h, n, DEV_MISS); }},
    {"dropins", [](const ::hil &h, unsigned n) { return events(h, n, DEV_FILL); }},
    {"dropins_dropped", [](const ::hil &h, unsigned n) { return events(h, n, DEV_FILL_DROPPED); }},
    {"restarts", [](const ::hil &h, unsigned n) { return events(h, n, DEV_RESTART); }},
    {"shootdowns", [](const ::hil &h, unsigned n) { return events(h, n, DEV_SHOOT_ACCEPT); }},
    {"shootdowns_done", [](const ::hil &h, unsigned n) { return events(h, n, DEV_SHOOT_DONE); }},
    {"shootdown_pages", [](const ::hil &h, unsigned n) { return h.trace.counts[n].shootdown_pages; }},
    {"kills", [](const ::hil &h, unsigned n) { return events(h, n, DEV_KILL); }},
    {"instructions", [](const ::hil &h, unsigned n) { return events(h, n, DEV_CB_DONE); }},
};

}  // namespace

const Design design{1, "chiplet window", HIL_WINDOW_BYTES, kStatistics, {}, {}};

}  // namespace harness

namespace {

uint8_t byte(int value) { return static_cast<uint8_t>(value); }

harness::Address address(int id, long long pa, int size, svBit lock, svBit mapped, int ctx, int cbr, int asid, long long va) {
  const auto owner = mapped ? harness::Owner::Context : harness::Owner::Kernel;
  const harness::User user{owner, byte(ctx), byte(cbr), static_cast<uint32_t>(asid), static_cast<uint64_t>(va)};
  return {byte(id), byte(size), lock != 0, static_cast<uint64_t>(pa), user};
}

harness::Node &node() { return harness::active->nodes[0]; }

}  // namespace

extern "C" {

void hil_dpi_edge(long long now) { harness::active->edge(static_cast<uint64_t>(now)); }

void hil_dpi_ar(int id, long long pa, int size, svBit lock, svBit mapped, int ctx, int cbr, int asid, long long va) {
  node().memory.accept_read(harness::active->now(), address(id, pa, size, lock, mapped, ctx, cbr, asid, va));
}

void hil_dpi_aw(int id, long long pa, int size, svBit lock, svBit mapped, int ctx, int cbr, int asid, long long va) {
  node().memory.accept_address(harness::active->now(), address(id, pa, size, lock, mapped, ctx, cbr, asid, va));
}

void hil_dpi_w(const svBitVecVal *line, long long strobe) {
  node().memory.accept_data(harness::active->now(), reinterpret_cast<const uint8_t *>(line), static_cast<uint64_t>(strobe));
}

void hil_dpi_r(svBitVecVal *line) { std::memcpy(line, node().memory.rline.data(), harness::kLine); }

void hil_dpi_snoop(int kind, int index) { harness::active->snoop(0, static_cast<unsigned>(kind), static_cast<uint32_t>(index)); }

void hil_dpi_trace(int event, long long a0, long long a1, long long a2, long long a3, long long a4, long long a5) {
  const auto u = [](long long value) { return static_cast<uint64_t>(value); };
  harness::active->record(0, static_cast<uint32_t>(event), u(a0), u(a1), u(a2), u(a3), u(a4), u(a5));
}

void hil_dpi_lookup(svBit accepted, int cbr, svBit answered, svBit hit, int answered_cbr, long long pa) {
  auto &h = *harness::active;
  h.trace.lookup(h.now(), 0, {accepted != 0, byte(cbr), answered != 0, hit != 0, byte(answered_cbr), static_cast<uint64_t>(pa)});
}

// The last call of a clock edge.
void hil_dpi_tick(svBit awready, svBit wready, svBit bvalid, svBit berror, svBit arready, svBit rvalid, svBit rerror, long long rdata,
                  svBit mem_rready, svBit mem_bready, svBit quiet, long long deadline, int irq, long long *now, svBit *stop, int *mutant,
                  svBit *awvalid, svBit *wvalid, svBit *arvalid, int *addr, long long *wdata, svBit *mem_arready, svBit *mem_awready,
                  svBit *mem_wready, svBit *mem_rvalid, svBit *mem_rnew, int *mem_rid, int *mem_rresp, svBit *mem_bvalid, int *mem_bid,
                  int *mem_bresp) {
  auto &h = *harness::active;
  node().in = {{awready != 0, wready != 0, bvalid != 0, arready != 0, rvalid != 0, berror != 0, rerror != 0, static_cast<uint64_t>(rdata)},
               mem_rready != 0,
               mem_bready != 0,
               static_cast<uint32_t>(irq)};
  h.tick(quiet != 0, static_cast<uint64_t>(deadline));

  *now = static_cast<long long>(h.next());
  *stop = h.stop();
  *mutant = h.mutant;
  const auto &bus = node().bus.pins;
  *awvalid = bus.awvalid;
  *wvalid = bus.wvalid;
  *arvalid = bus.arvalid;
  *addr = static_cast<int>(bus.addr);
  *wdata = static_cast<long long>(bus.wdata);
  const auto &memory = node().memory.pins;
  *mem_arready = memory.arready;
  *mem_awready = memory.awready;
  *mem_wready = memory.wready;
  *mem_rvalid = memory.rvalid;
  *mem_rnew = memory.rnew;
  *mem_rid = memory.rid;
  *mem_rresp = memory.rresp;
  *mem_bvalid = memory.bvalid;
  *mem_bid = memory.bid;
  *mem_bresp = memory.bresp;
}

}  // extern "C"
