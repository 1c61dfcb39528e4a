"""Key table and translation tables in a memory of words, and what they say at any time.

Promises: `World` writes the tables as docs/hca.md lays them out, and reads them by its own walk. It remembers every state a key
and a page have been in (`KeyState`, `PageState`) with the cycles from when to when; `invalidated` marks the past states that nobody
may be answered from any more. Every mapping gets frames of its own, so an answer names the state it came from.
Needs: `now` kept up by the caller; at most one region a key index; `watch` of a page before its first look-up.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from hwif.fields import new_line
from hwif.gen.hca import HCA_VA_BITS, KEY_IDX_WIDTH, TABLE_BITS, TABLE_LEVELS, Mpt, Mtt, Need, XltResult

__all__ = ["FAR", "PAGE", "Inval", "KeyState", "Leaf", "PageState", "Region", "World", "is_write"]

PAGE = 1 << 12
FAR = 1 << 62  # a cycle that never comes
TOP = 1 << 64
INDEX_MASK = (1 << TABLE_BITS) - 1
RIGHTS = {
    Need.LOCAL_WRITE: "local_write",
    Need.REMOTE_READ: "remote_read",
    Need.REMOTE_WRITE: "remote_write",
    Need.REMOTE_ATOMIC: "remote_atomic",
}


def is_write(need: Need) -> bool:
    """Does an access of this kind write?"""
    return need in (Need.LOCAL_WRITE, Need.REMOTE_WRITE, Need.REMOTE_ATOMIC)


@dataclass(frozen=True)
class Region:
    """A key table entry."""

    key: int
    root: int
    valid: int = 1
    local_write: int = 1
    remote_write: int = 1
    remote_read: int = 1
    remote_atomic: int = 1
    on_demand: int = 1
    whole: int = 0
    pd: int = 1
    start: int = 0
    length: int = 1 << 40
    levels: int = 4
    table_base: int = 0

    def line(self) -> list[int]:
        """The entry as eight words."""
        line = new_line()
        for item in fields(self):
            getattr(Mpt, item.name).put(line, getattr(self, item.name))
        return line

    def check(self, key: int, pd: int, va: int, length: int, need: Need) -> XltResult:
        """What the key says of an access."""
        if not self.valid or self.key != key:
            return XltResult.BAD_KEY
        if self.pd != pd:
            return XltResult.WRONG_PD
        if need in RIGHTS and not getattr(self, RIGHTS[need]):
            return XltResult.NO_RIGHT
        low, high = (0, 1 << HCA_VA_BITS) if self.whole else (self.start, self.start + self.length)
        return XltResult.OK if low <= va and va + length <= high else XltResult.OUT_OF_BOUNDS


@dataclass(frozen=True)
class Leaf:
    first: int  # page number of its first page
    pages: int
    pfn: int  # of its first page
    write: bool


@dataclass(frozen=True)
class Inval:
    index: int
    whole: bool = False
    first: int = 0  # byte addresses, inclusive
    last: int = 0

    def covers(self, index: int, first: int, pages: int) -> bool:
        """Does it reach a translation of these pages?"""
        return self.index == index and (self.whole or (first <= self.last >> 12 and first + pages > self.first >> 12))


@dataclass
class PageState:
    """A leaf, or why there is none."""

    what: Leaf | XltResult
    begin: int
    first: int  # pages it covers
    pages: int
    end: int = FAR
    dead: int = FAR  # cycle of the invalidation that revoked it


@dataclass
class KeyState:
    region: Region | None  # None: the entry cannot be read
    begin: int
    end: int = FAR
    dead: int = FAR


@dataclass
class World:
    mpt_base: int = 0x10000
    now: int = 0
    words: dict[int, int] = field(default_factory=dict)
    broken: set[int] = field(default_factory=set)  # lines memory answers with an error
    keys: dict[int, list[KeyState]] = field(default_factory=dict)
    pages: dict[tuple[int, int], list[PageState]] = field(default_factory=dict)
    next_table: int = 0x1000
    next_frame: int = 1 << 20

    def read(self, pa: int) -> tuple[int, list[int]]:
        """A line: AXI response and words."""
        line = pa & ~63
        return (2 if line in self.broken else 0), [self.words.get(line + 8 * i, 0) for i in range(8)]

    def frames(self, pages: int) -> int:
        """Frames nobody has been given, aligned."""
        self.next_frame = -(-self.next_frame // pages) * pages + pages
        return self.next_frame - pages

    # ---- keys ----

    def set_region(self, index: int, region: Region) -> None:
        """Write a key table entry."""
        for i, word in enumerate(region.line()):
            self.words[self.mpt_base + 64 * index + 8 * i] = word
        self._new_key(index, region)

    def break_key(self, index: int) -> None:
        """From now on the entry cannot be read."""
        self.broken.add(self.mpt_base + 64 * index)
        self._new_key(index, None)

    def _new_key(self, index: int, region: Region | None) -> None:
        states = self.keys.setdefault(index, [])
        if states:
            states[-1].end = self.now
        states.append(KeyState(region, self.now))
        if region is not None:
            for index_, page in self.pages:
                if index_ == index:
                    self._note(index, page)

    def region(self, index: int) -> Region:
        """The entry as it stands, of a key that can be read."""
        region = self.keys[index][-1].region
        assert region is not None
        return region

    def new_table(self) -> int:
        """A table's frame."""
        self.next_table += 1
        return self.next_table

    # ---- tables ----

    def place(self, index: int, page: int, level: int) -> int | None:
        """Address of a page's entry at a level above the last, its tables made; None where a larger leaf is in the way."""
        region = self.region(index)
        number = page - (region.table_base >> 12)
        frame = region.root
        for below in range(region.levels - 1, level, -1):
            at = frame * PAGE + 8 * (number >> TABLE_BITS * below & INDEX_MASK)
            entry = self.words.get(at, 0)
            if not Mtt.table.of(entry):
                if Mtt.read.of(entry):
                    return None
                frame = self.new_table()  # never one that was linked before: it would bring its entries along
                self.words[at] = Mtt.table.place(1) | Mtt.pfn.place(frame)
            else:
                frame = Mtt.pfn.of(entry)
        return frame * PAGE + 8 * (number >> TABLE_BITS * level & INDEX_MASK)

    def put(self, at: int, entry: int) -> None:
        """Write a table entry; whatever it changes for the pages watched is noted."""
        self.words[at] = entry
        for index, page in self.pages:
            self._note(index, page)

    def watch(self, index: int, page: int) -> None:
        """Remember this page's states from now on: before its first look-up."""
        if (index, page) not in self.pages and index in self.keys and self.keys[index][-1].region is not None:
            self.pages[index, page] = []
            self._note(index, page)

    def _note(self, index: int, page: int) -> None:
        what = self.look(index, page)
        states = self.pages[index, page]
        if states and states[-1].what == what:
            return
        if states:
            states[-1].end = self.now
        first, pages = (what.first, what.pages) if isinstance(what, Leaf) else (page, 1)
        states.append(PageState(what, self.now, first, pages))

    def look(self, index: int, page: int) -> Leaf | XltResult:
        """What the tables say of a page: its leaf, FAULT_NOT_PRESENT or BAD_TABLE."""
        region = self.region(index)
        number = page - (region.table_base >> 12)
        if not 1 <= region.levels <= TABLE_LEVELS:
            return XltResult.BAD_TABLE
        if number < 0 or number >> TABLE_BITS * region.levels:
            return XltResult.FAULT_NOT_PRESENT
        frame = region.root
        for below in range(region.levels - 1, -1, -1):
            at = frame * PAGE + 8 * (number >> TABLE_BITS * below & INDEX_MASK)
            entry = self.words.get(at, 0)
            if at & ~63 in self.broken:
                return XltResult.BAD_TABLE
            if Mtt.table.of(entry):
                frame = Mtt.pfn.of(entry)
                continue
            if not Mtt.read.of(entry):
                return XltResult.FAULT_NOT_PRESENT
            pages = 1 << TABLE_BITS * below
            pfn = Mtt.pfn.of(entry)
            if below == 3:
                return XltResult.BAD_TABLE
            return Leaf(page - number % pages, pages, pfn - pfn % pages, bool(Mtt.write.of(entry)))
        return XltResult.BAD_TABLE

    # ---- what may be answered ----

    def invalidated(self, inval: Inval) -> None:
        """An invalidation was accepted in this cycle: past states it covers are dead from the next on."""
        for (index, _), pages in self.pages.items():
            for page in pages:
                if page.end <= self.now and page.dead == FAR and inval.covers(index, page.first, page.pages):
                    page.dead = self.now
        for key in self.keys.get(inval.index, []):
            if inval.whole and key.end <= self.now and key.dead == FAR:
                key.dead = self.now

    def forgotten(self) -> None:
        """The block was switched off: of the past nothing is left."""
        for state in (state for states in self.pages.values() for state in states if state.end != FAR):
            state.dead = min(state.dead, self.now)
        for key in (key for keys in self.keys.values() for key in keys if key.end != FAR):
            key.dead = min(key.dead, self.now)

    def answers(self, request: tuple[int, int, int, int, Need], asked: int, decided: int) -> set[tuple[XltResult, int]]:
        """Every answer (result, physical address of an OK) a look-up may get."""
        key, pd, va, length, need = request
        index = key >> 8 & (1 << KEY_IDX_WIDTH) - 1
        if index not in self.keys:
            return {(XltResult.BAD_KEY, 0)}
        found: set[tuple[XltResult, int]] = set()
        for key_state in self.keys.get(index, []):
            if key_state.dead < decided:
                continue
            region = key_state.region
            if region is None or not region.valid:
                if key_state.end >= asked - RECENT:
                    found.add((XltResult.BAD_TABLE if region is None else XltResult.BAD_KEY, 0))
                continue
            result = region.check(key, pd, va, length, need)
            if result != XltResult.OK:
                found.add((result, 0))
                continue
            for state in self.pages.get((index, va >> 12), ()):
                if state.dead < decided:
                    continue
                result, pa = _answer(region, state.what, va, need)
                if result == XltResult.OK or state.end >= asked - RECENT:
                    found.add((result, pa))
        return found

    def state_of(self, index: int, va: int, pa: int) -> PageState:
        """The state an OK answer came from: frames are never given twice, rights may change."""
        for state in self.pages[index, va >> 12]:
            if isinstance(state.what, Leaf) and state.what.pfn + (va >> 12) - state.what.first == pa >> 12:
                return state
        raise KeyError((index, hex(va), hex(pa)))


RECENT = 4000  # cycles a walk may take, queue for a walker included: errors and faults come from a walk, not from a cache


def _answer(region: Region, what: Leaf | XltResult, va: int, need: Need) -> tuple[XltResult, int]:
    if isinstance(what, Leaf):
        if is_write(need) and not what.write:
            return (XltResult.FAULT_READ_ONLY if region.on_demand else XltResult.NO_RIGHT), 0
        return XltResult.OK, (what.pfn + (va >> 12) - what.first) * PAGE + va % PAGE
    if what == XltResult.FAULT_NOT_PRESENT and not region.on_demand:
        return XltResult.BAD_TABLE, 0
    return what, 0
