"""Pages migrate under DMA.

Control blocks add to counters in a page, and copy the page to others, while compaction moves source and targets to other frames
and back. Migration announces no range: invalidate_page, under the pte lock, is all the device hears. It returns after the last
access through the old translation (SD-2, MN-3), so the bytes that are copied to the new frame are the page's last: no addition is
lost, no copy is torn.
"""

from sw_stack.workloads.stage import BASE, PAGE, Needs, Stage, pattern

ADDERS = 3
CBS = 5
ADDS = 8
NEEDS = Needs(cbrs=CBS)


async def play(stage: Stage) -> None:
    mm = await stage.program(pages=3)
    user = await stage.user(mm)
    await mm.store(BASE, bytes(64) + pattern(1)[64:])  # counters in the first line, then bytes to copy

    async def count(cb: int, expected: int) -> None:
        for turn in range(ADDS):
            found = await user.add(cb, BASE + 8 * cb, 1)
            stage.check(found == expected + turn, "counter", BASE + 8 * cb, f"held {found}, {expected + turn} were added")

    async def copy(cb: int) -> None:
        target = BASE + (cb - ADDERS + 1) * PAGE
        stage.check(await user.copy(cb, BASE + 64, target + 64, PAGE - 64), "copy", target, "ended in an exception")

    async def use(expected: int) -> None:
        tasks = [stage.spawn(1, count(cb, expected), f"adder {cb}") for cb in range(ADDERS)]
        tasks += [stage.spawn(1, copy(cb), f"copier {cb}") for cb in range(ADDERS, CBS)]
        await stage.join(*tasks)

    async def migrate(number: int) -> None:
        for page in (0, 1 + number % 2, 0):
            stage.saw("moved", int(await stage.machine.migrate_page(mm, BASE + page * PAGE)))

    for number, offset in enumerate(stage.sweep(-14_000, 30_000, rounds=36)):
        for page in (1, 2):
            await mm.store(BASE + page * PAGE, bytes(PAGE))
        await stage.meet(offset, use(ADDS * number), migrate(number))
        total = ADDS * (number + 1)
        await stage.holds(mm, BASE, total.to_bytes(8, "little") * ADDERS + bytes(64 - 8 * ADDERS), what="counters")
        for page in (1, 2):
            await stage.holds(mm, BASE + page * PAGE, bytes(64) + pattern(1)[64:], what="copy")

    stage.expect_orders()
    stage.expect("moved", at_least=90)
