"""GRU chiplet definitions. Generated from spec/ by `make gen`. Do not edit."""

from enum import IntEnum
from typing import Final

from hwif.fields import Field

NUM_CTX: Final = 16  # contexts, one CCH each
NUM_CBR: Final = 128  # control blocks, one CBE and one TFH each
NUM_TGH: Final = 24  # shootdown handles
NUM_TFM: Final = 16  # fault maps, one a core
NUM_IRQ: Final = 16  # interrupt lines, one a core
DSR_BYTES: Final = 32768  # data segment of the whole chiplet
LINE_BYTES: Final = 64  # cache line: the unit of memory traffic
CBR_AU: Final = 2  # control blocks in an allocation unit (one bit of cbr_allocation_map)
DSR_AU_BYTES: Final = 1024  # bytes in an allocation unit (one bit of dsr_allocation_map)
ASID_WIDTH: Final = 24  # address-space identifier
VA_WIDTH: Final = 64  # virtual address
PFN_WIDTH: Final = 41  # page frame number, always in 4 KiB frames
PA_WIDTH: Final = 53  # physical address
PAGE_SHIFT: Final = 12  # smallest page
INVAL_ALL_N: Final = 1023  # TGH n that purges the whole address space of the ASID (GRUMAXINVAL - 1)
INDEXWAY_WIDTH: Final = 12  # TFH indexway
REGION_LSB: Final = 61  # vaddr[63:61] selects the CCH asid and sizeavail
NUM_REGION: Final = 8  # regions of an address space

GRU_SIZE: Final = 0x8000000  # chiplet window
GSEG_STRIDE: Final = 0x400000  # user segment of context n starts at n * this
CB_OFFSET: Final = 0x0  # control blocks in a segment
DSR_OFFSET: Final = 0x20000  # data segment in a segment
TFM_BASE: Final = 0x4000000  # fault maps
TGH_BASE: Final = 0x4008000  # shootdown handles
CBE_BASE: Final = 0x4010000  # control block extensions
TFH_BASE: Final = 0x4018000  # fault handles
CCH_BASE: Final = 0x4020000  # context handles
HANDLE_STRIDE: Final = 0x100  # distance between two handles; the first 64 bytes of each are real
HANDLE_BYTES: Final = 0x40  # size of a handle

# Page size code -> page shift.
PAGE_SHIFTS: Final[dict[int, int]] = {0: 12, 1: 14, 2: 16, 3: 18, 4: 20, 5: 21, 6: 22, 7: 24, 8: 26, 9: 28, 10: 30}


class HandleStatus(IntEnum):
    IDLE = 0
    EXCEPTION = 1
    ACTIVE = 2


class TghOpc(IntEnum):
    NOP = 0
    TLBINV = 1


class TghState(IntEnum):
    IDLE = 0
    PE_INVAL = 1
    INTERRUPT_INVAL = 2
    WAITDONE = 3
    RESTART_CTX = 4


class TghCause(IntEnum):
    RR_ECC = 0
    TLB_ECC = 1
    LRU_ECC = 2
    PS_ECC = 3
    MUL_ERR = 4
    DATA_ERR = 5
    SW_FORCE = 6


class TfhOpc(IntEnum):
    NOOP = 0
    RESTART = 1
    WRITE_ONLY = 2
    WRITE_RESTART = 3
    EXCEPTION = 4
    USER_POLLING_MODE = 7


class TfhState(IntEnum):
    INACTIVE = 0
    IDLE = 1
    MISS_UPM = 2
    MISS_FMM = 3
    HW_ERR = 4
    WRITE_TLB = 5
    RESTART_CBR = 6


class TfhCause(IntEnum):
    NONE = 0
    TLB_MISS = 1
    TLB_MOD = 2
    HW_ERROR_RR = 3
    HW_ERROR_MAIN_ARRAY = 4
    HW_ERROR_VALID = 5
    HW_ERROR_PAGESIZE = 6
    INSTRUCTION_EXCEPTION = 7
    UNCORRECTIBLE_ERROR = 8


class Gaa(IntEnum):
    RAM = 0
    MMIO = 1
    NCRAM = 2
    REGISTER = 3


class CchOpc(IntEnum):
    NONE = 0
    START = 1
    ALLOCATE = 2
    INTERRUPT = 3
    DEALLOCATE = 4
    INTERRUPT_SYNC = 5


class CchState(IntEnum):
    INACTIVE = 0
    MAPPED = 1
    ACTIVE = 2
    INTERRUPTED = 3


