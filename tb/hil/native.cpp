// The native host: owns the Verilated model and its clock. See hil.h.
#include <memory>

#include "Vtop.h"
#include "core.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_fst_c.h"
#endif

namespace harness {


class Model {
 public:
  explicit Model(uint64_t seed) {
    Verilated::threadContextp(context_.get());
    context_->threads(1);
    context_->randReset(HIL_RANDOM_RESET);
    context_->randSeed(static_cast<int>(seed));
    context_->fatalOnError(false);
#if VM_TRACE
    context_->traceEverOn(true);
#endif
    top_ = std::make_unique<Vtop>(context_.get(), "");
    top_->rst_ni = 0;
    for (int i = 0; i < kResetCycles; ++i) clock(0);
    top_->rst_ni = 1;
    top_->eval();
  }
  ~Model() {
    // The thread's context may be that of a model that is gone.
    Verilated::threadContextp(context_.get());
    trace_off();
    top_->final();
  }

  // One clock edge; afterwards the pins are those of cycle `next`.
  void clock(uint64_t next) {
    top_->clk_i = 1;
    top_->eval();
    dump(2 * next);
    top_->clk_i = 0;
    top_->eval();
    dump(2 * next + 1);
  }

#if VM_TRACE
  bool trace_on(const char *path, uint64_t next) {
    trace_off();
    fst_ = std::make_unique<VerilatedFstC>();
    top_->trace(fst_.get(), 99);
    fst_->open(path);
    if (!fst_->isOpen()) fst_.reset();
    dump(2 * next - 1);  // the pins as they are now
    return fst_ != nullptr;
  }
  void trace_off() {
    if (fst_) {
      fst_->dump(last_ + kAfter);
      fst_->close();
    }
    fst_.reset();
  }

 private:
  void dump(uint64_t time) {
    last_ = time;
    if (fst_) fst_->dump(time);
  }
  // A viewer shows no time past the end of the file: with the pins held this long, the last cycle need not stand at the edge.
  static constexpr uint64_t kAfter = 256;
  uint64_t last_ = 0;
  std::unique_ptr<VerilatedFstC> fst_;
#else
  void trace_off() {}

 private:
  void dump(uint64_t) {}
#endif

  static constexpr int kResetCycles = 4;
  std::unique_ptr<VerilatedContext> context_ = std::make_unique<VerilatedContext>();
  std::unique_ptr<Vtop> top_;
};

}  // namespace harness

namespace {

void end_model(hil *h) {
  harness::active = h;
  delete h->model;
  h->model = nullptr;
}

// A model per reset: RAMs are as after power-on too.
void power_on(hil *h) {
  end_model(h);
  h->model = new harness::Model(1);
}

}  // namespace

extern "C" {


hil_t *hil_create(void) {
  auto *h = new hil();
  h->reset();
  power_on(h);
  return h;
}

void hil_destroy(hil_t *h) {
  end_model(h);
  delete h;
  harness::active = nullptr;
}

void hil_reset(hil_t *h) {
  h->reset();
  power_on(h);
}

int hil_advance(hil_t *h, uint64_t until, hil_event_t *events, uint32_t max) {
  if (!h->arm(until)) return -1;
  while (!h->stop()) h->model->clock(h->next());
  return hil_take(h, events, max);
}

int hil_trace_on(hil_t *h, const char *path) {
#if VM_TRACE
  if (h->model->trace_on(path, h->next())) return 0;
  h->error = std::string("cannot write ") + path;
  return -1;
#else
  (void)path;
  h->error = "built without waveforms";
  return -1;
#endif
}

void hil_trace_off(hil_t *h) { h->model->trace_off(); }

}  // extern "C"
