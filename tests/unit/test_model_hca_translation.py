"""Keys, tables, caches and invalidations (docs/hca.md, sections 2 and 3): what is refused, SD-1 to SD-7."""

from __future__ import annotations

from typing import Any

import pytest
from support.hca_chip import A_VA, B_VA, PAGE, PAGES, Pair, events

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from tb.hil.hca_bare import settings

REGION = PAGES * PAGE
LARGE = 21
HUGE_VA = 0x4000_0000
RIGHTS = [
    ("write", "remote_write"),
    ("read", "remote_read"),
    ("fetch_add", "remote_atomic"),
]


def operate(pair: Pair, operation: str, key: int, va: int, length: int = 8) -> h.WcStatus:
    """Do it to B's `key`; the status."""
    more = {"add": 1} if operation == "fetch_add" else {"length": length}
    getattr(pair.qa, operation)(pair.ka, A_VA, key, va, **more)
    return h.WcStatus(pair.done()["status"])


# ---- keys ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["write", "read", "fetch_add"])
@pytest.mark.parametrize("key", [0x2FF, 0x301, 0xFFF01, 0x10_0201, 0xFFFF_FFFF], ids=hex)
def test_keys_that_name_nothing(operation: str, key: int) -> None:
    pair = Pair()
    assert operate(pair, operation, key, B_VA) == h.WcStatus.REM_ACCESS_ERR
    assert pair.b.counters()["BAD_KEYS"] == 1


def test_a_key_past_the_table() -> None:
    pair = Pair(chosen=settings(keys=4))
    pair.b.regions[5] = pair.b.regions[2]
    assert operate(pair, "write", 0x501, B_VA) == h.WcStatus.REM_ACCESS_ERR


@pytest.mark.parametrize(("operation", "right"), RIGHTS)
def test_each_right_is_its_own(operation: str, right: str) -> None:
    pair = Pair()
    for index, name in enumerate(name for _, name in RIGHTS):
        pair.b.region(10 + index, B_VA, 1, **{other: other == name for _, other in RIGHTS})
    for index, name in enumerate(name for _, name in RIGHTS):
        status = operate(pair, operation, (10 + index) << 8 | 1, B_VA)
        assert status == (h.WcStatus.SUCCESS if name == right else h.WcStatus.REM_ACCESS_ERR)
        pair.bare.connect(pair.qa, pair.qb)


def test_a_receive_needs_local_write_and_a_send_needs_nothing() -> None:
    pair = Pair(key={"local_write": False})
    pair.qb.send(pair.kb, B_VA, 100)
    pair.qa.recv(pair.ka, A_VA, 100)
    pair.ok(pair.qb)
    pair.ok(pair.qa, recv=True)
    pair.qb.recv(pair.kb, B_VA, 100)
    pair.qa.send(pair.ka, A_VA, 100)
    assert pair.done()["status"] == h.WcStatus.REM_OP_ERR


@pytest.mark.parametrize("operation", ["write", "read"])
@pytest.mark.parametrize(
    ("start", "length", "good"),
    [(0, REGION, True), (-1, 2, False), (REGION - 1, 1, True), (REGION - 1, 2, False), (REGION, 1, False), (0, REGION + 1, False)],
)
def test_bounds_are_exact(operation: str, start: int, length: int, good: bool) -> None:
    pair = Pair()
    key = pair.b.key(3, B_VA + 8, REGION, on_demand=False)
    first = pair.b.alloc_user(PAGES + 1)
    for page in range(PAGES + 1):
        pair.b.map(key, B_VA + page * PAGE, first + page)
    pair.a.write_key(1, valid=1, key=pair.ka, pd=1, local_write=1, whole=1, levels=4, root=pair.a.regions[1].root)
    local = pair.a.region(4, A_VA, PAGES + 1)
    getattr(pair.qa, operation)(local, A_VA, key, B_VA + 8 + start, length)
    assert (pair.done()["status"] == h.WcStatus.SUCCESS) is good


def test_an_address_that_wraps_is_out_of_bounds() -> None:
    pair = Pair()
    assert operate(pair, "write", pair.kb, 2**64 - 4, 8) == h.WcStatus.REM_ACCESS_ERR


@pytest.mark.parametrize(("va", "good"), [(2**48 - 8, True), (2**48 - 7, False), (2**48, False)])
def test_a_whole_region_ends_at_2_to_the_48(va: int, good: bool) -> None:
    pair = Pair()
    key = pair.b.key(3, 5, 0, whole=True)
    pair.b.map(key, 2**48 - PAGE, pair.b.alloc_user(1))
    assert (operate(pair, "write", key, va) == h.WcStatus.SUCCESS) is good


