"""Numbers the kernels are compiled with: fields and codes of spec/gru.toml, sizes of the chip, rows of the model's own tables.

A field is (double-word, shift, mask), taken from the generated definitions. Everything is a signed 64-bit integer in the kernels
(mixing signs would give floats), so a word with bit 63 set is negative there; shifts are followed by a mask.
"""

from __future__ import annotations

import numpy as np

from hwif.fields import Field
from hwif.gen import gru as g
from hwif.gen import port, timing
from hwif.gen.events import TraceEvent
from hwif.gen.port import EventKind, LineKind, RequestKind, ViolationReason

Place = tuple[int, int, int]


def _place(field: Field) -> Place:
    mask = (1 << field.width) - 1
    return field.dw, field.lsb % 64, mask if field.width < 64 else -1


# ---- the chip ------------------------------------------------------------------------------------------------------------

SETS = timing.MODEL_TLB_ENTRIES // timing.MODEL_TLB_WAYS
WAYS = timing.MODEL_TLB_WAYS
SHOOT_SLOTS = timing.MODEL_SHOOT_SLOTS
FILL_SLOTS = timing.MODEL_FILL_SLOTS
LOG_DEPTH = timing.MODEL_SHOOT_LOG
LOG_BANKS = timing.MODEL_LOG_BANKS
BUS_QUEUE = timing.MODEL_BUS_QUEUE
ATOMIC_QUEUE = timing.MODEL_ATOMIC_QUEUE
POLL_BACKOFF = timing.MODEL_POLL_BACKOFF
FIRST_SLOTS = (1 << SHOOT_SLOTS) - 1
LAST_SLOTS = ((1 << FILL_SLOTS) - 1) << SHOOT_SLOTS
SLOTS = SHOOT_SLOTS + FILL_SLOTS

PAGE_SHIFT = g.PAGE_SHIFT
VPN_MASK = (1 << (g.VA_WIDTH - g.PAGE_SHIFT)) - 1
ASID_MASK = (1 << g.ASID_WIDTH) - 1
PA_MASK = (1 << g.PA_WIDTH) - 1
SIZES = len(g.PAGE_SHIFTS)
SIZE_MASK = (1 << SIZES) - 1
SIZE_SHIFT = np.array([g.PAGE_SHIFTS[code] - g.PAGE_SHIFT for code in range(SIZES)], dtype=np.int64)
SIZE_SPAN = np.array([(1 << (g.PAGE_SHIFTS[code] - g.PAGE_SHIFT)) - 1 for code in range(SIZES)], dtype=np.int64)
ALL_CTX = (1 << g.NUM_CTX) - 1
NUM_CTX, NUM_CBR, NUM_TGH, NUM_IRQ = g.NUM_CTX, g.NUM_CBR, g.NUM_TGH, g.NUM_IRQ
CB_UNITS = g.NUM_CBR // g.CBR_AU
DSR_UNITS = g.DSR_BYTES // g.DSR_AU_BYTES
DSR_BYTES, LINE = g.DSR_BYTES, g.LINE_BYTES
DSR_UNIT_SHIFT = g.DSR_AU_BYTES.bit_length() - 1
NEVER = 1 << 62

# ---- rows of tables ------------------------------------------------------------------------------------------------------

