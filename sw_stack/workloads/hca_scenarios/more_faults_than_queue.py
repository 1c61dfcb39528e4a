"""More queue pairs fault at once than there are work items, and than the fault queue has entries.

With no work item left the interrupt is masked and the records stay; with no entry left the device keeps them. Somebody must look
again when one is given back, also when the queue ran empty just then (a lost wake-up; Linux, iommu/intel/svm: an overflow cleared
only when the queue was empty). Every fault is answered, and every operation ends well.
"""

from hwif.gen.hca import WcStatus, WrOpcode
from sw_stack.drivers.hca import DriverPolicy
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, HcaNeeds, HcaStage, pattern

PORTS = 10
ROUNDS = 10
NEEDS = HcaNeeds(policies=(DriverPolicy(work_items=2, faults=4), DriverPolicy()))


async def play(stage: HcaStage) -> None:
    program, remote = await stage.process(0, PORTS), await stage.process(1, PORTS, tag=50)
    theirs, mine = await program.region(length=PORTS * PAGE), await remote.region(length=PORTS * PAGE, access=ALL)
    ports = [(await stage.connect(remote, program))[0] for _ in range(PORTS)]

    async def use() -> None:
        for n, port in enumerate(ports):
            await port.post(WrOpcode.RDMA_WRITE, mine, BASE + n * PAGE, 64, theirs, BASE + n * PAGE)
        for n, port in enumerate(ports):
            done = await port.completion()
            stage.check(done.status is WcStatus.SUCCESS, "write", BASE + n * PAGE, done.status.name)

    for offset in stage.sweep(-4000, 20_000, ROUNDS):
        for n in range(PORTS):
            await program.mm.store(BASE + n * PAGE, pattern(1 + n))
        # The second time while the faults of the first are being answered, or before, or after.
        await program.mm.madvise_dontneed(BASE, PORTS * PAGE)
        await stage.meet(offset, use(), program.mm.madvise_dontneed(BASE, PORTS * PAGE), device_cpu=remote.cpu)
        for n in range(PORTS):
            await stage.holds(program.mm, BASE + n * PAGE, pattern(50 + n, 64) + bytes(64), bytes(128))
    stage.expect("during", at_least=2)
    stage.expect("fault_pool_empty", at_least=ROUNDS)
    stage.expect("fault_records", at_least=ROUNDS * PORTS)