# ---- tables ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_levels_reach_as_far_as_they_must(levels: int) -> None:
    pair = Pair()
    base = B_VA if levels < 4 else 0
    reach = 1 << (12 + 9 * levels)
    end = min(base + reach, 2**48)
    key = pair.b.key(3, base, 2**47, levels=levels, table_base=base)
    if levels == 4:
        key = pair.b.key(3, 0, 0, whole=True)
    frame = pair.b.alloc_user(1)
    pair.b.map(key, end - PAGE, frame)
    assert operate(pair, "write", key, end - 8) == h.WcStatus.SUCCESS
    assert pair.b.memory.read(frame * PAGE + PAGE - 8, 8) == pair.bytes_a[:8]
    if levels < 4:
        pair.qa.write(pair.ka, A_VA, key, end, 8)
        (fault,) = pair.b.wait_faults()
        assert (fault["cause"], fault["va"]) == (h.FaultCause.NOT_PRESENT, end)


def test_a_large_page_below_an_odd_base() -> None:
    pair = Pair()
    base = B_VA + 5 * PAGE  # large pages count from here
    key = pair.b.key(3, base, 4 << LARGE, levels=2, table_base=base)
    frame = pair.b.alloc_user(512, aligned=512)
    pair.b.map(key, base + (1 << LARGE), frame, shift=LARGE)
    for offset in (0, 7 * PAGE + 3, (1 << LARGE) - 8):
        assert operate(pair, "write", key, base + (1 << LARGE) + offset) == h.WcStatus.SUCCESS
        assert pair.b.memory.read(frame * PAGE + offset, 8) == pair.bytes_a[:8]
    assert pair.b.counters()["MTT_MISS"] == 3  # the cache holds small pages that know their leaf


BAD_ENTRIES: list[tuple[str, int]] = [
    ("a hole", 0),
    ("write without read", 2),
    ("a further table in the last level", 5 | 1 << 12),
]


@pytest.mark.parametrize(("what", "entry"), BAD_ENTRIES)
@pytest.mark.parametrize("on_demand", [True, False])
def test_entries_that_map_nothing(what: str, entry: int, on_demand: bool) -> None:
    pair = Pair(key={"on_demand": on_demand})
    pair.b.write_entry(pair.kb, B_VA, entry)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    if on_demand and not entry & 4:
        (fault,) = pair.b.wait_faults()
        assert fault["cause"] == h.FaultCause.NOT_PRESENT
    else:
        assert pair.done()["status"] == h.WcStatus.REM_OP_ERR, what
        assert pair.b.counters()["BAD_TABLES"] == 1


def test_a_table_outside_memory_and_one_that_points_to_itself() -> None:
    pair = Pair()
    pair.bare.stop_on_violation = False
    outside = pair.b.key(3, B_VA, REGION)
    pair.b.write_key(3, valid=1, key=outside, pd=1, remote_write=1, on_demand=1, whole=1, levels=4, root=1 << 39)
    assert operate(pair, "write", outside, B_VA) == h.WcStatus.REM_OP_ERR
    pair.bare.connect(pair.qa, pair.qb)
    loop = pair.b.key(4, 0, 1 << 30, levels=4)
    root = pair.b.regions[4].root
    pair.b.write_entry(loop, 0, root << 12 | 4, shift=12 + 27)
    assert operate(pair, "write", loop, 0) == h.WcStatus.REM_OP_ERR


def test_a_leaf_outside_memory_touches_nothing() -> None:
    pair = Pair()
    pair.bare.stop_on_violation = False
    pair.b.write_entry(pair.kb, B_VA, 1 << 40 | 3)
    assert operate(pair, "write", pair.kb, B_VA) == h.WcStatus.REM_OP_ERR
    assert pair.b.peek(pair.kb, B_VA, REGION) == pair.bytes_b


def test_pinned_and_read_only_is_a_matter_of_rights() -> None:
    pair = Pair(key={"on_demand": False})
    frame = pair.b.unmap(pair.kb, B_VA)
    pair.b.map(pair.kb, B_VA, frame, write=False)
    assert operate(pair, "write", pair.kb, B_VA) == h.WcStatus.REM_ACCESS_ERR


