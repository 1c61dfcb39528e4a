// hca_qp for directed tests: which ports a step sets and reads.
#include "Vqp_events_tb.h"

#define TOP Vqp_events_tb
#define INPUTS(X) \
  X(mutant) X(bell) X(bell_qpn) X(bell_index) X(cmd) X(cmd_op) X(cmd_qpn) X(cmd_load) X(cmd_state) X(cmd_policy) X(cmd_mtu_shift) \
  X(cmd_psn) X(cmd_dest) X(pkt) X(pkt_opcode) X(pkt_qpn) X(pkt_src) X(pkt_psn) X(pkt_msn) X(pkt_length) X(pkt_rest) X(pkt_result) \
  X(resume) X(resume_qpn) X(cq_ready)
#define OUTPUTS(X) \
  X(cmd_ready) X(done) X(done_status) X(state) X(epsn) X(pkt_ready) X(verdict) X(resume_ready) X(tx) X(tx_qpn) X(tx_opcode) \
  X(tx_syndrome) X(tx_psn) X(cqe) X(cqe_qpn) X(cqe_index) X(flush) X(flush_qpn) X(quiescent)

#include "stepped.h"