# The instruction of a control block, as its CBE keeps it, and how far it is.
(
    S_IMA, S_XTYPE, S_IAA0, S_IAA1, S_OPC, S_EXOPC, S_IDEF2, S_IDEF4, S_IDEF5,
    M_IDEF1, M_IDEF3, M_IDEF5, M_IDEF6, M_IDEF2, M_IDEF4, S_WORDS,
) = range(16)  # fmt: skip
# The access a control block makes, and its state once that access is over.
(
    A_KIND, A_DONE, A_SET, A_WPERM, A_INT, A_MESQ, A_ER, A_WORD, A_EXOPC, A_OP1, A_ECAUSE, A_IAA, A_MAPPED, A_CTX, A_ASID, A_SIZES,
    A_VA, A_BYTES, A_DSR, A_PA, N_IDEF1, N_IDEF3, N_IDEF5, N_IDEF6, N_IDEF2, N_IDEF4, A_WORDS,
) = range(27)  # fmt: skip
READ, WRITE, AMO, LOCAL = range(4)
# A shootdown.
SH_SCOPE, SH_ASID, SH_FIRST, SH_LAST, SH_MASK, SH_CTXS, SH_TGH, SH_WORDS = range(8)
BY_RANGE, BY_ASID, BY_CTX = range(3)
# An entry of the TLB, and the page an access in flight uses.
T_ASID, T_CTX, T_LO, T_SIZE, T_PFN, T_GAA, T_DIRTY, T_WORDS = range(8)
P_ASID, P_CTX, P_LO, P_SPAN, P_USER, P_WORDS = range(6)
# A miss and the drop-in that answers it.
F_WAY, F_CTX, F_MASID, F_MVA, F_INT, F_MOD, F_OPC, F_ASID, F_DIRTY, F_GAA, F_PFN, F_SIZE, F_VA, F_WORDS = range(14)
# Flags of a context since its START.
C_UNMAP, C_CBINT, C_TLBINT, C_FAULT, C_DONE, C_SELECT, C_WORDS = range(7)
# Where an access ends, and what that does to its control block.
FROM_READ, FROM_WRITE, FROM_LOCAL, FROM_TFH = range(4)
AGAIN, DONE, POLL, CONT = range(4)
OKAY, EXOKAY, DECERR = 0, 1, 3
# Units of the window.
NO_UNIT, U_CB, U_DSR, U_TFM, U_TGH, U_CBE, U_TFH, U_CCH = range(8)
# State machines.
TF_IDLE, TF_RUN, TF_FILL = range(3)
CC_IDLE, CC_CHECK, CC_ALLOC, CC_LOAD = range(4)
BUS_IDLE, BUS_READ, BUS_WRITE = range(3)
# Requests (one row each) and events as they cross from and to Python.
Q_AT, Q_SERIAL, Q_KIND, Q_COUNT, Q_ADDR, Q_WORD0 = range(6)
Q_WORDS = Q_WORD0 + 8
REQ_READ, REQ_WRITE, REQ_SWAP = map(int, RequestKind)
E_KIND, E_COUNT, E_CYCLE, E_SERIAL, E_INDEX, E_VALUE, E_WORD0 = range(7)
E_WORDS = E_WORD0 + 8
EV_DONE, EV_IRQ, EV_SNOOP, EV_ORACLE = map(int, EventKind)
L_CB, L_TFH, L_TGH, L_CCH = map(int, (LineKind.CB, LineKind.TFH, LineKind.TGH, LineKind.CCH))
# The oracle's records and reasons.
MAY_READ, MAY_WRITE, KERNEL = port.SHADOW_READ, port.SHADOW_WRITE, port.SHADOW_KERNEL
MM_SHIFT, NEXT_SHIFT, NEXT_MASK = port.SHADOW_VPN_BITS, port.SHADOW_RIGHTS_BITS, (1 << (64 - port.SHADOW_RIGHTS_BITS)) - 1
REVOKED, READ_ONLY, OUTSIDE, NOT_KERNEL, NO_CONTEXT = map(int, list(ViolationReason)[:5])  # the others are an HCA's
# Violations, in the order of hwif.port.Violation.
V_CYCLE, V_REASON, V_WRITE, V_MAPPED, V_CTX, V_CBR, V_ASID, V_MM, V_VA, V_PA, V_WORDS = range(11)
V_KEPT = 4096

# ---- fields --------------------------------------------------------------------------------------------------------------

CB_ICMD, CB_IMA, CB_XTYPE, CB_IAA0, CB_IAA1 = map(_place, (g.Cb.icmd, g.Cb.ima, g.Cb.xtype, g.Cb.iaa0, g.Cb.iaa1))
CB_OPC, CB_EXOPC, CB_TRI0, CB_TRI1 = map(_place, (g.Cb.opc, g.Cb.exopc, g.Cb.tri0, g.Cb.tri1_bufsize))
CB_ISTATUS, CB_ISUB, CB_COLOR = map(_place, (g.Cb.istatus, g.Cb.isubstatus, g.Cb.tlb_fault_color))
CB_BADDR0, CB_NELEM, CB_STRIDE, CB_BADDR1 = map(_place, (g.Cb.baddr0, g.Cb.nelem, g.Cb.stride_op1, g.Cb.baddr1_op2))
CB_AVALUE = _place(g.Cb.avalue)