class CchCause(IntEnum):
    NONE = 0
    REGION_REGISTER_WRITE_ERROR = 1
    ILLEGAL_OPCODE = 2
    INVALID_START_REQUEST = 3
    INVALID_ALLOCATION_REQUEST = 4
    INVALID_DEALLOCATION_REQUEST = 5
    INVALID_INTERRUPT_REQUEST = 6
    CCH_BUSY = 7
    NO_CBRS_TO_ALLOCATE = 8
    BAD_TFM_CONFIG = 9
    CBR_RESOURCES_OVERSUBSCRIPED = 10
    DSR_RESOURCES_OVERSUBSCRIPED = 11
    CBR_DEALLOCATION_ERROR = 12


class CbrState(IntEnum):
    INACTIVE = 0
    IDLE = 1
    PE_CHECK = 2
    QUEUED = 3
    WAIT_RESPONSE = 4
    INTERRUPTED = 5
    INTERRUPTED_MISS_FMM = 6
    BUSY_INTERRUPT_MISS_FMM = 7
    INTERRUPTED_MISS_UPM = 8
    BUSY_INTERRUPTED_MISS_UPM = 9
    REQUEST_ISSUE = 10
    BUSY_INTERRUPT = 11


class CbIma(IntEnum):
    MAPPED = 0
    CB_DELAY = 1
    UNMAPPED = 2
    INTERRUPT = 4


class CbXtype(IntEnum):
    B = 0
    S = 1
    W = 2
    DW = 3
    CL = 6


class CbIstatus(IntEnum):
    IDLE = 0
    EXCEPTION = 1
    ACTIVE = 2
    CALL_OS = 3


class CbSubstatus(IntEnum):
    NO_ERROR = 0
    LB_OVERFLOWED = 1
    QLIMIT_REACHED = 2
    PAGE_OVERFLOW = 3
    AMO_NACKED = 4
    PUT_NACKED = 5


class CbOpc(IntEnum):
    NOP = 0
    BCOPY = 1
    VLOAD = 2
    IVLOAD = 3
    VSTORE = 4
    IVSTORE = 5
    VSET = 6
    IVSET = 7
    MESQ = 8
    GAMXR = 9
    GAMIR = 10
    GAMIRR = 11
    GAMER = 12
    GAMERR = 13
    BSTORE = 14
    VFLUSH = 15


class ExopIr(IntEnum):
    FETCH = 1
    CLR = 2
    INC = 5
    DEC = 7
    QCHK1 = 13
    QCHK2 = 14
    DECZ = 15


class ExopEr(IntEnum):
    SWAP = 0
    OR = 1
    AND = 2
    XOR = 3
    ADD = 4
    CSWAP = 8
    EPOLL = 9
    NPOLL = 10
    CADD = 12


class CbEcause(IntEnum):
    """Bit numbers."""

    RI = 0
    INVALID_INSTRUCTION = 1
    UNMAPPED_MODE_FORBIDDEN = 2
    PE_CHECK_DATA_ERROR = 3
    IAA_GAA_MISMATCH = 4
    DATA_SEGMENT_LIMIT_EXCEPTION = 5
    OS_FATAL_TLB_FAULT = 6
    EXECUTION_HW_ERROR = 7
    TLBHW_ERROR = 8
    RA_REQUEST_TIMEOUT = 9
    HA_REQUEST_TIMEOUT = 10
    RA_RESPONSE_FATAL = 11
    RA_RESPONSE_NON_FATAL = 12
    HA_RESPONSE_FATAL = 13
    HA_RESPONSE_NON_FATAL = 14
    ADDRESS_SPACE_DECODE_ERROR = 15
    PROTOCOL_STATE_DATA_ERROR = 16
    RA_RESPONSE_DATA_ERROR = 17
    HA_RESPONSE_DATA_ERROR = 18
    FORCED_ERROR = 19


class CbrExs(IntEnum):
    """Bit numbers."""

    ABORT_OCC = 0
    INT_OCC = 1
    PENDING = 2
    QUEUED = 3
    TLB_INVAL = 4
    EXCEPTION = 5
    CB_INT_PENDING = 6


