// The handles of the GRU for the block bench: which ports a step sets and reads.
#include "Vgru_handles_tb.h"

#define TOP Vgru_handles_tb
#define INPUTS(X)                                                                                                         \
  X(mutant) X(reset) X(reg_unit) X(reg_write) X(reg_idx) X(reg_dw) X(reg_wdata) X(park_valid) X(park_cbr) X(park_mod)     \
  X(park_indexway) X(park_ctx) X(park_asid) X(park_va) X(park_ima_int) X(park_int) X(park_fault_bit) X(park_core)         \
  X(done_valid) X(done_cbr) X(done_int) X(done_bit) X(done_core) X(fill_ready) X(fill_done) X(fill_dropped) X(exc_ready)  \
  X(alloc0) X(alloc1) X(mask0) X(mask1) X(go) X(dealloc) X(shoot_ready) X(shoot_done)
#define OUTPUTS(X)                                                                                                        \
  X(reg_rdata) X(fill_valid) X(fill_cbr) X(fill_ctx) X(fill_asid) X(fill_va) X(fill_pfn) X(fill_pagesize) X(fill_gaa)     \
  X(fill_dirty) X(fill_indexway) X(cmd_cbr) X(resume) X(to_upm) X(exc_valid) X(tlb_inval) X(fmm0) X(fmm1) X(upm0) X(upm1) \
  X(tfh_snoop) X(tfh_snoop_idx) X(tfh_busy) X(irq) X(tfm_busy) X(shoot_valid) X(shoot_tgh) X(shoot_scope) X(shoot_asid)   \
  X(shoot_first) X(shoot_last) X(shoot_mask) X(shoot_ctxbitmap) X(tgh_snoop) X(tgh_snoop_idx) X(tgh_busy)

#include "stepped.h"