def test_refusals_are_not_cached() -> None:
    pair = Pair()
    for on_demand in (1, 0):
        pair.b.write_entry(pair.kb, B_VA, 0)
        pair.b.write_key(
            2, valid=1, key=pair.kb, pd=1, remote_write=1, on_demand=on_demand, whole=1, levels=4, root=pair.b.regions[2].root
        )
        pair.b.invalidate(pair.kb)
        pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
        if on_demand:
            (fault,) = pair.b.wait_faults()
        else:
            assert pair.done()["status"] == h.WcStatus.REM_OP_ERR
            pair.bare.connect(pair.qa, pair.qb)
        pair.b.map(pair.kb, B_VA, pair.b.alloc_user(1))
        if on_demand:
            pair.b.resume(fault)
        else:
            pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
        pair.ok()


# ---- invalidations ---------------------------------------------------------------------------------------------------------


def warm(pair: Pair) -> None:
    """All of B's pages in the cache."""
    assert operate(pair, "read", pair.kb, B_VA, REGION) == h.WcStatus.SUCCESS


SPANS = [
    (0, PAGE, {0}),
    (PAGE - 1, 1, {0}),
    (PAGE - 1, 2, {0, 1}),
    (0, REGION, set(range(PAGES))),
    ((PAGES - 1) * PAGE, 2**64 - 1, {PAGES - 1}),  # clamped to the end
    (3 * PAGE, 0, set()),
    (-PAGE, PAGE, set()),
    (REGION, PAGE, set()),
]


@pytest.mark.parametrize(("start", "length", "dead"), SPANS)
def test_exactly_what_is_covered_dies(start: int, length: int, dead: set[int]) -> None:
    pair = Pair()
    warm(pair)
    events(pair.bare)
    assert pair.b.invalidate(pair.kb, B_VA + start, length) is h.CmdStatus.OK
    pair.bare.settle(400)  # dead at once; the trace tells what leaves the cache as the sweep comes by
    killed = {(args[1] - B_VA) // PAGE for _, _, args in events(pair.bare, TraceEvent.HDEV_KILL, node=1)}
    assert killed == dead
    before = pair.b.counters()
    warm(pair)
    after = pair.b.counters()
    assert after["MTT_MISS"] - before["MTT_MISS"] == len(dead)
    assert after["KILLED"] == len(dead)


def test_a_page_inside_a_large_one_takes_it_along() -> None:
    pair = Pair()
    key = pair.b.key(3, HUGE_VA, 2 << LARGE)
    frame = pair.b.alloc_user(512, aligned=512)
    pair.b.map(key, HUGE_VA, frame, shift=LARGE)
    assert operate(pair, "write", key, HUGE_VA) == h.WcStatus.SUCCESS
    pair.b.invalidate(key, HUGE_VA + 300 * PAGE, PAGE)
    pair.b.unmap(key, HUGE_VA)
    pair.qa.write(pair.ka, A_VA, key, HUGE_VA + 5, 8)
    (fault,) = pair.b.wait_faults()
    assert fault["va"] == HUGE_VA + 5


def test_other_keys_over_the_same_addresses_stay() -> None:
    pair = Pair()
    warm(pair)
    other = pair.b.region(3, B_VA, 1)
    assert operate(pair, "write", other, B_VA) == h.WcStatus.SUCCESS
    pair.b.invalidate(pair.kb)
    before = pair.b.counters()["MTT_MISS"]
    assert operate(pair, "write", other, B_VA) == h.WcStatus.SUCCESS
    assert pair.b.counters()["MTT_MISS"] == before


def test_invalidating_a_key_drops_its_entry() -> None:
    pair = Pair()
    warm(pair)
    pair.b.write_key(2)
    assert operate(pair, "read", pair.kb, B_VA) == h.WcStatus.SUCCESS  # the device may still know it
    pair.b.invalidate(pair.kb, B_VA, REGION)
    assert operate(pair, "read", pair.kb, B_VA) == h.WcStatus.SUCCESS  # a range does not touch the key
    pair.b.invalidate(pair.kb)
    assert operate(pair, "read", pair.kb, B_VA) == h.WcStatus.REM_ACCESS_ERR


def page_away(pair: Pair, va: int = B_VA) -> int:
    """Table and invalidation, without a fence. The frame."""
    frame = pair.b.unmap(pair.kb, va)
    pair.b.post_command(h.CmdOp.INVALIDATE_RANGE, key=pair.kb, addr=va, length=PAGE)
    return frame


def test_a_walk_under_an_invalidation_is_walked_again() -> None:
    pair = Pair(read_latency=400)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.run(lambda: bool(events(pair.bare, TraceEvent.HDEV_WALK, node=1)))
    pair.bare.sleep(800)  # some levels down
    page_away(pair)
    (fault,) = pair.b.wait_faults()
    assert fault["va"] == B_VA
    dropped = events(pair.bare, TraceEvent.HDEV_FILL_DROPPED, TraceEvent.HDEV_FILL, node=1)
    assert [(event, args[1]) for _, event, args in dropped] == [(TraceEvent.HDEV_FILL_DROPPED, B_VA)]
    assert pair.b.counters()["WALK_DROPPED"] == 1


def test_a_walk_beside_an_invalidation_goes_on() -> None:
    pair = Pair(read_latency=400)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.run(lambda: bool(events(pair.bare, TraceEvent.HDEV_WALK, node=1)))
    page_away(pair, B_VA + PAGE)
    pair.ok()
    assert pair.b.counters()["WALK_DROPPED"] == 0


def landed(pair: Pair, **options: Any) -> tuple[int, int]:
    """A write whose memory takes long, its page taken away meanwhile: cycles of its landing and of the fence."""
    va = options.get("fenced", B_VA)
    warm(pair)
    events(pair.bare)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 2000)
    pair.bare.run(lambda: bool(events(pair.bare, TraceEvent.HDEV_PACKET, node=1)))
    pair.bare.sleep(60)  # translated, on its way to memory
    page_away(pair, va)
    assert pair.b.fence(9) is h.CmdStatus.OK
    found = {event: cycle for cycle, event, _ in events(pair.bare, TraceEvent.HDEV_LAND, TraceEvent.HDEV_FENCE, node=1)}
    if TraceEvent.HDEV_LAND not in found:
        pair.ok()
        found |= {event: cycle for cycle, event, _ in events(pair.bare, TraceEvent.HDEV_LAND, node=1)}
    return found[TraceEvent.HDEV_LAND], found[TraceEvent.HDEV_FENCE]


