"""A region is deregistered while madvise takes its pages.

The invalidation may ring for a key that is withdrawn or gone already. mlx5 sent such a command to a revoked key, got an error
completion, and lost the queue its commands went through (Linux abb604a1). Here the device takes it: whatever the order, the next
region works, the old key is refused, and the madvised pages read as zeros.
"""

from hwif.gen.hca import WcStatus
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, HcaNeeds, HcaStage, pattern

PAGES = 4
ROUNDS = 16
NEEDS = HcaNeeds()


async def play(stage: HcaStage) -> None:
    program, remote = await stage.process(0, PAGES), await stage.process(1, 1, tag=9)
    mine = await remote.region(access=ALL)
    port, far = await stage.connect(remote, program)
    for offset in stage.sweep(-5000, 5000, ROUNDS):
        for page in range(PAGES):
            await program.mm.store(BASE + page * PAGE, pattern(1 + page))
        old = await program.region(length=PAGES * PAGE)
        await program.prefetch(old, length=PAGES * PAGE)
        await stage.meet(offset, program.driver.dereg_mr(old), program.mm.madvise_dontneed(BASE, PAGES * PAGE))
        new = await program.region(length=PAGES * PAGE)
        for page in range(PAGES):
            status = await port.write(mine, BASE, 64, new, BASE + page * PAGE)
            stage.check(status is WcStatus.SUCCESS, "write through the next region", BASE + page * PAGE, status.name)
            await stage.holds(program.mm, BASE + page * PAGE, pattern(9, 64) + bytes(64))
        status = await port.write(mine, BASE, 64, old, BASE)
        stage.check(status is WcStatus.REM_ACCESS_ERR, "write through the old key", BASE, status.name)
        await stage.up(port, far)
        await program.driver.dereg_mr(new)
    stage.expect_orders()
    stage.expect("invalidate_range", at_least=ROUNDS // 2)
