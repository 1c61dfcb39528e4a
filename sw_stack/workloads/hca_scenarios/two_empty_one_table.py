"""Two invalidations empty one table of a region of the whole address space.

Each takes half of the pages; whoever takes the last frees the table's frame. Freed by both, it is somebody else's the second time
(Linux d3d93041, CVE-2025-21714); by neither, it is lost. Afterwards the device finds nothing there, and faults anew.
"""

from hwif.gen.hca import WcStatus
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, HcaNeeds, HcaStage, pattern

HALF = 4
ROUNDS = 14
NEEDS = HcaNeeds()


async def play(stage: HcaStage) -> None:
    program, remote = await stage.process(0, 2 * HALF), await stage.process(1, 1, tag=9)
    mine, whole = await remote.region(access=ALL), await program.whole()
    port, _ = await stage.connect(remote, program)
    for offset in stage.sweep(-6000, 6000, ROUNDS):
        await program.prefetch(whole, BASE, 2 * HALF * PAGE)
        stage.check(whole.table.pages == 2 * HALF, "pages of the region", BASE, f"{whole.table.pages}")
        halves = [program.mm.madvise_dontneed(BASE + n * HALF * PAGE, HALF * PAGE) for n in range(2)]
        await stage.meet(offset, *halves)
        stage.check(whole.table.tables == 1, "tables of an empty region", BASE, f"{whole.table.tables}, its root is one")
        for page in (0, 2 * HALF - 1):
            status = await port.write(mine, BASE, 64, whole, BASE + page * PAGE)
            stage.check(status is WcStatus.SUCCESS, "write", BASE + page * PAGE, status.name)
            await stage.holds(program.mm, BASE + page * PAGE, pattern(9, 64) + bytes(64))
    stage.expect_orders()
    stage.expect("fault_records", at_least=ROUNDS)
