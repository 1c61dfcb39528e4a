"""The cache of translations.

Promises: as rtl/hca/hca_xlt_cache.sv: 4 KiB pages that know the leaf they come from; sets by page and key, the way by pseudo-LRU,
  two entries never for one page (SD-7). What an invalidation covers is dead at once (SD-1, SD-5), and leaves when the sweep comes
  by its set: that is when the trace tells it.
Costs: a dictionary look-up a hit; an invalidation costs the cached pages of its key, and an event for each that dies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwif.gen.events import TraceEvent
from hwif.gen.gru import PAGE_SHIFT
from hwif.gen.hca import MTT_ENTRIES, MTT_WAYS, Counter
from hwif.gen.timing import HCA_SWEEP

if TYPE_CHECKING:
    from pymodels.hca.node import Node

__all__ = ["VARIANT_BITS", "Cache", "Leaf"]

VARIANT_BITS = 8
"""Bits of a key below its index."""
SETS = MTT_ENTRIES // MTT_WAYS


class Leaf:
    """The translation of one page, and the leaf it comes from: pages `first` to `last`, from frame `frame`."""

    __slots__ = ("first", "frame", "index", "key", "last", "page", "set", "shift", "way", "write")

    def __init__(self, key: int, page: int, first: int, shift: int, frame: int, *, write: bool) -> None:
        self.key = key
        self.index = key >> VARIANT_BITS
        self.page = page
        self.first = first
        self.shift = shift
        self.last = first + (1 << (shift - PAGE_SHIFT)) - 1
        self.frame = frame
        self.write = write
        self.set = (page ^ self.index) % SETS
        self.way = 0

    def covered(self, first: int, last: int) -> bool:
        """The leaf overlaps the pages `first` to `last`."""
        return self.first <= last and self.last >= first


def _tree() -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """Tables of the tree pseudo-LRU (rtl/common/plru_tree.sv): state after a use by way and state, and the victim by state."""
    depth = MTT_WAYS.bit_length() - 1

    def touch(way: int, state: int) -> int:
        node = 0
        for level in reversed(range(depth)):
            half = way >> level & 1
            state = state & ~(1 << node) | (1 - half) << node
            node = 2 * node + 1 + half
        return state

    def victim(state: int) -> int:
        node = way = 0
        for _ in range(depth):
            half = state >> node & 1
            way = way << 1 | half
            node = 2 * node + 1 + half
        return way

    states = range(1 << (MTT_WAYS - 1))
    return tuple(tuple(touch(way, state) for state in states) for way in range(MTT_WAYS)), tuple(victim(state) for state in states)


_TOUCH, _VICTIM = _tree()


class Cache:
    """The pages one adapter knows."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._leaves: dict[int, dict[int, Leaf]] = {}
        """By key and page."""
        self._sets: list[list[Leaf | None]] = [[None] * MTT_WAYS for _ in range(SETS)]
        self._recent = [0] * SETS
        """Pseudo-LRU state of each set."""
        self._swept_at = self._sweep_end = 0
        """The set the sweep stands at, and the cycle in which it has gone round for the last invalidation."""

    def find(self, index: int, page: int) -> Leaf | None:
        """The translation of a page, and remember that it was used."""
        leaves = self._leaves.get(index)
        leaf = leaves.get(page) if leaves else None
        if leaf is not None:
            self._recent[leaf.set] = _TOUCH[leaf.way][self._recent[leaf.set]]
        return leaf

    def fill(self, leaf: Leaf) -> None:
        """A walk found a translation."""
        leaves = self._leaves.setdefault(leaf.index, {})
        ways = self._sets[leaf.set]
        old = leaves.get(leaf.page)
        if old is not None:
            leaf.way = old.way
        elif None in ways:
            leaf.way = ways.index(None)
        else:
            leaf.way = _VICTIM[self._recent[leaf.set]]
            victim = ways[leaf.way]
            if victim is not None:
                del self._leaves[victim.index][victim.page]
        leaves[leaf.page] = leaf
        ways[leaf.way] = leaf
        self._recent[leaf.set] = _TOUCH[leaf.way][self._recent[leaf.set]]
        self._node.emit(TraceEvent.HDEV_FILL, leaf.key, leaf.first << PAGE_SHIFT, leaf.frame, leaf.shift, leaf.write)

    def invalidate(self, index: int, first: int, last: int) -> None:
        """Drop all that overlaps these pages of the key."""
        leaves = self._leaves.get(index, {})
        dead = [leaf for leaf in leaves.values() if leaf.covered(first, last)]
        for leaf in dead:
            del leaves[leaf.page]
            self._sets[leaf.set][leaf.way] = None
        self._sweep(dead)

    def _sweep(self, dead: list[Leaf]) -> None:
        """What is dead leaves the cache set by set, from where the sweep stands."""
        now = self._node.now
        if now >= self._sweep_end:
            begin, stands = now, self._swept_at
        else:  # it is under way for another one
            begin, stands = now, (self._swept_at + SETS - (self._sweep_end - now)) % SETS
        self._swept_at, self._sweep_end = stands, begin + SETS
        for leaf in dead:
            self._node.at(begin + HCA_SWEEP + (leaf.set - stands) % SETS, self._killed, leaf)

    def _killed(self, leaf: Leaf) -> None:
        self._node.count[Counter.KILLED] += 1
        self._node.emit(TraceEvent.HDEV_KILL, leaf.index, leaf.first << PAGE_SHIFT, leaf.shift)
