"""A region's translation table in host memory: levels of 512 entries (docs/hca.md §2), and how many of each are in use.

Page numbers count from `base` (the address entry 0 translates). The table lives in frames of the kernel's; each frame but the root
comes with `map`, from frames the caller took beforehand, since an allocation may reclaim and reclaim may call for the lock this
table is under.

Promises: an entry is one store. Entries of the same page name the same frame, or TableError. `unmap` unlinks tables it empties and
hands their frames back together with the whole span they covered: a walk for any page of the span may be reading them, so that
span must be invalidated before they are freed. Needs: one caller at a time (the region's umem_lock). Costs no cycles: the caller
charges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwif.gen.hca import TABLE_BITS, TABLE_LEVELS, Mtt
from hwif.memory import FRAME_BYTES, HostMemory
from sw_stack.drivers.hca.errors import HcaError
from sw_stack.drivers.hca.lines import read_word, write_word
from sw_stack.mm.types import PAGE_SHIFT

__all__ = ["LARGE_SHIFTS", "Leaf", "TableError", "TranslationTable", "Unmapped"]

ENTRIES = 1 << TABLE_BITS
LARGE_SHIFTS = (PAGE_SHIFT + 2 * TABLE_BITS, PAGE_SHIFT + TABLE_BITS)
"""Sizes of large translations, the largest first."""


class TableError(HcaError):
    """The table would come to say two things of one page."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What is to be entered: 2**shift bytes from page number `page` on, at frame `pfn`."""

    page: int
    shift: int
    pfn: int
    write: bool


@dataclass(slots=True)
class Unmapped:
    """What `unmap` took out. Pages `first` to `last` (exclusive) are to be invalidated before `tables` are freed."""

    first: int
    last: int
    pages: int = 0
    tables: list[int] = field(default_factory=list)
    keep: bool = False

    def widen(self, first: int, last: int) -> None:
        self.first, self.last = min(self.first, first), max(self.last, last)


def _level_shift(level: int) -> int:
    """log2 of the bytes an entry of this level spans; level 0 is the last."""
    return PAGE_SHIFT + TABLE_BITS * level


