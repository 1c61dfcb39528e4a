"""The RTL of the HCA's translation: what an invalidation takes away and waits for, and who wins against it in every relative cycle.

As in test_rtl_hca_xlt.py the reference beside the block compares everything; a test brings about a situation.
"""

from __future__ import annotations

import pytest

from hwif.gen.hca import Counter, HcaMutant, XltResult
from tb.hca_xlt.checked import Ask, MismatchError, use_of
from tb.hca_xlt.races import race_of_fill
from tb.hca_xlt.rig import INDEX, KEY, asks, page_shoot, rig, uses
from tb.hca_xlt.world import PAGE

SETS, SLOTS = 256, 8
OK, BAD_KEY = XltResult.OK, XltResult.BAD_KEY


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
            it.stream(asks(range(begin, begin + 100)))
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
