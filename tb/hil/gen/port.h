/* Generated from spec/ by `make gen`. Do not edit. */
#pragma once

enum hil_request_kind {
  HIL_READ = 0, /* read consecutive double-words */
  HIL_WRITE = 1, /* write them, the highest address first */
  HIL_SWAP = 2, /* xchg with 0 of a write-one-to-clear map */
};

enum hil_event_kind {
  HIL_MMIO_DONE = 0, /* a request finished */
  HIL_IRQ = 1, /* an interrupt line changed */
  HIL_SNOOP = 2, /* the device changed a line a processor may hold */
  HIL_ORACLE = 3, /* the oracle objected */
};

enum hil_line_kind {
  HIL_SNOOP_CB = 0, /* control block, by its physical number */
  HIL_SNOOP_TFH = 1, /* fault handle */
  HIL_SNOOP_TGH = 2, /* shootdown handle */
  HIL_SNOOP_CCH = 3, /* context handle */
  HIL_SNOOP_CQ = 4, /* HCA: completion queue, by its number: an entry was written */
  HIL_SNOOP_COMMAND = 5, /* HCA: command queue: an entry's status was written; the index of the entry in the queue */
  HIL_SNOOP_FENCE = 6, /* HCA: a fence's value was written; always 0 */
};

enum hil_violation_reason {
  HIL_REASON_REVOKED = 1, /* no live translation of this address space and page reaches the frame */
  HIL_REASON_READ_ONLY = 2, /* a live translation exists but without write permission */
  HIL_REASON_OUTSIDE = 3, /* the address lies outside host memory */
  HIL_REASON_NOT_KERNEL = 4, /* unmapped access to a frame that is not the kernel's */
  HIL_REASON_NO_CONTEXT = 5, /* the context belongs to no address space */
  HIL_REASON_NO_REGION = 6, /* HCA: the key names no live region */
  HIL_REASON_OUT_OF_REGION = 7, /* HCA: the beat lies outside its region */
  HIL_REASON_WRONG_DOMAIN = 8, /* HCA: region and queue pair belong to different protection domains */
  HIL_REASON_NO_RIGHT = 9, /* HCA: the region does not grant this kind of access */
};

enum hil_shadow {
  HIL_SHADOW_VPN_BITS = 52, /* bits of the virtual page number in word 0; the address space is above */
  HIL_SHADOW_READ = 1, /* right to read */
  HIL_SHADOW_WRITE = 2, /* right to write */
  HIL_SHADOW_KERNEL = 4, /* the frame is the kernel's: unmapped accesses may touch it */
  HIL_SHADOW_RIGHTS_BITS = 8, /* bits of the rights in word 1; the index of the next record is above */
};

enum hil_region {
  HIL_REGION_WORDS = 4, /* words of a record: owner, start, end (exclusive), rights */
  HIL_REGION_MM_BITS = 32, /* bits of the address space in word 0 (0: no region); the protection domain is above */
  HIL_REGION_LOCAL_READ = 1, /* right: read by a local work request */
  HIL_REGION_LOCAL_WRITE = 2, /* right: written by a local work request or a receive */
  HIL_REGION_REMOTE_READ = 4, /* right: RDMA READ */
  HIL_REGION_REMOTE_WRITE = 8, /* right: RDMA WRITE */
  HIL_REGION_REMOTE_ATOMIC = 16, /* right: atomics */
};

enum hil_geometry {
  HIL_PAGE_SHIFT = 12, /* smallest page */
  HIL_LINE_BYTES = 64, /* cache line: the unit of memory traffic */
  HIL_WINDOW_BYTES = 134217728, /* chiplet window */
};
