"""munmap, and the same address is mapped again to another frame.

The frame that munmap frees is taken at once by another process, which fills it and keeps it. The device copies from the address,
fills it and loads from it all the while. An access ends in the architected exception while nothing is mapped, and otherwise finds
the old page, the new one, or the zeros in between. It never finds, and never changes, a byte of the process that has the old frame
now (SD-1, SD-2, MN-1).
"""

from sw_stack.workloads.stage import BASE, PAGE, RW, Needs, Stage, pattern

SIZE = 128  # bytes of each of the device's operations
COPY, FILL = BASE + PAGE, BASE + 2048  # where the copies go, and where the fills do
NEEDS = Needs(cbrs=4)


async def play(stage: Stage) -> None:
    mm = await stage.program(pages=2)
    other = await stage.program(name="other")
    user = await stage.user(mm)

    async def use(value: int) -> list[bytes | None]:
        found = []
        for _ in range(4):
            await user.issue(0, user.copying(0, BASE, COPY, SIZE))
            await user.issue(1, user.filling(FILL, value, SIZE // 8))
            found += [await user.load(2, BASE, SIZE), await user.load(3, BASE + 1024, SIZE)]
            for cb in (0, 1):
                stage.saw("completed" if user.completed(await user.wait(cb), BASE) else "refused")
        return found

    async def remap(new: bytes, foreign: bytes) -> None:
        frame = stage.frame(mm, BASE)
        await mm.munmap(BASE, PAGE)
        await other.mmap(BASE, PAGE, RW, fixed=True)
        await other.store(BASE, foreign)
        stage.saw("frame_taken", int(stage.frame(other, BASE) == frame))
        await stage.sched.sleep(stage.rng.randrange(2500))
        await mm.mmap(BASE, PAGE, RW, fixed=True)
        await mm.store(BASE, new)
        stage.saw("other_frame", int(stage.frame(mm, BASE) != frame))

    for number, offset in enumerate(stage.sweep(-10_000, 18_000, rounds=40)):
        old, new, foreign, value = (pattern(4 * number + n) for n in range(3, 7))
        word = int.from_bytes(value[:8], "little")
        await mm.mmap(BASE, PAGE, RW, fixed=True)
        await mm.store(BASE, old)
        await mm.store(COPY, old)
        loads, _ = await stage.meet(offset, use(word), remap(new, foreign))
        for index, found in enumerate(loads):
            if found is None:
                stage.saw("refused")
            else:
                start = index % 2 * 1024
                stage.same("load", BASE + start, found, *(page[start : start + SIZE] for page in (old, new, bytes(PAGE))))
        await stage.holds(mm, COPY, old[:SIZE], new[:SIZE], bytes(SIZE), what="copy")
        await stage.holds(mm, BASE, new[:2048], what="new page")
        await stage.holds(mm, FILL, new[2048 : 2048 + SIZE], value[:8] * (SIZE // 8), what="new page under the fill")
        await stage.holds(other, BASE, foreign, what="page of the process that has the old frame")
        await other.munmap(BASE, PAGE)

    stage.expect_orders()
    stage.expect("frame_taken", at_least=36)
    stage.expect("other_frame", at_least=36)
    stage.expect("completed", at_least=10)
    stage.expect("refused", at_least=6)