class TranslationTable:
    """`levels` levels under frame `root`, which is zeroed and the caller's."""

    def __init__(self, memory: HostMemory, levels: int, base: int, root: int) -> None:
        if not 1 <= levels <= TABLE_LEVELS:
            raise ValueError(f"a table has 1..{TABLE_LEVELS} levels, not {levels}")
        self._memory = memory
        self.levels = levels
        self.base = base
        self.root = root
        self._live: dict[int, int] = {root: 0}
        """Frame of each table -> entries in use."""
        self.pages = 0
        """4 KiB pages that have a translation."""

    @property
    def reach(self) -> int:
        """Pages the table can translate."""
        return 1 << TABLE_BITS * self.levels

    @property
    def tables(self) -> int:
        """Frames it is made of."""
        return len(self._live)

    def page(self, va: int) -> int:
        """Page number of an address."""
        return (va - self.base) >> PAGE_SHIFT

    # ---- looking ---------------------------------------------------------------------------------------------------

    def lookup(self, page: int) -> Leaf | None:
        """The entry that translates a page."""
        frame, level = self.root, self.levels - 1
        while True:
            word = self._read(frame, page, level)
            if not word:
                return None
            if not Mtt.table.of(word):
                shift = _level_shift(level)
                return Leaf(page & -1 << (shift - PAGE_SHIFT), shift, Mtt.pfn.of(word), bool(Mtt.write.of(word)))
            frame, level = Mtt.pfn.of(word), level - 1

    def missing(self, leaves: list[Leaf]) -> int:
        """Tables that must be made before these can be entered."""
        wanted = set()
        for leaf in leaves:
            frame = self.root
            for level in range(self.levels - 1, self._level(leaf.shift), -1):
                word = self._read(frame, leaf.page, level) if frame >= 0 else 0
                if word and not Mtt.table.of(word):
                    break
                frame = Mtt.pfn.of(word) if word else -1
                if frame < 0:
                    wanted.add((level, leaf.page >> TABLE_BITS * level))
        return len(wanted)

    def blocked(self, leaf: Leaf) -> Leaf | None:
        """The large entry that stands where this one needs a table or the right to write, and must be broken first."""
        found = self.lookup(leaf.page)
        if found is None or found.shift <= leaf.shift:
            return None
        return found if leaf.write and not found.write else None

    def fits(self, page: int, shift: int) -> bool:
        """True if an entry of 2**shift bytes may stand at `page`: its level exists and holds no smaller ones there."""
        goal = self._level(shift)
        if goal >= self.levels or page & ((1 << (shift - PAGE_SHIFT)) - 1) or self.base & ((1 << shift) - 1):
            return False
        frame = self.root
        for level in range(self.levels - 1, goal, -1):
            word = self._read(frame, page, level)
            if not word:
                return True
            if not Mtt.table.of(word):
                return False
            frame = Mtt.pfn.of(word)
        return not Mtt.table.of(self._read(frame, page, goal))

    # ---- changing --------------------------------------------------------------------------------------------------

    def map(self, leaf: Leaf, spare: list[int]) -> bool:
        """Enter a leaf, making tables of `spare` frames (zeroed) as needed. False if the table said as much already."""
        frame, goal = self.root, self._level(leaf.shift)
        for level in range(self.levels - 1, goal, -1):
            word = self._read(frame, leaf.page, level)
            if not word:
                child = spare.pop()
                self._live[child] = 0
                self._write(frame, leaf.page, level, Mtt.table.place(1) | Mtt.pfn.place(child))
                frame = child
                continue
            if not Mtt.table.of(word):
                self._agree(leaf, level, word)
                return False
            frame = Mtt.pfn.of(word)
        word = self._read(frame, leaf.page, goal)
        if word:
            if Mtt.table.of(word):
                raise TableError(f"page {leaf.page:#x}: an entry of 2**{leaf.shift} bytes over smaller ones")
            self._agree(leaf, goal, word, upgrade=True)
            if Mtt.write.of(word) or not leaf.write:
                return False
        else:
            self.pages += 1 << (leaf.shift - PAGE_SHIFT)
        self._write(frame, leaf.page, goal, Mtt.read.place(1) | Mtt.write.place(int(leaf.write)) | Mtt.pfn.place(leaf.pfn))
        return True

    def unmap(self, first: int, last: int, *, keep: bool = False) -> Unmapped:
        """Take out every entry that overlaps pages first..last-1. Costs the tables there are, not the length. `keep`: tables stay,
        though they are empty."""
        gone = Unmapped(first, last, keep=keep)
        first, last = max(first, 0), min(last, self.reach)
        if first < last:
            self._unmap(self.root, self.levels - 1, 0, first, last, gone)
        self.pages -= gone.pages
        return gone

    def empty(self, first: int, last: int) -> list[int]:
        """Linked tables above pages first..last-1 of which no entry is in use."""
        return [
            child for child, _frame, _index in self._children(self.root, self.levels - 1, 0, first, last) if not self._live[child]
        ]

    def destroy(self, table: int) -> None:
        """Unlink an empty table, by its frame. TableError if it has been destroyed, which is a use of freed memory."""
        found = [place for place in self._children(self.root, self.levels - 1, 0, 0, self.reach) if place[0] == table]
        if table not in self._live or not found:
            raise TableError(f"the table in frame {table} is destroyed a second time: it was freed, and may be somebody else's")
        ((_child, frame, index),) = found
        self._words(frame)[index] = 0
        self._live[frame] -= 1
        del self._live[table]

    def _children(self, frame: int, level: int, start: int, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """Tables linked below `frame`, the lowest first, with the frame and index of their entry."""
        span = 1 << TABLE_BITS * level
        words = self._words(frame)
        for index in np.flatnonzero(words).tolist():
            word, page = int(words[index]), start + index * span
            if Mtt.table.of(word) and page < last and first < page + span:
                child = Mtt.pfn.of(word)
                yield from self._children(child, level - 1, page, first, last)
                yield child, frame, index

    def drain(self) -> list[int]:
        """Every frame the table is made of. It must not be used afterwards."""
        frames = list(self._live)
        self._live.clear()
        self.pages = 0
        return frames

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _level(self, shift: int) -> int:
        level, odd = divmod(shift - PAGE_SHIFT, TABLE_BITS)
        if odd or level < 0:
            raise ValueError(f"no entry spans 2**{shift} bytes")
        return level

    def _agree(self, leaf: Leaf, level: int, word: int, *, upgrade: bool = False) -> None:
        """The entry there names the same frame; its right may grow (`upgrade`), never the frame change without an invalidation."""
        offset = leaf.page & ((1 << TABLE_BITS * level) - 1)
        pfn = Mtt.pfn.of(word) + offset
        if pfn != leaf.pfn:
            raise TableError(f"page {leaf.page:#x} of the table at {self.base:#x} is frame {pfn} and is to become {leaf.pfn}")
        if leaf.write and not Mtt.write.of(word) and not upgrade:
            raise TableError(f"page {leaf.page:#x} becomes writable inside an entry that is not")

    def _unmap(self, frame: int, level: int, start: int, first: int, last: int, gone: Unmapped) -> None:
        """Entries of one table, which begins at page `start`, that overlap first..last-1."""
        span = 1 << TABLE_BITS * level
        words = self._words(frame)
        low, high = max(first - start, 0) >> TABLE_BITS * level, min(-(-(last - start) // span), ENTRIES)
        for index in (np.flatnonzero(words[low:high]) + low).tolist():
            word, page = int(words[index]), start + index * span
            if Mtt.table.of(word):
                child = Mtt.pfn.of(word)
                self._unmap(child, level - 1, page, first, last, gone)
                if self._live[child] or gone.keep:
                    continue
                del self._live[child]
                gone.tables.append(child)
            else:
                gone.pages += span
            words[index] = 0
            self._live[frame] -= 1
            gone.widen(page, page + span)

    def _words(self, frame: int) -> NDArray[np.uint64]:
        return self._memory.frame(frame).view(np.uint64)

    def _address(self, frame: int, page: int, level: int) -> int:
        return frame * FRAME_BYTES + 8 * ((page >> TABLE_BITS * level) & (ENTRIES - 1))

    def _read(self, frame: int, page: int, level: int) -> int:
        return read_word(self._memory, self._address(frame, page, level))

    def _write(self, frame: int, page: int, level: int, word: int) -> None:
        address = self._address(frame, page, level)
        self._live[frame] += (word != 0) - (read_word(self._memory, address) != 0)
        write_word(self._memory, address, word)
