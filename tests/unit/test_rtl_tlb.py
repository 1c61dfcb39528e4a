"""The RTL of the TLB: its cycle counts, and what a shootdown reaches and waits for.

`CheckedTlb` compares every answer, drop-in, acknowledgement and removal with a model that knows neither sets nor slots, so most
tests only have to bring about a situation; the assertions of rtl/props/gru_tlb_props.sv are on throughout.
"""

from __future__ import annotations

import pytest
from support.tlb_rig import SETS, SLOTS, checked, fill, idle, page, shootdowns, touch

from hwif.gen.gru import NUM_CBR, PAGE_SHIFTS
from tb.tlb.checked import ALL_PAGES, SCOPE_ASID, SCOPE_CTX, Fill, Lookup, Shoot

# ---- cycle counts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sizes", "interval"), [(0b1, 1), (0b100001, 1), (0b100011, 2), (0b11111111111, 6)])
def test_lookups_a_cycle(sizes: int, interval: int) -> None:
    """One lookup a cycle for one or two page sizes; a cycle more for each further pair. All of these hit in the last pair."""
    last = max(code for code in PAGE_SHIFTS if sizes >> code & 1)
    with checked() as tlb:
        fill(tlb, Fill(0, 0, 0, code=last))
        accepted = answered = hits = 0
        window = 64 * interval
        flying: list[int] = []
        for cycle in range(window + 2 * interval + 1):
            lookup = Lookup(accepted % NUM_CBR, 64 * accepted, sizes=sizes) if accepted < 64 else None
            uses, flying = flying[:2], flying[2:]
            out = tlb.cycle(lookup, uses)
            accepted += bool(lookup and out.lkp_ready)
            if cycle < window + interval + 1:
                answered += out.rsp_valid
            hits += bool(out.rsp_valid and out.rsp_hit)
            flying += [out.rsp_cbr] if out.rsp_valid and out.rsp_hit else []
        assert (accepted, answered, hits) == (64, 64, 64)


def test_hit_and_miss_answer_two_cycles_after_acceptance() -> None:
    with checked() as tlb:
        fill(tlb, Fill(0, page(5), 77))
        for va in (page(5), page(6)):
            seen = [tlb.cycle(Lookup(1, va) if cycle == 0 else None).rsp_valid for cycle in range(4)]
            assert seen == [0, 0, 1, 0]
            tlb.cycle(uses=[1] if va == page(5) else [])


def test_who_ends_may_begin_again_in_the_same_cycle() -> None:
    """A control block looks up in the cycle its access ends, a handle shoots in the cycle of its status."""
    with checked() as tlb:
        fill(tlb, Fill(0, page(5), 77))
        tlb.cycle(Lookup(1, page(5)))
        assert [tlb.cycle().rsp_valid for _ in range(2)] == [0, 1]
        assert tlb.cycle(Lookup(1, page(5)), uses=[1]).lkp_ready
        tlb.cycle()
        assert tlb.cycle().rsp_hit
        tlb.cycle(uses=[1])
        tlb.cycle(shoot=Shoot(3, 9, 9))
        tlb.cycle()
        out = tlb.cycle(shoot=Shoot(3, 5, 5))
        assert (out.shoot_done, out.shoot_ready) == (1 << 3, 1)
        assert [tlb.cycle().shoot_done for _ in range(2)] == [0, 1 << 3]
        assert not touch(tlb, 1, page(5))
        tlb.settle()


