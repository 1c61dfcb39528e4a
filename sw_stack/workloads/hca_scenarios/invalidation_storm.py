"""A page's neighbour is invalidated without pause while faults of the region are answered.

Each invalidation of the region spoils the lookups under way. Retries are bounded (Linux retried without bound): then the device is
sent to fault again, so that no worker is held for ever. The writes end with the storm at the latest; a bystander's, through another
region, is not held up.
"""

from hwif.gen.hca import WcStatus
from sw_stack.drivers.hca import DriverPolicy
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, HcaNeeds, HcaStage, pattern

ROUNDS = 8
CALLS = 30
FREE = 60_000  # cycles in which a write of the bystander must end
NEEDS = HcaNeeds(policies=(DriverPolicy(fault_retries=2), DriverPolicy()))


async def play(stage: HcaStage) -> None:
    program, idle, remote = await stage.process(0, 4), await stage.process(0, 1, tag=70), await stage.process(1, 1, tag=9)
    theirs, quiet, mine = await program.region(length=4 * PAGE), await idle.region(), await remote.region(access=ALL)
    port, _ = await stage.connect(remote, program)
    witness, _ = await stage.connect(remote, idle)

    async def use() -> None:
        other = stage.spawn(remote.cpu + 1, stand_by(), "bystander")
        for page in range(3):
            status = await port.write(mine, BASE, 64, theirs, BASE + page * PAGE)
            stage.check(status is WcStatus.SUCCESS, "write in a storm", BASE + page * PAGE, status.name)
        await stage.join(other)

    async def stand_by() -> None:
        begin = stage.sched.now
        status = await witness.write(mine, BASE, 64, quiet, BASE)
        stage.check(status is WcStatus.SUCCESS, "write of the bystander", BASE, status.name)
        stage.check(stage.sched.now - begin < FREE, "time of the bystander", BASE, f"{stage.sched.now - begin} cycles")

    async def storm() -> None:
        for _ in range(CALLS):
            await program.mm.madvise_dontneed(BASE + 3 * PAGE, PAGE)

    for offset in stage.sweep(-8000, 6000, ROUNDS):
        await program.mm.madvise_dontneed(BASE, 3 * PAGE)
        await stage.meet(offset, use(), storm(), device_cpu=remote.cpu)
        for page in range(3):
            await stage.holds(program.mm, BASE + page * PAGE, pattern(9, 64) + bytes(64))
        await stage.holds(idle.mm, BASE, pattern(9, 64), what="page of the bystander")
    stage.expect("during", at_least=3)
    stage.expect("fault_retry", at_least=3)
