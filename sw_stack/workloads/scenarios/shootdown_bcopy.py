"""A shootdown comes while copies stream through the range.

Sixteen control blocks copy from four pages to sixteen others, so that accesses through the covered translations are in flight at
any cycle. Meanwhile source and target pages migrate, lose and regain the right to write, and are shot down for no reason at all.

The acknowledgement waits for the accesses in flight (SD-2): else the last lines are read from, or written to, a frame that has
gone to somebody else. No lookup hits afterwards (SD-1), and pages outside the range go on (SD-4). None of these events changes a
byte, so every copy equals its source.
"""

from sw_stack.mm import PROT_READ
from sw_stack.workloads.stage import BASE, PAGE, RW, Needs, Stage, pattern

CBS = 16
SOURCES = 4
PIECE = 1024  # bytes a control block copies
TARGETS = BASE + SOURCES * PAGE
NEEDS = Needs(cbrs=CBS)


async def play(stage: Stage) -> None:
    mm = await stage.program(pages=SOURCES + CBS)
    user = await stage.user(mm)

    def piece(cb: int) -> tuple[int, int, bytes]:
        """Where a control block copies from and to, and the bytes."""
        page, offset = cb % SOURCES, cb // SOURCES * PIECE
        return BASE + page * PAGE + offset, TARGETS + cb * PAGE + offset, pattern(1 + page)[offset : offset + PIECE]

    async def copy_all() -> None:
        for cb in range(CBS):
            source, target, _ = piece(cb)
            await user.issue(cb, user.copying(cb, source, target, PIECE))
        for cb in range(CBS):
            stage.check(user.completed(await user.wait(cb), piece(cb)[0]), "copy", piece(cb)[0], "ended in an exception")

    async def disturb(number: int) -> None:
        page = number // 4 % SOURCES
        if number % 4 == 0:
            await stage.machine.migrate_page(mm, BASE + page * PAGE)
        elif number % 4 == 1:
            await stage.machine.migrate_page(mm, TARGETS + page * PAGE)
        elif number % 4 == 2:
            await mm.mprotect(BASE + page * PAGE, PAGE, PROT_READ)
            await mm.mprotect(BASE + page * PAGE, PAGE, RW)
        else:
            await user.forget(BASE, SOURCES * PAGE)

    for number, offset in enumerate(stage.sweep(-4000, 14_000, rounds=48)):
        for cb in range(CBS):
            await mm.store(piece(cb)[1], bytes(PIECE))
        await stage.meet(offset, copy_all(), disturb(number))
        for cb in range(CBS):
            _, target, data = piece(cb)
            await stage.holds(mm, target, data, what="copy")

    stage.expect_orders()
    stage.expect("shootdowns_drained", at_least=4)
    stage.expect("migrated", at_least=20)
