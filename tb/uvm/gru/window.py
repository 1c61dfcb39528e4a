"""The chip's register window: what stands where."""

from __future__ import annotations

from hwif.gen import gru as g

__all__ = ["UNITS", "UNIT_BYTES", "place", "unit_of"]

UNITS = {
    "tfm": (g.TFM_BASE, g.NUM_TFM),
    "tgh": (g.TGH_BASE, g.NUM_TGH),
    "cbe": (g.CBE_BASE, g.NUM_CBR),
    "tfh": (g.TFH_BASE, g.NUM_CBR),
    "cch": (g.CCH_BASE, g.NUM_CTX),
}
"""Units of handles: base, how many."""
UNIT_BYTES = g.TGH_BASE - g.TFM_BASE
"""Bases are multiples of it."""
_AT = {base: unit for unit, (base, _count) in UNITS.items()}


def unit_of(addr: int) -> str:
    """Whose part of the window an address is in, whether a handle is there or not; "" of no unit of handles."""
    return _AT.get(addr - addr % UNIT_BYTES, "")


def place(addr: int) -> tuple[str, int, int]:
    """Unit ("" when there is nothing), index (of a context for what is its own), double-word."""
    if addr < g.TFM_BASE:
        ctx, offset = divmod(addr, g.GSEG_STRIDE)
        if offset < g.NUM_CBR * g.HANDLE_STRIDE:
            return ("cb", ctx, offset % g.HANDLE_STRIDE // 8) if offset % g.HANDLE_STRIDE < g.HANDLE_BYTES else ("", 0, 0)
        return ("dsr", ctx, offset // 8) if g.DSR_OFFSET <= offset < g.DSR_OFFSET + g.DSR_BYTES else ("", 0, 0)
    unit = unit_of(addr)
    if not unit:
        return "", 0, 0
    index, offset = divmod(addr - UNITS[unit][0], g.HANDLE_STRIDE)
    return (unit, index, offset // 8) if offset < g.HANDLE_BYTES and index < UNITS[unit][1] else ("", 0, 0)