class RtlMutant(IntEnum):
    """Broken variants of the RTL, for the tests of the checks."""

    NONE = 0
    ACK_BEFORE_DRAIN = 1
    FILL_NOT_DROPPED = 2
    RANGE_SHORT = 3
    LARGE_SURVIVES = 4
    ASID_IGNORED = 5
    RACE_LOOKUP = 6
    DUP_UPGRADE = 7
    DUP_SIZES = 8
    RACE_FILL = 9
    SLOT_LATE = 10
    FILL_HIDES = 11
    NO_BYPASS = 12
    LOG_LAP = 13
    CTX_DRAIN = 14
    DRAIN_ALL = 15
    SWEEP_STALLS = 16
    MOD_LOST = 17
    SLOT_SHORT = 18
    ASID_ZERO = 19
    DROP_ANY = 20
    SLOT_LEAK = 21
    PAGE_OFFSET = 22
    WRONG_REPORT = 23
    ACK_TWICE = 24
    LOST_ANSWER = 25
    EDGE_OVERLAP = 26
    SIZE_LEVEL = 27
    TRAFFIC_SAVES = 28
    ZERO_IS_ALL = 29
    RANGE_LONG = 30
    STICKY_MATCH = 31
    ACK_EARLY = 32
    LATE_FILL = 33
    UNLOAD_BUSY = 34
    NO_FMM_LOCK = 35
    USE_DONE_EARLY = 36
    AXI_UNSTABLE = 37
    QUIET_LIE = 38
    IRQ_PULSE = 39
    TWO_ACCESSES = 40
    FAULT_LOST = 41


LAST_TLB_MUTANT: Final = 31  # mutants up to here break the TLB, the others the chip round it

RTL_MUTANT_TEXT: Final[dict[RtlMutant, str]] = {
    RtlMutant.NONE: "the product",
    RtlMutant.ACK_BEFORE_DRAIN: "status does not wait for accesses in flight",
    RtlMutant.FILL_NOT_DROPPED: "drop-in ignores shootdowns since its miss",
    RtlMutant.RANGE_SHORT: "last page of a range survives",
    RtlMutant.LARGE_SURVIVES: "only the first page of an entry is compared",
    RtlMutant.ASID_IGNORED: "lookups match any address space",
    RtlMutant.RACE_LOOKUP: "a hit in the accepting cycle is not in flight",
    RtlMutant.DUP_UPGRADE: "an upgrade leaves the older entry",
    RtlMutant.DUP_SIZES: "a drop-in leaves older entries of other sizes",
    RtlMutant.RACE_FILL: "drop-in ignores the shootdown of its own cycle",
    RtlMutant.SLOT_LATE: "covered entries die a cycle late",
    RtlMutant.FILL_HIDES: "a drop-in marks its set swept and keeps what was covered",
    RtlMutant.NO_BYPASS: "lookup reading a set as it is written sees the old entry",
    RtlMutant.LOG_LAP: "a lapped log goes unnoticed",
    RtlMutant.CTX_DRAIN: "context scope forgets accesses through another context's entry",
    RtlMutant.DRAIN_ALL: "status waits for every access in flight",
    RtlMutant.SWEEP_STALLS: "lookups wait for the sweep",
    RtlMutant.MOD_LOST: "write hits a clean entry",
    RtlMutant.SLOT_SHORT: "a slot is given back one set early",
    RtlMutant.ASID_ZERO: "address space 0 cannot be shot down",
    RtlMutant.DROP_ANY: "any shootdown since the miss drops a drop-in",
    RtlMutant.SLOT_LEAK: "slots are never given back",
    RtlMutant.PAGE_OFFSET: "page number bits inside a large page are lost",
    RtlMutant.WRONG_REPORT: "a dropped drop-in is reported as entered",
    RtlMutant.ACK_TWICE: "shootdown status pulses twice",
    RtlMutant.LOST_ANSWER: "a write to a clean entry gets no answer",
    RtlMutant.EDGE_OVERLAP: "an entry dies only if its first or last page lies in the range (Xilinx's ATC demo)",
    RtlMutant.SIZE_LEVEL: "a range reaches only entries of the base page size (XiangShan's superpage flush)",
    RtlMutant.TRAFFIC_SAVES: "an entry survives a sweep that meets traffic to its set (NVIDIA erratum T264-SMMU-3)",
    RtlMutant.ZERO_IS_ALL: "n = 0 purges the address space (CVA6's 0 means all)",
    RtlMutant.RANGE_LONG: "one page past the range dies too (Coyote's inclusive end)",
    RtlMutant.STICKY_MATCH: "a match stays for the later ways of its set (the flags of a RISC-V reference model's loop)",
    RtlMutant.ACK_EARLY: "shootdown status returns on acceptance, before the drain",
    RtlMutant.LATE_FILL: "WRITE_RESTART drops in although no miss is pending",
    RtlMutant.UNLOAD_BUSY: "INTERRUPT_SYNC completes with accesses in flight",
    RtlMutant.NO_FMM_LOCK: "INTERRUPT ignores a fault-map miss",
    RtlMutant.USE_DONE_EARLY: "the TLB hears 'access over' when the request leaves",
    RtlMutant.AXI_UNSTABLE: "write data changes while it waits for ready",
    RtlMutant.QUIET_LIE: "quiescent_o ignores the pipeline",
    RtlMutant.IRQ_PULSE: "the line falls although its map is not empty",
    RtlMutant.TWO_ACCESSES: "a restarted control block is queued twice",
    RtlMutant.FAULT_LOST: "the fault map bit of a miss is not set",
}


