"""A 4 KiB invalidation inside a 2 MiB page.

The device holds one entry for a large page. The VM splits the page, which tells nobody (every translation stays true), and then
unmaps, protects or migrates one small page of it: the notifier names 4 KiB, so does the shootdown, and the entry covers two
megabytes. It must die as a whole (SD-5), also when the page named is not its first, and while other control blocks use the rest of
it. The frame of the page unmapped is taken at once by another process; the rest of the large page reads as before.
"""

from sw_stack.mm import PROT_READ
from sw_stack.workloads.stage import BASE, PAGE, RW, Needs, Stage, pattern

HUGE = 1 << 21
PLACES = (0, 1, 255, 511)  # small pages of the large one that are taken away
KEPT = 100  # and one that stays
NEEDS = Needs(cbrs=4, frames=2048)


async def play(stage: Stage) -> None:
    mm = await stage.program()
    other = await stage.program(name="other")
    user = await stage.user(mm)

    async def use(place: int) -> list[bytes | None]:
        found = []
        for turn in range(4):
            await user.issue(0, user.filling(place + 1024, 7, 64))
            kept = BASE + KEPT * PAGE + 64 * turn
            stage.same(
                "load from the rest of the large page", kept, await user.load(1, kept, 64), pattern(2)[64 * turn : 64 * turn + 64]
            )
            found.append(await user.load(2, place, 64))
            stage.saw("completed" if user.completed(await user.wait(0), place) else "refused")
        return found

    async def take_away(number: int, place: int) -> None:
        if number % 3 == 0:
            await mm.munmap(place, PAGE)
        elif number % 3 == 1:
            await mm.mprotect(place, PAGE, PROT_READ)
        else:
            await stage.machine.migrate_page(mm, place)
        await other.mmap(BASE, PAGE, RW, fixed=True)
        await other.store(BASE, pattern(3))

    for number, offset in enumerate(stage.sweep(-5000, 14_000, rounds=36)):
        place = BASE + PLACES[number // 3 % len(PLACES)] * PAGE
        await mm.mmap(BASE, HUGE, RW, fixed=True, huge=21)
        await mm.store(place, pattern(1))
        await mm.store(BASE + KEPT * PAGE, pattern(2))
        stage.same("load before the split", place, await user.load(3, place, 64), pattern(1, 64))
        await mm.split_large_page(place)
        loads, _ = await stage.meet(offset, use(place), take_away(number, place))
        for found in loads:
            if found is None:
                stage.saw("refused")
            else:
                stage.same("load", place, found, pattern(1, 64))
        await stage.holds(other, BASE, pattern(3), what="page of another process")
        stage.check(
            await user.fill(3, place, 9) == (number % 3 == 2),
            "write afterwards",
            place,
            "completed" if number % 3 < 2 else "refused",
        )
        await other.munmap(BASE, PAGE)
        await mm.munmap(BASE, HUGE)

    stage.expect_orders()
    stage.expect("split", at_least=36)
    stage.expect("large_fills", at_least=30)
    stage.expect("completed", at_least=10)
    stage.expect("refused", at_least=6)
