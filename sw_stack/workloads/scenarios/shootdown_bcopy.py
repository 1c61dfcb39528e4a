"""A shootdown comes while copies stream through the range.

Sixty-four control blocks copy from one page to thirty-two others, so that accesses through any of the translations are in flight,
and lookups of them under way, most of the time. Meanwhile the source migrates, a target does, or the source loses and regains the
right to write; then the targets are shot down one after the other for no reason at all.

The acknowledgement waits for the accesses in flight, also for one that hits in the very cycle in which the shootdown is accepted
(SD-2): else the last lines are read from, or written to, a frame that has gone to somebody else. No lookup hits afterwards (SD-1),
and pages outside the range go on (SD-4). None of these events changes a byte, so every copy equals its source.
"""

from sw_stack.mm import PROT_READ
from sw_stack.workloads.stage import BASE, PAGE, RW, Needs, Stage, pattern

CBS = 64
PIECE = PAGE // 2  # bytes a control block copies
TARGETS = BASE + PAGE
TARGET_PAGES = CBS * PIECE // PAGE
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
        for page in range(0, 2 * TARGET_PAGES, 4):  # twice: by then the first ones stream again
            await user.forget(TARGETS + page % TARGET_PAGES * PAGE, 4 * PAGE)

    for number, offset in enumerate(stage.sweep(-20_000, 46_000, rounds=18)):
        for page in range(TARGET_PAGES):
            await mm.store(TARGETS + page * PAGE, bytes(PAGE))
        await stage.meet(offset, copy_all(), disturb(number))
        for page in range(TARGET_PAGES):
            await stage.holds(mm, TARGETS + page * PAGE, pattern(1), what="copy")

    stage.expect_orders()
    stage.expect("shootdowns_drained", at_least=4)
    stage.expect("migrated", at_least=4)