class Tgh:
    """TLB global handle: one shootdown at a time, status ACTIVE until it is done."""

    cmd: Final = Field("cmd", 0, 1)  # start
    delresp: Final = Field("delresp", 1, 1)  # the driver's lock bit; the device never touches it
    opc: Final = Field("opc", 2, 1)  # tgh_opc
    status: Final = Field("status", 16, 2)  # handle_status; written values are ignored
    state: Final = Field("state", 20, 3)  # tgh_state
    cause: Final = Field("cause", 24, 3)  # tgh_cause
    vaddr: Final = Field("vaddr", 64, 64)  # first address
    asid: Final = Field("asid", 128, 24)  # address space
    pagesize: Final = Field("pagesize", 160, 5)  # page size code
    is_global: Final = Field("global", 176, 1)  # every address space
    vaddrmask: Final = Field("vaddrmask", 192, 39)  # address bits [50:12] that take part
    n: Final = Field("n", 240, 10)  # pages minus one; 1023 purges the ASID
    ctxbitmap: Final = Field("ctxbitmap", 256, 16)  # contexts concerned


class Tfh:
    """TLB fault handle: the pending miss of one control block and the drop-in that answers it."""

    cmd: Final = Field("cmd", 0, 1)  # start
    delresp: Final = Field("delresp", 1, 1)  # the driver's lock bit; the device never touches it
    opc: Final = Field("opc", 4, 3)  # tfh_opc
    status: Final = Field("status", 16, 2)  # handle_status; written values are ignored
    state: Final = Field("state", 20, 3)  # tfh_state
    cause: Final = Field("cause", 24, 6)  # tfh_cause, tested as bits by the driver (write = cause & 2)
    cb_int: Final = Field("cb_int", 30, 1)  # the control block asked for a completion interrupt
    indexway: Final = Field("indexway", 32, 12)  # set and way the hardware proposes
    ctxnum: Final = Field("ctxnum", 48, 4)  # context
    missvaddr: Final = Field("missvaddr", 64, 64)  # address that missed
    missasid: Final = Field("missasid", 128, 24)  # address space of the miss
    fillasid: Final = Field("fillasid", 160, 24)  # address space of the drop-in
    dirty: Final = Field("dirty", 184, 1)  # drop-in may be written through
    gaa: Final = Field("gaa", 185, 2)  # gaa
    pfn: Final = Field("pfn", 192, 41)  # frame number of the drop-in, in 4 KiB units for any page size
    pagesize: Final = Field("pagesize", 240, 5)  # page size code of the drop-in
    fillvaddr: Final = Field("fillvaddr", 256, 64)  # address of the drop-in


class Tfm:
    """TLB fault map: one a core; a bit per control block."""

    fault_bits: Final = Field("fault_bits", 0, 128)  # control blocks with a miss; write 1 clears, which is the driver's xchg
    done_bits: Final = Field("done_bits", 256, 128)  # control blocks that finished; write 1 clears


