/* Generated from spec/ by `make gen`. Do not edit. */
#pragma once

enum hil_hca {
  HIL_HCA_CSR_BYTES = 512, /* bytes of a node's register block */
  HIL_HCA_NODE_IRQS = 16, /* interrupt lines a node has at the port; node n's line i is line 16 * n + i */
};

enum hil_hca_need {
  HIL_NEED_LOCAL_READ = 0,
  HIL_NEED_LOCAL_WRITE = 1,
  HIL_NEED_REMOTE_READ = 2,
  HIL_NEED_REMOTE_WRITE = 3,
  HIL_NEED_REMOTE_ATOMIC = 4,
};

enum hil_hca_pkt_op {
  HIL_PKT_OP_SEND = 1,
  HIL_PKT_OP_WRITE = 2,
  HIL_PKT_OP_READ_REQ = 3,
  HIL_PKT_OP_READ_RESP = 4,
  HIL_PKT_OP_CMP_SWAP = 5,
  HIL_PKT_OP_FETCH_ADD = 6,
  HIL_PKT_OP_ATOMIC_RESP = 7,
  HIL_PKT_OP_ACK = 8,
  HIL_PKT_OP_NAK = 9,
};
