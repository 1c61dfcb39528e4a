"""The adapter under load: the memory limit with everybody at it, operations in flight, everything at once; and adapters that break
there."""

from __future__ import annotations

import errno
import random
from collections.abc import Awaitable, Callable
from typing import get_args

import pytest
from mm_rig import PAGE
from pinned_rig import BASE, BOTH, RW, Scene, at, refused, stage

from hwif.gen import timing
from sw_stack.drivers.pinned import Access, PinnedPolicy
from sw_stack.drivers.pinned.policy import MUTANT_TEXT, Mutant
from sw_stack.mm.secondary import DeadTranslationError
from sw_stack.mm.types import MemlockError

# ---- the limit -----------------------------------------------------------------------------------------------------------


async def limit_scene(s: Scene) -> None:
    """Locked and pinned pages are one account, whichever comes first."""
    s.mm.rlimit_memlock = 3
    mr = await s.adapter.reg_mr(s.mm, BASE, 2 * PAGE, BOTH)
    assert s.mm.locked_vm == 2
    with refused(errno.ENOMEM, MemlockError):
        await s.mm.mlock(at(2), 2 * PAGE)
    await s.mm.mlock(at(2), PAGE)
    with refused(errno.ENOMEM, MemlockError):
        await s.adapter.reg_mr(s.mm, BASE, PAGE, Access.READ)
    await s.mm.munmap(BASE, 2 * PAGE)
    assert s.mm.locked_vm == 3, "what is unmapped and pinned stays counted"
    await s.adapter.dereg_mr(mr)
    assert s.mm.locked_vm == 1
    await s.mm.munmap(at(2), PAGE)
    assert s.mm.locked_vm == 0


def test_pinned_and_locked_pages_are_counted_together() -> None:
    stage(limit_scene)


@pytest.mark.parametrize("seed", range(12))
def test_of_registrations_and_mlocks_at_once_only_what_fits_succeeds(seed: int) -> None:
    rng = random.Random(seed)
    made: list[int] = []

    def counted(scene: Scene) -> None:
        assert scene.mm.locked_vm <= 4, scene.mm.locked_vm

    async def pin(s: Scene) -> None:
        await s.rig.sched.sleep(rng.randrange(600))
        first, pages = rng.randrange(4), rng.randrange(2, 5)
        try:
            mr = await s.adapter.reg_mr(s.mm, at(first), pages * PAGE, BOTH)
        except MemlockError:
            return
        finally:
            counted(s)
        made.append(pages)
        await s.rig.sched.sleep(rng.randrange(2000))
        counted(s)
        if rng.random() < 0.5:
            await s.adapter.dereg_mr(mr)

    async def lock(s: Scene) -> None:
        await s.rig.sched.sleep(rng.randrange(600))
        first = rng.randrange(4)
        try:
            await s.mm.mlock(at(first), 3 * PAGE)
        except MemlockError:
            return
        finally:
            counted(s)
        made.append(3)
        await s.rig.sched.sleep(rng.randrange(2000))
        counted(s)
        await s.mm.munlock(at(first), 3 * PAGE)

    async def limit(s: Scene) -> None:
        s.mm.rlimit_memlock = 4

    scene = stage(limit, pin, lock, pin, lock, pages=8, seed=seed)
    refusals = scene.machine.statistic("memlock_refused")
    assert made and len(made) + refusals == 4 and refusals >= 1


# ---- broken adapters -----------------------------------------------------------------------------------------------------


async def in_flight_scene(s: Scene) -> None:
    """A region is deregistered in the middle of a write to it; on return its owner uses the buffer for something else, and the
    frames it has given up are somebody else's."""
    mr = await s.adapter.reg_mr(s.mm, BASE, 4 * PAGE, BOTH)
    writer = s.rig.sched.spawn(s.adapter.write(mr, BASE, b"d" * 4 * PAGE), "write", 2)
    await s.rig.sched.sleep(timing.SW_HCA_POST + timing.LINK_LATENCY + 2)
    assert mr.in_flight == 1
    await s.adapter.dereg_mr(mr)
    assert s.mm.locked_vm == 0 and s.machine.statistic("unpinned") == 4
    await s.mm.store(at(2), b"mine again")
    await s.rig.sched.join(writer)
    assert await s.mm.load(at(2), 10) == b"mine again"


