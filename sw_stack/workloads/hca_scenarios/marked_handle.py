"""An adapter that cannot fault and pins nothing: invalidations mark its handle, and the next operation establishes it again.

Writes go out from a marked registration while its pages migrate and are reclaimed. The invalidation waits for the operation under
way, takes the whole region down and marks the handle; its owner looks before each operation, at the cost of one test while nothing
happened. No operation faults, nothing is pinned, and what arrives is what the program has written.
"""

from hwif.gen.hca import Access, WcStatus
from sw_stack.drivers.hca.handle import Handle
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, HcaNeeds, HcaStage, pattern

PAGES = 3
TURNS = 3
ROUNDS = 12
NEEDS = HcaNeeds()


async def play(stage: HcaStage) -> None:
    program, remote = await stage.process(0, PAGES), await stage.process(1, PAGES, tag=90)
    theirs = await remote.region(length=PAGES * PAGE, access=ALL)
    handle = await Handle.open(program.driver, program.pd, BASE, PAGES * PAGE, Access.LOCAL_WRITE)
    port, _ = await stage.connect(program, remote)

    async def use() -> None:
        for _ in range(TURNS):
            async with handle.use() as mine:
                status = await port.write(mine, BASE, PAGES * PAGE, theirs, BASE)
                stage.check(status is WcStatus.SUCCESS, "write from a handle", BASE, status.name)

    async def upset() -> None:
        for page in range(PAGES):
            stage.saw("moved", int(await stage.machines[0].migrate_page(program.mm, BASE + page * PAGE)))
        await stage.machines[0].reclaim(PAGES)

    for number, offset in enumerate(stage.sweep(-90_000, 30_000, ROUNDS)):
        for page in range(PAGES):
            await program.mm.store(BASE + page * PAGE, pattern(1 + number * PAGES + page))
        await stage.meet(offset, use(), upset())
        for page in range(PAGES):
            await stage.holds(remote.mm, BASE + page * PAGE, pattern(1 + number * PAGES + page), what="page that arrived")
    faults = sum(driver.stats.fault_records for driver in stage.drivers)
    stage.check(faults == 0, "faults of operations under a handle", BASE, f"{faults}")
    stage.saw("established", handle.established)
    await handle.close()
    stage.expect_orders()
    stage.expect("moved", at_least=ROUNDS)
    stage.expect("established", at_least=ROUNDS // 2)
