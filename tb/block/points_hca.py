"""What the block benches of the HCA must have been in, as cover groups.

Groups: `hca_xlt ...` translation, `hca_mmu ...` registers, commands and faults, `hca_rx ...` and `hca_tx ...` packet engines,
`hca_qp ...` queue pairs. Bins of a bench in SystemVerilog are numbered there in the order of `bins` here (tb/block/job.py).
"""

from __future__ import annotations

from enum import IntEnum

from hwif.gen.hca import MAX_SEGMENTS, CmdOp, FaultDir, FaultPolicy, Need, PktOp, XltResult
from tb.plan.cover import CoverGroup, cross

__all__ = [
    "CQ",
    "MMU",
    "MMU_COMMAND",
    "MMU_FENCE",
    "MMU_FULL",
    "MMU_OFF",
    "MMU_TOKEN",
    "NUMBERED",
    "QP",
    "RX",
    "SIZES",
    "TX",
    "XLT",
    "XLT_KEY",
    "XLT_SIZE",
    "XLT_WINDOW",
    "bin_name",
]


def bin_name(kind: IntEnum) -> str:
    """A member of an enumeration, as bins say it."""
    return kind.name.lower().replace("_", " ")


def names(kinds: type[IntEnum]) -> list[str]:
    """All members."""
    return [bin_name(kind) for kind in kinds]


# ---- translation --------------------------------------------------------------------------------------------------------------

SIZES = ("4K", "2M", "1G")
XLT_SIZE = CoverGroup(
    "hca_xlt size",
    "the size of a leaf and what happened to a look-up of it",
    "hca",
    ("SD-1", "SD-2", "SD-5", "SD-7"),
    cross(SIZES, ("hit", "walked", "read-only fault", "held use taken away", "access in flight waited for")),
)
READS = {Need.LOCAL_READ, Need.REMOTE_READ}
# Reading never meets a right to write, and LOCAL_READ needs no right.
_NEVER = [("local read", "no right"), *((bin_name(need), "fault read only") for need in READS)]
XLT_KEY = CoverGroup(
    "hca_xlt key",
    "what an access needs and what key and table said",
    "hca",
    ("SD-6", "SD-7"),
    cross(names(Need), names(XltResult), without=_NEVER),
)
XLT_WINDOW = CoverGroup(
    "hca_xlt window",
    "how far a walk was when an invalidation that covers it was accepted",
    "hca",
    ("SD-1", "SD-2", "SD-3"),
    cross(("range", "key"), ("before its read", "read in flight", "with the answer", "after an answer")),
)
XLT = (XLT_SIZE, XLT_KEY, XLT_WINDOW)


# ---- registers, commands and faults --------------------------------------------------------------------------------------------

_BAD = {
    CmdOp.MODIFY_QP: "number context address",
    CmdOp.MODIFY_CQ: "number context address",
    CmdOp.INVALIDATE_RANGE: "number",
    CmdOp.INVALIDATE_KEY: "number",
    CmdOp.FENCE: "context address",
    CmdOp.RESUME: "number token",
    CmdOp.QUERY_QP: "number context address",
}
MMU_COMMAND = CoverGroup(
    "hca_mmu command",
    "a command and every status it can end with",
    "hca",
    ("FQ-4",),
    (
        *(f"{name}, ok" for name in names(CmdOp)),
        *(f"{bin_name(op)}, bad {what}" for op, bad in _BAD.items() for what in bad.split()),
        "unknown, bad opcode",
    ),
)
MMU_TOKEN = CoverGroup(
    "hca_mmu token",
    "the token of a resume, what it says and of which direction",
    "hca",
    ("FQ-3", "FQ-4", "FQ-5"),
    cross(
        ("right", "repeated", "stale", "forged", "other queue pair", "other direction", "none outstanding"),
        ("resume", "error"),
        names(FaultDir),
    ),
)
# An empty queue has no reason to raise its line.
MMU_FULL = CoverGroup(
    "hca_mmu fault queue",
    "how full the fault queue is and what its line does",
    "hca",
    ("FQ-1", "FQ-2", "FQ-6", "FQ-7"),
    cross(
        ("empty", "some", "full", "over"),
        ("up", "down by coalescing", "disabled"),
        without=[("empty", "up"), ("empty", "down by coalescing")],
    ),
)
MMU_FENCE = CoverGroup(
    "hca_mmu fence", "whether a fence had to wait for accesses in flight", "hca", ("SD-1", "SD-2"), ("was held", "was free")
)
MMU_OFF = CoverGroup(
    "hca_mmu switched off",
    "what was under way when the block was switched off",
    "hca",
    ("FQ-1",),
    ("command", "fence", "context", "record", "walk", "access", "interrupt"),
)
MMU = (MMU_COMMAND, MMU_TOKEN, MMU_FULL, MMU_FENCE, MMU_OFF)

