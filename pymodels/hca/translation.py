"""Keys, look-ups, uses in hand, and invalidations.

Promises: docs/hca.md section 2 and SD-1 to SD-7. A look-up that hits is decided when it is asked and answered `HCA_LOOKUP` cycles
  later; from then on its segment is held: an invalidation that covers it clears `live`. After `start` it is in flight until `done`,
  and an invalidation that covers it counts it.
Costs: a dictionary look-up a hit; an invalidation costs the cached translations of its key and the uses in hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hwif.gen.gru import PAGE_SHIFT
from hwif.gen.hca import (
    HCA_VA_BITS,
    KEY_IDX_WIDTH,
    MPT_ENTRIES,
    TABLE_BITS,
    TABLE_LEVELS,
    Counter,
    Mpt,
    Need,
    XltResult,
)
from hwif.gen.timing import HCA_LOOKUP
from pymodels.hca.cache import VARIANT_BITS, Cache, Leaf

if TYPE_CHECKING:
    from pymodels.hca.node import Node

__all__ = ["WRITES", "Invalidation", "Leaf", "Region", "Segment", "Translation", "index_of"]

PAGE_MASK = (1 << PAGE_SHIFT) - 1
VA_END = 1 << HCA_VA_BITS
OK = int(XltResult.OK)
WRITES = (False, True, False, True, True)  # by Need
_REFUSED = frozenset(int(result) for result in (XltResult.BAD_KEY, XltResult.WRONG_PD, XltResult.NO_RIGHT, XltResult.OUT_OF_BOUNDS))
_RIGHTS = (None, Mpt.local_write, Mpt.remote_read, Mpt.remote_write, Mpt.remote_atomic)  # by Need


def index_of(key: int) -> int:
    """Index of a key, with the bits above it: past the last key for a key that has some."""
    return key >> VARIANT_BITS


class Segment:
    """Bytes within one page, and their translation: what a look-up names, and a use when it has succeeded."""

    __slots__ = (
        *("key", "index", "va", "page", "length", "need", "qpn", "pd", "offset", "rest"),
        *("result", "pa", "first", "last", "live", "flying", "covered", "asked"),
    )

    def __init__(self, key: int, va: int, length: int, need: int, qpn: int, pd: int, offset: int, rest: int) -> None:
        self.key = key
        self.index = key >> VARIANT_BITS
        self.va = va
        self.page = va >> PAGE_SHIFT
        self.length = length
        self.need = need
        self.qpn = qpn
        self.pd = pd
        self.offset = offset
        """First byte within the packet's payload."""
        self.rest = rest
        """Bytes of the message from `va` on that lie in the same element."""
        self.result = OK
        self.pa = 0
        self.first = self.last = 0
        """Pages of the leaf it uses."""
        self.live = self.flying = False
        self.asked = 0
        """The cycle in which the look-up entered the pipe."""
        self.covered: list[Invalidation] | None = None


class Region:
    """An entry of the key table."""

    __slots__ = ("absent", "base_page", "end", "key", "levels", "on_demand", "pd", "rights", "root", "start", "valid")

    def __init__(self, line: list[int]) -> None:
        self.valid = bool(Mpt.valid.get(line))
        self.key = Mpt.key.get(line)
        self.pd = Mpt.pd.get(line)
        self.rights = tuple(field is None or bool(field.get(line)) for field in _RIGHTS)
        self.on_demand = bool(Mpt.on_demand.get(line))
        whole = Mpt.whole.get(line)
        self.start = 0 if whole else Mpt.start.get(line)
        self.end = VA_END if whole else self.start + Mpt.length.get(line)
        self.levels = Mpt.levels.get(line)
        self.root = Mpt.root.get(line) << PAGE_SHIFT
        self.base_page = Mpt.table_base.get(line) >> PAGE_SHIFT
        self.absent = XltResult.FAULT_NOT_PRESENT if self.on_demand else XltResult.BAD_TABLE
        """What a page without a translation is."""

    def refuse(self, segment: Segment) -> int:
        """Why the region does not allow the access, else OK."""
        if not self.valid or self.key != segment.key:
            return XltResult.BAD_KEY
        if self.pd != segment.pd:
            return XltResult.WRONG_PD
        if not self.rights[segment.need]:
            return XltResult.NO_RIGHT
        if segment.va < self.start or segment.va + segment.length > self.end:
            return XltResult.OUT_OF_BOUNDS
        return OK


class Invalidation:
    """What is still in flight under an accepted invalidation."""

    __slots__ = ("flying",)

    def __init__(self) -> None:
        self.flying = 0


Asker = Callable[[Segment], None]


