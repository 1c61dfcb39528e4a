"""A shootdown comes while copies stream through the range.

Sixty-four control blocks copy from one page to thirty-two others, so that accesses through any of the translations are in flight
most of the time. Meanwhile the source migrates, a target does, or the source loses and regains the right to write. Afterwards
sixteen of them fill a page each without pause, and all the pages are shot down for no reason at all, again and again.

The acknowledgement waits for the accesses in flight, also for one that hits in the very cycle in which the shootdown is accepted
(SD-2): else the last lines are read from, or written to, a frame that has gone to somebody else. No lookup hits afterwards (SD-1),
and pages outside the range go on (SD-4). None of these events changes a byte, so every copy equals its source.
"""

from sw_stack.mm import PROT_READ
from sw_stack.workloads.stage import BASE, DEVICE_CPU, PAGE, RW, Needs, Stage, pattern

CBS = 64
PIECE = PAGE // 2  # bytes a control block copies
TARGETS = BASE + PAGE
TARGET_PAGES = CBS * PIECE // PAGE
FILLERS = 16
SHOOTDOWNS = 20
NEEDS = Needs(cbrs=CBS)


async def play(stage: Stage) -> None:
    mm = await stage.program(pages=1 + TARGET_PAGES)
    user = await stage.user(mm)

    async def copy_all() -> None:
        for cb in range(CBS):
            await user.issue(cb, user.copying(cb, BASE + cb * PIECE % PAGE, TARGETS + cb * PIECE, PIECE))
        for cb in range(CBS):
            stage.check(user.completed(await user.wait(cb), BASE), "copy", TARGETS + cb * PIECE, "ended in an exception")

    async def disturb(number: int) -> None:
        if number % 3 == 0:
            await stage.machine.migrate_page(mm, BASE)
        elif number % 3 == 1:
            await stage.machine.migrate_page(mm, TARGETS + number * PAGE)
        else:
            await mm.mprotect(BASE, PAGE, PROT_READ)
            await mm.mprotect(BASE, PAGE, RW)

    for number, offset in enumerate(stage.sweep(-9000, 36_000, rounds=12)):
        for page in range(TARGET_PAGES):
            await mm.store(TARGETS + page * PAGE, bytes(PAGE))
        await stage.meet(offset, copy_all(), disturb(number))
        for page in range(TARGET_PAGES):
            await stage.holds(mm, TARGETS + page * PAGE, pattern(1), what="copy")

    stop = False

    async def fill(cb: int) -> None:
        while not stop:
            stage.check(
                await user.fill(cb, TARGETS + cb * PAGE, cb, PAGE // 8), "fill", TARGETS + cb * PAGE, "ended in an exception"
            )

    fillers = [stage.spawn(DEVICE_CPU, fill(cb), f"filler {cb}") for cb in range(FILLERS)]
    for delay in stage.sweep(14_000, 18_000, SHOOTDOWNS):  # time enough for all to stream again
        await stage.sched.sleep(delay)
        await user.forget(TARGETS, FILLERS * PAGE)
    stop = True
    await stage.join(*fillers)
    for cb in range(FILLERS):
        await stage.holds(mm, TARGETS + cb * PAGE, cb.to_bytes(8, "little") * (PAGE // 8), what="fill")

    stage.expect_orders()
    stage.expect("shootdowns_drained", at_least=6)
    stage.expect("migrated", at_least=6)
