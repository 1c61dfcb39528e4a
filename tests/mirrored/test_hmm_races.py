"""Races the original hmm-tests leave to chance: a device at work while its pages move, are dropped, or are taken by another device.

Every one runs with several seeds; each seed orders and delays the parties otherwise.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from mirrored.hmm_bench import PAGE, Bench, pattern
from mirrored.hmm_commands import Device, empty
from mirrored.hmm_hosts import hmm, run

SEEDS = range(1, 6)
COUNTS = 40
DROPS = 30
MOVES = 60
SHORT, LONG = 1500, 15_000
"""Longest pauses of a party, cycles: about as long as an operation of a device without a fault, and with several."""


def pauses(times: int, longest: int) -> list[int]:
    """Pauses of all lengths."""
    return [turn * 379 % 100 * longest // 100 for turn in range(times)]


async def together(b: Bench, **bodies: Any) -> None:
    """All at once, each on a processor of its own."""
    tasks = [b.spawn(body, name, cpu) for cpu, (name, body) in enumerate(bodies.items())]
    for task in tasks:
        await b.sched.join(task)


@hmm()
async def test_read_while_pages_move(b: Bench) -> None:
    """Migration takes no lock that keeps a device's fault out: only the sequence number tells that a page has moved."""
    mm = b.process()
    device = await b.open(mm)
    at = await b.buffer(mm, 4, data=pattern(4))
    moved = 0
    done = False

    async def move() -> None:
        nonlocal moved, done
        for turn, pause in enumerate(pauses(MOVES, SHORT)):
            moved += await b.machine.migrate_page(mm, at + turn % 4 * PAGE)
            await b.sched.sleep(pause)
        done = True

    async def read() -> None:
        while not done:
            mirror = empty(4)
            assert (await device.read(at, mirror)).cpages == 4
            assert mirror == pattern(4)

    await together(b, mover=move(), reader=read())
    # A fault that waits for a page in migration holds on to it, and the page stays.
    assert moved > MOVES // 6, f"{moved} of {MOVES} moves"


@hmm()
async def test_count_while_contents_are_dropped(b: Bench) -> None:
    """The device counts a word up while the program drops the page (MADV_DONTNEED): each time it finds what it left, or nothing."""
    mm = b.process()
    device = await b.open(mm)
    at = await b.buffer(mm, 1)
    olds: list[int] = []
    done = False

    async def count() -> None:
        while not done:
            olds.append(await device.increment(at))

    async def drop() -> None:
        nonlocal done
        for pause in pauses(DROPS, LONG):
            await mm.madvise_dontneed(at, PAGE)
            await b.sched.sleep(pause)
        done = True

    await together(b, counter=count(), dropper=drop())
    olds.append(int.from_bytes(await mm.load(at, 8), "little"))
    for before, after in pairwise(olds):
        assert after in (before + 1, 0), olds
    assert olds.count(0) > DROPS // 4, olds


@hmm()
async def test_count_against_another_device(b: Bench) -> None:
    """The mirror counts a word up, the other device the same word, the program stores beside it, and the mirror reads elsewhere. No
    count is lost: whoever comes takes the page from whoever has it to itself."""
    mm = b.process()
    device, other = await b.mirror(mm, 1), await b.open(mm)
    at = await b.buffer(mm, 2, data=pattern(2))
    await mm.store(at, bytes(16))

    async def count(who: Device) -> None:
        for _ in range(COUNTS):
            await who.increment(at)

    async def look() -> None:
        for _ in range(5 * COUNTS):
            mirror = empty(1)
            await device.read(at + PAGE, mirror)
            assert mirror == pattern(2)[PAGE:]

    async def touch() -> None:
        for turn, pause in enumerate(pauses(2 * COUNTS, SHORT)):
            await mm.store(at + 8, turn.to_bytes(8, "little"))
            await b.sched.sleep(pause)

    await together(b, mirror=count(device), device=count(other), reader=look(), program=touch())
    counted = int.from_bytes(await mm.load(at, 8), "little")
    assert counted == 2 * COUNTS, f"{2 * COUNTS - counted} counts are lost"
    assert await mm.load(at + 8, 8) == (2 * COUNTS - 1).to_bytes(8, "little")
    assert b.machine.statistic("fault_exclusive") >= COUNTS // 4


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("host", ["mirror", "model", pytest.param("native", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "test", [test_read_while_pages_move, test_count_while_contents_are_dropped, test_count_against_another_device]
)
def test_other_seeds(test: Any, host: Any, seed: int) -> None:
    run(host, test.body, seed=seed)
