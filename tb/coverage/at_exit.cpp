// In simulators with a main that is not ours: where the counts go, and that they go there whatever ends the run.
//
// Promises: with SHOOTDOWN_COVERAGE set, Verilator's counts are written to a file of its own in that folder when the program ends by
//   itself, by $finish or by an assertion. SHOOTDOWN_COVERAGE_FILE names that file; a main with a context of its own is told it by
//   +verilator+coverage+file+ too.
#include "counts.h"

namespace {

std::string file;

// A main that got to its end has written. Else an assertion ended the run in the middle, and main's context still stands.
void at_exit() {
  if (access(file.c_str(), F_OK) != 0) Verilated::threadContextp()->coveragep()->write(file);
}

struct Setup {
  Setup() {
    const char* named = std::getenv("SHOOTDOWN_COVERAGE_FILE");
    file = named == nullptr ? counts::new_file() : named;
    if (file.empty()) return;
    Verilated::defaultContextp()->coverageFilename(file);  // cocotb's main has this one
    std::atexit(at_exit);
  }
} setup;

}  // namespace
