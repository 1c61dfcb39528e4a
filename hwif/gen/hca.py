"""HCA definitions: structures, enums, registers, counters. Generated from spec/ by `make gen`. Do not edit."""

from enum import IntEnum
from typing import Final

from hwif.fields import Field

NUM_QP: Final = 4096  # queue pairs
QPN_WIDTH: Final = 12  # queue pair number
NUM_CQ: Final = 256  # completion queues
CQN_WIDTH: Final = 8  # completion queue number
NUM_KEY: Final = 4096  # memory keys: entries of the key table
KEY_IDX_WIDTH: Final = 12  # index of a key: key[19:8]; key[7:0] is the variant
PD_WIDTH: Final = 24  # protection domain
PSN_WIDTH: Final = 24  # packet sequence number
INDEX_WIDTH: Final = 16  # producer and consumer indices run freely, modulo 2**16; a queue has at most 2**15 entries
ENTRY_BYTES: Final = 64  # size of every queue entry, context and table line
MTU_SHIFT_MIN: Final = 8  # smallest path MTU, 256 bytes
MTU_SHIFT_MAX: Final = 12  # largest path MTU, 4096 bytes
MAX_SGE: Final = 2  # scatter/gather elements of a work request
MAX_SEGMENTS: Final = 4  # pieces of a packet's payload, none crossing a page: two elements, each over at most one page edge
MAX_MESSAGE: Final = 1073741824  # longest message, bytes
MAX_UNACKED: Final = 256  # send work requests of a queue pair that are issued and not completed
TABLE_BITS: Final = 9  # index bits of one level of a translation table: 512 entries of 8 bytes
TABLE_LEVELS: Final = 4  # most levels
HCA_VA_BITS: Final = 48  # a region of the whole address space reaches to 2**48
NODE_IRQS: Final = 16  # interrupt lines a node has at the port; node n's line i is line 16 * n + i
RX_SLOTS: Final = 32  # inbound packets in hand
TX_SLOTS: Final = 48  # outbound packets in hand: one every three cycles over a memory latency of 120
TX_LARGE: Final = 16  # of them, packets with a payload past TX_LARGE_BYTES: what one that comes next must wait for at most
TX_LARGE_BYTES: Final = 1024  # payload past which a packet counts as large
WALKERS: Final = 32  # translation walks outstanding
MTT_ENTRIES: Final = 1024  # translations cached
MTT_WAYS: Final = 4  # ways of that cache
MPT_ENTRIES: Final = 256  # keys cached
SHOOT_SLOTS: Final = 8  # invalidations accepted and not yet swept


class CmdOp(IntEnum):
    NOP = 0
    MODIFY_QP = 1
    MODIFY_CQ = 2
    INVALIDATE_RANGE = 3
    INVALIDATE_KEY = 4
    FENCE = 5
    RESUME = 6
    QUERY_QP = 7


class CmdStatus(IntEnum):
    OK = 0
    BAD_OPCODE = 1
    BAD_NUMBER = 2
    BAD_TOKEN = 3
    BAD_CONTEXT = 4
    BAD_ADDRESS = 5


class QpState(IntEnum):
    RESET = 0
    INIT = 1
    RTR = 2
    RTS = 3
    SQD = 4
    SQE = 5
    ERR = 6


class FaultPolicy(IntEnum):
    STALL = 0
    DISCARD = 1
    RESTART = 2


class WrOpcode(IntEnum):
    RDMA_WRITE = 0
    SEND = 2
    RDMA_READ = 4
    ATOMIC_CMP_AND_SWP = 5
    ATOMIC_FETCH_AND_ADD = 6


class WcOpcode(IntEnum):
    SEND = 0
    RDMA_WRITE = 1
    RDMA_READ = 2
    COMP_SWAP = 3
    FETCH_ADD = 4
    RECV = 128


class WcStatus(IntEnum):
    SUCCESS = 0
    LOC_LEN_ERR = 1
    LOC_QP_OP_ERR = 2
    LOC_EEC_OP_ERR = 3
    LOC_PROT_ERR = 4
    WR_FLUSH_ERR = 5
    MW_BIND_ERR = 6
    BAD_RESP_ERR = 7
    LOC_ACCESS_ERR = 8
    REM_INV_REQ_ERR = 9
    REM_ACCESS_ERR = 10
    REM_OP_ERR = 11
    RETRY_EXC_ERR = 12
    RNR_RETRY_EXC_ERR = 13
    GENERAL_ERR = 21


