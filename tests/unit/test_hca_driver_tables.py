"""Translation tables in memory, against a dictionary: what is entered is found, what is taken out is gone, no frame is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwif.gen.hca import Mtt
from hwif.memory import FRAME_BYTES, HostMemory
from sw_stack.drivers.hca.tables import Leaf, TableError, TranslationTable

ROOT = 1
MEGA = 512  # pages of 2 MiB


class Book:
    """A table, its frames, and what it should say."""

    def __init__(self, levels: int, base: int = 0) -> None:
        self.memory = HostMemory(256)
        self.table = TranslationTable(self.memory, levels, base, ROOT)
        self.free = list(range(255, ROOT, -1))
        self.pages: dict[int, tuple[int, bool]] = {}

    def map(self, leaf: Leaf) -> bool:
        need = self.table.missing([leaf])
        spare = [self.free.pop() for _ in range(need)]
        changed = self.table.map(leaf, spare)
        assert not spare, "missing() counted tables that were not needed"
        for offset in range(1 << (leaf.shift - 12)):
            self.pages[leaf.page + offset] = (leaf.pfn + offset, leaf.write)
        return changed

    def unmap(self, first: int, last: int) -> None:
        gone = self.table.unmap(first, last)
        inside = [page for page in self.pages if gone.first <= page < gone.last]
        assert gone.pages == len(inside)
        assert gone.first <= first
        assert gone.last >= last
        for page in inside:
            del self.pages[page]
        for frame in gone.tables:
            assert not self.memory.frame(frame).any(), "a table is handed back with entries"
        self.free += gone.tables

    def walk(self, page: int) -> tuple[int, bool] | None:
        """As the device does (docs/hca.md §2)."""
        frame = ROOT
        for level in range(self.table.levels - 1, -1, -1):
            index = (page >> 9 * level) & 511
            word = int.from_bytes(self.memory.read(frame * FRAME_BYTES + 8 * index, 8), "little")
            if Mtt.table.of(word):
                assert level, "a table pointer in the last level"
                frame = Mtt.pfn.of(word)
            elif Mtt.read.of(word):
                return Mtt.pfn.of(word) + (page & ((1 << 9 * level) - 1)), bool(Mtt.write.of(word))
            else:
                return None
        return None

    def check(self) -> None:
        probes = set(self.pages) | {p + 1 for p in self.pages} | {0, self.table.reach - 1}
        for page in probes:
            if page < self.table.reach:
                assert self.walk(page) == self.pages.get(page)
        assert self.table.pages == len(self.pages)


pages = st.one_of(st.integers(0, 20), st.integers(500, 530), st.integers((1 << 36) - 600, (1 << 36) - 1))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.booleans(), pages, st.integers(1, 600), st.booleans()), max_size=25))
def test_tables_say_what_was_entered(steps: list[tuple[bool, int, int, bool]]) -> None:
    book = Book(levels=4)
    for take, page, count, write in steps:
        if take:
            book.unmap(page, page + count)
        elif page not in book.pages:
            book.map(Leaf(page, 12, 1000 + page % 977, write))
        book.check()
    book.unmap(0, 1 << 36)
    assert not book.pages
    assert sorted(book.free) == list(range(2, 256))


def test_a_large_entry_stands_alone_and_goes_as_a_whole() -> None:
    book = Book(levels=2)
    assert book.table.fits(MEGA, 21)
    assert book.map(Leaf(MEGA, 21, 4096, True))
    assert book.table.tables == 1
    assert not book.map(Leaf(MEGA, 21, 4096, True))
    assert book.table.lookup(MEGA + 17) == Leaf(MEGA, 21, 4096, True)
    book.check()
    book.unmap(MEGA + 3, MEGA + 4)
    assert book.pages == {}


def test_small_entries_keep_a_large_one_away_until_their_table_is_gone() -> None:
    book = Book(levels=2)
    book.map(Leaf(MEGA + 5, 12, 77, False))
    assert not book.table.fits(MEGA, 21)
    with pytest.raises(TableError, match="over smaller ones"):
        book.table.map(Leaf(MEGA, 21, 4096, True), [])
    book.unmap(MEGA, 2 * MEGA)
    assert book.table.fits(MEGA, 21)


def test_a_table_that_empties_is_invalidated_over_all_it_spanned() -> None:
    """A walk for a page nobody invalidated may be reading the table that is freed."""
    book = Book(levels=2)
    book.map(Leaf(MEGA + 5, 12, 77, False))
    book.map(Leaf(MEGA + 9, 12, 78, False))
    gone = book.table.unmap(MEGA + 5, MEGA + 6)
    assert (gone.first, gone.last, gone.tables) == (MEGA + 5, MEGA + 6, [])
    gone = book.table.unmap(MEGA + 9, MEGA + 10)
    assert (gone.first, gone.last, len(gone.tables)) == (MEGA, 2 * MEGA, 1)


def test_rights_grow_frames_do_not_change() -> None:
    book = Book(levels=2)
    book.map(Leaf(3, 12, 77, False))
    assert book.map(Leaf(3, 12, 77, True))
    assert not book.table.map(Leaf(3, 12, 77, False), [])
    assert book.walk(3) == (77, True)
    with pytest.raises(TableError, match="frame 77"):
        book.table.map(Leaf(3, 12, 78, True), [])


def test_a_page_that_may_be_written_under_a_large_entry_that_may_not_is_blocked() -> None:
    book = Book(levels=2)
    book.map(Leaf(0, 21, 4096, False))
    assert book.table.blocked(Leaf(9, 12, 4105, True)) == Leaf(0, 21, 4096, False)
    assert book.table.blocked(Leaf(9, 12, 4105, False)) is None
    assert book.table.blocked(Leaf(0, 21, 4096, True)) is None
    with pytest.raises(TableError, match="becomes writable"):
        book.table.map(Leaf(9, 12, 4105, True), [])


def test_levels_and_bases_that_do_not_fit_a_large_page() -> None:
    assert not Book(levels=1).table.fits(0, 21)
    assert not Book(levels=2, base=0x1000).table.fits(0, 21)
    assert not Book(levels=2).table.fits(3, 21)
    with pytest.raises(ValueError, match="levels"):
        TranslationTable(HostMemory(4), 5, 0, ROOT)
