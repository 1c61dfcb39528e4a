"""Short names for what records speak of: ranges, page sizes, instructions. Shared by the timeline and the table of a failure.

Promises: a name says what a driver engineer would, in as few words; it never fails, whatever the numbers.
"""

from __future__ import annotations

from enum import IntEnum

from hwif.gen.events import FaultKind, MrKind
from hwif.gen.gru import INVAL_ALL_N, PAGE_SHIFT, PAGE_SHIFTS, CbIstatus, CbOpc, CchState, TfhCause
from hwif.gen.hca import CmdOp, CmdStatus, FaultCause, FaultDir, NakSyndrome, PktOp, QpState, WcStatus, WrOpcode

__all__ = [
    "area",
    "command_name",
    "command_status",
    "context_state",
    "ending",
    "fault_cause",
    "fault_kind",
    "fault_side",
    "miss_name",
    "mr_kind",
    "nak_name",
    "opcode",
    "packet_name",
    "page_size",
    "pages",
    "qp_state",
    "shot_pages",
    "span",
    "wr_name",
    "wr_status",
]


def pages(count: int) -> str:
    """`count` pages of 4 KiB."""
    return "1 page" if count == 1 else f"{count} pages"


def area(start: int, end: int) -> str:
    """A range of addresses: where, and how many pages. One that ends at the top of the address space ends at 0 in a record."""
    end = end or 1 << 64
    return f"{start:#x} +{pages(max(0, end - start + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT)}"


def shot_pages(n: int, everything: int = 0) -> str:
    """What a shootdown takes, from its `n` field."""
    if everything:
        return "all contexts"
    return "whole ASID" if n == INVAL_ALL_N else pages(n + 1)


def page_size(code: int) -> str:
    """4 KiB, 2 MiB, 1 GiB, from the device's code."""
    return span(PAGE_SHIFTS.get(code, PAGE_SHIFT))


def span(shift: int) -> str:
    """The same from the number of address bits in the page."""
    if not PAGE_SHIFT <= shift < 64:
        return f"2^{shift} bytes"
    for unit, name in ((30, "GiB"), (20, "MiB")):
        if shift >= unit:
            return f"{1 << shift - unit} {name}"
    return f"{1 << shift - 10} KiB"


def _member(kind: type[IntEnum], value: int, what: str) -> str:
    try:
        return kind(value).name
    except ValueError:
        return f"{what} {value}"


def opcode(value: int) -> str:
    """An instruction's name."""
    return _member(CbOpc, value, "opcode")


def context_state(value: int) -> str:
    """A context's state."""
    return _member(CchState, value, "state")


def ending(istatus: int) -> str:
    """How an instruction ended."""
    return "done" if istatus == CbIstatus.IDLE else _member(CbIstatus, istatus, "status").lower()


def miss_name(cause: int) -> str:
    """Why a lookup missed: no entry, or a write to a clean one."""
    return "write miss" if cause & TfhCause.TLB_MOD else "miss"


def fault_kind(value: int) -> str:
    """The `kind` of vm_fault."""
    return FaultKind(value).words if value in set(FaultKind) else f"kind {value}"


# ---- HCA ---------------------------------------------------------------------------------------------------------------


def mr_kind(value: int) -> str:
    """The `kind` of hca_reg_mr."""
    return MrKind(value).words if value in set(MrKind) else f"kind {value}"


def command_name(value: int) -> str:
    """A command's opcode."""
    return _member(CmdOp, value, "command")


def command_status(value: int) -> str:
    """How a command ended."""
    return _member(CmdStatus, value, "status")


def wr_name(value: int) -> str:
    """A work request's opcode."""
    return _member(WrOpcode, value, "opcode")


def wr_status(value: int) -> str:
    """How a work request ended."""
    return _member(WcStatus, value, "status")


def packet_name(value: int) -> str:
    """A packet's opcode."""
    return _member(PktOp, value, "opcode")


def nak_name(value: int) -> str:
    """What a negative acknowledgement says."""
    return f"NAK {_member(NakSyndrome, value, 'syndrome')}"


def qp_state(value: int) -> str:
    """A queue pair's state."""
    return _member(QpState, value, "state")


def fault_side(direction: int) -> str:
    """Which side of a queue pair."""
    return "send side" if direction == FaultDir.REQUESTER else "receive side"


def fault_cause(value: int) -> str:
    """Why an access faulted."""
    return "read-only" if value == FaultCause.READ_ONLY else "not present"