class PktOp(IntEnum):
    SEND = 1
    WRITE = 2
    READ_REQ = 3
    READ_RESP = 4
    CMP_SWAP = 5
    FETCH_ADD = 6
    ATOMIC_RESP = 7
    ACK = 8
    NAK = 9


class NakSyndrome(IntEnum):
    NONE = 0
    RNR = 1
    PSN = 2
    INV_REQ = 3
    REM_ACCESS = 4
    REM_OP = 5
    SUSPEND = 6
    RESTART = 7


class FaultDir(IntEnum):
    REQUESTER = 0
    RESPONDER = 1


class FaultCause(IntEnum):
    NOT_PRESENT = 1
    READ_ONLY = 2


class Need(IntEnum):
    LOCAL_READ = 0
    LOCAL_WRITE = 1
    REMOTE_READ = 2
    REMOTE_WRITE = 3
    REMOTE_ATOMIC = 4


class XltResult(IntEnum):
    OK = 0
    FAULT_NOT_PRESENT = 1
    FAULT_READ_ONLY = 2
    BAD_KEY = 4
    WRONG_PD = 5
    NO_RIGHT = 6
    OUT_OF_BOUNDS = 7
    BAD_TABLE = 8


class AsyncType(IntEnum):
    QP_FATAL = 1
    QP_REQ_ERR = 2
    QP_ACCESS_ERR = 3
    CQ_ERR = 4
    COMMAND_QUEUE = 5


class Access(IntEnum):
    LOCAL_WRITE = 1
    REMOTE_WRITE = 2
    REMOTE_READ = 4
    REMOTE_ATOMIC = 8
    MW_BIND = 16
    ZERO_BASED = 32
    ON_DEMAND = 64
    HUGETLB = 128
    RELAXED_ORDERING = 1048576


class Advice(IntEnum):
    PREFETCH = 0
    PREFETCH_WRITE = 1
    PREFETCH_NO_FAULT = 2


class IrqLine(IntEnum):
    """Interrupt lines of a node."""

    FAULT = 0  # fault queue not empty, enabled, and coalescing satisfied
    COMPLETION = 1  # an armed completion queue has fired
    ASYNC = 2  # an asynchronous event waits


class Counter(IntEnum):
    """COUNTER[n] of the register block."""

    TX_PACKETS = 0  # packets sent
    RX_PACKETS = 1  # packets received whole
    TX_BYTES = 2  # payload bytes sent
    RX_BYTES = 3  # payload bytes received
    BAD_CRC = 4  # packets dropped: corrupted or truncated
    BAD_PACKET = 5  # packets dropped: opcode, length or queue pair impossible
    OUT_OF_SEQUENCE = 6  # requests dropped: PSN ahead of the one expected
    DUPLICATE = 7  # requests behind the PSN expected
    RETRANSMIT = 8  # times a send side went back
    RNR_NAK_SENT = 9  # RNR NAKs sent
    NAK_SENT = 10  # other NAKs sent
    TIMEOUTS = 11  # acknowledgements that did not come in time
    MPT_HIT = 12  # MPT cache hits
    MPT_MISS = 13  # MPT cache misses
    MTT_HIT = 14  # MTT cache hits
    MTT_MISS = 15  # MTT cache misses: walks started
    WALK_DROPPED = 16  # walks whose result an invalidation covered: walked again
    FAULTS = 17  # fault records written
    FAULTS_MERGED = 18  # faults of a queue pair and direction with one outstanding
    FAULT_HELD = 19  # faults that waited for room in the queue
    RESUMES = 20  # resumes accepted
    BAD_TOKENS = 21  # resumes refused
    INVALIDATIONS = 22  # range and key invalidations
    KILLED = 23  # cached translations dropped by invalidations
    FENCES = 24  # fences completed
    CQES = 25  # completions written
    BAD_KEYS = 26  # translations refused: key, domain, rights or bounds
    BAD_TABLES = 27  # translations refused: table
    QP_ERRORS = 28  # queue pairs that went to ERR by themselves
    COMMANDS = 29  # commands done
    BAD_COMMANDS = 30  # of them, with a status other than OK
    LOOKUPS = 31  # translations asked for


