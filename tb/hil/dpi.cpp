// DPI imports of hil_top.sv, and what Verilator's run time calls for $stop, $finish, $fatal and printing.
//
// Promises: a failing assertion never ends the process; its text and cycle become the harness's error.
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "Vtop__Dpi.h"
#include "core.h"
#include "print.h"

namespace {

std::string last_printed_error;

uint8_t byte(int value) { return static_cast<uint8_t>(value); }

harness::User user(svBit mapped, int ctx, int cbr, int asid, long long va) {
  return {mapped != 0, byte(ctx), byte(cbr), static_cast<uint32_t>(asid), static_cast<uint64_t>(va)};
}

void failed(const char *what, const char *file, int line) {
  std::string text = last_printed_error.empty() ? std::string(what) + " at " + file + ":" + std::to_string(line) : last_printed_error;
  last_printed_error.clear();
  if (harness::active != nullptr) harness::active->fail(text);
}

}  // namespace

// Everything the RTL prints passes here. The text of an assertion is kept for its $stop, which follows; the rest is passed on.
extern "C" int hil_printf(const char *format, ...) {
  char buffer[4096];
  va_list args;
  va_start(args, format);
  const int length = std::vsnprintf(buffer, sizeof buffer, format, args);
  va_end(args);
  if (std::strstr(buffer, "%Error") != nullptr) {
    last_printed_error = buffer;
    while (!last_printed_error.empty() && last_printed_error.back() == '\n') last_printed_error.pop_back();
  } else {
    std::fputs(buffer, stderr);
  }
  return length;
}

void vl_finish(const char *file, int line, const char *) { failed("$finish", file, line); }
// A failing assertion ends in $stop. With "asserts" off it is ignored: the oracle alone must then object.
void vl_stop(const char *file, int line, const char *) {
  if (harness::active == nullptr || harness::active->asserts) failed("$stop", file, line);
}
void vl_fatal(const char *file, int line, const char *, const char *message) {
  failed((std::string("fatal: ") + message).c_str(), file, line);
}

extern "C" {

void hil_dpi_edge(long long now) { harness::active->edge(static_cast<uint64_t>(now)); }

void hil_dpi_ar(int id, long long pa, int size, svBit lock, svBit mapped, int ctx, int cbr, int asid, long long va) {
  auto &h = *harness::active;
  h.memory.accept_read(h.now(), {byte(id), byte(size), lock != 0, static_cast<uint64_t>(pa), user(mapped, ctx, cbr, asid, va)});
}

void hil_dpi_aw(int id, long long pa, int size, svBit lock, svBit mapped, int ctx, int cbr, int asid, long long va) {
  auto &h = *harness::active;
  h.memory.accept_address(h.now(), {byte(id), byte(size), lock != 0, static_cast<uint64_t>(pa), user(mapped, ctx, cbr, asid, va)});
}

void hil_dpi_w(const svBitVecVal *line, long long strobe) {
  auto &h = *harness::active;
  h.memory.accept_data(h.now(), reinterpret_cast<const uint8_t *>(line), static_cast<uint64_t>(strobe));
}

void hil_dpi_r(svBitVecVal *line) { std::memcpy(line, harness::active->memory.rline.data(), harness::kLine); }

void hil_dpi_snoop(int kind, int index) { harness::active->snoop(static_cast<unsigned>(kind), static_cast<uint32_t>(index)); }

void hil_dpi_trace(int event, long long a0, long long a1, long long a2, long long a3, long long a4, long long a5) {
  auto &h = *harness::active;
  const auto u = [](long long value) { return static_cast<uint64_t>(value); };
  h.trace.record(h.now(), static_cast<uint32_t>(event), u(a0), u(a1), u(a2), u(a3), u(a4), u(a5));
}

void hil_dpi_lookup(svBit accepted, int cbr, svBit answered, svBit hit, int answered_cbr, long long pa) {
  auto &h = *harness::active;
  h.trace.lookup(h.now(), {accepted != 0, byte(cbr), answered != 0, hit != 0, byte(answered_cbr), static_cast<uint64_t>(pa)});
}

// The last call of a clock edge.
void hil_dpi_tick(svBit awready, svBit wready, svBit bvalid, svBit berror, svBit arready, svBit rvalid, svBit rerror, long long rdata,
                  svBit mem_rready, svBit mem_bready, svBit quiet, long long deadline, int irq, long long *now, svBit *stop, int *mutant,
                  svBit *awvalid, svBit *wvalid, svBit *arvalid, int *addr, long long *wdata, svBit *mem_arready, svBit *mem_awready,
                  svBit *mem_wready, svBit *mem_rvalid, svBit *mem_rnew, int *mem_rid, int *mem_rresp, svBit *mem_bvalid, int *mem_bid,
                  int *mem_bresp) {
  auto &h = *harness::active;
  harness::TickIn in;
  in.bus = {awready != 0, wready != 0, bvalid != 0, arready != 0, rvalid != 0, berror != 0, rerror != 0, static_cast<uint64_t>(rdata)};
  in.rready = mem_rready != 0;
  in.bready = mem_bready != 0;
  in.quiet = quiet != 0;
  in.deadline = static_cast<uint64_t>(deadline);
  in.irq = static_cast<uint32_t>(irq);
  h.tick(in);

  *now = static_cast<long long>(h.next());
  *stop = h.stop();
  *mutant = h.mutant;
  const auto &bus = h.bus.pins;
  *awvalid = bus.awvalid;
  *wvalid = bus.wvalid;
  *arvalid = bus.arvalid;
  *addr = static_cast<int>(bus.addr);
  *wdata = static_cast<long long>(bus.wdata);
  const auto &memory = h.memory.pins;
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
