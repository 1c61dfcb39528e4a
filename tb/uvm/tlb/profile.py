"""The mix of a random test, and the address spaces it plays in.

Promises: a profile and a seed decide the whole stimulus. Places are few enough that pages come back, and sit where mistakes live:
the first and the last page, neighbours, corners of large pages, the same set of the TLB.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from hwif.gen import timing
from hwif.gen.gru import ASID_WIDTH, PAGE_SHIFTS
from pymodels.oracle import ALL_PAGES

__all__ = ["SLOWER", "Context", "Places", "Profile"]

SETS = timing.MODEL_TLB_ENTRIES // timing.MODEL_TLB_WAYS
SLOWER = 20
# Two pairs of contexts share an address space; 0 and the largest are ordinary; 8 and 9 differ in the region only, so equal pages of
# theirs share a set of the TLB.
ASIDS = (8, 8, 0, 0, (1 << ASID_WIDTH) - 1, 9, 16, 24)


@dataclass(frozen=True)
class Context:
    """A context: the address space and the page sizes (bit per code) its lookups probe."""

    number: int
    asid: int
    sizes: int

    @property
    def codes(self) -> list[int]:
        """Page size codes."""
        return [code for code in PAGE_SHIFTS if self.sizes >> code & 1]


@dataclass(frozen=True)
class Profile:
    """Rates are chances a cycle; `think` and `flight` are the longest times from a miss to its drop-in and of an access."""

    cycles: int = 5000
    pages: int = 12  # places in each address space
    uniform: float = 0.6  # seeds in which most drop-ins have one size; the TLB takes those much faster
    lookup: float = 0.6
    shoot: float = 0.03
    storm: float = 0.0  # chance that a burst of shootdowns begins
    focus: float = 0.5  # shootdowns aimed at what is going on now
    return_: float = 0.3  # lookups of what was just shot down or dropped in
    beside: float = 0.0  # shootdowns that end just before the page aimed at, or begin just after it
    narrow: float = 0.7  # range shootdowns of at most 16 pages
    clean: float = 0.3  # read drop-ins without the dirty bit
    mixed: float = 0.15  # drop-ins of another size than the smallest the context uses
    unanswered: float = 0.05  # misses that get no drop-in
    think: int = 30
    flight: int = 40
    slow: float = 0.0  # misses whose drop-in comes SLOWER times later
    backlog: int = 8  # drop-ins that may be due at once before some are given up


class Places:
    """The contexts of a seed, and page numbers of each one's address space."""

    def __init__(self, profile: Profile, rng: random.Random) -> None:
        self.contexts = _contexts(rng, uniform=rng.random() < profile.uniform)
        self._pages: dict[int, list[int]] = {}
        for context in self.contexts:
            if context.asid not in self._pages:
                shared = self._pages.get(context.asid ^ 1)  # the neighbour has the same layout
                self._pages[context.asid] = shared or _pages(rng, profile.pages, context)

    def of(self, asid: int) -> list[int]:
        """Page numbers used in the address space."""
        return self._pages[asid]


def _contexts(rng: random.Random, *, uniform: bool) -> list[Context]:
    every = list(PAGE_SHIFTS)
    smallest = rng.choice([0, 0, *every])
    larger = [code for code in every if code > smallest]
    found: list[Context] = []
    for number, asid in enumerate(ASIDS):
        if uniform:
            codes = {smallest, *rng.sample(larger, min(len(larger), rng.choice([0, 0, 1])))}
        elif number == len(ASIDS) - 1:
            codes = set(every)
        else:
            codes = set(rng.sample(every, rng.choice([1, 1, 2, 3])))
        sizes = sum(1 << code for code in codes)
        if found and found[-1].asid == asid:
            sizes |= found[-1].sizes  # or neither would see what the other drops in
        found.append(Context(number, asid, sizes))
    return found


def _pages(rng: random.Random, count: int, context: Context) -> list[int]:
    found = {0, ALL_PAGES}
    step = 1 << PAGE_SHIFTS[rng.choice(context.codes)] - PAGE_SHIFTS[0]
    home = rng.getrandbits(20) * step
    while len(found) < count:
        kind = rng.randrange(4)
        if kind == 0:
            found.add(home + rng.choice([-1, 0, 1, step - 1, step, step >> 1]) & ALL_PAGES)
        elif kind == 1:
            found.add(home + rng.randrange(8) & ALL_PAGES)
        elif kind == 2:
            found.add(home + SETS * step * rng.randrange(8) & ALL_PAGES)
        else:
            found.add(rng.choice([1, ALL_PAGES - 1, home ^ 1 << rng.randrange(52), rng.getrandbits(52)]))
    return sorted(found)