# ---- packet engines ------------------------------------------------------------------------------------------------------------

POSITIONS = ("first", "middle", "last", "only")
RX = {
    "verdict": CoverGroup(
        "hca_rx verdict",
        "where in its message a packet is, and what the queue pairs say of it",
        "hca",
        ("FQ-5",),
        cross(POSITIONS, ("take", "drop", "hold")),
    ),
    "wake": CoverGroup(
        "hca_rx wake",
        "a packet that is held and what ends that",
        "hca",
        ("FQ-3", "FQ-5"),
        cross(POSITIONS, ("resume", "resume with error", "flush")),
    ),
    "wrong": CoverGroup(
        "hca_rx packet",
        "an inbound packet and what is wrong with it",
        "hca",
        (),
        (
            *cross([bin_name(op) for op in PktOp if op != PktOp.NAK], ("nothing", "CRC", "too short", "too long")),
            "no opcode",
            "no queue pair",
        ),
    ),
}
"""By the name of their numbers in tb/hca_rx/hca_rx_tb.sv."""
_PIECES = ("no piece", "1 piece", "2 pieces", "3 or 4 pieces")
_FATES = ("left", "look-up failed", "line refused", "dropped")
_WITHOUT = [("no piece", fate) for fate in _FATES[1:3]]  # there is nothing to look up or to read
TX = {
    "fate": CoverGroup(
        "hca_tx packet",
        "the pieces of a packet and what became of it",
        "hca",
        ("FQ-3",),
        cross(_PIECES, _FATES, without=_WITHOUT),
    ),
    "link": CoverGroup(
        "hca_tx link",
        "a packet's payload and what the cable did to it",
        "hca",
        (),
        cross(("no payload", "one flit", "many flits"), ("passed", "lost", "corrupted", "cut")),
    ),
}
"""By the name of their numbers in tb/hca_tx/hca_tx_tb.sv."""
NUMBERED = {TX["fate"].name: cross([_PIECES[min(count, 3)] for count in range(MAX_SEGMENTS + 1)], _FATES)}
"""What a bench's numbers stand for where they are not the bins one by one."""

# ---- queue pairs ---------------------------------------------------------------------------------------------------------------

WINDOWS = ("1", "2 to 16", "17 to 255")
QP = {
    "policy": CoverGroup(
        "hca_qp fault",
        "the fault policy, whose address faulted, and where in its message the packet was",
        "hca",
        ("FQ-3", "FQ-5"),
        cross(names(FaultPolicy), names(FaultDir), POSITIONS),
    ),
    "window": CoverGroup("hca_qp window", "messages sent and not acknowledged", "hca", (), (*WINDOWS, "all 256")),
    "heard": CoverGroup(
        "hca_qp heard",
        "what a send side was told while so many of its messages were not acknowledged",
        "hca",
        (),
        cross(("gap", "not ready", "suspend"), WINDOWS),
    ),
    "psn": CoverGroup(
        "hca_qp psn", "the number of a packet sent", "hca", (), ("the last", "0", "before the wrap", "after the wrap")
    ),
}
"""By the name of their numbers in tb/hca_qp/hca_qp_tb.sv."""

# ---- completion queues ---------------------------------------------------------------------------------------------------------

CQ = {
    "cq": CoverGroup(
        "hca_cq entry",
        "how full a completion queue is when an entry comes, and whether software waits for it",
        "hca",
        (),
        cross(("no such queue", "empty", "some", "one place left", "full"), ("unarmed", "armed")),
    )
}
"""By the name of their numbers in tb/hca_cells/hca_cqs_tb.sv."""
