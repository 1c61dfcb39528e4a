// The Verilated block test as a library: one call a clock cycle, all ports as 64-bit integers.
//
// Promises: tlb_step puts `in` on the inputs, lets them settle, copies the outputs of that cycle to `out`, and clocks. The order of
//   both arrays is that of tlb_names(). A failing assertion is recorded by source line (tlb_failures), never ends the process.
// Needs: one thread a model.

#include <cstdint>
#include <memory>
#include <string>

#include "Vtlb_tb.h"
#include "verilated.h"

#define INPUTS(X)                                                                                                        \
  X(mutant) X(lkp_valid) X(lkp_cbr) X(lkp_ctx) X(lkp_asid) X(lkp_va) X(lkp_write) X(lkp_sizes) X(use_valid) X(use_cbr0)  \
  X(use_cbr1) X(fill_valid) X(fill_cbr) X(fill_ctx) X(fill_asid) X(fill_va) X(fill_pfn) X(fill_pagesize) X(fill_gaa)     \
  X(fill_dirty) X(shoot_valid) X(shoot_tgh) X(shoot_scope) X(shoot_asid) X(shoot_first) X(shoot_last) X(shoot_mask)      \
  X(shoot_ctxbitmap)
#define OUTPUTS(X)                                                                                                       \
  X(lkp_ready) X(rsp_valid) X(rsp_cbr) X(rsp_hit) X(rsp_mod) X(rsp_pa) X(rsp_gaa) X(rsp_pagesize) X(rsp_indexway)        \
  X(fill_ready) X(fill_done) X(fill_done_cbr) X(fill_dropped) X(shoot_ready) X(shoot_done) X(idle) X(decide) X(lapped)   \
  X(kill) X(kill_va0) X(kill_va1) X(kill_va2) X(kill_va3)

namespace {

struct Model {
  VerilatedContext context;
  std::unique_ptr<Vtlb_tb> top;
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

const char* tlb_names(int outputs) {
#define NAME(name) #name " "
  return outputs ? OUTPUTS(NAME) : INPUTS(NAME);
}

Model* tlb_open(int seed) {
  auto* m = new Model;
  m->context.randReset(2);
  m->context.randSeed(seed);
  m->top = std::make_unique<Vtlb_tb>(&m->context, "tb");
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

void tlb_step(Model* m, const uint64_t* in, uint64_t* out) {
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

const char* tlb_failures(Model* m) { return m->failures.c_str(); }

void tlb_close(Model* m) { delete m; }
}