class HcaMutant(IntEnum):
    """Broken variants of the RTL, for the tests of the checks."""

    NONE = 0  # the product
    ACK_BEFORE_DRAIN = 1  # a fence does not wait for accesses in flight
    WALK_NOT_DROPPED = 2  # a walk fills although an invalidation covered it
    RANGE_SHORT = 3  # the last page of a range survives
    LARGE_SURVIVES = 4  # only the first page of a large translation is compared
    KEY_IGNORED = 5  # cached translations match any key
    RACE_WALK = 6  # a walk that ends in the accepting cycle fills
    HELD_SURVIVES = 7  # a translation handed out and not yet used survives an invalidation
    DRAIN_ALL = 8  # a fence waits for every access in flight, covered or not
    RECORD_LOST = 9  # a fault record is dropped when the queue is full
    INDEX_FIRST = 10  # the producer index moves before the record is written
    STALE_TOKEN = 11  # a resume is accepted whatever its token
    IRQ_EDGE = 12  # the fault interrupt is an edge: lost when software empties the queue as a record comes
    RNR_SKIPS = 13  # a retry after RNR begins one packet late
    LATE_WRITE = 14  # a fence does not wait for writes still on their way to memory
    PD_IGNORED = 15  # a key is used without comparing its protection domain
    LENGTH_OFF = 16  # an access may pass the end of its region by one byte
    FENCE_FIRST = 17  # a fence overtakes the invalidation before it
    DUP_EXECUTED = 18  # a repeated atomic is carried out again
    NAK_LOST = 19  # a sequence gap is not reported
    EARLY_CQE = 20  # a receive completion is written before its payload has landed
    UPGRADE_KEPT = 21  # a read-only translation stays cached after its write fault
    SHOOT_FULL_ACK = 22  # an invalidation that finds no slot is acknowledged and forgotten
    KEY_KEPT = 23  # an invalidated key stays in the key cache
    RESUME_FORGOTTEN = 24  # a resume does not wake its queue pair
    FAULT_TWICE = 25  # a second fault of the same requester is queued while the first is outstanding
    ABORT_TOUCHES = 26  # a fault answered with error is retried instead
    AXI_UNSTABLE = 27  # write data changes while it waits for ready
    QUIET_LIE = 28  # quiescent_o ignores walks in flight


HCA_MUTANT_TEXT: Final[dict[HcaMutant, str]] = {
    HcaMutant.NONE: "the product",
    HcaMutant.ACK_BEFORE_DRAIN: "a fence does not wait for accesses in flight",
    HcaMutant.WALK_NOT_DROPPED: "a walk fills although an invalidation covered it",
    HcaMutant.RANGE_SHORT: "the last page of a range survives",
    HcaMutant.LARGE_SURVIVES: "only the first page of a large translation is compared",
    HcaMutant.KEY_IGNORED: "cached translations match any key",
    HcaMutant.RACE_WALK: "a walk that ends in the accepting cycle fills",
    HcaMutant.HELD_SURVIVES: "a translation handed out and not yet used survives an invalidation",
    HcaMutant.DRAIN_ALL: "a fence waits for every access in flight, covered or not",
    HcaMutant.RECORD_LOST: "a fault record is dropped when the queue is full",
    HcaMutant.INDEX_FIRST: "the producer index moves before the record is written",
    HcaMutant.STALE_TOKEN: "a resume is accepted whatever its token",
    HcaMutant.IRQ_EDGE: "the fault interrupt is an edge: lost when software empties the queue as a record comes",
    HcaMutant.RNR_SKIPS: "a retry after RNR begins one packet late",
    HcaMutant.LATE_WRITE: "a fence does not wait for writes still on their way to memory",
    HcaMutant.PD_IGNORED: "a key is used without comparing its protection domain",
    HcaMutant.LENGTH_OFF: "an access may pass the end of its region by one byte",
    HcaMutant.FENCE_FIRST: "a fence overtakes the invalidation before it",
    HcaMutant.DUP_EXECUTED: "a repeated atomic is carried out again",
    HcaMutant.NAK_LOST: "a sequence gap is not reported",
    HcaMutant.EARLY_CQE: "a receive completion is written before its payload has landed",
    HcaMutant.UPGRADE_KEPT: "a read-only translation stays cached after its write fault",
    HcaMutant.SHOOT_FULL_ACK: "an invalidation that finds no slot is acknowledged and forgotten",
    HcaMutant.KEY_KEPT: "an invalidated key stays in the key cache",
    HcaMutant.RESUME_FORGOTTEN: "a resume does not wake its queue pair",
    HcaMutant.FAULT_TWICE: "a second fault of the same requester is queued while the first is outstanding",
    HcaMutant.ABORT_TOUCHES: "a fault answered with error is retried instead",
    HcaMutant.AXI_UNSTABLE: "write data changes while it waits for ready",
    HcaMutant.QUIET_LIE: "quiescent_o ignores walks in flight",
}