CBE_IMA, CBE_XTYPE, CBE_IAA0, CBE_IAA1 = map(_place, (g.Cbe.imacpy, g.Cbe.xtypecpy, g.Cbe.iaa0cpy, g.Cbe.iaa1cpy))
CBE_OPC, CBE_EXOPC, CBE_TRI0, CBE_TRI1 = map(_place, (g.Cbe.opccpy, g.Cbe.exopccpy, g.Cbe.idef2cpy, g.Cbe.idef4cpy))
CBE_TRI1_NOW, CBE_TRI0_NOW, CBE_ECAUSE = map(_place, (g.Cbe.idef4upd, g.Cbe.idef2upd, g.Cbe.ecause))
CBE_BADDR0, CBE_OP1, CBE_VALUE = map(_place, (g.Cbe.idef1upd, g.Cbe.idef5cpy, g.Cbe.idef6cpy))
CBE_BADDR1, CBE_NELEM, CBE_STATE, CBE_EXS = map(_place, (g.Cbe.idef3upd, g.Cbe.idef5upd, g.Cbe.cbrstate, g.Cbe.cbrexecstatus))

TGH_CMD, TGH_DELRESP, TGH_OPC = map(_place, (g.Tgh.cmd, g.Tgh.delresp, g.Tgh.opc))
TGH_STATUS, TGH_STATE, TGH_VADDR, TGH_ASID = map(_place, (g.Tgh.status, g.Tgh.state, g.Tgh.vaddr, g.Tgh.asid))
TGH_SIZE, TGH_GLOBAL, TGH_MASK = map(_place, (g.Tgh.pagesize, g.Tgh.is_global, g.Tgh.vaddrmask))
TGH_N, TGH_CTXS = map(_place, (g.Tgh.n, g.Tgh.ctxbitmap))

TFH_CMD, TFH_DELRESP, TFH_OPC = map(_place, (g.Tfh.cmd, g.Tfh.delresp, g.Tfh.opc))
TFH_STATUS, TFH_STATE, TFH_CAUSE = map(_place, (g.Tfh.status, g.Tfh.state, g.Tfh.cause))
TFH_INT, TFH_WAY, TFH_CTX, TFH_MVA = map(_place, (g.Tfh.cb_int, g.Tfh.indexway, g.Tfh.ctxnum, g.Tfh.missvaddr))
TFH_MASID, TFH_FASID, TFH_DIRTY, TFH_GAA = map(_place, (g.Tfh.missasid, g.Tfh.fillasid, g.Tfh.dirty, g.Tfh.gaa))
TFH_PFN, TFH_SIZE, TFH_FVA = map(_place, (g.Tfh.pfn, g.Tfh.pagesize, g.Tfh.fillvaddr))

TFM_FAULTS, TFM_DONES = _place(g.Tfm.fault_bits)[0], _place(g.Tfm.done_bits)[0]

CCH_CMD, CCH_DELRESP, CCH_OPC = map(_place, (g.Cch.cmd, g.Cch.delresp, g.Cch.opc))
CCH_UNMAP, CCH_CBINT, CCH_TLBINT = map(_place, (g.Cch.unmap_enable, g.Cch.cb_int_enable, g.Cch.tlb_int_enable))
CCH_FAULT, CCH_SELECT, CCH_DONE = map(_place, (g.Cch.tfm_fault_bit_enable, g.Cch.tlb_int_select, g.Cch.tfm_done_bit_enable))
CCH_STATUS, CCH_STATE, CCH_CAUSE = map(_place, (g.Cch.status, g.Cch.state, g.Cch.cause))
CCH_DSR, CCH_CBR = _place(g.Cch.dsr_allocation_map), _place(g.Cch.cbr_allocation_map)
CCH_ASID_DW, CCH_SIZES_DW = _place(g.Cch.asid)[0], _place(g.Cch.sizeavail)[0]

