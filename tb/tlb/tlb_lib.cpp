// gru_tlb for the block bench: which ports a step sets and reads.
#include "Vtlb_tb.h"

#define TOP Vtlb_tb
#define INPUTS(X)                                                                                                        \
  X(mutant) X(reset) X(lkp_valid) X(lkp_cbr) X(lkp_ctx) X(lkp_asid) X(lkp_va) X(lkp_write) X(lkp_sizes) X(use_valid) X(use_cbr0)  \
  X(use_cbr1) X(fill_valid) X(fill_cbr) X(fill_ctx) X(fill_asid) X(fill_va) X(fill_pfn) X(fill_pagesize) X(fill_gaa)     \
  X(fill_dirty) X(shoot_valid) X(shoot_tgh) X(shoot_scope) X(shoot_asid) X(shoot_first) X(shoot_last) X(shoot_mask)      \
  X(shoot_ctxbitmap)
#define OUTPUTS(X)                                                                                                       \
  X(lkp_ready) X(rsp_valid) X(rsp_cbr) X(rsp_hit) X(rsp_mod) X(rsp_pa) X(rsp_gaa) X(rsp_pagesize) X(rsp_indexway)        \
  X(fill_ready) X(fill_done) X(fill_done_cbr) X(fill_dropped) X(shoot_ready) X(shoot_done) X(idle) X(decide) X(lapped)   \
  X(kill) X(kill_va0) X(kill_va1) X(kill_va2) X(kill_va3) X(entries) X(ways) X(slots) X(log_depth)

#include "stepped.h"
