"""A drop-in races a shootdown.

Eight users miss on eight pages, and both interrupt handlers and four of the users answer side by side. Meanwhile the program drops
all the pages (madvise), which needs the mmap lock only for reading, as the driver does. Two windows:

  The driver has looked at ms_range_active, the range begins, its shootdown is accepted, and then the drop-in lands with a
  translation that was true when it was read. The device must ignore it and let the control block miss again, and ignore no
  drop-in that no shootdown covers (SD-3).
  The range has begun and the old entries still stand, because the pte lock is held by a migration. The driver must not answer a
  miss from them (MN-1).

The pages lie on both sides of a region's end, so each range takes two shootdowns, and the driver must count it before the first.

A load sees the page as it was or zeros, double-word by double-word; once both are over it sees zeros (SD-1).
"""

from hwif.gen.events import TraceEvent
from hwif.gen.gru import REGION_LSB
from sw_stack.workloads.stage import DEVICE_CPU, PAGE, Needs, Stage, pattern

USERS = 8
TURNS = 4  # loads of a user in a round, two at a time
DROPS = 7
ROUNDS = 36
FIRST = (1 << REGION_LSB) - USERS // 2 * PAGE
NEEDS = Needs()


async def play(stage: Stage) -> None:
    mm = await stage.program(pages=USERS + 1, base=FIRST)
    users = [await stage.user(mm, option="USER_POLL" if index % 2 else "FMM_INTR", cpu=index // 2 % 2) for index in range(USERS)]

    async def load(index: int) -> None:
        for turn in range(TURNS):
            for cb in (0, 1):
                page = FIRST + (index + 3 * cb + turn) % USERS * PAGE
                await users[index].issue(cb, users[index].loading(cb, page, 64))
            for cb in (0, 1):
                page = (index + 3 * cb + turn) % USERS
                stage.same("load", FIRST + page * PAGE, await users[index].collect(cb, 64), pattern(1 + page, 64), bytes(64))

    async def load_all() -> None:
        await stage.join(*(stage.spawn(index % 2, load(index), f"user {index}") for index in range(USERS)))

    async def drop_all() -> None:
        migration = stage.spawn(DEVICE_CPU, stage.machine.migrate_page(mm, FIRST + USERS * PAGE), "migration")
        for _ in range(DROPS):
            await stage.sched.sleep(stage.rng.randrange(400))
            await mm.madvise_dontneed(FIRST, USERS * PAGE)
        await stage.join(migration)

    for offset in stage.sweep(-12_000, 12_000, ROUNDS):
        for page in range(USERS):
            await mm.store(FIRST + page * PAGE, pattern(1 + page))
        await users[0].forget(FIRST, USERS * PAGE)
        await stage.meet(offset, load_all(), drop_all())
        for page in range(USERS):
            stage.same("load afterwards", FIRST + page * PAGE, await users[page].load(0, FIRST + page * PAGE, 64), bytes(64))

    stage.expect_orders()
    stage.expect("dropins_overtaken")
    stage.expect("dropins_accepted", TraceEvent.DEV_FILL, at_least=ROUNDS * USERS)
    stage.expect("tlb_dropin_fail_range_active")
