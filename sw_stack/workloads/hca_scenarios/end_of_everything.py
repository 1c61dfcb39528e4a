"""An invalidation of the range up to the end of everything.

[0, 2**64), as a length, overflows whoever rounds it up to pages, and nothing is flushed (Linux, Lu Baolu, November 2023). It meets
writes from afar, through a region of the whole address space and through one of a part; when it has begun neither has a page, and
none comes back before it ends (MN-1).
"""

from hwif.gen.hca import WcStatus
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, HcaNeeds, HcaStage, pattern

PAGES = 4
ROUNDS = 12
ENDS = ((1 << 64) - 1, 1 << 64)
NEEDS = HcaNeeds()


async def play(stage: HcaStage) -> None:
    program, remote = await stage.process(0, PAGES), await stage.process(1, 1, tag=9)
    mine, regions = await remote.region(access=ALL), [await program.whole(), await program.region(length=PAGES * PAGE)]
    port, _ = await stage.connect(remote, program)

    async def use() -> None:
        for page in range(PAGES):
            for mr in regions:
                status = await port.write(mine, BASE, 64, mr, BASE + page * PAGE)
                stage.check(status is WcStatus.SUCCESS, "write", BASE + page * PAGE, status.name)

    async def everything(end: int) -> None:
        async with program.mm.mmap_lock.reading(), program.mm.notifiers.range(0, end):
            stage.saw("pages_taken", stage.drivers[0].stats.invalidated_pages)
            for turn in range(2):
                for mr in regions:
                    stage.check(mr.table.pages == 0, f"pages of {mr}", 0, f"{mr.table.pages}, everything is invalid")
                await stage.sched.sleep(3000 * (1 - turn))

    for number, offset in enumerate(stage.sweep(-20_000, 60_000, ROUNDS)):
        for mr in regions:
            await program.prefetch(mr, length=PAGES * PAGE)
        faults = stage.drivers[0].stats.fault_records
        await stage.meet(offset, use(), everything(ENDS[number % 2]), device_cpu=remote.cpu)
        await use()
        stage.saw("faults_after", stage.drivers[0].stats.fault_records - faults)
        for page in range(PAGES):
            await stage.holds(program.mm, BASE + page * PAGE, pattern(9, 64) + pattern(1 + page)[64:])
    stage.expect_orders()
    stage.expect("faults_after", at_least=ROUNDS)
    stage.expect("pages_taken", at_least=ROUNDS)
