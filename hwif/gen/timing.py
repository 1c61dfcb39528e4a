"""Default costs in device cycles. Generated from spec/ by `make gen`. Do not edit."""

from typing import Final

# clock
CLOCK_MHZ: Final = 500
"""device clock, one clock for everybody (assumed: no published figure for the GRU)."""

# memory
MEM_READ_LATENCY: Final = 120
"""read address accepted to first data beat (240 ns: local DRAM read seen from a hub chip, assumed from NUMAlink-class systems)."""
MEM_WRITE_LATENCY: Final = 60
"""last write beat accepted to response (posted at the memory controller: half a read)."""
MEM_BYTES_PER_CYCLE: Final = 64
"""bandwidth of the memory port (one 64-byte line a cycle, 32 GB/s)."""
MEM_MAX_OUTSTANDING: Final = 128
"""requests the memory accepts before it holds the port (one a control block)."""
HCA_MAX_OUTSTANDING: Final = 256
"""the same for an HCA's port (a line a cycle over the read latency, and room for walks)."""

# link
LINK_LATENCY: Final = 150
"""first flit sent to first flit received (300 ns: cable, one switch hop and two serdes, QDR-class)."""
LINK_CYCLES_PER_FLIT: Final = 1
"""cycles a flit of 64 bytes takes (one flit a cycle, 32 GB/s: the width of the memory port)."""

# software
SW_HCA_POST: Final = 40
"""posting one work request, without its doorbell (80 ns: a cached line of 64 bytes built in user space)."""
SW_HCA_POLL: Final = 15
"""looking at one completion queue entry (30 ns: a cached line, missed once)."""
SW_HCA_COMMAND: Final = 100
"""building one command (200 ns)."""
SW_HCA_FAULT_WORK: Final = 400
"""fault work item: dispatch from interrupt to worker (800 ns: a high-priority workqueue)."""
SW_PIN_PAGE: Final = 60
"""pin or unpin one page of a longterm registration (120 ns: pin_user_pages_fast, per page)."""
SW_IRQ_LATENCY: Final = 1000
"""interrupt line high to first handler instruction (2 us, Linux interrupt entry on a large system)."""
SW_MMIO_WRITE: Final = 50
"""CPU side of storing and flushing one handle line (100 ns: one coherent line transfer)."""
SW_MMIO_READ: Final = 100
"""CPU side of one load that misses to the device (200 ns: one coherent line fetch)."""
SW_SNOOP: Final = 60
"""coherence probe seen to spinning CPU awake (120 ns: line invalidated and fetched again)."""
SW_SYSCALL: Final = 150
"""entry and exit of a system call (300 ns)."""
SW_MINOR_FAULT: Final = 850
"""CPU minor fault without the page copy (1,700 ns: Vesely, ISPASS'16)."""
SW_COW_COPY: Final = 750
"""copy of one 4 KiB page (1,500 ns: 4K copy-on-write on x86, linux-mm 2026-09)."""
SW_PTE_OP: Final = 10
"""change one page table entry (20 ns: a cached read-modify-write)."""
SW_PAGE_WALK: Final = 40
"""walk a page table in software (follow_page) (80 ns: four cached levels)."""
SW_CPU_TLB_FLUSH: Final = 1100
"""flush the processors' own TLBs (2,200 cycles of a CPU for a remote shootdown: Amit, userfaultfd RFC)."""
SW_SWAP_READ: Final = 30000
"""read one page from swap (60 us: major fault, NP-RDMA arXiv 2310.11062)."""
SW_SWAP_WRITE: Final = 10000
"""write one page to swap, queued (20 us: NVMe write, queued)."""
SW_NOTIFIER_CALL: Final = 25
"""dispatch of one notifier callback (50 ns: an indirect call under RCU)."""
SW_GUP: Final = 300
"""get_user_pages on a present page (600 ns)."""
SW_CPU_ACCESS: Final = 2
"""program accesses within one page-granular run (a few cached accesses)."""
SW_BACKOFF: Final = 2000
"""driver's wait before it tries again (4 us)."""

