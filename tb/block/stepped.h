// A Verilated block as a library: one call a clock cycle, all ports as 64-bit integers. Included by one C++ file a block, which says
// before it:
//   TOP      the Verilated class, whose header it has included;
//   INPUTS   an X-macro of the ports `name`_i that a step sets, OUTPUTS of the ports `name`_o it reads;
//   STEPPED_OWN   (optional) that it has a model and a step of its own, derived from Block.
//
// Promises: block_step puts `in` on the inputs, lets them settle, copies the outputs of that cycle to `out`, and clocks. The order of
//   both arrays is that of block_names(). A failing assertion is recorded by source line (block_failures), never ends the process.
// Needs: one thread a model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "verilated.h"
#if VM_COVERAGE
#include "counts.h"
#pragma push_macro("TOP")
#undef TOP  // a member of Verilator's class is called so
#include COUNTS_HEADER(COUNTS_SYMS)
#pragma pop_macro("TOP")
#endif

namespace {

#if VM_COVERAGE
counts::Sum<TOP, COUNTS_SYMS> counted("tb");
#endif

struct Block {
  std::unique_ptr<VerilatedContext> context = std::make_unique<VerilatedContext>();
  std::unique_ptr<TOP> top;
  std::string failures;
#if VM_COVERAGE
  ~Block() {
    if (top && top->mutant_i == 0) counted.keep(*top);  // what a broken variant does is no coverage
  }
#endif
};

Block* stepping = nullptr;  // whose assertion is failing; the run time's hook has no argument for it

#define BLOCK_NAME(name) #name " "
#define BLOCK_ZERO(name) t.name##_i = 0;
#define BLOCK_SET(name) t.name##_i = *in++;
#define BLOCK_GET(name) *out++ = t.name##_o;

// A fresh model with all inputs zero, out of reset.
void power_on(Block* b, int seed) {
  b->context->randReset(2);
  b->context->randSeed(seed);
  b->top = std::make_unique<TOP>(b->context.get(), "tb");
  stepping = b;
  auto& t = *b->top;
  INPUTS(BLOCK_ZERO)
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
#if VM_COVERAGE
  counted.zero(t);  // what random registers did
#endif
}

}  // namespace

#if VM_COVERAGE
bool counts_registering = false;
#endif

// The run time calls these instead of ending the process.
void vl_stop(const char* file, int line, const char*) {
  if (stepping) stepping->failures += std::string(file) + ":" + std::to_string(line) + "\n";
}
void vl_finish(const char*, int, const char*) {}
void vl_fatal(const char* file, int line, const char* hier, const char*) { vl_stop(file, line, hier); }

extern "C" {

#if VM_COVERAGE
void counts_write() { counted.write(); }
#endif

const char* block_failures(Block* b) { return b->failures.c_str(); }

#ifndef STEPPED_OWN

const char* block_names(int outputs) { return outputs ? OUTPUTS(BLOCK_NAME) : INPUTS(BLOCK_NAME); }

Block* block_open(int seed) {
  auto* b = new Block;
  power_on(b, seed);
  return b;
}

void block_step(Block* b, const uint64_t* in, uint64_t* out) {
  stepping = b;
  auto& t = *b->top;
  INPUTS(BLOCK_SET)
  t.clk_i = 0;
  t.eval();
  OUTPUTS(BLOCK_GET)
  t.clk_i = 1;
  t.eval();
}

void block_close(Block* b) { delete b; }

#endif
}
