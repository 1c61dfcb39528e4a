"""The RTL of the TLB: what enters, what it replaces, and who wins against a shootdown in every relative cycle.

As in test_rtl_tlb.py the model beside the TLB compares everything; a test brings about a situation.
"""

from __future__ import annotations

from itertools import product

import pytest
from support.tlb_rig import LOG, SETS, WAYS, checked, fill, idle, page, shootdowns, touch

from hwif.gen.gru import PAGE_SHIFTS
from tb.tlb.checked import Fill, Lookup, Shoot
from tb.tlb.traffic import set_index

# ---- drop-in ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("since", [LOG - 1, LOG, LOG + 1, 3 * LOG])
def test_lapped_log_drops_to_be_safe(since: int) -> None:
    with checked() as tlb:
        tlb.cycle(Lookup(5, page(1)))
        idle(tlb, 3)
        shootdowns(tlb, since)
        tlb.cycle(fill=Fill(5, page(1), 11))
        lapped = False
        while not (out := tlb.cycle()).fill_done:
            lapped |= bool(out.lapped)
        assert out.fill_dropped == lapped == (since > LOG)
        assert touch(tlb, 5, page(1)) == (since <= LOG)
        if lapped:
            fill(tlb, Fill(5, page(1), 12))
            assert touch(tlb, 5, page(1)), "the retry's drop-in enters"


@pytest.mark.parametrize("covering", range(0, LOG + 1, 3))
def test_a_covering_shootdown_anywhere_in_the_log_drops(covering: int) -> None:
    with checked() as tlb:
        shootdowns(tlb, 13)  # so that the log wraps inside the window
        tlb.cycle(Lookup(5, page(1)))
        idle(tlb, 3)
        shootdowns(tlb, covering)
        shootdowns(tlb, 1, first=1)
        shootdowns(tlb, LOG - 1 - covering if covering < LOG else 0)
        tlb.cycle(fill=Fill(5, page(1), 11))
        while not (out := tlb.cycle()).fill_done:
            pass
        assert out.fill_dropped
        assert not touch(tlb, 5, page(1))


def test_write_to_a_clean_entry_misses_and_the_upgrade_replaces_it() -> None:
    """SD-7: after the dirty drop-in one entry is left, and it is the new one."""
    with checked() as tlb:
        fill(tlb, Fill(0, page(3), 33, dirty=False))
        assert touch(tlb, 1, page(3))
        tlb.cycle(Lookup(1, page(3), write=True))
        out = [tlb.cycle() for _ in range(2)][-1]
        assert (out.rsp_hit, out.rsp_mod) == (0, 1)
        tlb.cycle(fill=Fill(1, page(3), 34))
        idle(tlb, 4)
        assert touch(tlb, 1, page(3), write=True)
        tlb.settle()


@pytest.mark.parametrize(("small", "large"), [(0, 5), (0, 6), (0, 10), (1, 5), (1, 10), (5, 6), (5, 10)])
@pytest.mark.parametrize("order", ["up", "down"])
def test_sizes_replace_each_other(small: int, large: int, order: str) -> None:
    """A drop-in of another size over an address leaves one match, now and after the sweep; the rest of a large page goes too."""
    sizes = 1 << small | 1 << large
    inside = 7 << PAGE_SHIFTS[small]
    beside = 6 << PAGE_SHIFTS[small]
    with checked() as tlb:
        codes = [small, large] if order == "up" else [large, small]
        for cbr, code in enumerate(codes):
            tlb.cycle(Lookup(cbr, inside, sizes=1 << code))
            idle(tlb, 3)
            tlb.cycle(fill=Fill(cbr, inside, (cbr + 1) << 20, code=code))
            while not tlb.cycle(Lookup(50, page(1 << 40), sizes=sizes)).fill_done:
                pass
        idle(tlb, 2)
        for settle in (False, True):
            if settle:
                tlb.settle()
            assert touch(tlb, 3, inside, sizes=sizes)
            assert touch(tlb, 3, beside, sizes=sizes) == (order == "up")


def test_drop_in_below_a_larger_page_needs_no_sweep() -> None:
    with checked() as tlb:
        fill(tlb, Fill(0, 0, 0, code=5))
        fill(tlb, Fill(1, page(1), 1, code=0))
        assert [tlb.cycle().idle for _ in range(6)][-1]


