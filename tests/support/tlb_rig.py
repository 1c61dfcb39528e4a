"""One TLB beside its model, for directed tests: misses and drop-ins to their end, look-ups with their accesses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tb.tlb.bench import DEFAULT
from tb.tlb.checked import CheckedTlb, Fill, Lookup, Shoot

__all__ = ["LOG", "SETS", "SLOTS", "WAYS", "checked", "fill", "idle", "page", "shootdowns", "touch"]

SETS, WAYS, SLOTS, LOG = DEFAULT.sets, DEFAULT.ways, DEFAULT.slots, DEFAULT.log_depth


@contextmanager
def checked(**options: object) -> Iterator[CheckedTlb]:
    """A TLB whose assertions must hold to the end."""
    tlb = CheckedTlb(**options)  # type: ignore[arg-type]
    try:
        yield tlb
        assert tlb.dut.failed == set()
    finally:
        tlb.dut.close()


def idle(tlb: CheckedTlb, cycles: int) -> None:
    """Nothing is asked."""
    for _ in range(cycles):
        tlb.cycle()


def fill(tlb: CheckedTlb, entry: Fill) -> None:
    """Miss and drop in, each to its end."""
    tlb.cycle(Lookup(entry.cbr, entry.va, entry.asid, entry.ctx, sizes=1 << min(entry.code, 10)))
    idle(tlb, 3)
    while not tlb.cycle(fill=entry).fill_ready:
        pass
    while not tlb.cycle().fill_done:
        pass


def touch(tlb: CheckedTlb, cbr: int, va: int, **options: object) -> bool:
    """Look up and, after a hit, finish the access. Was it a hit?"""
    lookup = Lookup(cbr, va, **options)  # type: ignore[arg-type]
    while not tlb.cycle(lookup).lkp_ready:
        pass
    while not (out := tlb.cycle()).rsp_valid:
        pass
    if out.rsp_hit:
        tlb.cycle(uses=[cbr])
    return bool(out.rsp_hit)


def page(number: int) -> int:
    """Its address."""
    return number << 12


def shootdowns(tlb: CheckedTlb, count: int, first: int = 0x9999) -> None:
    """That many, of a page nobody uses."""
    for number in range(count):
        while not tlb.cycle(shoot=Shoot(number % 24, first, first)).shoot_ready:
            pass
        idle(tlb, 2)
