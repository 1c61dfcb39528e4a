"""mprotect takes the right to write from a device that writes, and gives it back.

Four control blocks fill a page without pause. When mprotect(PROT_READ) has returned, the bytes stand still: no write comes through
an entry that still says dirty (SD-1), none is in flight (SD-2). A write from then on ends in the architected exception, until
mprotect gives the right back; then it completes (SD-7: the read-only entry is replaced, not beside the new one).
"""

from sw_stack.mm import PROT_READ
from sw_stack.workloads.stage import BASE, PAGE, RW, Needs, Stage, pattern

CBS = 4
PART = PAGE // CBS
NEEDS = Needs(cbrs=CBS)


async def play(stage: Stage) -> None:
    mm = await stage.program(pages=1)
    user = await stage.user(mm)

    async def write_all(value: int) -> None:
        for cb in range(CBS):
            await user.issue(cb, user.filling(BASE + cb * PART, value + cb, PART // 8))
        for cb in range(CBS):
            stage.saw("written" if user.completed(await user.wait(cb), BASE + cb * PART) else "refused")

    async def protect() -> bytes:
        await mm.mprotect(BASE, PAGE, PROT_READ)
        before = await mm.load(BASE, PAGE)
        await stage.sched.sleep(3000)
        await stage.holds(mm, BASE, before, what="read-only page")
        return before

    for number, offset in enumerate(stage.sweep(-9000, 7000, rounds=40)):
        value = 1000 * (number + 1)
        old = await mm.load(BASE, PAGE)
        _, before = await stage.meet(offset, write_all(value), protect())
        new = b"".join((value + cb).to_bytes(8, "little") * (PART // 8) for cb in range(CBS))
        stage.same("page made read-only", BASE, before, old, new)
        stage.same("load from a read-only page", BASE, await user.load(0, BASE, 64), before[:64])
        stage.check(not await user.fill(1, BASE, 1), "write to a read-only page", BASE, "completed")
        await stage.holds(mm, BASE, before, what="read-only page")
        await mm.mprotect(BASE, PAGE, RW)
        stage.check(await user.store(2, BASE, pattern(number, 64)), "write to a page made writable", BASE, "refused")
        await stage.holds(mm, BASE, pattern(number, 64), what="page made writable")

    stage.expect_orders()
    stage.expect("written", at_least=CBS)
    stage.expect("refused", at_least=CBS)
