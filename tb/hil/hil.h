/* The C ABI of the harness: what both hosts, native and cocotb, call.
 *
 * Promises: exact cycles, the same on every host. Cycle 0 is reset; `hil_cycle` is the last cycle that is complete. A request with
 *   cycle `at` is taken from the queue in cycle at + 1 at the earliest and is on the device's pins one cycle later; so it makes
 *   no difference how early it was submitted. Events carry the cycle in which the pins showed them. Within a cycle the order is
 *   MmioDone, Irq (lines ascending), Snoop (by kind), Oracle; of each kind the nodes ascending.
 * Nodes: a system each, with a memory, an oracle, a bus and lines of its own, on one clock; trace, events and horizon are shared.
 *   The GRU has one, the HCA one or two.
 * Needs: the memory and shadow arrays outlive the handle; one thread. A handle belongs to one model.
 * Costs: the harness adds well under 100 ns to an evaluated cycle. Trace records are kept until they are drained.
 *
 * Functions that can fail return -1; hil_last_error() says why. After HIL_FAILED (an assertion of the RTL, $stop, $finish) a
 * handle only answers queries until it is reset.
 */
#ifndef SHOOTDOWN_HIL_H
#define SHOOTDOWN_HIL_H

#include <stdint.h>

#include "gen/port.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HIL_ABI_VERSION 2

typedef struct hil hil_t;

/* 96 bytes. `words` of a write in ascending order of address. */
typedef struct {
  uint16_t kind; /* hil_request_kind */
  uint16_t node;
  uint32_t count; /* 1..8 double-words */
  uint64_t at;
  uint64_t serial;
  uint64_t addr; /* byte address in the node's register window, multiple of 8 */
  uint64_t words[8];
} hil_request_t;

/* 96 bytes. */
typedef struct {
  uint16_t kind; /* hil_event_kind */
  uint16_t node;
  uint32_t count; /* MMIO_DONE: words read */
  uint64_t cycle;
  uint64_t serial; /* MMIO_DONE */
  uint32_t index; /* IRQ: line (node n's from 16 n on); SNOOP: handle */
  uint32_t value; /* IRQ: level; SNOOP: hil_line_kind; MMIO_DONE: 1 = bus error */
  uint64_t words[8]; /* MMIO_DONE: words read, ascending */
} hil_event_t;

/* One illegal beat: hwif.port.Violation. 64 bytes. */
typedef struct {
  uint64_t cycle;
  uint32_t reason; /* hil_violation_reason */
  uint8_t write, mapped, node, rsvd0;
  uint32_t ctx, cbr, asid, mm;
  uint64_t va, pa;
  uint64_t rsvd[2];
} hil_violation_t;

/* One lookup of the translation cache, kept only while "log_lookups" is 1. 40 bytes. */
typedef struct {
  uint64_t accepted, answered; /* cycles */
  uint64_t cbr, hit, pa; /* HCA: cbr is user, slot and segment; hit 0 is a fault or an error; node in bits 63..32 of cbr */
} hil_lookup_t;

int hil_abi_version(void);

/* A harness without a model. In a simulator process that hosts the harness (cocotb) the first one made is the one in use. */
hil_t *hil_create(void);
void hil_destroy(hil_t *h);
/* Queues, counters, violations and trace emptied, cycle 0. Bindings and configuration stay. */
void hil_reset(hil_t *h);

/* How many nodes the design has. */
uint32_t hil_nodes(const hil_t *h);
/* The bytes of a node's host memory; physical address 0 is data[0]. `bytes` is a multiple of 4096. */
int hil_bind_memory(hil_t *h, uint32_t node, uint8_t *data, uint64_t bytes);
/* The oracle's records (layout: hwif/shadow.py, spec/port.toml): words[(frames + pool) * 2], ctx_mm[contexts]. */
int hil_bind_shadow(hil_t *h, uint32_t node, const uint64_t *words, uint64_t frames, uint64_t pool, const uint32_t *ctx_mm,
                    uint32_t contexts);
/* What an HCA may do in the name of each key, and the domain of each queue pair: regions[keys * HIL_REGION_WORDS], qp_pd[qps]. */
int hil_bind_regions(hil_t *h, uint32_t node, const uint64_t *regions, uint32_t keys, const uint32_t *qp_pd, uint32_t qps);

/* Names: read_latency, write_latency (cycles, >= 1), bytes_per_cycle (1..64, rounded down to a divisor of 64), max_outstanding
 * (>= 1, reads and writes each), skip (0/1), oracle (0/1: only to measure what it costs), asserts (0/1: 0 lets
 * the run pass failing assertions, to test the oracle alone), mutant (0..255), log_lookups (0/1),
 * max_violations (records kept; the counter goes on). Those of the memory hold for every node's. An HCA has more (see hca_dpi.cpp).
 * Takes effect at once. */
int hil_configure(hil_t *h, const char *name, uint64_t value);

/* Queue `count` requests. None is taken if one is wrong (in the past, misaligned, count outside 1..8). */
int hil_submit(hil_t *h, const hil_request_t *requests, uint32_t count);

/* Run to the end of the first cycle with an event, or to `until`. Returns the number of events stored, or -1. Native only. */
int hil_advance(hil_t *h, uint64_t until, hil_event_t *events, uint32_t max);
/* The same in three steps for a host that owns the clock: arm, let the clock run until stop_toggle_o changes, take. */
int hil_arm(hil_t *h, uint64_t until);
int hil_take(hil_t *h, hil_event_t *events, uint32_t max);

uint64_t hil_cycle(const hil_t *h);
/* Two words to look at between calls: [0] is hil_cycle, [1] the horizon: until a further request is submitted, nothing happens in
 * the cycles before it, so a host need not advance to them. 0 while that is not known, and with skip off. Valid as long as h is. */
const uint64_t *hil_status(const hil_t *h);

/* Trace records (8 words: cycle, event of spec/events.toml, arguments) pending, and up to `max` of them, oldest first. */
uint64_t hil_trace_pending(const hil_t *h);
uint64_t hil_trace_drain(hil_t *h, uint64_t *records, uint64_t max);
uint64_t hil_lookups_pending(const hil_t *h);
uint64_t hil_lookups_drain(hil_t *h, hil_lookup_t *records, uint64_t max);

/* Violation records kept, and copies of them from index `first`. */
uint64_t hil_violation_count(const hil_t *h);
uint64_t hil_violations(const hil_t *h, uint64_t first, hil_violation_t *out, uint64_t max);

/* Counter `index`: its name (NULL past the last) and value. Node 1's have the prefix "b_". */
const char *hil_statistic_name(uint32_t index);
uint64_t hil_statistic(const hil_t *h, uint32_t index);

/* Waveform of everything from now on, FST; time in ns of a 500 MHz clock, so time = 2 * cycle. Native only. */
int hil_trace_on(hil_t *h, const char *path);
void hil_trace_off(hil_t *h);

/* Text of the last error of this handle (h == NULL: of hil_create). Valid until the next call. */
const char *hil_last_error(const hil_t *h);
/* 1 after an assertion or $stop of the RTL; hil_last_error has its text, hil_failure_cycle its cycle. */
int hil_failed(const hil_t *h);
uint64_t hil_failure_cycle(const hil_t *h);

#ifdef __cplusplus
}
#endif
#endif
