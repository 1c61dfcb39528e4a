// hca_link for the block bench: which ports a step sets and reads.
#include "Vlink_tb.h"

#define TOP Vlink_tb
#define INPUTS(X) \
  X(mutant) X(now) X(latency) X(cycles_per_flit) X(action) X(valid) X(sop) X(eop) X(crc) X(data0) X(data1) X(data2) X(data3) \
  X(data4) X(data5) X(data6) X(data7) X(ready)
#define OUTPUTS(X) \
  X(action_taken) X(ready) X(valid) X(sop) X(eop) X(crc) X(data0) X(data1) X(data2) X(data3) X(data4) X(data5) X(data6) X(data7) \
  X(quiescent) X(deadline)

#include "stepped.h"