class Mpt:
    """Key table entry: a memory region."""

    valid: Final = Field("valid", 0, 1)  # the entry names a region
    local_write: Final = Field("local_write", 1, 1)  # IBV_ACCESS_LOCAL_WRITE
    remote_write: Final = Field("remote_write", 2, 1)  # IBV_ACCESS_REMOTE_WRITE
    remote_read: Final = Field("remote_read", 3, 1)  # IBV_ACCESS_REMOTE_READ
    remote_atomic: Final = Field("remote_atomic", 4, 1)  # IBV_ACCESS_REMOTE_ATOMIC
    on_demand: Final = Field("on_demand", 5, 1)  # a missing translation is a fault; else it is an error (pinned regions have no holes)
    whole: Final = Field("whole", 6, 1)  # the whole address space; start and length are not looked at
    pd: Final = Field("pd", 8, 24)  # protection domain
    key: Final = Field("key", 32, 32)  # the key itself, index and variant
    start: Final = Field("start", 64, 64)  # first address
    length: Final = Field("length", 128, 64)  # bytes; 0 is an empty region
    levels: Final = Field("levels", 192, 3)  # levels of the translation table, 1 to 4
    root: Final = Field("root", 204, 40)  # frame of the table's first level
    table_base: Final = Field("table_base", 256, 64)  # address translated by entry 0 of the table, page aligned


class Command:
    """Command queue entry. The device writes double-word 7 when it is done."""

    opcode: Final = Field("opcode", 0, 8)  # cmd_op
    qpn: Final = Field("qpn", 8, 24)  # RESUME, MODIFY_QP, QUERY_QP: queue pair; MODIFY_CQ: completion queue
    token: Final = Field("token", 32, 32)  # RESUME: the token of the fault record
    key: Final = Field("key", 64, 32)  # INVALIDATE_RANGE, INVALIDATE_KEY: the key; only its index counts
    direction: Final = Field("direction", 96, 1)  # RESUME: fault_dir
    error: Final = Field("error", 97, 1)  # RESUME: abort with the architected error
    load_sq: Final = Field("load_sq", 98, 1)  # MODIFY_QP: start the send side anew with sq_psn
    load_rq: Final = Field("load_rq", 99, 1)  # MODIFY_QP: start the receive side anew with rq_psn, and take the addresses and sizes
    addr: Final = Field("addr", 128, 64)  # INVALIDATE_RANGE: first address; MODIFY_*, QUERY_QP: the context's physical address; FENCE: where to write
    length: Final = Field("length", 192, 64)  # INVALIDATE_RANGE: bytes (0: nothing; past 2**64 is clamped to the end); FENCE: the value to write
    status: Final = Field("status", 448, 8)  # written by the device: cmd_status
    done: Final = Field("done", 456, 1)  # written by the device: 1


class Qpc:
    """Queue pair context, read by MODIFY_QP."""

    state: Final = Field("state", 0, 4)  # qp_state
    policy: Final = Field("policy", 4, 2)  # fault_policy: what the receive side does with a packet that faults
    mtu_shift: Final = Field("mtu_shift", 8, 4)  # path MTU, 8 to 12
    rnr_retry: Final = Field("rnr_retry", 12, 3)  # RNR NAKs in a row before the send side gives up; 7: never
    retry_cnt: Final = Field("retry_cnt", 16, 3)  # timeouts and sequence NAKs in a row before the send side gives up; 7: never
    allow_read: Final = Field("allow_read", 20, 1)  # the receive side serves RDMA READ
    allow_write: Final = Field("allow_write", 21, 1)  # the receive side serves RDMA WRITE
    allow_atomic: Final = Field("allow_atomic", 22, 1)  # the receive side serves atomics
    pd: Final = Field("pd", 40, 24)  # protection domain
    dest_qpn: Final = Field("dest_qpn", 64, 24)  # queue pair at the other end
    send_cqn: Final = Field("send_cqn", 88, 8)  # completion queue of the send side
    recv_cqn: Final = Field("recv_cqn", 96, 8)  # completion queue of the receive side
    sq_log: Final = Field("sq_log", 104, 4)  # log2 of the send queue's entries
    rq_log: Final = Field("rq_log", 108, 4)  # log2 of the receive queue's entries
    sq_base: Final = Field("sq_base", 128, 64)  # physical address of the send queue, 64-byte aligned
    rq_base: Final = Field("rq_base", 192, 64)  # physical address of the receive queue
    sq_psn: Final = Field("sq_psn", 256, 24)  # first PSN sent
    rq_psn: Final = Field("rq_psn", 288, 24)  # first PSN expected


