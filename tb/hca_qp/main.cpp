// Clocks the bench until it says that it is done. Exit status 0 whatever it found: the last line printed tells.

#include <memory>

#include "Vhca_qp_tb.h"
#include "verilated.h"
#if VM_COVERAGE
#include "verilated_cov.h"
#endif

int main(int argc, char** argv) {
  VerilatedContext context;
  context.commandArgs(argc, argv);
  auto top = std::make_unique<Vhca_qp_tb>(&context);
  top->clk_i = 0;
  top->rst_ni = 0;
  for (long i = 0; i < 40'000'000 && !context.gotFinish(); i++) {
    if (i == 10) top->rst_ni = 1;
    top->clk_i = !top->clk_i;
    top->eval();
  }
  top->final();
#if VM_COVERAGE
  context.coveragep()->write();
#endif
  return 0;
}
