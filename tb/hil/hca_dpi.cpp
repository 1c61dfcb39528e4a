// DPI imports of hil_hca_top.sv, and what the harness counts and sets of HCAs and their link.
#include <cstring>

#include "Vtop__Dpi.h"
#include "core.h"
#include "gen/hca.h"

namespace harness {
namespace {

static_assert(kNodeIrqs == HIL_HCA_NODE_IRQS && HIL_NODES <= kMaxNodes && HIL_NODES <= kDirections);

uint64_t events(const ::hil &h, unsigned n, trace_event event) { return h.trace.counts[n].events[event]; }

const NodeStatistic kNodeStatistics[] = {
    {"lookups", [](const ::hil &h, unsigned n) { return h.trace.counts[n].lookups; }},
    {"translations", [](const ::hil &h, unsigned n) { return h.trace.counts[n].hits; }},
    {"refusals", [](const ::hil &h, unsigned n) { return h.trace.counts[n].misses; }},  // faults and errors
    {"hit_latency_min", [](const ::hil &h, unsigned n) { return h.trace.counts[n].hit_latency_min; }},
    {"hit_latency_max", [](const ::hil &h, unsigned n) { return h.trace.counts[n].hit_latency_max; }},
    {"hit_latency_sum", [](const ::hil &h, unsigned n) { return h.trace.counts[n].hit_latency_sum; }},
    {"walks", [](const ::hil &h, unsigned n) { return events(h, n, HDEV_WALK); }},
    {"fills", [](const ::hil &h, unsigned n) { return events(h, n, HDEV_FILL); }},
    {"fills_dropped", [](const ::hil &h, unsigned n) { return events(h, n, HDEV_FILL_DROPPED); }},
    {"invalidations", [](const ::hil &h, unsigned n) { return events(h, n, HDEV_INVALIDATE); }},
    {"kills", [](const ::hil &h, unsigned n) { return events(h, n, HDEV_KILL); }},
    {"fences", [](const ::hil &h, unsigned n) { return events(h, n, HDEV_FENCE); }},
    {"faults", [](const ::hil &h, unsigned n) { return events(h, n, HDEV_FAULT); }},
    {"fault_records", [](const ::hil &h, unsigned n) { return events(h, n, HDEV_RECORD); }},
    {"resumes", [](const ::hil &h, unsigned n) { return events(h, n, HDEV_RESUME); }},
    {"packets_sent", [](const ::hil &h, unsigned n) { return h.trace.counts[n].packets_sent; }},
    {"packets_taken", [](const ::hil &h, unsigned n) { return events(h, n, HDEV_PACKET) - h.trace.counts[n].packets_sent; }},
    {"naks", [](const ::hil &h, unsigned n) { return events(h, n, HDEV_NAK); }},  // sent and received
    {"packets_landed", [](const ::hil &h, unsigned n) { return events(h, n, HDEV_LAND); }},
    {"completions", [](const ::hil &h, unsigned n) { return events(h, n, HDEV_CQE); }},
};

const Statistic kStatistics[] = {
    {"link_packets", [](const ::hil &h) { return h.links.packets(); }},
    {"link_lost", [](const ::hil &h) { return h.links.count[static_cast<unsigned>(Fate::Lose)]; }},
    {"link_corrupted", [](const ::hil &h) { return h.links.count[static_cast<unsigned>(Fate::Corrupt)]; }},
    {"link_truncated", [](const ::hil &h) { return h.links.count[static_cast<unsigned>(Fate::Truncate)]; }},
};

constexpr uint64_t kMillion = 1'000'000;

// "link_fault": the packet `value[63:32]` from now (0: the next) of opcode [23:16] (0: any) in direction [15:8] meets the fate in [7:0].
void target(::hil &h, uint64_t value) {
  const auto direction = static_cast<unsigned>((value >> 8) & 0xFF) % kDirections;
  const auto opcode = static_cast<unsigned>((value >> 16) & 0xFF) % kOpcodes;
  h.links.target(direction, {opcode, value >> 32, static_cast<Fate>(value & 3)});
}

const Setting kSettings[] = {
    {"link_latency", 1, 1u << 15, [](::hil &h, uint64_t v) { h.links.latency = v; }},
    {"link_cycles_per_flit", 1, 255, [](::hil &h, uint64_t v) { h.links.cycles_per_flit = v; }},
    {"link_loss", 0, kMillion, [](::hil &h, uint64_t v) { h.links.loss = v; }},
    {"link_corrupt", 0, kMillion, [](::hil &h, uint64_t v) { h.links.corrupt = v; }},
    {"link_truncate", 0, kMillion, [](::hil &h, uint64_t v) { h.links.truncate = v; }},
    {"link_seed", 0, ~uint64_t{0}, [](::hil &h, uint64_t v) { h.links.seed = v; }},
    {"link_fault", 0, ~uint64_t{0}, target},
};

}  // namespace

const Design design{HIL_NODES, "register block", HIL_HCA_CSR_BYTES, kNodeStatistics, kStatistics, kSettings};

}  // namespace harness