class QpReport:
    """Written by QUERY_QP."""

    state: Final = Field("state", 0, 4)  # qp_state
    sq_parked: Final = Field("sq_parked", 8, 1)  # the send side waits for a fault's resume
    rq_parked: Final = Field("rq_parked", 9, 1)  # the receive side has a fault outstanding
    sq_waiting: Final = Field("sq_waiting", 10, 1)  # the send side waits for the other end (RNR timer or restart)
    sq_prod: Final = Field("sq_prod", 64, 16)  # send producer index seen
    sq_next: Final = Field("sq_next", 80, 16)  # next send work request to issue
    sq_done: Final = Field("sq_done", 96, 16)  # send work requests completed
    rq_prod: Final = Field("rq_prod", 112, 16)  # receive producer index seen
    next_psn: Final = Field("next_psn", 128, 24)  # next PSN sent
    una_psn: Final = Field("una_psn", 160, 24)  # oldest PSN not acknowledged
    epsn: Final = Field("epsn", 192, 24)  # PSN expected
    msn: Final = Field("msn", 224, 24)  # messages received whole


class Cqc:
    """Completion queue context, read by MODIFY_CQ."""

    valid: Final = Field("valid", 0, 1)  # in use; 0 destroys
    log: Final = Field("log", 4, 4)  # log2 of its entries
    base: Final = Field("base", 64, 64)  # physical address, 64-byte aligned


class Wqe:
    """Work queue entry, send and receive."""

    opcode: Final = Field("opcode", 0, 8)  # wr_opcode (send queue)
    signaled: Final = Field("signaled", 8, 1)  # make a completion also when it succeeds
    fence: Final = Field("fence", 9, 1)  # IBV_SEND_FENCE: reads and atomics before it first. Always so: a READ or atomic holds all that follow it
    num_sge: Final = Field("num_sge", 12, 4)  # scatter/gather elements, 0 to 2
    rkey: Final = Field("rkey", 32, 32)  # RDMA and atomics: key at the other end
    remote_addr: Final = Field("remote_addr", 64, 64)  # RDMA and atomics: address at the other end
    addr0: Final = Field("addr0", 128, 64)  # element 0: address
    length0: Final = Field("length0", 192, 32)  # element 0: bytes
    lkey0: Final = Field("lkey0", 224, 32)  # element 0: key
    addr1: Final = Field("addr1", 256, 64)  # element 1: address; atomics: compare, or what to add
    length1: Final = Field("length1", 320, 32)  # element 1: bytes
    lkey1: Final = Field("lkey1", 352, 32)  # element 1: key
    swap: Final = Field("swap", 384, 64)  # CMP_AND_SWP: the new value


class Cqe:
    """Completion queue entry."""

    owner: Final = Field("owner", 0, 1)  # 1 in the queue's first round, 0 in the second, and so on
    status: Final = Field("status", 8, 8)  # wc_status
    opcode: Final = Field("opcode", 16, 8)  # wc_opcode
    recv: Final = Field("recv", 24, 1)  # of the receive queue
    qpn: Final = Field("qpn", 32, 24)  # queue pair
    byte_len: Final = Field("byte_len", 64, 32)  # bytes received, read or swapped
    wqe_index: Final = Field("wqe_index", 96, 16)  # index of the work request
    syndrome: Final = Field("syndrome", 128, 8)  # nak_syndrome or xlt_result behind an error


