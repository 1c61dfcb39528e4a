"""A drop-in races a shootdown.

Eight control blocks miss on eight pages. While the driver answers them one by one, the program drops all the pages (madvise),
which needs the mmap lock only for reading, as the driver does. Two windows:

  The driver has looked at ms_range_active, the range begins, its shootdown is accepted, and then the drop-in lands with a
  translation that was true when it was read. The device must ignore it and let the control block miss again, and ignore no
  drop-in that no shootdown covers (SD-3).
  The range has begun and the old entries still stand, because the pte lock is held by a migration. The driver must not answer a
  miss from them (MN-1).

In even rounds the interrupt handler answers, in odd ones the user. A load sees the page as it was or zeros, double-word by
double-word; once both are over it sees zeros (SD-1).
"""

from hwif.gen.events import TraceEvent
from sw_stack.workloads.stage import BASE, DEVICE_CPU, PAGE, Needs, Stage, pattern

CBS = 8
ROUNDS = 60
NEEDS = Needs(cbrs=CBS)


async def play(stage: Stage) -> None:
    mm = await stage.program(pages=CBS + 1)
    users = [await stage.user(mm, option="FMM_INTR"), await stage.user(mm, option="USER_POLL")]
    user = users[0]

    async def load_all() -> list[bytes | None]:
        for cb in range(CBS):
            await user.issue(cb, user.loading(cb, BASE + cb * PAGE, 64))
        return [await user.collect(cb, 64) for cb in range(CBS)]

    async def drop_all() -> None:
        migration = stage.spawn(DEVICE_CPU, stage.machine.migrate_page(mm, BASE + CBS * PAGE), "migration")
        await stage.sched.sleep(stage.rng.randrange(800))
        await mm.madvise_dontneed(BASE, CBS * PAGE)
        await stage.join(migration)

    for number, offset in enumerate(stage.sweep(-4000, 9000, ROUNDS)):
        user = users[number % 2]
        for page in range(CBS):
            await mm.store(BASE + page * PAGE, pattern(1 + page))
        await user.forget(BASE, CBS * PAGE)
        loaded, _ = await stage.meet(offset, load_all(), drop_all())
        for page, found in enumerate(loaded):
            stage.same("load", BASE + page * PAGE, found, pattern(1 + page, 64), bytes(64))
            stage.same("load afterwards", BASE + page * PAGE, await user.load(page, BASE + page * PAGE, 64), bytes(64))

    stage.expect_orders()
    stage.expect("dropins_ignored", TraceEvent.DEV_FILL_DROPPED)
    stage.expect("dropins_accepted", TraceEvent.DEV_FILL, at_least=ROUNDS * CBS)
    stage.expect("tlb_dropin_fail_range_active")
