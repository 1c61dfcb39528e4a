"""Two things of hca_xlt in every cycle relative to each other: what random traffic meets too rarely to be relied on.

Promises: on the product a rig stays silent; the seed plays no part.
"""

from __future__ import annotations

from tb.hca_xlt.checked import Ask, use_of
from tb.hca_xlt.rig import KEY, Rig, page_shoot
from tb.hca_xlt.world import PAGE

__all__ = ["race_of_fill"]


def race_of_fill(it: Rig) -> None:
    """An invalidation in every cycle around the end of a walk, and a look-up after it."""
    it.map(0)
    it.lookup(0)
    took = it.stream([Ask(0, KEY, PAGE)])[0].latency
    for at in range(took - 8, took + 2):
        page = at
        it.map(page)
        for cycle in range(at + 1):
            if cycle == at:
                it.map(page)
            ask = Ask(use_of(0, 0), KEY, page * PAGE) if cycle == 0 else None
            it.cycle(ask, shoot=page_shoot(page) if cycle == at else None)
        it.idle(130)
        it.lookup(page * PAGE)
