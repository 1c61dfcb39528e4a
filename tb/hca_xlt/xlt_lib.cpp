// The Verilated block test as a library: one call a clock cycle, all ports as 64-bit integers.
//
// Promises: xlt_step puts `in` on the inputs, lets them settle, copies the outputs of that cycle to `out`, and clocks. The order of
//   both arrays is that of xlt_names(). A failing assertion is recorded by source line (xlt_failures), never ends the process.
// Needs: one thread a model.

#include <cstdint>
#include <memory>
#include <string>

#include "Vxlt_tb.h"
#include "verilated.h"

#define INPUTS(X) \
  X(mutant) X(enable) X(mpt_base) X(mpt_size) X(req_valid) X(req0_use) X(req0_pd) X(req0_key) X(req0_va) X(req0_len) \
  X(req0_need) X(req1_use) X(req1_pd) X(req1_key) X(req1_va) X(req1_len) X(req1_need) X(start_valid) X(start0) X(start1) \
  X(done_valid) X(done0) X(done1) X(drop_valid) X(drop0_slot) X(drop1_slot) X(inv_valid) X(inv_key) X(inv_whole) \
  X(inv_first) X(inv_last) X(inv_tag) X(rd_ready) X(mem_valid) X(mem_id) X(mem_resp) X(mem_data0) X(mem_data1) \
  X(mem_data2) X(mem_data3) X(mem_data4) X(mem_data5) X(mem_data6) X(mem_data7)
#define OUTPUTS(X) \
  X(req_ready) X(rsp_valid) X(rsp_use) X(rsp_result) X(rsp_pa) X(live0) X(live1) X(live2) X(live3) X(live4) X(live5) X(live6) X(live7) \
  X(inv_ready) X(inv_busy) \
  X(rd_valid) X(rd_id) X(rd_pa) X(rd_size) X(rd_key) X(rd_va) X(count) X(quiescent) X(walk_valid) X(fill_valid) X(fill_dropped) X(kill) \
  X(kill_key) X(kill_va) X(kill_shift)

namespace {

struct Model {
  VerilatedContext context;
  std::unique_ptr<Vxlt_tb> top;
  std::string failures;
};

Model* stepping = nullptr;  // whose assertion is failing; the run time's hook has no argument for it

}  // namespace

// The run time calls these instead of ending the process.
void vl_stop(const char* file, int line, const char*) {
  if (stepping) stepping->failures += std::string(file) + ":" + std::to_string(line) + "\n";
}
void vl_finish(const char*, int, const char*) {}
void vl_fatal(const char* file, int line, const char* hier, const char*) { vl_stop(file, line, hier); }

extern "C" {

const char* xlt_names(int outputs) {
#define NAME(name) #name " "
  return outputs ? OUTPUTS(NAME) : INPUTS(NAME);
}

Model* xlt_open(int seed) {
  auto* m = new Model;
  m->context.randReset(2);
  m->context.randSeed(seed);
  m->top = std::make_unique<Vxlt_tb>(&m->context, "tb");
  stepping = m;
  auto& t = *m->top;
#define ZERO(name) t.name##_i = 0;
  INPUTS(ZERO)
  t.rst_ni = 1;
  t.clk_i = 0;
  t.eval();
  t.rst_ni = 0;
  t.eval();
  for (int i = 0; i < 4; i++) {
    t.clk_i = !t.clk_i;
    t.eval();
  }
  t.rst_ni = 1;
  t.eval();
  return m;
}

void xlt_step(Model* m, const uint64_t* in, uint64_t* out) {
  stepping = m;
  auto& t = *m->top;
#define SET(name) t.name##_i = *in++;
  INPUTS(SET)
  t.clk_i = 0;
  t.eval();
#define GET(name) *out++ = t.name##_o;
  OUTPUTS(GET)
  t.clk_i = 1;
  t.eval();
}

const char* xlt_failures(Model* m) { return m->failures.c_str(); }

void xlt_close(Model* m) { delete m; }
}