class Cch:
    """Context configuration handle."""

    cmd: Final = Field("cmd", 0, 1)  # start
    delresp: Final = Field("delresp", 1, 1)  # the driver's lock bit; the device never touches it
    opc: Final = Field("opc", 2, 3)  # cch_opc
    unmap_enable: Final = Field("unmap_enable", 5, 1)  # unmapped addressing allowed
    req_slice_set_enable: Final = Field("req_slice_set_enable", 6, 1)  # take req_slice
    req_slice: Final = Field("req_slice", 7, 2)  # requests a slice: 4, 8, 16, all
    cb_int_enable: Final = Field("cb_int_enable", 9, 1)  # completion interrupts allowed
    tlb_int_enable: Final = Field("tlb_int_enable", 10, 1)  # miss raises the interrupt of tlb_int_select
    tfm_fault_bit_enable: Final = Field("tfm_fault_bit_enable", 11, 1)  # miss sets a fault map bit (else user polling mode)
    tlb_int_select: Final = Field("tlb_int_select", 12, 4)  # which fault map and interrupt line
    status: Final = Field("status", 16, 2)  # handle_status; written values are ignored
    state: Final = Field("state", 18, 2)  # cch_state
    cause: Final = Field("cause", 24, 4)  # cch_cause
    tfm_done_bit_enable: Final = Field("tfm_done_bit_enable", 28, 1)  # completion sets a done bit
    dsr_allocation_map: Final = Field("dsr_allocation_map", 32, 32)  # 1 KiB units of the data segment
    cbr_allocation_map: Final = Field("cbr_allocation_map", 64, 64)  # pairs of control blocks
    asid: Final = Field("asid", 128, 256)  # 8 x 32 bits: address space of region r
    sizeavail: Final = Field("sizeavail", 384, 128)  # 8 x 16 bits: page sizes in use in region r, bit = 1 << code


class Cbe:
    """Control block extension: the progress of an instruction, saved and restored with the context."""

    imacpy: Final = Field("imacpy", 1, 3)  # copy of ima
    xtypecpy: Final = Field("xtypecpy", 8, 3)  # copy of xtype
    iaa0cpy: Final = Field("iaa0cpy", 11, 2)  # copy of iaa0
    iaa1cpy: Final = Field("iaa1cpy", 13, 2)  # copy of iaa1
    opccpy: Final = Field("opccpy", 16, 8)  # copy of opc
    exopccpy: Final = Field("exopccpy", 24, 8)  # copy of exopc
    idef2cpy: Final = Field("idef2cpy", 32, 22)  # copy of tri0
    idef4cpy: Final = Field("idef4cpy", 64, 22)  # copy of tri1 / bufsize
    idef4upd: Final = Field("idef4upd", 96, 22)  # current tri1
    idef1upd: Final = Field("idef1upd", 128, 64)  # current baddr0
    idef5cpy: Final = Field("idef5cpy", 192, 64)  # copy of op1 / stride
    idef6cpy: Final = Field("idef6cpy", 256, 64)  # BCOPY: source lines that remain; else copy of value / op2
    idef3upd: Final = Field("idef3upd", 320, 64)  # current baddr1
    idef5upd: Final = Field("idef5upd", 384, 64)  # elements that remain
    idef2upd: Final = Field("idef2upd", 448, 22)  # current tri0
    ecause: Final = Field("ecause", 480, 20)  # cb_ecause, a bit each
    cbrstate: Final = Field("cbrstate", 500, 4)  # cbr_state
    cbrexecstatus: Final = Field("cbrexecstatus", 504, 8)  # cbr_exs, a bit each


class Cb:
    """Control block: one instruction, started by writing double-word 0 last with icmd = 1."""

    icmd: Final = Field("icmd", 0, 1)  # start
    ima: Final = Field("ima", 1, 3)  # cb_ima, a bit each
    xtype: Final = Field("xtype", 8, 3)  # cb_xtype
    iaa0: Final = Field("iaa0", 11, 2)  # gaa expected of baddr0
    iaa1: Final = Field("iaa1", 13, 2)  # gaa expected of baddr1
    opc: Final = Field("opc", 16, 8)  # cb_opc
    exopc: Final = Field("exopc", 24, 8)  # exop of the atomics
    tri0: Final = Field("tri0", 32, 22)  # byte offset in the context's data segment
    istatus: Final = Field("istatus", 56, 2)  # cb_istatus
    isubstatus: Final = Field("isubstatus", 58, 4)  # cb_substatus in the low three bits, implicit abort above
    tlb_fault_color: Final = Field("tlb_fault_color", 63, 1)  # toggles with each miss reported to the user
    tri1_bufsize: Final = Field("tri1_bufsize", 64, 22)  # second data segment offset, or BCOPY buffer size in lines
    baddr0: Final = Field("baddr0", 128, 64)  # first address
    nelem: Final = Field("nelem", 192, 64)  # elements
    stride_op1: Final = Field("stride_op1", 256, 64)  # stride in elements, or first operand
    baddr1_op2: Final = Field("baddr1_op2", 320, 64)  # second address, value, or second operand
    avalue: Final = Field("avalue", 448, 64)  # what an atomic read
