"""Fetching what the translation caches do not know: key entries, and walks of the translation tables.

Promises: a fetch or walk that an invalidation covered while it ran is dropped and asked again from the start, answer included
  (SD-3); only covered ones. At most WALKERS walks run, the others wait their turn. Who asks for
  the same page waits for the same walk.
Costs: an event a level.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from hwif.gen.events import TraceEvent
from hwif.gen.gru import PAGE_SHIFT
from hwif.gen.hca import ENTRY_BYTES, TABLE_BITS, WALKERS, Counter, Mtt, XltResult
from hwif.gen.timing import HCA_KEY, HCA_REPLAY, HCA_WALK_STEP
from pymodels.hca.cache import Leaf
from pymodels.hca.lines import parse
from pymodels.hca.translation import OK, WRITES, Asker, Invalidation, Region, Segment, Translation

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Walks"]

MTT_BYTES = 8
TABLE_MASK = (1 << TABLE_BITS) - 1
LARGE_LEVELS = 2
"""A leaf this many levels above the last still maps a page (1 GiB); above it the entry is impossible."""


class KeyFetch:
    """An entry of the key table on its way."""

    __slots__ = ("asked", "covered")

    def __init__(self) -> None:
        self.asked: list[tuple[Segment, Asker]] = []
        self.covered = False


class Walk:
    """A walk for one page."""

    __slots__ = ("asked", "covering", "dropped", "page", "reading", "region", "waits")

    def __init__(self, region: Region, page: int) -> None:
        self.region = region
        self.page = page
        self.asked: list[tuple[Segment, Asker]] = []
        self.covering: list[tuple[int, int]] = []
        """Pages of invalidations accepted while it ran."""
        self.dropped = False
        """One of them covers its page: it reads no further."""
        self.reading = False
        self.waits: list[Invalidation] = []
        """Invalidations whose fences wait for the read under way."""


class Walks:
    """All that is under way."""

    def __init__(self, translation: Translation) -> None:
        self._xlt = translation
        self._node = translation.node
        self._keys: dict[int, KeyFetch] = {}
        self._walks: dict[tuple[int, int], Walk] = {}
        self._turn: deque[tuple[int, Walk]] = deque()
        self._running = 0

    # ---- keys ----------------------------------------------------------------------------------------------------------

    def fetch_key(self, segment: Segment, late: Asker) -> None:
        """Read the key's entry, then go on with the look-up."""
        fetch = self._keys.get(segment.index)
        if fetch is None:
            fetch = self._keys[segment.index] = KeyFetch()
            self._node.memory.fetch(
                self._node.registers.mpt_base + segment.index * ENTRY_BYTES,
                ENTRY_BYTES,
                self._key_came(segment.index),
            )
        fetch.asked.append((segment, late))

    def _key_came(self, index: int) -> Callable[[bytes | None], None]:
        def came(data: bytes | None) -> None:
            self._node.at(self._node.now + HCA_KEY, known, data)

        def known(data: bytes | None) -> None:
            fetch = self._keys.pop(index)
            if fetch.covered:
                self._again(fetch.asked)
                return
            region = None if data is None else Region(parse(data))
            if region is not None and region.valid:
                self._xlt.fill_key(index, region)
            for segment, late in fetch.asked:
                if region is None:
                    self._xlt.refused(segment, XltResult.BAD_TABLE)
                    late(segment)
                elif self._xlt.with_region(region, segment, late):
                    late(segment)

        return came

    def _again(self, asked: list[tuple[Segment, Asker]]) -> None:
        for segment, late in asked:
            if self._xlt.look_up(segment, late):
                late(segment)

    # ---- tables --------------------------------------------------------------------------------------------------------

    def walk(self, region: Region, segment: Segment, late: Asker) -> None:
        """Walk for the segment's page."""
        at = (segment.index, segment.page)
        walk = self._walks.get(at)
        if walk is None or walk.region is not region:
            walk = Walk(region, segment.page)
            self._walks[at] = walk
            self._node.count[Counter.MTT_MISS] += 1
            walk.asked.append((segment, late))
            if self._running == WALKERS:
                self._turn.append((segment.index, walk))
            else:
                self._begin(segment.index, walk)
            return
        walk.asked.append((segment, late))

    def _begin(self, index: int, walk: Walk) -> None:
        self._running += 1
        region, relative = walk.region, walk.page - walk.region.base_page
        self._node.emit(TraceEvent.HDEV_WALK, region.key, walk.page << PAGE_SHIFT)
        self._step(index, walk, region.root, region.levels - 1, relative)

    def _step(self, index: int, walk: Walk, table: int, level: int, relative: int) -> None:
        slot = relative >> (TABLE_BITS * level) & TABLE_MASK
        node = self._node

        def came(data: bytes | None) -> None:
            walk.reading = False
            if walk.waits:
                for invalidation in walk.waits:
                    invalidation.flying -= 1
                walk.waits.clear()
                node.commands.drained()
            node.at(node.now + HCA_WALK_STEP, self._entry, index, walk, level, relative, data)

        walk.reading = True
        node.memory.fetch(table + slot * MTT_BYTES, MTT_BYTES, came)

    def _entry(self, index: int, walk: Walk, level: int, relative: int, data: bytes | None) -> None:
        region = walk.region
        if data is None or walk.dropped:
            self._end(index, walk, XltResult.BAD_TABLE, None)
            return
        entry = int.from_bytes(data, "little")
        if Mtt.table.of(entry):
            if level:
                self._step(index, walk, Mtt.pfn.of(entry) << PAGE_SHIFT, level - 1, relative)
            else:
                self._end(index, walk, XltResult.BAD_TABLE, None)
        elif not Mtt.read.of(entry):
            self._end(index, walk, region.absent, None)
        elif level > LARGE_LEVELS:
            self._end(index, walk, XltResult.BAD_TABLE, None)
        else:
            number = relative >> (TABLE_BITS * level)
            pages = 1 << (TABLE_BITS * level)
            frame = Mtt.pfn.of(entry) & ~(pages - 1)
            first = region.base_page + number * pages
            shift = PAGE_SHIFT + TABLE_BITS * level
            leaf = Leaf(region.key, walk.page, first, shift, frame, write=bool(Mtt.write.of(entry)))
            self._end(index, walk, XltResult.OK, leaf)

    def _end(self, index: int, walk: Walk, result: XltResult, leaf: Leaf | None) -> None:
        self._running -= 1
        if self._walks.get((index, walk.page)) is walk:
            del self._walks[(index, walk.page)]
        if self._covered(walk, leaf):
            self._node.count[Counter.WALK_DROPPED] += 1
            self._node.emit(TraceEvent.HDEV_FILL_DROPPED, walk.region.key, walk.page << PAGE_SHIFT)
            self._again(walk.asked)
        else:
            self._answer(walk, result, leaf)
        while self._turn and self._running < WALKERS:
            self._begin(*self._turn.popleft())

    @staticmethod
    def _covered(walk: Walk, leaf: Leaf | None) -> bool:
        if leaf is None:
            return walk.dropped
        return any(leaf.covered(first, last) for first, last in walk.covering)

    def _answer(self, walk: Walk, result: XltResult, leaf: Leaf | None) -> None:
        xlt = self._xlt
        refused: XltResult = XltResult.FAULT_READ_ONLY if walk.region.on_demand else XltResult.NO_RIGHT
        served = [leaf is not None and (leaf.write or not WRITES[segment.need]) for segment, _ in walk.asked]
        if leaf is not None:
            xlt.cache.fill(leaf)
        for (segment, late), good in zip(walk.asked, served, strict=True):
            if good and leaf is not None:
                xlt.hold(segment, leaf)
            else:
                xlt.refused(segment, refused if result == OK else result)
            self._node.at(self._node.now + HCA_REPLAY, late, segment)

    # ---- invalidations -------------------------------------------------------------------------------------------------

    def cover(self, index: int, first: int, last: int, invalidation: Invalidation, *, whole: bool) -> None:
        """An invalidation was accepted."""
        if whole and index in self._keys:
            self._keys[index].covered = True
        for (at, page), walk in list(self._walks.items()):
            if at == index:
                walk.covering.append((first, last))
                if first <= page <= last:
                    walk.dropped = True
                    if walk.reading:
                        invalidation.flying += 1
                        walk.waits.append(invalidation)
                    del self._walks[(at, page)]  # who asks from now on walks for itself