# ---- codes ---------------------------------------------------------------------------------------------------------------

ST_IDLE, ST_EXCEPTION, ST_ACTIVE = map(int, (g.HandleStatus.IDLE, g.HandleStatus.EXCEPTION, g.HandleStatus.ACTIVE))
IS_IDLE, IS_EXCEPTION, IS_ACTIVE, IS_CALL_OS = map(int, g.CbIstatus)
OP_NOP, OP_BCOPY, OP_VLOAD, OP_IVLOAD = map(int, (g.CbOpc.NOP, g.CbOpc.BCOPY, g.CbOpc.VLOAD, g.CbOpc.IVLOAD))
OP_VSTORE, OP_IVSTORE, OP_VSET, OP_IVSET = map(int, (g.CbOpc.VSTORE, g.CbOpc.IVSTORE, g.CbOpc.VSET, g.CbOpc.IVSET))
OP_MESQ, OP_GAMIR, OP_GAMIRR = map(int, (g.CbOpc.MESQ, g.CbOpc.GAMIR, g.CbOpc.GAMIRR))
OP_GAMER, OP_GAMERR = map(int, (g.CbOpc.GAMER, g.CbOpc.GAMERR))
X_B, X_S, X_W, X_DW, X_CL = map(int, g.CbXtype)
IR_FETCH, IR_CLR, IR_INC, IR_DEC, IR_QCHK1, IR_QCHK2, IR_DECZ = map(int, g.ExopIr)
ER_SWAP, ER_OR, ER_AND, ER_XOR, ER_ADD, ER_CSWAP, ER_EPOLL, ER_NPOLL, ER_CADD = map(int, g.ExopEr)
IMA_UNMAPPED, IMA_INTERRUPT = int(g.CbIma.UNMAPPED), int(g.CbIma.INTERRUPT)
QLIMIT = int(g.CbSubstatus.QLIMIT_REACHED)
EC_INVALID, EC_UNMAPPED = 1 << g.CbEcause.INVALID_INSTRUCTION, 1 << g.CbEcause.UNMAPPED_MODE_FORBIDDEN
EC_IAA, EC_DSR = 1 << g.CbEcause.IAA_GAA_MISMATCH, 1 << g.CbEcause.DATA_SEGMENT_LIMIT_EXCEPTION
EC_FAULT = 1 << g.CbEcause.OS_FATAL_TLB_FAULT
EC_READ, EC_WRITE = 1 << g.CbEcause.RA_RESPONSE_FATAL, 1 << g.CbEcause.HA_RESPONSE_FATAL
XS_INT, XS_PENDING, XS_QUEUED = 1 << g.CbrExs.INT_OCC, 1 << g.CbrExs.PENDING, 1 << g.CbrExs.QUEUED
XS_INVAL, XS_EXCEPTION, XS_CBINT = 1 << g.CbrExs.TLB_INVAL, 1 << g.CbrExs.EXCEPTION, 1 << g.CbrExs.CB_INT_PENDING
(
    CS_INACTIVE, CS_IDLE, CS_CHECK, CS_QUEUED, CS_WAIT, CS_INTERRUPTED, CS_INT_FMM, CS_BUSY_FMM, CS_INT_UPM, CS_BUSY_UPM, CS_ISSUE,
    CS_BUSY,
) = map(int, g.CbrState)  # fmt: skip
TH_INACTIVE, TH_IDLE, TH_UPM, TH_FMM = map(int, (g.TfhState.INACTIVE, g.TfhState.IDLE, g.TfhState.MISS_UPM, g.TfhState.MISS_FMM))
TH_WRITE = int(g.TfhState.WRITE_TLB)
TC_NONE, TC_MISS, TC_MOD = map(int, (g.TfhCause.NONE, g.TfhCause.TLB_MISS, g.TfhCause.TLB_MOD))
TO_RESTART, TO_WRITE = int(g.TfhOpc.RESTART), int(g.TfhOpc.WRITE_ONLY)
TO_WRITE_RESTART, TO_EXCEPTION, TO_UPM = map(int, (g.TfhOpc.WRITE_RESTART, g.TfhOpc.EXCEPTION, g.TfhOpc.USER_POLLING_MODE))
TG_NOP, TG_IDLE, TG_INVAL, TG_WAIT = map(int, (g.TghOpc.NOP, g.TghState.IDLE, g.TghState.PE_INVAL, g.TghState.WAITDONE))
PURGE_N = g.INVAL_ALL_N
CO_START, CO_ALLOCATE, CO_INTERRUPT = map(int, (g.CchOpc.START, g.CchOpc.ALLOCATE, g.CchOpc.INTERRUPT))
CO_DEALLOCATE, CO_SYNC = int(g.CchOpc.DEALLOCATE), int(g.CchOpc.INTERRUPT_SYNC)
X_INACTIVE, X_MAPPED, X_ACTIVE, X_INTERRUPTED = map(int, g.CchState)
W_NONE, W_OPCODE = int(g.CchCause.NONE), int(g.CchCause.ILLEGAL_OPCODE)
W_START, W_ALLOCATE = int(g.CchCause.INVALID_START_REQUEST), int(g.CchCause.INVALID_ALLOCATION_REQUEST)
W_DEALLOCATE, W_INTERRUPT = int(g.CchCause.INVALID_DEALLOCATION_REQUEST), int(g.CchCause.INVALID_INTERRUPT_REQUEST)
W_NO_CBRS, W_TFM = int(g.CchCause.NO_CBRS_TO_ALLOCATE), int(g.CchCause.BAD_TFM_CONFIG)
W_CBRS, W_DSRS = int(g.CchCause.CBR_RESOURCES_OVERSUBSCRIPED), int(g.CchCause.DSR_RESOURCES_OVERSUBSCRIPED)
W_BUSY = int(g.CchCause.CBR_DEALLOCATION_ERROR)

