"""The RTL of the HCA's translation: its rules, its cycle counts, and that its assertions and the reference beside it notice when it
is broken.

`CheckedXlt` compares every answer, live bit and busy bit with tables in memory and an untimed reference, so most tests only have to
bring about a situation; the assertions of rtl/props/hca_xlt*.sv are on throughout.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import hca_xlt as numbers
from hwif.gen.hca import Counter, HcaMutant, Mtt, Need, XltResult
from tb.hca_xlt.bench import LABELS
from tb.hca_xlt.checked import Ask, CheckedXlt, MismatchError, Shoot, use_of
from tb.hca_xlt.races import race_of_fill
from tb.hca_xlt.rig import INDEX, KEY, page_shoot, rig, uses
from tb.hca_xlt.traffic import STYLES, Style, Traffic
from tb.hca_xlt.world import PAGE, Inval

SETS, SLOTS, WALKERS = 256, 8, 32
OK, ABSENT, READ_ONLY = XltResult.OK, XltResult.FAULT_NOT_PRESENT, XltResult.FAULT_READ_ONLY
BAD_KEY, WRONG_PD, NO_RIGHT = XltResult.BAD_KEY, XltResult.WRONG_PD, XltResult.NO_RIGHT
OUT_OF_BOUNDS, BAD_TABLE = XltResult.OUT_OF_BOUNDS, XltResult.BAD_TABLE


def asks(pages: list[int], user: int = 0) -> list[Ask]:
    return [Ask(use, KEY, page * PAGE) for use, page in zip(uses(len(pages), user), pages)]


# ---- cycle counts -------------------------------------------------------------------------------------------------------------


def test_numbers() -> None:
    """One look-up a cycle, three cycles; 32 walks at once; 16 misses cost little more than one; dead in the next cycle, always."""
    found = numbers.measure()
    assert found["hits_per_cycle"] == 1.0
    assert found["hit_latency_cycles"] == 3
    assert found["walks_outstanding"] == WALKERS
    assert float(found["sixteen_misses_over_one"]) < 1.2  # type: ignore[arg-type]
    assert found["invalidate_dead_cycles"] == {"1": 1, "512": 1, "key": 1}


def test_hits_pass_misses_that_wait_for_walkers() -> None:
    """64 misses, twice the walkers, and slow memory: look-ups of cached pages go on at one a cycle, three cycles each."""
    far = [page * 8 for page in range(1, 65)]
    with rig(latency=(400, 400)) as it:
        for page in (0, *far):
            it.map(page)
        it.lookup(0, use=use_of(1, 0))
        for ask in asks(far):
            while not it.cycle(ask).req_ready:
                pass
        it.idle(4)
        assert it.most_reads == WALKERS
        answers = it.stream(asks([0] * 64, user=1))
        assert {answer.latency for answer in answers} == {3}
        assert max(answer.accepted for answer in answers) - min(answer.accepted for answer in answers) == 63
        it.idle(8000)
        assert not it.asked, "every miss is answered"


def test_look_ups_of_one_page_share_a_walk_and_of_one_key_a_fetch() -> None:
    with rig() as it:
        it.map(7)
        assert {answer.result for answer in it.stream(asks([7] * 12))} == {OK}
        assert it.counts[Counter.MTT_MISS] == 1
        assert it.counts[Counter.LOOKUPS] == 12


def test_key_misses_do_not_hold_other_keys() -> None:
    """Eight keys that are being fetched, one that is cached."""
    with rig(latency=(300, 300)) as it:
        it.map(0)
        it.lookup(0, use=use_of(1, 0))
        for number in range(20):
            it.cycle(Ask(use_of(0, number), 100 + number << 8, 0))
        answers = it.stream(asks([0] * 16, user=1))
        assert {answer.latency for answer in answers} == {3}
        it.idle(1000)
        assert not it.asked


def test_both_users_get_their_turn() -> None:
    with rig() as it:
        it.map(0)
        it.lookup(0, use=use_of(0, 31, 3))
        answers = it.stream(asks([0] * 60) + asks([0] * 60, user=1))
        rx, tx = answers[:60], answers[60:]
        assert abs(max(a.accepted for a in rx) - max(a.accepted for a in tx)) <= 1


# ---- keys ---------------------------------------------------------------------------------------------------------------------

GOOD = {"va": 0x5000, "length": 16}
CHECKS = {
    "whole": (GOOD, {}, OK),
    "variant": (GOOD | {"key": KEY ^ 1}, {}, BAD_KEY),
    "index past the table": (GOOD | {"key": 4000 << 8}, {}, BAD_KEY),
    "high bits": (GOOD | {"key": KEY | 1 << 20}, {}, BAD_KEY),
    "not valid": (GOOD, {"valid": 0}, BAD_KEY),
    "domain": (GOOD | {"pd": 2}, {}, WRONG_PD),
    "key before domain": (GOOD | {"pd": 2, "key": KEY ^ 1}, {}, BAD_KEY),
    "domain before right": (GOOD | {"pd": 2, "need": Need.REMOTE_READ}, {"remote_read": 0}, WRONG_PD),
    "local read needs nothing": (GOOD, {"local_write": 0, "remote_read": 0, "remote_write": 0, "remote_atomic": 0}, OK),
    "local write": (GOOD | {"need": Need.LOCAL_WRITE}, {"local_write": 0}, NO_RIGHT),
    "remote read": (GOOD | {"need": Need.REMOTE_READ}, {"remote_read": 0}, NO_RIGHT),
    "remote write": (GOOD | {"need": Need.REMOTE_WRITE}, {"remote_write": 0}, NO_RIGHT),
    "remote atomic": (GOOD | {"need": Need.REMOTE_ATOMIC}, {"remote_atomic": 0}, NO_RIGHT),
    "right before bounds": (GOOD | {"need": Need.REMOTE_READ}, {"remote_read": 0, "length": 1}, NO_RIGHT),
    "last byte": (GOOD, {"length": 0x5010}, OK),
    "past it": (GOOD, {"length": 0x500F}, OUT_OF_BOUNDS),
    "first byte": (GOOD, {"start": 0x5000}, OK),
    "before it": (GOOD, {"start": 0x5001}, OUT_OF_BOUNDS),
    "empty": (GOOD, {"start": 0x5000, "length": 0}, OUT_OF_BOUNDS),
    "bounds before table": (GOOD, {"length": 1, "levels": 0}, OUT_OF_BOUNDS),
    "everything": (GOOD, {"whole": 1, "length": 0}, OK),
    "end of everything": ({"va": (1 << 48) - 1, "length": 1}, {"whole": 1}, ABSENT),
    "past everything": ({"va": 1 << 48, "length": 1}, {"whole": 1}, OUT_OF_BOUNDS),
    "end of the address space": ({"va": (1 << 64) - 1, "length": 1}, {"start": (1 << 64) - 1, "length": 1}, ABSENT),
    "no level": (GOOD, {"levels": 0}, BAD_TABLE),
    "five levels": (GOOD, {"levels": 5}, BAD_TABLE),
    "past the table's reach": ({"va": 512 * PAGE, "length": 1}, {"levels": 1}, ABSENT),
    "before the table": (GOOD, {"table_base": 0x6000}, ABSENT),
    "past the reach, pinned": ({"va": 512 * PAGE, "length": 1}, {"levels": 1, "on_demand": 0}, BAD_TABLE),
}


@pytest.mark.parametrize("case", CHECKS)
def test_key_checks_in_their_order(case: str) -> None:
    """Twice each: from the fetched key and, where it is one, from the cached."""
    access, region, expected = CHECKS[case]
    with rig() as it:
        it.mpt_size = 4000
        it.map(5)
        it.region(root=it.world.region(INDEX).root, **region)
        assert [it.lookup(**access) for _ in range(2)] == [expected] * 2  # type: ignore[arg-type]


def test_key_entry_that_memory_refuses() -> None:
    with rig() as it:
        it.world.break_key(INDEX)
        assert it.lookup(0) == BAD_TABLE


def test_no_region_is_never_cached() -> None:
    """A key looked up in vain works as soon as it is registered, without an invalidation."""
    with rig(valid=0) as it:
        root = it.world.region(INDEX).root
        assert it.lookup(5 * PAGE) == BAD_KEY
        it.region(root=root)
        it.map(5)
        assert it.lookup(5 * PAGE) == OK


# ---- tables -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_demand", [0, 1])
def test_table_errors(on_demand: int) -> None:
    """A hole, a cycle, memory that refuses, a leaf too large; pinned and on demand. Low bits of a large frame do not count."""
    with rig(on_demand=on_demand) as it:
        it.entry(1, Mtt.table.place(1) | Mtt.pfn.place(it.world.region(INDEX).root))
        it.entry(512, Mtt.read.place(1) | Mtt.pfn.place(3), level=1)
        it.entry(1024, Mtt.table.place(1) | Mtt.pfn.place(0xFFFFFF), level=1)
        it.world.broken.add(0xFFFFFF * PAGE)
        it.entry(1 << 27, Mtt.read.place(1), level=3)
        assert it.lookup(0) == (ABSENT if on_demand else BAD_TABLE)
        assert [it.lookup(page * PAGE) for page in (1, 1024, 1 << 27)] == [BAD_TABLE] * 3
        assert it.lookup(512 * PAGE) == OK
        it.map(0, write=False)
        assert it.lookup(0) == OK
        assert it.lookup(0, Need.LOCAL_WRITE) == (READ_ONLY if on_demand else NO_RIGHT)


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
@pytest.mark.parametrize("base", [0, 0x7F0000003000])
def test_levels_and_bases(levels: int, base: int) -> None:
    """The first and the last page a table reaches, and the leaves of its sizes, off their alignment in the address space too."""
    first = base >> 12
    last = first + (1 << 9 * levels) - 1
    large = [first + 512 * 3 + 5] if levels > 1 else []
    huge = [first + (1 << 18) + 70000] if levels > 2 else []
    pages = [first, last, *large, *huge]
    with rig(levels=levels, table_base=base, start=base, length=1 << 60) as it:
        for page in (first, last):
            it.map(page)
        for page in large:
            it.map(page, level=1)
        for page in huge:
            it.map(page, level=2)
        for _ in range(2):
            assert {it.lookup(page * PAGE + 77) for page in pages} == {OK}
        assert it.counts[Counter.MTT_MISS] == len(pages)


def test_faults_are_never_cached_and_an_upgrade_replaces_the_entry() -> None:
    """SD-7: absent, then read-only, then writable, none with an invalidation; each look-up sees the table as it is."""
    with rig() as it:
        assert it.lookup(3 * PAGE, Need.REMOTE_WRITE) == ABSENT
        it.map(3, write=False, pfn=0x7777)
        assert it.lookup(3 * PAGE, Need.REMOTE_WRITE) == READ_ONLY
        assert it.lookup(3 * PAGE) == OK
        it.map(3, pfn=0x7777)
        assert it.lookup(3 * PAGE, Need.REMOTE_WRITE) == OK
        walks = it.counts[Counter.MTT_MISS]
        assert it.lookup(3 * PAGE, Need.REMOTE_ATOMIC) == OK
        assert it.counts[Counter.MTT_MISS] == walks == 3


# ---- invalidation -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("where", ["first", "last", "before", "after", "around"])
def test_range_edges(level: int, where: str) -> None:
    """SD-5: one 4 KiB page inside a leaf of any size removes all of it; the pages beside it do not."""
    pages = 1 << 9 * level
    base = pages * 3
    first, last = {
        "first": (base, base),
        "last": (base + pages - 1, base + pages - 1),
        "before": (base - 1, base - 1),
        "after": (base + pages, base + pages),
        "around": (base - 1, base + pages),
    }[where]
    inside = base + pages // 2
    with rig() as it:
        it.map(inside, level=level)
        it.lookup(inside * PAGE)
        it.shoot(first, last)
        for _ in range(2):
            walks = it.counts[Counter.MTT_MISS]
            it.lookup(inside * PAGE)
            assert (it.counts[Counter.MTT_MISS] > walks) == (where not in ("before", "after"))
            it.idle(SETS + 4)
            it.shoot(first, last)


@pytest.mark.parametrize("number", [0, 1, (1 << 52) - 2, (1 << 52) - 1])
def test_edges_of_the_address_space_are_ordinary(number: int) -> None:
    """SD-6: page 0 and the last page are pages like any other, and name nothing else."""
    base = number & ~511
    low = base * PAGE
    with rig(levels=1, table_base=low, start=low, length=512 * PAGE) as it:
        for page in (number, number ^ 1):
            it.map(page)
            it.lookup(page * PAGE)
        it.shoot(number)
        walks = it.counts[Counter.MTT_MISS]
        it.lookup((number ^ 1) * PAGE)
        assert it.counts[Counter.MTT_MISS] == walks
        it.lookup(number * PAGE)
        assert it.counts[Counter.MTT_MISS] == walks + 1


def test_killed_entries_are_swept_and_counted() -> None:
    with rig() as it:
        for page in range(700):
            it.map(page)
        for begin in range(0, 700, 100):
            it.stream(asks([*range(begin, begin + 100)]))
        it.shoot(100, 611)
        out = it.cycle()
        assert not out.quiescent
        for _ in range(1200):
            out = it.cycle()
        assert out.quiescent
        assert it.counts[Counter.KILLED] == 512


def test_look_ups_outside_go_on_at_full_rate() -> None:
    """SD-4: during the whole sweep of an invalidation every cycle takes a look-up and gives an answer."""
    with rig() as it:
        it.map(0x5000)
        it.lookup(0x5000 * PAGE, use=use_of(1, 15, 3))
        it.shoot(0, 1023)
        answers = it.stream(asks([0x5000] * 128)) + it.stream(asks([0x5000] * 128))
        assert {answer.latency for answer in answers} == {3}


def test_slots_run_out_and_come_back_within_a_sweep() -> None:
    """SD-8: eight invalidations at once, the ninth waits for one sweep at most."""
    with rig() as it:
        for number in range(SLOTS):
            it.shoot(number, tag=number)
        waited = 0
        while not it.cycle(shoot=page_shoot(99, tag=31)).inv_ready:
            waited += 1
        assert SETS - SLOTS - 2 <= waited <= SETS


def test_busy_is_exact_for_many_tags_at_once() -> None:
    """SD-2: accesses in flight under each of 24 pages, a tag for each; every tag falls with its own accesses."""
    with rig() as it:
        for page in range(24):
            it.map(page)
        it.stream(asks([number % 24 for number in range(120)]))
        flying = uses(120)
        for use in flying:
            it.cycle(start=[use])
        for page in range(24):
            while not it.cycle(shoot=page_shoot(page, tag=page)).inv_ready:
                pass
        assert it.cycle().inv_busy == (1 << 24) - 1
        for use in sorted(flying, key=lambda use: use * 37 % 128):
            it.cycle(done=[use])  # the reference compares every tag in every cycle
        assert it.cycle().inv_busy == 0


def test_held_uses_fall_and_a_start_in_the_accepting_cycle_is_in_flight() -> None:
    with rig() as it:
        it.map(4)
        it.map(5)
        it.stream(asks([4, 4, 5]))
        held, starting, outside = uses(3)
        out = it.cycle(shoot=page_shoot(4, tag=9), start=[starting])
        assert out.live0 == 1 << held | 1 << starting | 1 << outside
        out = it.cycle()
        assert out.live0 == 1 << starting | 1 << outside
        assert out.inv_busy == 1 << 9
        it.cycle(done=[starting])
        out = it.cycle()
        assert out.inv_busy == 0
        assert out.live0 == 1 << outside
        it.cycle(drop=[(0, outside >> 2)])
        assert it.cycle().live0 == 0


def test_a_large_leaf_past_the_end_of_the_address_space() -> None:
    """A table that begins 2 MiB before the end, its first leaf of 1 GiB: any page of it kills it, and only those."""
    low = (1 << 52) - 512
    with rig(levels=3, table_base=low * PAGE, start=low * PAGE, length=512 * PAGE) as it:
        it.map(low + 7, level=2)
        for number, (page, dies) in enumerate([((1 << 52) - 1, True), (low, True), (low - 1, False), (5, False)]):
            it.lookup((low + 7) * PAGE)
            walks = it.counts[Counter.MTT_MISS]
            it.shoot(page, tag=number)
            it.lookup((low + 7) * PAGE)
            assert it.counts[Counter.MTT_MISS] == walks + dies


# ---- races: every relative cycle ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("whole", [False, True])
def test_invalidation_against_look_up(level: int, whole: bool) -> None:
    """The leaf changes and is invalidated in each cycle around a look-up, cached or not: an answer live then is the new one."""
    with rig() as it:
        for number, (cached, at) in enumerate([(True, at) for at in range(8)] + [(False, at) for at in range(0, 110, 2)]):
            page = 512 * (number + 1)
            it.map(page, level=level)
            if cached:
                it.lookup(page * PAGE, use=use_of(1, 0))
            for cycle in range(at + 1):
                if cycle == at:
                    it.map(page, level=level)
                ask = Ask(use_of(0, 0), KEY, page * PAGE) if cycle == 0 else None
                it.cycle(ask, shoot=page_shoot(page + 511 * level, whole=whole) if cycle == at else None)
            it.idle(220)
            assert not it.asked


def test_walks_that_end_as_an_invalidation_comes() -> None:
    with rig() as it:
        race_of_fill(it)
        assert it.counts[Counter.WALK_DROPPED] >= 5
    with pytest.raises(MismatchError), rig(mutant=HcaMutant.RACE_WALK) as it:
        race_of_fill(it)


def test_key_registered_anew_against_its_fetch() -> None:
    """The key changes its variant in each cycle around a fetch: once it is invalidated the old one is refused."""
    with rig() as it:
        it.map(5)
        root = it.world.region(INDEX).root
        for at in range(0, 40):
            old, new = KEY & ~0xFF | at, KEY & ~0xFF | at + 1
            it.region(root=root, key=old)
            it.shoot(0, whole=True)
            for cycle in range(at + 1):
                if cycle == at:
                    it.region(root=root, key=new)
                ask = Ask(use_of(0, 0), old, 5 * PAGE) if cycle == 0 else None
                it.cycle(ask, shoot=page_shoot(0, whole=True) if cycle == at else None)
            it.idle(130)
            assert it.lookup(5 * PAGE, key=old) == BAD_KEY
            assert it.lookup(5 * PAGE, key=new) == OK
            it.idle(100)


def test_a_storm_of_invalidations_does_not_starve_a_walk() -> None:
    """Its page is invalidated again and again while it is walked; between two storms it is answered."""
    with rig() as it:
        it.map(5)
        it.cycle(Ask(0, KEY, 5 * PAGE))
        for number in range(64):
            while not it.cycle(shoot=page_shoot(5, tag=number % 32)).inv_ready:
                pass
            it.idle(9)
        it.idle(400)
        assert not it.asked


# ---- the block as a whole ------------------------------------------------------------------------------------------------------


def test_disable_forgets_everything() -> None:
    with rig() as it:
        it.map(5)
        it.lookup(5 * PAGE)
        it.cycle(Ask(use_of(0, 1), KEY, 6 * PAGE), enable=True)
        it.cycle(enable=False)
        out = it.cycle()
        assert (out.live0, out.quiescent) == (0, 1)
        walks = it.counts[Counter.MTT_MISS]
        assert it.lookup(5 * PAGE) == OK
        assert it.counts[Counter.MTT_MISS] == walks + 1, "nothing is cached any more"


def test_quiescent_while_only_memory_can_go_on_is_not_claimed() -> None:
    """An access in flight changes nothing in here; a walk in flight does."""
    with rig() as it:
        it.map(5)
        assert it.cycle().quiescent
        it.cycle(Ask(0, KEY, 5 * PAGE))
        while not (out := it.cycle()).rsp_valid:
            assert not out.quiescent
        it.cycle(start=[0])
        assert it.cycle().quiescent
        frozen = [vars(it.cycle()) for _ in range(20)]
        assert all(state == frozen[0] for state in frozen)


@pytest.mark.parametrize("style", STYLES)
def test_random_traffic(style: str) -> None:
    seed = 20261127 + list(STYLES).index(style)
    print(f"seed {seed}")
    xlt = CheckedXlt(seed=seed)
    try:
        traffic = Traffic(xlt, seed, STYLES[style])
        traffic.run(4000)
        traffic.finish()
        assert xlt.dut.failed == set()
        assert (
            min(xlt.counts[c] for c in (Counter.MPT_HIT, Counter.MTT_HIT, Counter.MTT_MISS, Counter.KILLED, Counter.BAD_KEYS)) > 0
        )
    finally:
        xlt.dut.close()


def test_slow_memory_that_refuses_reads_and_answers_out_of_order() -> None:
    xlt = CheckedXlt(seed=5, latency=(5, 300), refuse=0.7)
    traffic = Traffic(xlt, 5, replace(Style(), storm=0.01))
    traffic.run(4000)
    traffic.finish()
    assert xlt.dut.failed == set()
    xlt.dut.close()


# ---- checks that can fail -------------------------------------------------------------------------------------------------------

M = HcaMutant
MUTANTS: dict[HcaMutant, set[str]] = {
    M.WALK_NOT_DROPPED: {"sd_3_covered_is_dropped", "sd_3_no_old_answer", "sd_2_covered_reads_no_more"},
    M.RANGE_SHORT: {"sd_8_dead_at_once", "sd_1_no_hit_after_invalidation"},
    M.LARGE_SURVIVES: {"sd_5_every_page_size", "sd_1_held_is_taken", "sd_2_waits_for_last_use"},
    M.KEY_IGNORED: {"hit_is_the_entry", "sd_7_one_match"},
    M.HELD_SURVIVES: {"sd_1_held_is_taken"},
    M.DRAIN_ALL: {"sd_2_waits_for_covered_only"},
    M.PD_IGNORED: {"domain_is_equal"},
    M.LENGTH_OFF: {"access_is_inside"},
    M.UPGRADE_KEPT: {"sd_7_fault_is_walked"},
    M.SHOOT_FULL_ACK: {"sd_8_dead_at_once", "sd_6_scope_is_explicit"},
    M.KEY_KEPT: {"sd_1_key_is_sound"},
}
SILENT = {M.UPGRADE_KEPT}  # the reference of random traffic allows a fault of late


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutants_are_caught_by_the_assertions(mutant: HcaMutant) -> None:
    seen: set[str] = set()
    for seed, style in enumerate((STYLES["storms"], STYLES["crowded"])):
        xlt = CheckedXlt(mutant=mutant, seed=seed, check=False)
        Traffic(xlt, seed, replace(style, wrong=0.3)).run(2500)
        seen |= xlt.dut.failed
        xlt.dut.close()
    assert MUTANTS[mutant] <= seen


@pytest.mark.parametrize("mutant", sorted(set(MUTANTS) - SILENT), ids=lambda mutant: mutant.name)
def test_mutants_are_caught_by_the_reference(mutant: HcaMutant) -> None:
    with pytest.raises(MismatchError):
        for seed, style in enumerate((STYLES["storms"], STYLES["crowded"], STYLES["keys"])):
            xlt = CheckedXlt(mutant=mutant, seed=seed)
            Traffic(xlt, seed, replace(style, wrong=0.3)).run(2500)
            xlt.dut.close()


def test_walk_that_ends_in_the_accepting_cycle_is_caught_by_the_assertions() -> None:
    with rig(mutant=HcaMutant.RACE_WALK, check=False) as it:
        race_of_fill(it)
        assert {"sd_3_covered_is_dropped", "sd_3_no_old_answer"} <= it.dut.failed


def test_kept_read_only_leaf_faults_forever() -> None:
    with rig(mutant=HcaMutant.UPGRADE_KEPT, check=False) as it:
        it.map(3, write=False, pfn=0x7777)
        assert it.lookup(3 * PAGE, Need.REMOTE_WRITE) == READ_ONLY
        it.map(3, pfn=0x7777)
        assert [it.lookup(3 * PAGE, Need.REMOTE_WRITE) for _ in range(3)] == [READ_ONLY] * 3


def test_quiescence_with_a_walk_in_flight_is_caught() -> None:
    with rig(mutant=HcaMutant.QUIET_LIE) as it:
        it.lookup(0)
        assert it.dut.failed == {"quiet_means_quiet"}


def test_assertions_about_the_users_can_fail() -> None:
    with rig(check=False, mutant=HcaMutant.QUIET_LIE) as it:  # a mutant, so that the rig does not insist
        it.map(0)
        it.cycle(Ask(3, KEY, 0))
        it.cycle(Ask(3, KEY, 0))
        it.cycle(start=[5])
        it.cycle(done=[7])
        it.idle(400)
        it.lookup(0, use=9)
        it.cycle(start=[9])
        for _ in range(2):
            it.cycle(shoot=Shoot(0, Inval(INDEX, last=PAGE)))
        it.idle(2)
        assert {"env_one_lookup_a_use", "env_start_is_live", "env_done_is_flying", "env_tag_is_free"} <= it.dut.failed


def test_every_rule_has_an_assertion() -> None:
    rules = {label.split("_")[1] for label in LABELS.values() if label.startswith("sd_")}
    assert rules == {str(number) for number in range(1, 9)}
