"""What the tests of the HCA's memory side share: blocks started and closed, contexts, accesses in flight.

A test module takes the fixture with `make = hca_mmu_rig.make`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hwif.gen import hca as h
from tb.hca_mmu.bench import Mmu
from tb.hil.hca_lines import line_of, raw_of

CONTEXT, REPORT, FENCE = 0x3_0000, 0x3_1000, 0x3_2000
Make = Callable[..., Mmu]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes a started block; at the end no assertion may have failed, except of mutants."""
    made: list[Mmu] = []

    def one(*, start: bool = True, **options: int) -> Mmu:
        mmu = Mmu(**options)
        made.append(mmu)
        if start:
            mmu.start()
        return mmu

    yield one
    failed = [mmu.failed for mmu in made if not mmu.mutant]
    for mmu in made:
        mmu.close()
    assert not any(failed), failed


def good_qpc(**changed: int) -> bytes:
    """A queue pair's context."""
    return raw_of(line_of(h.Qpc, **{"state": h.QpState.RTS, "mtu_shift": 12, "sq_base": 0x5_0000, "rq_base": 0x6_0000, **changed}))


def fence_value(mmu: Mmu, at: int = FENCE) -> int:
    """What stands where a fence writes."""
    return int.from_bytes(mmu.peek(at, 8), "little")


def in_flight(mmu: Mmu, use: int = 5) -> int:
    """A write in flight through page 1 of a region; the region's key."""
    key = mmu.region(1, 0x90, 4)
    answer = mmu.look_up(use, key, 0x1000)
    assert answer.rsp_result == h.XltResult.OK
    assert answer.rsp_pa == 0x91000
    assert mmu.step(use=use).live
    mmu.step(use=use, start_valid=1)
    return key