namespace {

uint8_t byte(int value) { return static_cast<uint8_t>(value); }
uint64_t u64(long long value) { return static_cast<uint64_t>(value); }

harness::Address address(int id, long long pa, int size, svBit lock, svBit mapped, int need, int qpn, int key, long long va, int bytes) {
  const auto owner = mapped ? harness::Owner::Region : harness::Owner::Kernel;
  const harness::User user{owner, static_cast<uint32_t>(key), static_cast<uint32_t>(qpn), static_cast<uint32_t>(need), u64(va), byte(bytes)};
  return {byte(id), byte(size), lock != 0, u64(pa), user};
}

harness::Node &node(int number) { return harness::active->nodes[static_cast<unsigned>(number)]; }

}  // namespace

extern "C" {

void hil_dpi_edge(long long now) { harness::active->edge(u64(now)); }

void hil_dpi_ar(int n, int id, long long pa, int size, svBit lock, svBit mapped, int need, int qpn, int key, long long va, int bytes) {
  node(n).memory.accept_read(harness::active->now(), address(id, pa, size, lock, mapped, need, qpn, key, va, bytes));
}

void hil_dpi_aw(int n, int id, long long pa, int size, svBit lock, svBit mapped, int need, int qpn, int key, long long va, int bytes) {
  node(n).memory.accept_address(harness::active->now(), address(id, pa, size, lock, mapped, need, qpn, key, va, bytes));
}

void hil_dpi_w(int n, const svBitVecVal *line, long long strobe) {
  node(n).memory.accept_data(harness::active->now(), reinterpret_cast<const uint8_t *>(line), u64(strobe));
}

void hil_dpi_r(int n, svBitVecVal *line) { std::memcpy(line, node(n).memory.rline.data(), harness::kLine); }

void hil_dpi_snoop(int n, int kind, int index) {
  harness::active->snoop(static_cast<unsigned>(n), static_cast<unsigned>(kind), static_cast<uint32_t>(index));
}

void hil_dpi_trace(int n, int event, long long a0, long long a1, long long a2, long long a3, long long a4, long long a5) {
  harness::active->record(static_cast<unsigned>(n), static_cast<uint32_t>(event), u64(a0), u64(a1), u64(a2), u64(a3), u64(a4), u64(a5));
}

void hil_dpi_lookup(int n, svBit accepted, int use, svBit answered, svBit ok, int answered_use, long long pa) {
  auto &h = *harness::active;
  h.trace.lookup(h.now(), static_cast<unsigned>(n), {accepted != 0, byte(use), answered != 0, ok != 0, byte(answered_use), u64(pa)});
}

// A packet's first flit entered the link out of node `n`.
void hil_dpi_packet(int n, int opcode) { harness::active->links.packet(static_cast<unsigned>(n), static_cast<unsigned>(opcode)); }

// What a node showed this cycle.
void hil_dpi_pins(int n, svBit awready, svBit wready, svBit bvalid, svBit berror, svBit arready, svBit rvalid, svBit rerror, long long rdata,
                  svBit mem_rready, svBit mem_bready, int irq) {
  node(n).in = {{awready != 0, wready != 0, bvalid != 0, arready != 0, rvalid != 0, berror != 0, rerror != 0, u64(rdata)},
                mem_rready != 0,
                mem_bready != 0,
                static_cast<uint32_t>(irq)};
}

// The cycle is over; what `hil_dpi_drive` gives is the next one's.
void hil_dpi_tick(svBit quiet, long long deadline, long long *now, svBit *stop, int *mutant, int *link_latency, int *link_rate) {
  auto &h = *harness::active;
  h.tick(quiet != 0, u64(deadline));
  *now = static_cast<long long>(h.next());
  *stop = h.stop();
  *mutant = h.mutant;
  *link_latency = static_cast<int>(h.links.latency);
  *link_rate = static_cast<int>(h.links.cycles_per_flit);
}

// What a node's pins are next cycle, and the fates of packets that begin on the link out of it.
void hil_dpi_drive(int n, svBit *awvalid, svBit *wvalid, svBit *arvalid, int *addr, long long *wdata, svBit *mem_arready, svBit *mem_awready,
                   svBit *mem_wready, svBit *mem_rvalid, svBit *mem_rnew, int *mem_rid, int *mem_rresp, svBit *mem_bvalid, int *mem_bid,
                   int *mem_bresp, int *fates) {
  const auto &bus = node(n).bus.pins;
  *awvalid = bus.awvalid;
  *wvalid = bus.wvalid;
  *arvalid = bus.arvalid;
  *addr = static_cast<int>(bus.addr);
  *wdata = static_cast<long long>(bus.wdata);
  const auto &memory = node(n).memory.pins;
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
  *fates = static_cast<int>(harness::active->links.fates(static_cast<unsigned>(n)));
}

}  // extern "C"