def test_a_fence_waits_for_a_write_on_its_way() -> None:
    land, fence = landed(Pair(write_latency=3000))
    assert land < fence


def test_a_fence_does_not_wait_for_what_is_not_covered() -> None:
    pair = Pair(write_latency=3000)
    # The fence's own write answers as late as the landing: what is compared is when it was sent, a write latency before.
    land, fence = landed(pair, fenced=B_VA + 5 * PAGE)
    assert fence - 3000 < land


def test_a_fence_waits_for_the_reads_of_a_covered_walk() -> None:
    pair = Pair(read_latency=2000)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 8)
    pair.bare.run(lambda: bool(events(pair.bare, TraceEvent.HDEV_WALK, node=1)), patience=40_000)
    began = pair.bare.device.cycle
    page_away(pair)
    pair.b.post_command(h.CmdOp.FENCE, addr=pair.b.fence_address, length=1)
    pair.bare.run(lambda: bool(events(pair.bare, TraceEvent.HDEV_FENCE, node=1)))
    assert pair.bare.device.cycle - began > 2000
    assert pair.b.counters()["WALK_DROPPED"] == 1


def test_no_byte_reaches_a_page_that_was_taken_away() -> None:
    """Pages go and come while writes stream over them: a frame that is gone keeps its bytes, by oracle and comparison."""
    pair = Pair(qp={"policy": h.FaultPolicy.STALL})
    for round_ in range(30):
        for _ in range(4):
            pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 6 * PAGE, signaled=0)
        pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, 6 * PAGE)
        pair.bare.sleep(300 + 41 * round_)
        va = B_VA + (round_ % 6) * PAGE
        frame = pair.take(pair.b, pair.kb, va)
        pair.b.memory.frame(frame)[:] = 0xA5
        pair.bare.sleep(2000)
        assert bytes(pair.b.memory.frame(frame)) == b"\xa5" * PAGE
        pair.b.map(pair.kb, va, pair.b.alloc_user(1))
        for fault in pair.b.faults():
            assert pair.b.resume(fault) is h.CmdStatus.OK
        pair.ok()
        assert pair.b.peek(pair.kb, B_VA, 6 * PAGE) == pair.bytes_a[: 6 * PAGE]


@pytest.mark.parametrize("pages", [1, 300])
def test_the_caches_replace_what_they_cannot_hold(pages: int) -> None:
    pair = Pair(qp={"sq_log": 10})
    keys = [pair.b.region(20 + number, B_VA, 5) for number in range(pages)]
    for round_ in range(2):
        for key in keys:
            assert operate(pair, "write", key, B_VA + 13 * round_, 4 * PAGE) == h.WcStatus.SUCCESS
    counters = pair.b.counters()
    if pages == 1:
        assert counters["MPT_MISS"] <= 2  # the second page asks before the entry has come
        assert counters["MTT_MISS"] == 5
    else:
        assert counters["MPT_MISS"] > 300
        assert counters["MTT_MISS"] > 1500
