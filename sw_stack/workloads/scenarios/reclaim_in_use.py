"""Reclaim takes a page that the device keeps using.

The GRU has no accessed bit, so the driver says "not young" and reclaim goes on to unmap a page the device works on. Control blocks
add to counters in two pages without pause while reclaim sends the pages to swap, over and over. The pages are dirty when their
frames go (MN-6), no addition lands in a frame after invalidate_page has returned (SD-2, MN-3), and the fault brings back the bytes
that went out: no addition is lost.
"""

from sw_stack.workloads.stage import BASE, PAGE, Needs, Stage

CBS = 4
ADDS = 6  # by each control block in a round
NEEDS = Needs(cbrs=CBS, frames=64)


async def play(stage: Stage) -> None:
    mm = await stage.program(pages=2)
    user = await stage.user(mm)
    for page in range(2):
        await mm.store(BASE + page * PAGE, bytes(PAGE))

    async def count(cb: int, expected: int) -> None:
        for turn in range(ADDS):
            place = BASE + cb % 2 * PAGE + 8 * cb
            found = await user.add(cb, place, 1)
            stage.check(found == expected + turn, "counter", place, f"held {found}, {expected + turn} were added")

    async def count_all(expected: int) -> None:
        await stage.join(*(stage.spawn(1, count(cb, expected), f"adder {cb}") for cb in range(CBS)))

    async def reclaim() -> None:
        for _ in range(4):
            await stage.machine.reclaim(2)
            await stage.sched.sleep(stage.rng.randrange(4000))

    for number, offset in enumerate(stage.sweep(-60_000, 20_000, rounds=30)):
        await stage.meet(offset, count_all(ADDS * number), reclaim())
        for cb in range(CBS):
            total = ADDS * (number + 1)
            await stage.holds(mm, BASE + cb % 2 * PAGE + 8 * cb, total.to_bytes(8, "little"), what="counter")

    stage.expect_orders()
    stage.expect("swapped_out", at_least=30)
    stage.expect("swapped_in", at_least=30)
