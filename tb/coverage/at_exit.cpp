// In simulators with a main that is not ours: where the counts go, and that they go there whatever ends the run.
//
// Promises: with SHOOTDOWN_COVERAGE set, Verilator's counts are written to a file of its own in that folder when the program ends by
//   itself, by $finish or by an assertion. +verilator+coverage+file+ says otherwise. To a main with a context of its own the file is
//   named by both this and SHOOTDOWN_COVERAGE_FILE.
#include "counts.h"

namespace {

const char* named = nullptr;

// A main that got to its end has written. Else an assertion ended the run in the middle, and main's context still stands; one that
// has gone is never asked, for then the file is there.
void at_exit() {
  const std::string file = named != nullptr ? named : Verilated::defaultContextp()->coverageFilename();
  if (access(file.c_str(), F_OK) != 0) Verilated::threadContextp()->coveragep()->write(file);
}

struct Setup {
  Setup() {
    named = std::getenv("SHOOTDOWN_COVERAGE_FILE");
    if (named == nullptr && counts::folder().empty()) return;
    Verilated::defaultContextp()->coverageFilename(named != nullptr ? named : counts::new_file());  // cocotb's main has this one
    std::atexit(at_exit);
  }
} setup;

}  // namespace
