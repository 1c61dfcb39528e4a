"""A 4 KiB invalidation inside a 2 MiB page.

The region's table holds one large leaf, and the device has cached pieces of it. The VM splits the page, which tells nobody (every
translation stays true), and then unmaps, protects or migrates one small page of it: the notifier names 4 KiB. Whatever the device
cached of the large leaf for that page must die (SD-5), also when the page named is not its first. The frame of the page unmapped is
taken at once by another process; the rest of the large page reads as before.
"""

from hwif.gen.hca import WcStatus
from sw_stack.mm import PROT_READ
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, RW, HcaNeeds, HcaStage, pattern

HUGE = 1 << 21
PLACES = (0, 1, 255, 511)  # small pages of the large one that are taken away
KEPT = 100  # and one that stays
TURNS = 3
ROUNDS = 24
NEEDS = HcaNeeds(frames=(2048, 768))


async def play(stage: HcaStage) -> None:
    program, other = await stage.process(0), await stage.process(0, name="other")
    remote = await stage.process(1, 2, tag=9)
    mine = await remote.region(length=2 * PAGE, access=ALL)
    port, far = await stage.connect(remote, program)
    reader, _ = await stage.connect(remote, program)

    async def written(address: int) -> bool:
        """A write; if it is refused, its queue pair is brought up again."""
        status = await port.write(mine, BASE, 64, theirs, address)
        if status is WcStatus.SUCCESS:
            stage.saw("completed")
            return True
        stage.check(status in (WcStatus.REM_ACCESS_ERR, WcStatus.REM_OP_ERR), "write", address, status.name)
        stage.saw("refused")
        await stage.up(port, far)
        return False

    async def use(place: int) -> None:
        for turn in range(TURNS):
            kept = BASE + KEPT * PAGE + 64 * turn
            status = await reader.read(mine, BASE + PAGE, 64, theirs, kept)
            stage.check(status is WcStatus.SUCCESS, "read of the rest of the large page", kept, status.name)
            await stage.holds(remote.mm, BASE + PAGE, pattern(2)[64 * turn : 64 * turn + 64])
            await written(place + 1024)

    async def take_away(number: int, place: int) -> None:
        if number % 3 == 0:
            await program.mm.munmap(place, PAGE)
        elif number % 3 == 1:
            await program.mm.mprotect(place, PAGE, PROT_READ)
        else:
            await stage.machines[0].migrate_page(program.mm, place)
        await other.mm.mmap(BASE, PAGE, RW, fixed=True)
        await other.mm.store(BASE, pattern(3))

    for number, offset in enumerate(stage.sweep(-12_000, 12_000, ROUNDS)):
        place = BASE + PLACES[number // 3 % len(PLACES)] * PAGE
        await program.mm.mmap(BASE, HUGE, RW, fixed=True, huge=21)
        await program.mm.store(place, pattern(1))
        await program.mm.store(BASE + KEPT * PAGE, pattern(2))
        theirs = await program.region(length=HUGE)
        await written(place + 512)
        await program.mm.split_large_page(place)
        await stage.meet(offset, use(place), take_away(number, place), device_cpu=remote.cpu)
        await stage.holds(other.mm, BASE, pattern(3), what="page of another process")
        success = await written(place)
        stage.check(success == (number % 3 == 2), "write afterwards", place, "completed" if success else "refused")
        await program.driver.dereg_mr(theirs)
        await other.mm.munmap(BASE, PAGE)
        await program.mm.munmap(BASE, HUGE)

    stage.expect_orders()
    stage.expect("split", at_least=ROUNDS)
    stage.expect("fault_large_pages", at_least=ROUNDS)
    stage.expect("completed", at_least=ROUNDS)
    stage.expect("refused", at_least=ROUNDS // 2)
