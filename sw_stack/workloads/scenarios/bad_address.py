"""A bad address.

One control block after another is given an address where nothing is mapped, where the program may only read, or nowhere at all, for
loads, stores, copies that run into a hole half way, and atomics. Each ends in the architected exception, OS_FATAL_TLB_FAULT and no
other bit, having changed only what lies before the hole (FQ-5). Its neighbours copy on (FQ-3), and the control block works again
with the next instruction.
"""

from sw_stack.mm import PROT_READ
from sw_stack.mm.types import ADDRESS_END
from sw_stack.workloads.stage import BASE, PAGE, Needs, Stage, pattern

HOLE = BASE + PAGE
READ_ONLY = BASE + 2 * PAGE
TARGET = BASE + 3 * PAGE
WILD = (0, HOLE, HOLE + PAGE - 8, 1 << 47, 0xDEAD << 48, ADDRESS_END - 8)
NEEDS = Needs(cbrs=6)


async def play(stage: Stage) -> None:
    mm = await stage.program(pages=6)
    await mm.munmap(HOLE, PAGE)
    await mm.mprotect(READ_ONLY, PAGE, PROT_READ)
    user = await stage.user(mm)
    stop = False

    async def neighbour(cb: int) -> None:
        page = BASE + cb * PAGE  # 4 and 5
        while not stop:
            stage.check(await user.copy(cb, BASE, page, 512), "copy of a neighbour", page, "ended in an exception")
            await stage.holds(mm, page, pattern(1, 512), what="copy of a neighbour")

    def refused(answer: bytes | int | bool | None, address: int) -> None:
        """None from what returns data, False from what does not."""
        stage.check(answer is None or answer is False, "bad address", address, "the operation completed")
        stage.saw("exceptions")

    tasks = [stage.spawn(1, neighbour(cb), f"neighbour {cb}") for cb in (4, 5)]
    for number, delay in enumerate(stage.sweep(0, 3000, rounds=24)):
        await stage.sched.sleep(delay)
        cb, wild = number % 4, WILD[number % len(WILD)]
        refused(await user.load(cb, wild), wild)
        refused(await user.store(cb, wild, pattern(1, 8)), wild)
        refused(await user.add(cb, wild, 1), wild)
        refused(await user.fill(cb, READ_ONLY, 1), READ_ONLY)
        await mm.store(TARGET, bytes(512))
        refused(await user.copy(cb, HOLE - 256, TARGET, 512), HOLE)
        await stage.holds(mm, TARGET, pattern(1)[-256:] + bytes(256), what="copy up to the hole")
        await stage.holds(mm, READ_ONLY, pattern(3), what="read-only page")
        stage.same("load afterwards", BASE, await user.load(cb, BASE, 64), pattern(1, 64))
    stop = True
    await stage.join(*tasks)

    stage.expect("exceptions", at_least=5 * 24)
    stage.expect("tlb_dropin_fail_invalid", at_least=5 * 24)
