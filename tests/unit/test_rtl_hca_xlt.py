"""The RTL of the HCA's translation: its cycle counts, keys, tables, and the block as a whole under random traffic.

`CheckedXlt` compares every answer, live bit and busy bit with tables in memory and an untimed reference, so most tests only have to
bring about a situation; the assertions of rtl/props/hca_xlt*.sv are on throughout.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import hca_xlt as numbers
from hwif.gen.hca import Counter, Mtt, Need, XltResult
from tb.hca_xlt.checked import Ask, CheckedXlt, use_of
from tb.hca_xlt.rig import INDEX, KEY, asks, rig
from tb.hca_xlt.traffic import STYLES, Style, Traffic
from tb.hca_xlt.world import PAGE

WALKERS = 32
OK, ABSENT, READ_ONLY = XltResult.OK, XltResult.FAULT_NOT_PRESENT, XltResult.FAULT_READ_ONLY
BAD_KEY, WRONG_PD, NO_RIGHT = XltResult.BAD_KEY, XltResult.WRONG_PD, XltResult.NO_RIGHT
OUT_OF_BOUNDS, BAD_TABLE = XltResult.OUT_OF_BOUNDS, XltResult.BAD_TABLE


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