@pytest.mark.parametrize("code", [0, 5, 10])
@pytest.mark.parametrize("reach", [1, 2, 1023, 1 << 20, 1 << 36, "asid", "ctx"])
def test_covered_entries_are_dead_in_the_next_cycle(code: int, reach: int | str) -> None:
    """Whatever the range, scope and page size: a lookup that reaches the hit stage a cycle after acceptance misses."""
    with checked() as tlb:
        fill(tlb, Fill(0, page(9), 1 << 20, code=code))
        if reach == "asid":
            shoot = Shoot(3, scope=SCOPE_ASID)
        elif reach == "ctx":
            shoot = Shoot(3, asid=99, scope=SCOPE_CTX, ctxbitmap=1)
        else:
            shoot = Shoot(3, 9, 8 + int(reach))
        tlb.cycle(Lookup(1, page(9), sizes=1 << code))  # hits: in the hit stage as the shootdown is accepted
        assert tlb.cycle(Lookup(2, page(9), sizes=1 << code), shoot=shoot).shoot_ready
        first, second = tlb.cycle(), tlb.cycle()
        assert (first.rsp_cbr, first.rsp_hit) == (1, 1)
        assert (second.rsp_cbr, second.rsp_hit) == (2, 0)
        assert not second.shoot_done, "one access still uses it"
        tlb.cycle(uses=[1])
        assert [tlb.cycle().shoot_done for _ in range(2)] == [0, 1 << 3]
        tlb.settle()


def test_idle_shootdown_is_acknowledged_two_cycles_after_acceptance() -> None:
    with checked() as tlb:
        done = [tlb.cycle(shoot=Shoot(7) if cycle == 0 else None).shoot_done for cycle in range(4)]
        assert done == [0, 0, 1 << 7, 0]


def test_lookups_outside_go_on_at_full_rate() -> None:
    """SD-4: during the whole sweep of a 1024-page shootdown every cycle takes a lookup and gives an answer."""
    with checked() as tlb:
        for number in range(64):
            fill(tlb, Fill(number, page(0x5000 + number), number))
        tlb.cycle(shoot=Shoot(0, 0, 1023))
        flying: list[int] = []
        accepted = hits = 0
        for cycle in range(SETS + 8):
            uses, flying = flying[:2], flying[2:]
            out = tlb.cycle(Lookup(cycle % NUM_CBR, page(0x5000 + cycle % 64)), uses)
            accepted += out.lkp_ready
            hits += out.rsp_valid and out.rsp_hit
            flying += [out.rsp_cbr] if out.rsp_valid else []
        assert accepted == SETS + 8
        assert hits == SETS + 6


