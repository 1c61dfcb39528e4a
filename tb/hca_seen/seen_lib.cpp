// hca_xlt_monitor for the block bench: which ports a step sets and reads.
#include "Vseen_tb.h"

#define TOP Vseen_tb
#define INPUTS(X) \
  X(mutant) X(enable) X(count) X(lkp_valid) X(lkp_id) X(rsp_valid) X(rsp_id) X(rsp_result) X(rsp_pa) X(walk_valid) X(walk_key) \
  X(walk_va) X(end_valid) X(end_drop) X(end_vpn) X(end_key) X(fill) X(fill_vpn) X(fill_off) X(fill_level) X(fill_pfn) X(fill_write) \
  X(kill) X(kill_key) X(kill_vpn) X(kill_off) X(kill_level)
#define OUTPUTS(X) \
  X(count) X(busy) X(lkp_valid) X(lkp_id) X(rsp_valid) X(rsp_id) X(rsp_ok) X(rsp_pa) X(walk_valid) X(walk_key) X(walk_va) X(fill_valid) \
  X(fill_dropped) X(fill_key) X(fill_va) X(fill_pfn) X(fill_shift) X(fill_write) X(kill_valid) X(kill0_key) X(kill0_va) X(kill0_shift) \
  X(kill2_key) X(kill2_va) X(kill2_shift)

#include "stepped.h"
