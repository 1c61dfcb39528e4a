// Where the counts of instrumented models go: into files of their own in the folder SHOOTDOWN_COVERAGE, in Verilator's format.
//
// Promises: what a model given to keep() has counted is added to the sum of its class in this process, which is written at the end of
//   the process, when the folder changes, and when write() is called. So a test with a thousand short models leaves one file.
//   Without SHOOTDOWN_COVERAGE nothing is written.
// Needs: Verilator's --coverage-..., and counts_insert.h in what it writes (instrument.REGISTERED); one thread at a time.
// Costs: the points of a model, some 60,000 of a chip, are registered with Verilator's run time once a process, which takes a second,
//   and not for each model.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <random>
#include <string>

#include "verilated.h"
#include "verilated_cov.h"

#include "counts_insert.h"

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

// The sum of the models of a class. `Syms`: the class that has Verilator's array of counts; `name`: what models are called.
template <class Top, class Syms>
class Sum {
 public:
  explicit Sum(const char* name) : name_(name) {}
  ~Sum() { write(); }  // the register itself is left alone: at the end of a process its run time may be gone already

  // Forget what a model has counted.
  static void zero(Top& top) {
    auto& counts = counts_of(top);
    std::fill(std::begin(counts), std::end(counts), 0);
  }

  // A model has ended.
  void keep(Top& top) {
    const std::string here = folder();
    if (here != folder_) {
      write();
      file_.clear();
      folder_ = here;
      if (register_) zero(*register_);
    }
    if (!register_) open();
    auto& sum = counts_of(*register_);
    const auto& more = counts_of(top);
    for (size_t i = 0; i < std::size(sum); i++) {
      sum[i] = std::min<uint64_t>(std::numeric_limits<uint32_t>::max(), uint64_t{sum[i]} + more[i]);
    }
    fresh_ = true;
  }

  // One file for all models of this folder: written again, it grows.
  void write() {
    if (!register_ || !fresh_ || folder_.empty()) return;
    if (file_.empty()) file_ = new_file(folder_);
    context_->coveragep()->write(file_ + ".partial");
    std::rename((file_ + ".partial").c_str(), file_.c_str());
    fresh_ = false;
  }

 private:
  static auto& counts_of(Top& top) { return static_cast<Syms*>(top.rootp->vlSymsp)->__Vcoverage; }

  // A model that is never run, whose points are registered. It makes its context the thread's, which belongs to others.
  void open() {
    VerilatedContext* const before = Verilated::threadContextp();
    context_ = new VerilatedContext;
    counts_registering = true;
    register_ = new Top(context_, name_);
    counts_registering = false;
    Verilated::threadContextp(before);
  }

  const char* const name_;
  std::string folder_, file_;
  VerilatedContext* context_ = nullptr;
  Top* register_ = nullptr;
  bool fresh_ = false;
};

}  // namespace counts

// The header of a model's class Syms, for #include.
#define COUNTS_TEXT(x) #x
#define COUNTS_HEADER(syms) COUNTS_HEADER_(syms)
#define COUNTS_HEADER_(syms) COUNTS_TEXT(syms.h)
