"""Ranges that end at the top of the address space.

The last four pages below 2^64 are ordinary pages: mapped, copied from and to, made read-only, unmapped. The range of each of these
calls ends at 2^64, which does not fit in a register, and lies in region 7 with an ASID of its own. Nothing of it may be missed, and
its last page least of all (SD-1, SD-6). A longer range, of which most is not mapped, counts more pages than a shootdown can and
purges the address space; page 0 of the same address space is mapped too and is not confused with the page after the last.
"""

from sw_stack.mm import PROT_READ
from sw_stack.mm.types import ADDRESS_END
from sw_stack.workloads.stage import PAGE, RW, Needs, Stage, pattern

PAGES = 4
TOP = ADDRESS_END - PAGES * PAGE
LAST = ADDRESS_END - PAGE
LONG = ADDRESS_END - 1500 * PAGE  # further from the end than a shootdown counts
NEEDS = Needs(cbrs=4)


async def play(stage: Stage) -> None:
    mm = await stage.program()
    other = await stage.program(name="other")
    user = await stage.user(mm)

    async def use() -> None:
        """A copy up to the last byte, and loads of the last line and of the first."""
        await user.issue(0, user.copying(0, 0, ADDRESS_END - 512, 512))
        for turn in range(6):
            last = await user.load(1, ADDRESS_END - 1024, 64)
            stage.saw("refused" if last is None else "completed")
            if last is not None:
                stage.same("load near the top", ADDRESS_END - 1024, last, pattern(9 + PAGES)[-1024:-960], bytes(64))
            stage.same("load of page 0", 0, await user.load(2, 64 * turn, 64), pattern(8)[64 * turn : 64 * turn + 64])
        stage.saw("completed" if user.completed(await user.wait(0), ADDRESS_END - 512) else "refused")

    async def take_away(number: int) -> None:
        if number % 4 == 0:
            await mm.munmap(TOP, PAGES * PAGE)
        elif number % 4 == 1:
            await mm.munmap(LAST, PAGE)
        elif number % 4 == 2:
            await mm.munmap(LONG, ADDRESS_END - LONG)
        else:
            await mm.mprotect(TOP, PAGES * PAGE, PROT_READ)
            return
        await other.mmap(LAST, PAGE, RW, fixed=True)
        await other.store(LAST, pattern(100 + number))

    for number, offset in enumerate(stage.sweep(-5000, 12_000, rounds=40)):
        await mm.mmap(0, PAGE, RW, fixed=True)
        await mm.store(0, pattern(8))
        await mm.mmap(TOP, PAGES * PAGE, RW, fixed=True)
        for page in range(PAGES):
            await mm.store(TOP + page * PAGE, pattern(10 + page))
        await stage.meet(offset, use(), take_away(number))
        stage.check(not await user.fill(3, ADDRESS_END - 8, 1), "write to the last double-word", ADDRESS_END - 8, "completed")
        if number % 4 != 3:
            await stage.holds(other, LAST, pattern(100 + number), what="page of another process")
            await other.munmap(LAST, PAGE)
            stage.check(await user.load(3, LAST) is None, "load of the last page", LAST, "completed")
        await mm.munmap(0, PAGE)

    stage.expect_orders()
    stage.expect("completed", at_least=10)
    stage.expect("refused", at_least=6)
