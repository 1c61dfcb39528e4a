"""Exact cycle counts of the HCA's translation (rtl/hca/hca_xlt.sv), taken at its ports by the block bench.

`measure()` returns the numbers by name. Memory answers LATENCY cycles after a read leaves the block, one answer a cycle.
Deterministic: two calls give the same numbers.
Costs: a second once the block bench is built.
"""

from __future__ import annotations

from hwif.gen.hca import XltResult
from tb.hca_xlt.checked import use_of
from tb.hca_xlt.rig import Rig, asks, page_shoot, rig
from tb.hca_xlt.world import PAGE

__all__ = ["measure"]

LATENCY = 60
REACH = {"1": (0, 0, False), "512": (0, 511, False), "key": (0, 0, True)}  # first page, last page, whole key


def _mapped(it: Rig, pages: range) -> None:
    for page in pages:
        it.map(page)


def hits() -> tuple[float, int]:
    """Look-ups a cycle while all are cached, both users asking; and the cycles from acceptance to answer of the slowest."""
    pages = range(32)
    with rig(latency=(LATENCY, LATENCY)) as it:
        _mapped(it, pages)
        it.stream(asks(pages))
        answers = it.stream(asks([*pages] * 4) + asks([*pages] * 2, user=1))
        times = [answer.answered for answer in answers]
        return len(times) / (max(times) - min(times) + 1), max(answer.latency for answer in answers)


def walks() -> int:
    """Most reads of translation tables in flight at once, with more misses than walkers."""
    pages = range(0, 64 * 8, 8)
    with rig(latency=(LATENCY, LATENCY)) as it:
        _mapped(it, pages)
        it.lookup(0)
        it.most_reads = 0
        it.stream(asks([*pages][1:]))
        return it.most_reads


def misses(count: int) -> int:
    """Cycles from the first acceptance to the last answer of misses to different pages, the key cached."""
    pages = range(count + 1)
    with rig(latency=(LATENCY, LATENCY)) as it:
        _mapped(it, pages)
        it.lookup(count * PAGE)
        answers = it.stream(asks([*pages][:count]))
        return max(answer.answered for answer in answers) - min(answer.accepted for answer in answers)


def dead(reach: str) -> int:
    """Cycles from the acceptance of an invalidation until a covered look-up no longer hits: one look-up is decided every cycle."""
    first, last, whole = REACH[reach]
    at = 40
    with rig(latency=(LATENCY, LATENCY)) as it:
        it.map(0)
        it.lookup(0, use=use_of(1, 15, 3))
        begin = it.now
        answers = it.stream(asks([0] * 96), {at: page_shoot(first, last, whole=whole)})
        fast, slow = min(a.latency for a in answers), max(a.latency for a in answers)
        assert all(answer.result == XltResult.OK for answer in answers)
        assert slow > LATENCY, "nothing was walked again"
        missed = min(a.accepted for a in answers if a.latency > fast)
        return missed + fast - 1 - (begin + at)  # the decision falls one cycle before the answer


def measure() -> dict[str, float | int | dict[str, int]]:
    """The numbers, by name."""
    rate, latency = hits()
    return {
        "hits_per_cycle": rate,
        "hit_latency_cycles": latency,
        "walks_outstanding": walks(),
        "sixteen_misses_over_one": misses(16) / misses(1),
        "invalidate_dead_cycles": {reach: dead(reach) for reach in REACH},
    }


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name}: {value}")
