"""A run in which the device does nearly all of the work: every control block streams, software only now and then takes part.

128 control blocks, sixteen to a group, copy 32 pages line by line with BCOPY: a group's blocks all copy the same source window to
the group's own targets, so contents are certain whatever order they run in. The sources of the groups overlap. All 416 pages fit
the TLB's 512 entries. First one block of each group goes alone and every page misses; then all stream, and now and then a piece is
shot down under them (the driver's flush, a migration, a loss of the right to write and its return) and its pages miss again.
Everything goes through the real driver: faults by interrupt, fills by its threads, shootdowns by its notifier.

It measures devices, not software: `model_over_native` of bench/speed.py compares two backends that play exactly this.

Promises: the same requests, copies and checks on every backend; the run fails if a copy differs from its source.
Needs: the frames of `streaming_job`. Costs: half a million translations a round.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hwif.gen.gru import NUM_CBR
from shootdown.software import Job, Workload
from shootdown.software.gru import gru_job
from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.policy import DriverPolicy
from sw_stack.mm import PROT_READ
from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.sched import Scheduler
from sw_stack.workloads.device_user import DeviceUser
from sw_stack.workloads.stage import BASE, PAGE, PROGRAM_CPU, RW, Stage, pattern

__all__ = ["streaming_job"]

GROUPS = 8
GROUP = NUM_CBR // GROUPS
WINDOW = 32  # pages a copy covers
STEP = 16  # pages between the source windows of two groups, and of two rounds
SOURCES = WINDOW + STEP * GROUPS
TARGETS = BASE + SOURCES * PAGE
DISTURB_EVERY = 200_000  # cycles between two shootdowns
DISTURBANCES = 3  # in a round, while all copies are under way
FRAMES = 1024
SEED = 1


def streaming_job(rounds: int) -> Job:
    """`rounds` copies by every control block."""

    def build(sched: Scheduler, machine: Machine, driver: GruDriver) -> Workload:
        return Stage(partial(_play, rounds=rounds), sched, machine, driver, SEED, cbrs=NUM_CBR)

    return gru_job("streaming", FRAMES, DriverPolicy(), build)


def _source(group: int, number: int) -> int:
    """First page of what a group copies in a round."""
    return STEP * ((group + number) % GROUPS)


async def _play(stage: Stage, rounds: int) -> None:
    mm = await stage.program(pages=SOURCES + GROUPS * WINDOW)
    user = await stage.user(mm)
    stage.announce(rounds)
    await _copy(stage, user, 0, range(0, NUM_CBR, GROUP))  # so that 128 blocks do not all miss on the same pages at once
    for number in range(rounds):
        disturbing = stage.spawn(PROGRAM_CPU, _disturb(stage, mm, user, number), "program")
        await _copy(stage, user, number, range(NUM_CBR))
        await stage.join(disturbing)
        for group in range(GROUPS):
            for page in range(WINDOW):
                expected = pattern(1 + _source(group, number) + page)
                await stage.holds(mm, TARGETS + (group * WINDOW + page) * PAGE, expected, what="copied page")
        stage.round()


async def _copy(stage: Stage, user: DeviceUser, number: int, cbs: Sequence[int]) -> None:
    """One copy by each of some control blocks."""
    for cb in cbs:
        group = cb // GROUP
        source, target = BASE + _source(group, number) * PAGE, TARGETS + group * WINDOW * PAGE
        await user.issue(cb, user.copying(cb, source, target, WINDOW * PAGE))
    for cb in cbs:
        stage.check(user.completed(await user.wait(cb), 0), "copy", cb, "ended in an exception")


async def _disturb(stage: Stage, mm: Mm, user: DeviceUser, number: int) -> None:
    """Shootdowns while everything streams."""
    for index in range(DISTURBANCES):
        await stage.sched.sleep(DISTURB_EVERY)
        page = STEP * ((number + index) % GROUPS)
        if index == 0:
            await user.forget(BASE + page * PAGE, 2 * PAGE)
        elif index == 1:
            await stage.machine.migrate_page(mm, TARGETS + page * PAGE)
        else:
            await mm.mprotect(BASE + page * PAGE, PAGE, PROT_READ)
            await mm.mprotect(BASE + page * PAGE, PAGE, RW)
