// Where the counts of instrumented models go: into files of their own in the folder SHOOTDOWN_COVERAGE, in Verilator's format.
//
// Promises: a model given to keep() when it ends hands its counts on to the next model of the same class in this process, and the
//   last one writes them: at the end of the process, when the folder changes, and when write() is called. So a test with a thousand
//   short models leaves one file. Without SHOOTDOWN_COVERAGE nothing is written.
// Needs: Verilator's --coverage-...; one thread at a time.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "verilated.h"
#include "verilated_cov.h"

namespace counts {

inline std::string folder() {
  const char* value = std::getenv("SHOOTDOWN_COVERAGE");
  return value == nullptr ? "" : value;
}

// A name that nobody else takes: machines may share the folder, and processes may have equal numbers.
inline std::string new_file(const std::string& folder = counts::folder()) {
  if (folder.empty()) return "";
  std::random_device random;
  char name[64];
  std::snprintf(name, sizeof name, "/%ld-%08x%08x.dat", static_cast<long>(getpid()), random(), random());
  return folder + name;
}

// The last model of a class, with the counts of all before it. `Syms`: the class that has Verilator's array of counts.
template <class Top, class Syms>
class Heir {
 public:
  ~Heir() { write(); }  // the model itself is left alone: at the end of a process its run time may be gone already

  void keep(std::unique_ptr<VerilatedContext> context, std::unique_ptr<Top> top) {
    if (!top) return;
    const std::string here = folder();
    if (here != folder_) {
      write();
      drop();
      file_.clear();
    }
    if (top_) {
      auto& mine = counts_of(*top);
      const auto& old = counts_of(*top_);
      for (size_t i = 0; i < sizeof mine / sizeof mine[0]; i++) {
        mine[i] = std::min<uint64_t>(std::numeric_limits<uint32_t>::max(), uint64_t{mine[i]} + old[i]);
      }
      drop();
    }
    folder_ = here;
    context_ = context.release();
    top_ = top.release();
    fresh_ = true;
  }

  // One file for all models of this folder: written again, it grows.
  void write() {
    if (!top_ || !fresh_ || folder_.empty()) return;
    if (file_.empty()) file_ = new_file(folder_);
    context_->coveragep()->write(file_ + ".partial");
    std::rename((file_ + ".partial").c_str(), file_.c_str());
    fresh_ = false;
  }

 private:
  static auto& counts_of(Top& top) { return static_cast<Syms*>(top.rootp->vlSymsp)->__Vcoverage; }

  void drop() {
    delete top_;
    delete context_;
    top_ = nullptr;
    context_ = nullptr;
    file_.clear();
  }

  std::string folder_, file_;
  VerilatedContext* context_ = nullptr;
  Top* top_ = nullptr;
  bool fresh_ = false;
};

}  // namespace counts

// The header of a model's class Syms, for #include.
#define COUNTS_TEXT(x) #x
#define COUNTS_HEADER(syms) COUNTS_HEADER_(syms)
#define COUNTS_HEADER_(syms) COUNTS_TEXT(syms.h)
