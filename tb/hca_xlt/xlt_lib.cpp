// hca_xlt for the block bench: which ports a step sets and reads.
#include "Vxlt_tb.h"

#define TOP Vxlt_tb
#define INPUTS(X) \
  X(mutant) X(enable) X(mpt_base) X(mpt_size) X(req_valid) X(req0_use) X(req0_pd) X(req0_key) X(req0_va) X(req0_len) \
  X(req0_need) X(req1_use) X(req1_pd) X(req1_key) X(req1_va) X(req1_len) X(req1_need) X(start_valid) X(start0) X(start1) \
  X(done_valid) X(done0) X(done1) X(drop_valid) X(drop0_slot) X(drop1_slot) X(inv_valid) X(inv_key) X(inv_whole) \
  X(inv_first) X(inv_last) X(inv_tag) X(rd_ready) X(mem_valid) X(mem_id) X(mem_resp) X(mem_data0) X(mem_data1) \
  X(mem_data2) X(mem_data3) X(mem_data4) X(mem_data5) X(mem_data6) X(mem_data7)
#define OUTPUTS(X) \
  X(req_ready) X(rsp_valid) X(rsp_use) X(rsp_result) X(rsp_pa) X(live0) X(live1) X(live2) X(live3) X(live4) X(live5) X(live6) X(live7) \
  X(inv_ready) X(inv_busy) \
  X(rd_valid) X(rd_id) X(rd_pa) X(rd_size) X(rd_key) X(rd_va) X(count) X(quiescent) X(walk_valid) X(fill_valid) X(fill_dropped) X(kill) \
  X(kill_key) X(kill_va) X(kill_shift)

#include "stepped.h"