class Translation:
    """The translation unit of an adapter, but for the walks (walk.py)."""

    def __init__(self, node: Node) -> None:
        from pymodels.hca.walk import Walks  # noqa: PLC0415 - walks and the cache know each other

        self.node = node
        self.count = node.count
        self.walks = Walks(self)
        self._keys: list[tuple[int, Region] | None] = [None] * MPT_ENTRIES
        self.cache = Cache(node)
        self._uses: set[Segment] = set()
        self._pipe_free = 0

    # ---- look-ups -----------------------------------------------------------------------------------------------------

    def resolve(self, segments: Sequence[Segment], answered: Callable[[], None]) -> None:
        """Look up all segments that are not held; `answered` runs when each has its result."""
        waiting, ready = 0, self.node.now

        def late(_segment: Segment) -> None:
            nonlocal waiting
            waiting -= 1
            if not waiting:
                self.node.at(max(ready, self.node.now), answered)

        for segment in segments:
            if segment.live:
                continue
            begin = max(self.node.now, self._pipe_free)
            self._pipe_free = begin + 1
            ready = max(ready, begin + HCA_LOOKUP)
            segment.asked = begin
            self.count[Counter.LOOKUPS] += 1
            if not self.look_up(segment, late):
                waiting += 1
        if not waiting:
            self.node.at(ready, answered)

    def look_up(self, segment: Segment, late: Asker) -> bool:
        """Translate. True: answered. False: `late` is called with the answer."""
        count, index = self.count, segment.index
        if index >> KEY_IDX_WIDTH or index >= self.node.registers.mpt_size:
            self.refused(segment, XltResult.BAD_KEY)
            return True
        cached = self._keys[index % MPT_ENTRIES]
        if cached is None or cached[0] != index:
            count[Counter.MPT_MISS] += 1
            self.walks.fetch_key(segment, late)
            return False
        count[Counter.MPT_HIT] += 1
        return self.with_region(cached[1], segment, late)

    def with_region(self, region: Region, segment: Segment, late: Asker) -> bool:
        """The rest of a look-up, once the key is known."""
        result = region.refuse(segment)
        if result != OK:
            self.refused(segment, result)
            return True
        if not 1 <= region.levels <= TABLE_LEVELS:
            self.refused(segment, XltResult.BAD_TABLE)
            return True
        relative = segment.page - region.base_page
        if relative < 0 or relative >> (TABLE_BITS * region.levels):  # past the table's reach
            self.refused(segment, region.absent)
            return True
        leaf = self.cache.find(segment.index, segment.page)
        if leaf is not None and (leaf.write or not WRITES[segment.need]):
            self.count[Counter.MTT_HIT] += 1
            self.hold(segment, leaf)
            return True
        self.walks.walk(region, segment, late)
        return False

    def refused(self, segment: Segment, result: int) -> None:
        """The answer is no; nothing is held."""
        segment.result = int(result)
        self.node.refusals += 1
        if result in _REFUSED:
            self.count[Counter.BAD_KEYS] += 1
        elif result == XltResult.BAD_TABLE:
            self.count[Counter.BAD_TABLES] += 1

    def hold(self, segment: Segment, leaf: Leaf) -> None:
        """The answer is yes."""
        segment.result = OK
        segment.pa = (leaf.frame + segment.page - leaf.first << PAGE_SHIFT) | (segment.va & PAGE_MASK)
        segment.first, segment.last = leaf.first, leaf.last
        segment.live = True
        self.node.hit(max(HCA_LOOKUP, self.node.now - segment.asked))
        self._uses.add(segment)

    # ---- fills ---------------------------------------------------------------------------------------------------------

    def fill_key(self, index: int, region: Region) -> None:
        """A key entry came from memory."""
        self._keys[index % MPT_ENTRIES] = (index, region)

    # ---- uses ----------------------------------------------------------------------------------------------------------

    def start(self, segments: Sequence[Segment]) -> None:
        """The accesses of these held uses begin."""
        for segment in segments:
            segment.flying = True

    def done(self, segments: Sequence[Segment]) -> None:
        """The accesses are over, or the uses are given back."""
        for segment in segments:
            if not segment.live and not segment.flying:
                continue
            self._uses.discard(segment)
            segment.live = segment.flying = False
            if segment.covered:
                for invalidation in segment.covered:
                    invalidation.flying -= 1
                segment.covered = None
                self.node.commands.drained()

    # ---- invalidations -------------------------------------------------------------------------------------------------

    def invalidate(self, index: int, first: int, last: int, *, whole: bool) -> Invalidation:
        """From now on nothing uses what the cache, walks and held uses know of the key's pages `first` to `last`."""
        self.count[Counter.INVALIDATIONS] += 1
        if whole:
            cached = self._keys[index % MPT_ENTRIES]
            if cached is not None and cached[0] == index:
                self._keys[index % MPT_ENTRIES] = None
        self.cache.invalidate(index, first, last)
        invalidation = Invalidation()
        self.walks.cover(index, first, last, invalidation, whole=whole)
        for segment in [use for use in self._uses if use.index == index and use.first <= last and use.last >= first]:
            if segment.flying:
                invalidation.flying += 1
                segment.covered = [*(segment.covered or ()), invalidation]
            else:
                segment.live = False
                self._uses.discard(segment)
        return invalidation


assert len(WRITES) == len(_RIGHTS) == len(Need)
