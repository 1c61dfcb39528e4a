"""What an instruction's address attributes demand: permission to go unmapped, and the attribute of every page it touches.

Promises: `refusal` is the exception that an otherwise right instruction ends with, as ecause bits, 0 when its attributes are right.
Written from the instruction set, as tb/uvm/gru/reference.py is.
"""

from __future__ import annotations

from hwif.gen import gru as g
from tb.uvm.gru.reference import Bytes, Instruction, static_cause
from tb.uvm.gru.spaces import Space

__all__ = ["GAA_LSB", "refusal"]

GAA_LSB = g.VA_WIDTH - 2  # of an unmapped address


def refusal(one: Instruction, segment: Bytes, space: Space, dsr_bytes: int, *, unmap: bool) -> int:
    """`space`: the one its addresses are of; `unmap`: the context may go unmapped."""
    if one.opc == g.CbOpc.NOP or static_cause(one, dsr_bytes):
        return 0
    if one.unmapped and not unmap:
        return 1 << g.CbEcause.UNMAPPED_MODE_FORBIDDEN
    if not one.count and not one.atomic:
        return 0
    second = one.iaa1 if one.opc == g.CbOpc.BCOPY else one.iaa0
    wrong = any(_attribute(one, space, at) != one.iaa0 for at, _count in one.reads(segment))
    wrong = wrong or any(_attribute(one, space, at) != second for at, _count in one.writes(segment))
    return 1 << g.CbEcause.IAA_GAA_MISMATCH if wrong else 0


def _attribute(one: Instruction, space: Space, va: int) -> int:
    """Of an address; raises KeyError where there is no page."""
    if one.unmapped:
        return va >> GAA_LSB
    page = space.page(va)
    if page is None:
        raise KeyError(f"{va:#x} is not mapped")
    return page.gaa
