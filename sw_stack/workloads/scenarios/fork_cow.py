"""fork, then parent and child write while the device writes.

Four control blocks of the parent fill one line each in two pages. fork takes the right to write from both processes' entries and
from the device's (SD-1): a write that slipped through afterwards would show in the child. Then parent and child store to lines of
their own: whoever writes first gets a copy, and the device must follow the parent to its frame (MN-1, MN-3). In odd rounds the
child opens the device too and writes the same addresses.

The child sees each of the device's double-words as before or after the write, and never sees it change; the parent sees all of
them. Neither sees the other's stores.
"""

from sw_stack.mm import Mm
from sw_stack.sched import Task
from sw_stack.workloads.stage import BASE, PAGE, Needs, Stage, pattern

CBS = 4
LINE = 64
HALF = CBS * LINE  # the device's lines are the first of a page; then one of the parent's and one of the child's
NEEDS = Needs(cbrs=CBS, frames=256)


async def play(stage: Stage) -> None:
    mm = await stage.program(pages=2)
    user = await stage.user(mm)

    async def write_all(value: int) -> None:
        for turn in range(2):
            for cb in range(CBS):
                await user.issue(cb, user.filling(BASE + turn * PAGE + cb * LINE, value + cb, LINE // 8))
            for cb in range(CBS):
                stage.check(user.completed(await user.wait(cb), BASE), "write", BASE, "ended in an exception")

    async def child_life(child: Mm, device: bool, old: bytes, new: bytes) -> None:
        for page in (BASE, BASE + PAGE):
            found = await child.load(page, HALF)
            stage.same("child's page", page, found, old, new)
            await child.store(page + HALF + LINE, b"children")
            if device:
                theirs = await stage.user(child)
                stage.check(await theirs.fill(0, page, 7, LINE // 8), "child's write", page, "ended in an exception")
                found = (7).to_bytes(8, "little") * (LINE // 8) + found[LINE:]
                await stage.driver.close(theirs.gts)
            await stage.sched.sleep(2000)
            await stage.holds(child, page, found, what="child's page, later")
            await stage.holds(child, page + HALF + LINE, b"children", what="child's store")
        await child.exit()

    async def fork(number: int, old: bytes, new: bytes) -> Task:
        child = stage.adopt(await mm.fork(f"child {number}"))
        task = stage.spawn(1, child_life(child, number % 2 == 1, old, new), f"child {number}")
        for page in (BASE, BASE + PAGE):
            await mm.store(page + HALF, number.to_bytes(8, "little"))
        return task

    old = pattern(1, HALF)
    for number, offset in enumerate(stage.sweep(-14_000, 14_000, rounds=40)):
        for page in (BASE, BASE + PAGE):
            await mm.store(page, old + bytes(2 * LINE))
        value = 1000 * (number + 1)
        new = b"".join((value + cb).to_bytes(8, "little") * (LINE // 8) for cb in range(CBS))
        _, child = await stage.meet(offset, write_all(value), fork(number, old, new))
        await stage.join(child)
        for page in (BASE, BASE + PAGE):
            await stage.holds(mm, page, new, what="parent's page")
            await stage.holds(mm, page + HALF, number.to_bytes(8, "little") + bytes(2 * LINE - 8), what="parent's store")
        old = new

    stage.expect_orders()
    stage.expect("fault_cow", at_least=40)
    stage.expect("fault_reuse", at_least=1)