# ---- the window ----------------------------------------------------------------------------------------------------------

BLOCK_SHIFT = (g.TGH_BASE - g.TFM_BASE).bit_length() - 1
TFM_BLOCK, TGH_BLOCK, CBE_BLOCK, TFH_BLOCK, CCH_BLOCK = (
    base >> BLOCK_SHIFT for base in (g.TFM_BASE, g.TGH_BASE, g.CBE_BASE, g.TFH_BASE, g.CCH_BASE)
)
SEGMENTS_END = g.TFM_BASE
SEGMENT_SHIFT = g.GSEG_STRIDE.bit_length() - 1
SEGMENT_BLOCK_MASK = (1 << (SEGMENT_SHIFT - BLOCK_SHIFT)) - 1
CB_BLOCK, DSR_BLOCK = g.CB_OFFSET >> BLOCK_SHIFT, g.DSR_OFFSET >> BLOCK_SHIFT
HANDLE_SHIFT = g.HANDLE_STRIDE.bit_length() - 1
HANDLE_MASK = (1 << (BLOCK_SHIFT - HANDLE_SHIFT)) - 1
BLOCK_MASK = (1 << BLOCK_SHIFT) - 1
PAST_LINE = g.HANDLE_STRIDE - g.HANDLE_BYTES

# ---- trace ---------------------------------------------------------------------------------------------------------------

DEV_FIRST = int(TraceEvent.DEV_MISS)
DEV_MISS, DEV_FILL, DEV_FILL_DROPPED = map(int, (TraceEvent.DEV_MISS, TraceEvent.DEV_FILL, TraceEvent.DEV_FILL_DROPPED))
DEV_SHOOT_ACCEPT, DEV_SHOOT_DONE, DEV_KILL = map(int, (TraceEvent.DEV_SHOOT_ACCEPT, TraceEvent.DEV_SHOOT_DONE, TraceEvent.DEV_KILL))
DEV_RESTART, DEV_CB_DONE = int(TraceEvent.DEV_RESTART), int(TraceEvent.DEV_CB_DONE)
DEV_IRQ, DEV_CCH = int(TraceEvent.DEV_IRQ), int(TraceEvent.DEV_CCH)
DEV_EVENTS = DEV_CCH - DEV_FIRST + 1