async def late_write_scene(s: Scene) -> None:
    """As above, looked at through the bytes only."""
    mr = await s.adapter.reg_mr(s.mm, BASE, 4 * PAGE, BOTH)
    writer = s.rig.sched.spawn(s.adapter.write(mr, BASE, b"d" * 4 * PAGE), "write", 2)
    await s.rig.sched.sleep(timing.SW_HCA_POST + timing.LINK_LATENCY + 2)
    await s.adapter.dereg_mr(mr)
    await s.mm.store(at(2), b"mine again")
    await s.rig.sched.join(writer)
    assert await s.mm.load(at(2), 10) == b"mine again"


SCENES: dict[Mutant, tuple[Callable[[Scene], Awaitable[None]], type[BaseException], str]] = {
    "uncounted": (limit_scene, AssertionError, "locked_vm"),
    "unpin_early": (in_flight_scene, DeadTranslationError, r"SD-1: <PinnedAdapter>: write of 0x10.* is revoked"),
    "dereg_no_drain": (late_write_scene, AssertionError, "mine again"),
}


def test_every_mutant_has_a_scene_and_a_text() -> None:
    assert set(SCENES) == set(MUTANT_TEXT) == set(get_args(Mutant))
    with pytest.raises(ValueError, match="mutant 'fast' is not one of uncounted"):
        PinnedPolicy("fast")  # type: ignore[arg-type]


@pytest.mark.parametrize("mutant", SCENES)
def test_a_broken_adapter_is_caught(mutant: Mutant) -> None:
    scene, error, text = SCENES[mutant]
    stage(scene)
    with pytest.raises(error, match=text):
        stage(scene, mutant=mutant)


# ---- everything at once ----------------------------------------------------------------------------------------------------


def play(seed: int, mutant: Mutant | None = None) -> Scene:
    """Registrations come and go under transfers, while the VM takes the pages away as far as it can. The oracle looks on; bytes are
    compared where the process has left its mapping alone."""
    rng = random.Random(seed)
    over: list[bool] = []

    async def registrations(s: Scene) -> None:
        for number in range(12):
            first = rng.randrange(6)
            mr = await s.adapter.reg_mr(s.mm, at(first) + 32, 4 * PAGE, BOTH)
            data = bytes([number + 1]) * (3 * PAGE)
            task = s.rig.sched.spawn(s.adapter.write(mr, at(first) + 40, data), "transfer", 5)
            await s.rig.sched.sleep(rng.randrange(timing.SW_HCA_POST + timing.LINK_LATENCY, 500))
            if rng.random() < 0.3:
                await s.rig.sched.join(task)
                assert await s.adapter.read(mr, at(first) + 40, len(data)) == data
                assert await s.mm.load(at(first) + 40, len(data)) == data
            if mr.in_flight or task.finished:
                await s.adapter.dereg_mr(mr)
            await s.rig.sched.join(task)
        over.append(True)

    async def upset(s: Scene) -> None:
        while not over:
            await s.rig.sched.sleep(rng.randrange(1, 4000))
            await s.machine.migrate_page(s.mm, at(rng.randrange(8)))
            await s.machine.reclaim(rng.randrange(1, 4))

    async def churn(s: Scene) -> None:
        """Frames that are given back are at once somebody else's."""
        mm = s.machine.new_mm("churn")
        while not over:
            await mm.mmap(BASE, 4 * PAGE, RW, fixed=True)
            for page in range(4):
                await mm.store(at(page), b"churn")
            await s.rig.sched.sleep(rng.randrange(1, 2000))
            for page in range(4):
                assert await mm.load(at(page), 5) == b"churn"
            await mm.munmap(BASE, 4 * PAGE)

    return stage(registrations, upset, churn, pages=10, seed=seed, mutant=mutant)


@pytest.mark.parametrize("seed", range(8))
def test_transfers_and_the_vm_at_once(seed: int) -> None:
    scene = play(seed)
    assert scene.adapter.stats.mr_reg == 12 and scene.adapter.stats.bytes_written == 12 * 3 * PAGE


def test_the_play_meets_operations_in_flight_and_catches_who_does_not_wait() -> None:
    assert sum(play(seed).adapter.stats.dereg_waits for seed in range(4)) > 8
    with pytest.raises(DeadTranslationError):
        for seed in range(4):
            play(seed, "unpin_early")
