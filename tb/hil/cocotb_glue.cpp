// The harness inside a cocotb simulation: cocotb's main owns the model and its clock, so a handle has none. See hil.h.
#include "core.h"

extern "C" {

hil_t *hil_create(void) {
  auto *h = new hil();
  h->reset();
  if (harness::active == nullptr) harness::active = h;
  return h;
}

void hil_destroy(hil_t *h) {
  if (harness::active == h) harness::active = nullptr;
  delete h;
}

void hil_reset(hil_t *h) { h->reset(); }

int hil_advance(hil_t *h, uint64_t, hil_event_t *, uint32_t) {
  h->error = "cocotb owns the clock: hil_arm, wait for stop_toggle_o, hil_take";
  return -1;
}

int hil_trace_on(hil_t *h, const char *) {
  h->error = "under cocotb a waveform is asked for when the simulation starts";
  return -1;
}

void hil_trace_off(hil_t *) {}

}  // extern "C"