@pytest.mark.parametrize("since", [0, 1, 4, 5, 8, 31, 64])
def test_drop_in_takes_three_cycles_and_one_more_for_every_four_shootdowns_since_its_miss(since: int) -> None:
    with checked() as tlb:
        tlb.cycle(Lookup(5, page(1)))
        idle(tlb, 3)
        shootdowns(tlb, since)
        tlb.settle()
        waited = 0
        tlb.cycle(fill=Fill(5, page(1), 11))
        while not (out := tlb.cycle()).fill_done:
            waited += 1
        assert not out.fill_dropped
        assert waited + 1 == 3 + max(0, (since + 3) // 4 - 1)


# ---- shootdown ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 5, 9, 10])
@pytest.mark.parametrize("where", ["first", "last", "before", "after", "around"])
def test_range_edges(code: int, where: str) -> None:
    """SD-5: one 4 KiB page inside an entry of any size removes it; the pages beside it do not."""
    pages = 1 << PAGE_SHIFTS[code] - 12
    base = pages * 3
    first, last = {
        "first": (base, base),
        "last": (base + pages - 1, base + pages - 1),
        "before": (base - 1, base - 1),
        "after": (base + pages, base + pages),
        "around": (base - 1, base + pages),
    }[where]
    with checked() as tlb:
        fill(tlb, Fill(0, page(base), 0, code=code))
        tlb.cycle(shoot=Shoot(0, first, last))
        assert touch(tlb, 1, page(base), sizes=1 << code) == (where in ("before", "after"))
        tlb.settle()
        assert touch(tlb, 1, page(base), sizes=1 << code) == (where in ("before", "after"))


@pytest.mark.parametrize("asid", [0, 8, 0xFFFFFF])
@pytest.mark.parametrize("number", [0, 1, ALL_PAGES - 1, ALL_PAGES])
def test_edges_of_the_address_space_are_ordinary(asid: int, number: int) -> None:
    """SD-6: address 0, ASID 0 and the last page are values like any other, and name nothing else."""
    with checked() as tlb:
        neighbours = [(asid, number ^ 1), (asid ^ 1, number), (asid ^ 0x800000, number)]
        for cbr, (other, where) in enumerate([(asid, number), *neighbours]):
            fill(tlb, Fill(cbr, page(where), cbr, asid=other))
        tlb.cycle(shoot=Shoot(0, number, number, asid))
        assert not touch(tlb, 0, page(number), asid=asid)
        assert all(touch(tlb, 0, page(where), asid=other) for other, where in neighbours)
        tlb.settle()


def test_mask_hides_high_page_number_bits() -> None:
    """vaddrmask: the masked bits of the entry do not matter, those above the mask do."""
    with checked() as tlb:
        for cbr, number in enumerate([0x10, 0x11, 0x12, 0x10 | 1 << 44]):
            fill(tlb, Fill(cbr, page(number), cbr))
        tlb.cycle(shoot=Shoot(0, 0x10, 0x10, mask=ALL_PAGES ^ 1))
        assert [touch(tlb, 9, page(number)) for number in (0x10, 0x11, 0x12, 0x10 | 1 << 44)] == [False, False, True, True]
        tlb.settle()


def test_context_scope_waits_for_accesses_of_the_context_through_anothers_entry() -> None:
    """Two contexts share an address space: the entry stays (its owner keeps it), the access is waited for."""
    with checked() as tlb:
        fill(tlb, Fill(0, page(4), 44, ctx=1))
        tlb.cycle(Lookup(7, page(4), ctx=2))
        idle(tlb, 3)
        tlb.cycle(shoot=Shoot(6, scope=SCOPE_CTX, ctxbitmap=1 << 2))
        assert not any(tlb.cycle().shoot_done for _ in range(20))
        assert touch(tlb, 8, page(4), ctx=1), "context 1 filled it and was not named"
        tlb.cycle(uses=[7])
        assert [tlb.cycle().shoot_done for _ in range(2)] == [0, 1 << 6]


def test_drain_is_exact_for_many_handles_at_once() -> None:
    """128 accesses in flight, a handle for each of 24 pages: each status returns with its own accesses and no others."""
    with checked() as tlb:
        for number in range(24):
            fill(tlb, Fill(number, page(number), number))
        for cbr in range(NUM_CBR):
            tlb.cycle(Lookup(cbr, page(cbr % 24)))
        idle(tlb, 2)
        for number in range(24):
            while not tlb.cycle(shoot=Shoot(number, number, number)).shoot_ready:
                pass
        order = sorted(range(NUM_CBR), key=lambda cbr: (cbr * 37) % 128)
        done = 0
        for pair in zip(order[::2], order[1::2]):
            done |= tlb.cycle(uses=pair).shoot_done
        for _ in range(3):
            done |= tlb.cycle().shoot_done
        assert done == (1 << 24) - 1
        tlb.settle()


def test_slots_run_out_and_come_back_within_a_sweep() -> None:
    """SD-8: eight shootdowns at once, the ninth waits for one sweep at most; lookups notice nothing."""
    with checked() as tlb:
        for number in range(SLOTS):
            assert tlb.cycle(shoot=Shoot(number, number, number)).shoot_ready
        waited = 0
        while not tlb.cycle(Lookup(waited % NUM_CBR, page(waited)), shoot=Shoot(20, 7, 7)).shoot_ready:
            waited += 1
        assert SETS - SLOTS - 2 <= waited <= SETS
        tlb.settle()


def test_idle_means_nothing_changes() -> None:
    """idle_o falls with work, returns after it, and is high while an access is in flight."""
    with checked() as tlb:
        idle(tlb, 4)
        assert tlb.cycle().idle
        fill(tlb, Fill(0, page(1), 1))
        tlb.cycle(Lookup(0, page(1)))
        idle(tlb, 3)
        assert tlb.cycle().idle, "an access in flight changes nothing in here"
        tlb.cycle(shoot=Shoot(2, 1, 1))
        busy = 0
        while not tlb.cycle().idle:
            busy += 1
        assert SETS <= busy <= SETS + 4, "busy for one sweep, not for the drain"
        frozen = [vars(tlb.cycle()) for _ in range(50)]
        assert all(state == frozen[0] for state in frozen)
        tlb.cycle(uses=[0])
        assert not tlb.cycle().idle
        tlb.settle()
