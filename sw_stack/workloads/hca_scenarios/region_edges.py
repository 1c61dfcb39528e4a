"""Operations one byte outside a region, while invalidations keep it faulting.

The pages on both sides are mapped, and the process's own; the region is not. A byte before the first, one past the last, and
operations that cross the end are refused as REM_ACCESS_ERR, change nothing outside, and bring no page outside in (Linux "Enforce
umem boundaries"). The region's own first and last bytes are served.
"""

from hwif.gen.hca import WcStatus
from sw_stack.workloads.hca_stage import ALL, BASE, ODP, PAGE, HcaNeeds, HcaStage, pattern

PAGES = 4  # the region is the middle two, less a few bytes
FIRST, LAST = BASE + PAGE + 24, BASE + 3 * PAGE - 24  # last: exclusive
ROUNDS = 10
NEEDS = HcaNeeds()


async def play(stage: HcaStage) -> None:
    program, remote = await stage.process(0, PAGES), await stage.process(1, 2, tag=9)
    theirs, mine = await program.region(FIRST, LAST - FIRST, ODP), await remote.region(length=2 * PAGE, access=ALL)
    port, far = await stage.connect(remote, program)
    inside = [(FIRST, 8), (LAST - 8, 8), (FIRST, LAST - FIRST)]
    outside = [(FIRST - 1, 1), (LAST, 1), (FIRST - 1, 8), (LAST - 1, 2), (LAST - PAGE, PAGE + 1), (BASE + 3 * PAGE, 8)]

    async def use() -> None:
        for transfer in (port.write, port.read):
            for address, count in outside:
                status = await transfer(mine, BASE, count, theirs, address)
                stage.check(status is WcStatus.REM_ACCESS_ERR, f"{count} bytes outside", address, status.name)
                stage.saw("refused")
                await stage.up(port, far)
            for address, count in inside:
                status = await transfer(mine, BASE, count, theirs, address)
                stage.check(status is WcStatus.SUCCESS, f"{count} bytes inside", address, status.name)

    async def drop() -> None:
        for _ in range(6):
            await program.mm.madvise_dontneed(BASE + PAGE, 2 * PAGE)
            await stage.sched.sleep(stage.rng.randrange(8000))

    for offset in stage.sweep(-9000, 60_000, ROUNDS):
        await remote.mm.store(BASE, pattern(9) + pattern(10))
        await stage.meet(offset, use(), drop(), device_cpu=remote.cpu)
        for page in (0, 3):
            await stage.holds(program.mm, BASE + page * PAGE, pattern(1 + page), what="page beside the region")
        await stage.holds(program.mm, LAST, bytes(24), pattern(3)[-24:], what="bytes after the region")
        await stage.holds(program.mm, BASE + PAGE, bytes(24), pattern(2)[:24], what="bytes before the region")
        stage.check(theirs.table.pages <= 2, "pages of the region", FIRST, f"{theirs.table.pages}, it spans two")
    stage.expect("during", at_least=3)
    stage.expect("refused", at_least=12 * ROUNDS)
    stage.expect("fault_records", at_least=ROUNDS)