class Fault:
    """Fault record."""

    direction: Final = Field("direction", 0, 1)  # fault_dir
    write: Final = Field("write", 1, 1)  # the access writes memory
    rdma: Final = Field("rdma", 2, 1)  # named by a packet (RDMA), not by a work queue entry
    cause: Final = Field("cause", 8, 8)  # fault_cause
    qpn: Final = Field("qpn", 32, 24)  # queue pair
    token: Final = Field("token", 64, 32)  # names this fault in RESUME
    key: Final = Field("key", 96, 32)  # key
    va: Final = Field("va", 128, 64)  # address that faulted
    length: Final = Field("length", 192, 32)  # bytes of the operation from va on, in this region
    packet_length: Final = Field("packet_length", 224, 32)  # bytes of the packet from va on
    wqe_index: Final = Field("wqe_index", 256, 16)  # work request, when a work queue entry named the address
    seqno: Final = Field("seqno", 288, 32)  # number of the record, counting from 0 since the device was enabled


class Packet:
    """Header flit of a packet. Payload follows in flits of 64 bytes, packed from byte 0; the last flit carries a CRC beside it."""

    opcode: Final = Field("opcode", 0, 8)  # pkt_op
    first: Final = Field("first", 8, 1)  # first packet of its message
    last: Final = Field("last", 9, 1)  # last packet of its message
    ack_req: Final = Field("ack_req", 10, 1)  # an acknowledgement is wanted
    syndrome: Final = Field("syndrome", 16, 8)  # NAK: nak_syndrome
    length: Final = Field("length", 32, 13)  # payload bytes, 0 to 4096
    dest_qpn: Final = Field("dest_qpn", 64, 24)  # queue pair it is for
    src_qpn: Final = Field("src_qpn", 88, 24)  # queue pair it comes from
    psn: Final = Field("psn", 128, 24)  # sequence number; ACK: last one accepted; NAK: the one expected
    msn: Final = Field("msn", 152, 24)  # requests: number of the message (16 bits: the WQE's index); ACK, NAK: messages received whole; READ_RESP: number of the request
    va: Final = Field("va", 192, 64)  # WRITE, READ_REQ, ATOMIC: address of this packet's first byte
    rkey: Final = Field("rkey", 256, 32)  # WRITE, READ_REQ, ATOMIC: key
    rest: Final = Field("rest", 288, 32)  # bytes of the message from this packet's first byte on; READ_REQ: bytes wanted
    offset: Final = Field("offset", 320, 32)  # packets of the message before this one; ACK, NAK: packets of the unfinished message received
    ssn: Final = Field("ssn", 352, 16)  # SEND: number of SEND messages before it on this queue pair = receive WQE index
    operand: Final = Field("operand", 384, 64)  # ATOMIC: compare or add; ATOMIC_RESP: the old value
    swap: Final = Field("swap", 448, 64)  # ATOMIC: the new value of CMP_AND_SWP


class Mtt:
    """Translation table entry, 8 bytes."""

    read: Final = Field("read", 0, 1)  # present; the device may read
    write: Final = Field("write", 1, 1)  # the device may write
    table: Final = Field("table", 2, 1)  # points to the next level; not allowed in the last one
    pfn: Final = Field("pfn", 12, 40)  # frame; an entry without `table` above the last level maps a large page (2 MiB, 1 GiB), its frame aligned


CSR_BYTES: Final = 512  # bytes of the register block


class IdReg:
    """What this is."""

    offset: Final = 0x000
    magic: Final = Field("magic", 0, 32)  # 0x48434131, 'HCA1'
    node: Final = Field("node", 32, 8)  # Node of this adapter


class CtrlReg:
    """The device works only while enabled; clearing it is a reset of everything but these registers."""

    offset: Final = 0x008
    enable: Final = Field("enable", 0, 1)  # On


class StatusReg:
    """Sticky conditions; write one to clear."""

    offset: Final = 0x010
    fault_overflow: Final = Field("fault_overflow", 0, 1)  # A fault had to wait for room in the fault queue
    command_stopped: Final = Field("command_stopped", 1, 1)  # The command queue stopped: bad base, size or memory error
    cq_overflow: Final = Field("cq_overflow", 2, 1)  # A completion queue was full
    async_overflow: Final = Field("async_overflow", 3, 1)  # An asynchronous event was lost


class IrqEnableReg:
    """Interrupt lines that may rise."""

    offset: Final = 0x018
    fault: Final = Field("fault", 0, 1)  # Fault queue
    completion: Final = Field("completion", 1, 1)  # Completion queues
    asynchronous: Final = Field("asynchronous", 2, 1)  # Asynchronous events


