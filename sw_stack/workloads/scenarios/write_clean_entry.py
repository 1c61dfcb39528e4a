"""Writes to an entry that was dropped in for reading.

The device reads a page, so its entry is clean. Then several control blocks write to it at once, and in half of the rounds the page
migrates meanwhile. Each write misses with cause TLB_MOD, whoever comes first upgrades, and the upgrade replaces the clean entry:
two entries never match one lookup (SD-7). The page is dirty before its frame goes (MN-6): it is sent to swap and comes back with
what the device wrote.
"""

from sw_stack.workloads.stage import BASE, PAGE, Needs, Stage, pattern

CBS = 6
LINE = 64
NEEDS = Needs(cbrs=CBS)


async def play(stage: Stage) -> None:
    mm = await stage.program(pages=1)
    user = await stage.user(mm)

    async def write_all(tag: int) -> None:
        for cb in range(1, CBS):
            await user.issue(cb, user.filling(BASE + cb * LINE, tag + cb, LINE // 8))
        stage.same("load beside the writes", BASE, await user.load(0, BASE, LINE), pattern(1, LINE))
        for cb in range(1, CBS):
            stage.check(user.completed(await user.wait(cb), BASE), "write", BASE, "ended in an exception")

    async def migrate() -> None:
        await stage.machine.migrate_page(mm, BASE)

    for number, offset in enumerate(stage.sweep(-3000, 9000, rounds=48)):
        await user.forget(BASE, PAGE)
        stage.same("load", BASE, await user.load(0, BASE, LINE), pattern(1, LINE))
        tag = 1000 * (number + 1)
        await stage.meet(offset, write_all(tag), migrate() if number % 2 else user.forget(BASE, PAGE))
        if number % 8 == 0:
            await stage.machine.reclaim(stage.machine.reclaimer.active + stage.machine.reclaimer.inactive)
        written = b"".join((tag + cb).to_bytes(8, "little") * (LINE // 8) for cb in range(1, CBS))
        await stage.holds(mm, BASE, pattern(1)[:LINE] + written + pattern(1)[CBS * LINE :])

    stage.expect_orders()
    stage.expect("migrated", at_least=12)
    stage.expect("swapped_in", at_least=4)
    stage.expect("upgrades", at_least=48)