# model
MODEL_TLB_ENTRIES: Final = 512
"""entries of the TLB (rtl/gru/gru_top.sv TlbEntries)."""
MODEL_TLB_WAYS: Final = 4
"""ways of the TLB (rtl/gru/gru_top.sv TlbWays)."""
MODEL_SHOOT_SLOTS: Final = 8
"""shootdowns accepted and not yet swept (rtl/gru/gru_top.sv ShootSlots)."""
MODEL_FILL_SLOTS: Final = 4
"""drop-ins above or below pages of other sizes, not yet swept (rtl/gru/gru_tlb.sv FillSlots)."""
MODEL_SHOOT_LOG: Final = 64
"""accepted shootdowns a drop-in is compared with (rtl/gru/gru_top.sv ShootLog)."""
MODEL_LOG_BANKS: Final = 4
"""of them in a cycle (rtl/gru/gru_tlb_fill.sv Banks)."""
MODEL_BUS_QUEUE: Final = 8
"""accesses between the TLB and the bus (rtl/pkg/gru_eng_pkg.sv MemDepth)."""
MODEL_ATOMIC_QUEUE: Final = 4
"""second halves of atomics waiting for the bus (rtl/gru/gru_mem.sv am_mem)."""
MODEL_POLL_BACKOFF: Final = 64
"""cycles between two reads of a polling atomic (rtl/pkg/gru_eng_pkg.sv PollBackoff)."""
MODEL_WORD: Final = 3
"""cycles of the bus for each 64-bit word of a request (rtl/gru/gru_axil.sv)."""
MODEL_ISSUE: Final = 4
"""start of an instruction answered on the bus to its first lookup accepted (rtl/gru/gru_cb.sv, gru_exec.sv)."""
MODEL_LOOKUP: Final = 2
"""lookup accepted to answer, up to two page sizes (rtl/gru/gru_tlb_lookup.sv)."""
MODEL_ACCESS: Final = 4
"""lookup answered to instruction retired, beside the memory's latency (rtl/gru/gru_mem.sv)."""
MODEL_FAULT: Final = 6
"""drop-in answered on the bus to the next lookup accepted (rtl/gru/gru_tfh.sv, gru_tlb_fill.sv)."""
MODEL_SHOOTDOWN: Final = 4
"""shootdown answered on the bus to its probe, nothing in flight (rtl/gru/gru_tgh.sv, gru_tlb_drain.sv)."""
MODEL_ALLOCATE: Final = 66
"""ALLOCATE answered on the bus to its probe (rtl/gru/gru_cch.sv)."""
MODEL_START: Final = 11
"""START answered on the bus to its probe (rtl/gru/gru_cch.sv)."""

# hca_model
HCA_WORD: Final = 3
"""cycles of the register bus for each 64-bit word of a request (rtl/hca/gen/hca_csr.sv behind tb/hil/bus.cpp)."""
HCA_LOOKUP: Final = 4
"""look-up asked to answer acted upon, cached (rtl/hca/hca_xlt.sv)."""
HCA_SWEEP: Final = 1
"""invalidation accepted to the first set swept (rtl/hca/hca_xlt_inval.sv)."""
HCA_KEY: Final = 6
"""a key entry's data to the look-up going on (rtl/hca/hca_xlt_walk.sv, hca_xlt_replay.sv)."""
HCA_WALK_STEP: Final = 3
"""a table entry's data to the next read, or to the translation entering the cache (rtl/hca/hca_xlt_walk.sv)."""
HCA_REPLAY: Final = 7
"""a walk's end to the look-ups that waited being answered (rtl/hca/hca_xlt_replay.sv)."""
HCA_COMMAND: Final = 4
"""command in the device to its execution (rtl/hca/hca_cmd.sv)."""
HCA_CONTEXT: Final = 6
"""a queue pair's part in MODIFY_QP and QUERY_QP (rtl/hca/hca_qp.sv)."""
HCA_RETIRE: Final = 3
"""command executed to the write of its result (rtl/hca/hca_cmd_retire.sv)."""
HCA_RESUME: Final = 7
"""RESUME taken to the held packet's look-up (rtl/hca/hca_fault.sv, hca_rx_show.sv)."""
HCA_IRQ: Final = 2
"""record in memory to the line (rtl/hca/hca_coalesce.sv)."""
HCA_FAULT: Final = 6
"""fault reported, or the record before in memory, to the next record's write (rtl/hca/hca_fault.sv)."""
HCA_AHEAD: Final = 16
"""doorbell to work request read, and from its data to hca_tx, beside the memory's latency (rtl/hca/hca_qp_send.sv, hca_qp_fetch.sv)."""
HCA_ISSUE: Final = 2
"""cycles of the send engine a packet takes at least (rtl/hca/hca_qp_send.sv)."""
HCA_ANSWER: Final = 9
"""payload landed to its answer leaving (rtl/hca/hca_qp_recv.sv)."""
HCA_SEND: Final = 1
"""packet without payload leaving hca_tx to its flit (rtl/hca/hca_tx.sv)."""
HCA_PAYLOAD: Final = 6
"""payload's first data to the header's flit (rtl/hca/hca_tx_read.sv, hca_tx_pack.sv)."""
HCA_SLOT: Final = 18
"""cycles a packet with payload has its slot in hca_tx beside the memory's latency and its flits (rtl/hca/hca_tx_slots.sv)."""
HCA_RECEIVE: Final = 7
"""last flit to the look-up, or to the verdict on a packet without (rtl/hca/hca_rx_in.sv, hca_rx_prep.sv)."""
HCA_REQUEST: Final = 4
"""fetching a packet's work request, beside the memory's latency (rtl/hca/hca_rx_prep.sv)."""
HCA_WRITE: Final = 5
"""verdict to the first write (rtl/hca/hca_rx_write.sv)."""
HCA_LAND: Final = 5
"""last write answered to the landing told (rtl/hca/hca_rx_slots.sv)."""
HCA_CLOSE: Final = 3
"""an answer landed to its completion written (rtl/hca/hca_qp_send.sv)."""
HCA_CQE: Final = 6
"""completion ordered to its write (rtl/hca/hca_cq.sv)."""

# limits
LIVENESS_BOUND: Final = 2000000
"""cycles without progress after which a run stops with the wait-for report (4 ms, a thousand times the longest legal wait)."""