class MptBaseReg:
    """Physical address of the key table, 64-byte aligned."""

    offset: Final = 0x020
    addr: Final = Field("addr", 0, 52)  # Address


class MptSizeReg:
    """Entries of the key table, at most 4096."""

    offset: Final = 0x028
    entries: Final = Field("entries", 0, 16)  # Entries


class CmdqBaseReg:
    """Physical address of the command queue."""

    offset: Final = 0x030
    addr: Final = Field("addr", 0, 52)  # Address


class CmdqSizeReg:
    """Its entries, a power of two; a write starts it anew at index 0. With 0, ringing stops it, with an asynchronous event."""

    offset: Final = 0x038
    entries: Final = Field("entries", 0, 16)  # Entries


class CmdqProdReg:
    """Doorbell: producer index."""

    offset: Final = 0x040
    index: Final = Field("index", 0, 16)  # Index; 0 while disabled and after a write of CMDQ_SIZE


class CmdqConsReg:
    """Commands done."""

    offset: Final = 0x048
    index: Final = Field("index", 0, 16)  # Index


class FqBaseReg:
    """Physical address of the fault queue."""

    offset: Final = 0x050
    addr: Final = Field("addr", 0, 52)  # Address


class FqSizeReg:
    """Its entries, a power of two; 0 or anything else: faults wait in the device."""

    offset: Final = 0x058
    entries: Final = Field("entries", 0, 16)  # Entries


class FqProdReg:
    """Records written: each is in memory before the index moves."""

    offset: Final = 0x060
    index: Final = Field("index", 0, 16)  # Index


class FqConsReg:
    """Records software is done with."""

    offset: Final = 0x068
    index: Final = Field("index", 0, 16)  # Index; 0 while disabled


class FqCoalesceReg:
    """Fault interrupt coalescing: the line rises when `count` records wait, or some have waited `delay` cycles."""

    offset: Final = 0x070
    count: Final = Field("count", 0, 16)  # Records; 0 and 1: at once
    delay: Final = Field("delay", 32, 32)  # Cycles; 0: only the count decides


class SqDoorbellReg:
    """Doorbell of a send queue: the write is the event."""

    offset: Final = 0x080
    qpn: Final = Field("qpn", 0, 24)  # Queue pair
    index: Final = Field("index", 32, 16)  # Producer index


class RqDoorbellReg:
    """Doorbell of a receive queue."""

    offset: Final = 0x088
    qpn: Final = Field("qpn", 0, 24)  # Queue pair
    index: Final = Field("index", 32, 16)  # Producer index


class CqDoorbellReg:
    """Doorbell of a completion queue."""

    offset: Final = 0x090
    cqn: Final = Field("cqn", 0, 8)  # Completion queue
    index: Final = Field("index", 32, 16)  # Consumer index
    arm: Final = Field("arm", 63, 1)  # Ask for an event at the next completion past the consumer index (one that is there already fires at once)


class CqCoalesceReg:
    """Completion interrupt coalescing, over all queues, as FQ_COALESCE."""

    offset: Final = 0x098
    count: Final = Field("count", 0, 16)  # Events; 0 and 1: at once
    delay: Final = Field("delay", 32, 32)  # Cycles


class CqEventReg:
    """Completion queues 64 n .. 64 n + 63 that have fired; write one to clear."""

    offset: Final = 0x0a0
    copies: Final = 4  # 8 bytes apart
    fired: Final = Field("fired", 0, 64)  # A bit a queue


class AsyncEventReg:
    """The oldest asynchronous event."""

    offset: Final = 0x0c0
    valid: Final = Field("valid", 0, 1)  # There is one
    kind: Final = Field("kind", 8, 8)  # async_type
    subject: Final = Field("subject", 32, 24)  # Queue pair or completion queue


class AsyncPopReg:
    """Any write drops the oldest asynchronous event."""

    offset: Final = 0x0c8
    pop: Final = Field("pop", 0, 1)  # Not kept


class RetryReg:
    """Waits of the send side, cycles."""

    offset: Final = 0x0d0
    rnr_delay: Final = Field("rnr_delay", 0, 32)  # After an RNR NAK
    ack_timeout: Final = Field("ack_timeout", 32, 32)  # For an acknowledgement; 0: for ever


class CounterReg:
    """Counters (spec/hca.toml [counter])."""

    offset: Final = 0x100
    copies: Final = 32  # 8 bytes apart
    value: Final = Field("value", 0, 64)  # Since power-on
