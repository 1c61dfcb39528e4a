"""The VM's containers, each against the obvious way to do it."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace as Namespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mm_rig import NoChoice

from hwif.shadow import Shadow
from sw_stack.mm import MmError
from sw_stack.mm.frames import Frame, FrameAllocator, FrameError, Lru
from sw_stack.mm.pagetable import ACCESSED, DIRTY, PRESENT, READ, WRITE, PageTable, make
from sw_stack.mm.shadow_feed import MmShadow, ShadowFeed
from sw_stack.mm.swap import SwapArea
from sw_stack.mm.vma import MMAP_BASE, Vma, VmaMap
from sw_stack.sched import Scheduler

PAGE = 4096
vpns = st.integers(0, 3000)


# ---- page table -----------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(vpns, st.integers(0, 3)), max_size=60), vpns, vpns)
def test_page_table_is_a_dictionary(writes: list[tuple[int, int]], a: int, b: int) -> None:
    table, model = PageTable(), dict[int, int]()
    for vpn, value in writes:
        pte = make(value, PRESENT | READ) if value else 0
        table.set(vpn, pte)
        model[vpn] = pte
    start, end = min(a, b), max(a, b) + 1
    expected = [vpn for vpn in sorted(model) if model[vpn] and start <= vpn < end]
    assert [entry.vpn for entry in table.entries(start, end)] == expected
    stretches = table.populated(start, end)
    assert all(start <= low < high <= end and high - low <= 512 for low, high in stretches)
    assert all(high <= low for (_, high), (low, _) in pairwise(stretches))
    assert [entry.vpn for low, high in stretches for entry in table.entries(low, high)] == expected
    for vpn in range(start, min(end, start + 50)):
        assert table.get(vpn) == model.get(vpn, 0)
        found = table.lookup(vpn)
        assert (found.pte if found else 0) == model.get(vpn, 0)
    for vpn in expected:
        table.set(vpn, 0)
    table.prune(start, end)
    assert table.populated(start, end) == [] or any(model[v] for v in model if not start <= v < end)


@pytest.mark.parametrize("shift", [14, 21, 30])
def test_large_entries_map_all_their_pages(shift: int) -> None:
    table, pages = PageTable(), 1 << (shift - 12)
    table.set(3 * pages, make(7 * pages, PRESENT | READ), shift)
    table.set(2 * pages, make(1, PRESENT | READ))  # a small page beside it
    assert table.touch(3 * pages + pages - 1, READ, ACCESSED)
    assert not table.touch(4 * pages, READ, ACCESSED) and not table.touch(3 * pages, WRITE, DIRTY)
    assert table.get(3 * pages, shift) == make(7 * pages, PRESENT | READ | ACCESSED)
    found = table.lookup(3 * pages + 1)
    assert found and (found.vpn, found.shift) == (3 * pages, shift)
    assert [entry.shift for entry in table.entries(0, 5 * pages)] == [12, shift]
    assert [entry.shift for entry in table.entries(3 * pages + 1, 3 * pages + 2)] == [shift]
    table.set(3 * pages + 1, make(1, PRESENT | READ))
    table.set(3 * pages + 1, 0)  # an empty leaf under the large page
    met = [entry for low, high in table.populated(0, 5 * pages) for entry in table.entries(low, high)]
    assert met == table.entries(0, 5 * pages)
    table.set(3 * pages, 0, shift)
    assert table.lookup(3 * pages) is None and table.get(3 * pages, shift) == 0


def test_the_last_page_has_an_entry() -> None:
    table, last = PageTable(), (1 << 52) - 1
    table.set(last, make(1, PRESENT | READ))
    assert [entry.vpn for entry in table.entries(0, 1 << 52)] == [last]
    assert table.populated(last, last + 1) == [(last, last + 1)]


# ---- areas ----------------------------------------------------------------------------------------------------------------------

area = st.tuples(st.integers(0, 40), st.integers(1, 10), st.integers(0, 3))


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), area), max_size=40), st.integers(0, 50), st.integers(1, 20))
def test_areas_are_a_map_from_page_to_protection(script: list[tuple[bool, tuple[int, int, int]]], probe: int, span: int) -> None:
    vmas, model = VmaMap(), dict[int, int]()
    for add, (first, count, prot) in script:
        start, end = first * PAGE, (first + count) * PAGE
        gone = vmas.carve(start, end)
        removed = {vpn: part.prot for part in gone for vpn in range(part.start // PAGE, part.end // PAGE)}
        assert removed == {vpn: model.pop(vpn) for vpn in range(first, first + count) if vpn in model}
        if add:
            vmas.insert(Vma(start, end, prot, 12))
            model |= dict.fromkeys(range(first, first + count), prot)
    assert {vpn: vma.prot for vma in vmas for vpn in range(vma.start // PAGE, vma.end // PAGE)} == model
    areas = list(vmas)
    for left, right in pairwise(areas):
        assert left.end < right.start or (left.end == right.start and left.prot != right.prot)
    found = vmas.find(probe * PAGE + 5)
    assert (found.prot if found else None) == model.get(probe)
    assert vmas.covered(probe * PAGE, (probe + span) * PAGE) == all(vpn in model for vpn in range(probe, probe + span))
    clone = vmas.copy()
    vmas.carve(0, 100 * PAGE)
    assert len(vmas) == 0 and list(clone) == areas


def test_free_area_takes_the_hint_or_the_first_place_that_fits() -> None:
    vmas = VmaMap()
    assert vmas.free_area(PAGE, PAGE, None) == MMAP_BASE
    assert vmas.free_area(PAGE, PAGE, 0x5001) == 0x6000
    vmas.insert(Vma(MMAP_BASE, MMAP_BASE + PAGE, 3, 12))
    vmas.insert(Vma(MMAP_BASE + 3 * PAGE, MMAP_BASE + 4 * PAGE, 3, 12))
    assert vmas.free_area(2 * PAGE, PAGE, MMAP_BASE) == MMAP_BASE + PAGE
    assert vmas.free_area(3 * PAGE, PAGE, None) == MMAP_BASE + 4 * PAGE
    assert vmas.free_area(1 << 21, 1 << 21, None) == MMAP_BASE + (1 << 21)
    with pytest.raises(MmError, match="ENOMEM"):
        vmas.free_area(1 << 64, PAGE, None)


def test_overlapping_areas_are_refused() -> None:
    vmas = VmaMap()
    vmas.insert(Vma(0, 2 * PAGE, 3, 12))
    with pytest.raises(ValueError, match="mapped already"):
        vmas.insert(Vma(PAGE, 3 * PAGE, 3, 12))


# ---- frames ---------------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(1, 80), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), max_size=60))
def test_the_buddy_allocator_hands_out_every_frame_once(count: int, script: list[tuple[int, int]]) -> None:
    allocator = FrameAllocator(Scheduler(NoChoice()), count)
    held: list[Frame] = []
    for order, pick in script:
        if pick < 18:
            frame = allocator.alloc(order)
            if frame is not None:
                assert frame.pfn % (1 << order) == 0 and frame.pfn + (1 << order) <= count
                held.append(frame)
        elif held:
            frame = held.pop(pick % len(held))
            frame.pins = 0
            allocator.release(frame)
        used = [pfn for frame in held for pfn in range(frame.pfn, frame.pfn + (1 << frame.order))]
        assert len(used) == len(set(used)) == count - allocator.free
        assert all(allocator[pfn].pfn <= pfn for pfn in used)
        assert allocator.in_use() == sorted(held, key=lambda f: f.pfn)
    for frame in held:
        frame.pins = 0
        allocator.release(frame)
    whole = allocator.alloc(count.bit_length() - 1)  # everything has merged again
    assert whole is not None and allocator.free == count - (1 << whole.order)


@pytest.mark.parametrize("why", ["pinned", "mapped", "listed", "cached", "twice"])
def test_a_frame_in_use_is_not_freed(why: str) -> None:
    allocator = FrameAllocator(Scheduler(NoChoice()), 4)
    frame = allocator.alloc()
    assert frame is not None
    frame.pins = int(why == "pinned")
    if why == "mapped":
        frame.map(Namespace(id=1, name="a"), 2)  # type: ignore[arg-type]
    if why == "listed":
        frame.lru = Lru.ACTIVE
    if why == "cached":
        SwapArea(1).attach(frame)
    if why == "twice":
        allocator.release(frame)
    with pytest.raises(FrameError, match="is freed"):
        allocator.release(frame)


def test_swap_slots_live_while_named() -> None:
    allocator, swap = FrameAllocator(Scheduler(NoChoice()), 4), SwapArea(1)
    frame, other = allocator.alloc(), allocator.alloc()
    assert frame is not None and other is not None
    slot = swap.attach(frame)
    assert slot is not None and swap.attach(other) is None and swap.used == 1
    slot.entries = 2
    swap.detach(frame)
    swap.detach(frame)
    assert frame.slot is None and swap[slot.number] is slot and swap.holds(slot)
    swap.drop_entry(slot)
    swap.drop_entry(slot)
    assert swap.used == 0 and not swap.holds(slot)
    with pytest.raises(ValueError, match="no entry to drop"):
        swap.drop_entry(slot)
    again = swap.attach(other)
    assert again is not None and again.number == slot.number and not swap.holds(slot)


# ---- the oracle's feed ----------------------------------------------------------------------------------------------------------


def test_a_page_stays_revoked_until_no_range_covers_it() -> None:
    shadow, table = Shadow(16), PageTable()
    feed = ShadowFeed(shadow, 16)
    mm = MmShadow(feed, 1, table)

    def write(vpn: int, pfn: int, flags: int) -> None:
        table.set(vpn, make(pfn, flags))
        mm.established(vpn, make(pfn, flags))

    write(4, 9, PRESENT | READ | WRITE)
    assert shadow.rights(9, 1, 4) == 3
    mm.range_begun(0, 8 * PAGE)
    mm.range_begun(4 * PAGE, 5 * PAGE)
    assert shadow.rights(9, 1, 4) == 0
    table.set(4, 0)
    feed.check_free(9, 1)
    write(4, 10, PRESENT | READ)  # inside: not granted
    write(8, 11, PRESENT | READ)  # outside: granted
    assert mm.records() == {8: (11, 1)} and mm.covered(4) and not mm.covered(8)
    mm.range_ending(0, 8 * PAGE)
    assert mm.records() == {8: (11, 1)}
    mm.range_ending(4 * PAGE, 5 * PAGE)
    assert mm.records() == {4: (10, 1), 8: (11, 1)} and shadow.rights(10, 1, 4) == 1
    mm.page_invalidated(8 * PAGE + 17)
    mm.released()
    write(4, 10, PRESENT | READ)
    assert mm.records() == {} and not shadow.words.any()


def test_a_small_range_inside_a_large_page_revokes_only_its_frames() -> None:
    shadow, table = Shadow(16), PageTable()
    mm = MmShadow(ShadowFeed(shadow, 16), 1, table)
    table.set(4, make(8, PRESENT | READ), 14)
    mm.established(4, make(8, PRESENT | READ), 14)
    mm.range_begun(5 * PAGE, 6 * PAGE)
    assert sorted(mm.records()) == [4, 6, 7]
    mm.range_ending(5 * PAGE, 6 * PAGE)
    assert mm.records() == {4: (8, 1), 5: (9, 1), 6: (10, 1), 7: (11, 1)}