def test_pseudo_lru_evicts_an_entry_not_used_lately_and_the_miss_says_where() -> None:
    with checked(exact=False) as tlb:
        pages = [page(SETS * way + 1) for way in range(WAYS)]
        for cbr, va in enumerate(pages):
            fill(tlb, Fill(cbr, va, cbr))
        for va in (pages[2], pages[0], pages[3]):
            assert touch(tlb, 9, va)
        tlb.cycle(Lookup(9, page(SETS * 9 + 1)))
        hint = [tlb.cycle() for _ in range(2)][-1].rsp_indexway
        assert hint // WAYS == set_index(8, page(SETS * 9 + 1), 0)
        fill(tlb, Fill(9, page(SETS * 9 + 1), 9))
        assert touch(tlb, 9, page(SETS * 9 + 1))
        tlb.exact = False
        hits = [touch(tlb, 10, va) for va in pages]
        assert hits[0] and hits[2] + hits[3] >= 1 and sum(hits) == WAYS - 1
        assert not hits[hint % WAYS], "entry way by way: the hint named the one that left"


# ---- races: every relative cycle ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 5])
def test_shootdown_against_lookup_of_the_same_entry(code: int) -> None:
    """Whoever comes first, the access is either in flight for the drain or a miss; the model knows which, to the cycle."""
    with checked() as tlb:
        for offset, uses in product(range(-4, 5), range(8)):
            tlb.reset()
            fill(tlb, Fill(0, page(512), 1 << 20, code=code))
            lookups, shot, used = 8, 8 + offset, 8 + 2 + uses
            hit = False
            for cycle in range(40):
                out = tlb.cycle(
                    Lookup(1, page(512), sizes=1 << code) if cycle == lookups else None,
                    [1] if hit and cycle == used else [],
                    shoot=Shoot(5, 512, 512) if cycle == shot else None,
                )
                hit |= bool(out.rsp_valid and out.rsp_hit)
            assert hit == (offset >= 1), "a hit until the cycle of its hit stage"
            tlb.settle()


@pytest.mark.parametrize("code", [0, 5])
@pytest.mark.parametrize("since", [0, 9])
def test_shootdown_against_drop_in(code: int, since: int) -> None:
    """SD-3: in every cycle up to and including the decision the shootdown wins; afterwards it kills the entry."""
    with checked() as tlb:
        for offset in range(-6, 9):
            tlb.reset()
            tlb.cycle(Lookup(1, page(512), sizes=1 << code))
            idle(tlb, 3)
            shootdowns(tlb, since)
            tlb.settle()
            flying: list[int] = []
            for cycle in range(40):
                uses, flying = flying[:2], flying[2:]
                out = tlb.cycle(
                    Lookup(2 + cycle, page(513), sizes=1 << code),
                    uses,
                    Fill(1, page(512), 1 << 20, code=code) if cycle == 8 else None,
                    Shoot(5, 512, 513) if cycle == 8 + offset else None,
                )
                flying += [out.rsp_cbr] if out.rsp_valid and out.rsp_hit else []
            idle(tlb, 4)
            assert not touch(tlb, 1, page(512), sizes=1 << code)


def test_drop_in_after_the_shootdown_survives_the_sweep() -> None:
    """The sweep meets the new entry's set at every distance and tells it from the old one."""
    with checked() as tlb:
        for offset in range(0, SETS + 6, 3):
            tlb.reset()
            fill(tlb, Fill(0, page(1), 1))
            tlb.cycle(shoot=Shoot(0, 0, 1023))
            idle(tlb, 2)
            assert not touch(tlb, 1, page(1))
            idle(tlb, offset)
            tlb.cycle(fill=Fill(1, page(1), 2))
            idle(tlb, 3)
            assert touch(tlb, 2, page(1))
            tlb.settle()
            assert touch(tlb, 2, page(1))


def test_drop_in_into_the_set_being_looked_up() -> None:
    """A lookup of the page, of the entry it replaces and of another page of the set, in every cycle around the write."""
    with checked() as tlb:
        pages = [page(SETS * way + 1) for way in range(WAYS)]
        for cbr, va in enumerate(pages):
            fill(tlb, Fill(cbr, va, cbr, dirty=False))
        for target in range(WAYS):
            tlb.cycle(Lookup(100, pages[target], write=True))
            idle(tlb, 3)
            flying: list[int] = []
            for cycle in range(12):
                uses, flying = flying[:2], flying[2:]
                out = tlb.cycle(
                    Lookup(cycle, pages[(target + cycle // 4 % 2) % WAYS]),
                    uses,
                    Fill(100, pages[target], 0x100 + target) if cycle == 4 else None,
                )
                flying += [out.rsp_cbr] if out.rsp_valid and out.rsp_hit else []
            while flying:
                uses, flying = flying[:2], flying[2:]
                out = tlb.cycle(uses=uses)
                flying += [out.rsp_cbr] if out.rsp_valid and out.rsp_hit else []
            idle(tlb, 3)
