"""A process exits while faults of its memory are in flight.

Operations from afar wait for its pages; workers look them up; then it exits. release takes everything from the device first (MN-4),
the workers find the address space gone and say so, and the frames go to an heir at once: no access of the dead process reaches them
(SD-1, SD-2). A worker must not wait for the end of the address space it holds up (Linux "Fix a nested dead lock in ODP flow").
"""

from hwif.gen.hca import WcStatus, WrOpcode
from sw_stack.drivers.hca import Mr
from sw_stack.mm import Mm
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, RW, HcaNeeds, HcaStage, Port, Process, pattern

PAGES = 4
ROUNDS = 16
ENDS = {WcStatus.SUCCESS, WcStatus.REM_OP_ERR, WcStatus.WR_FLUSH_ERR}
NEEDS = HcaNeeds()


async def play(stage: HcaStage) -> None:
    remote, bystander = await stage.process(1, 1, tag=9), await stage.process(0, 1, tag=90)
    mine, theirs = await remote.region(access=ALL), await bystander.region()
    witness, _ = await stage.connect(remote, bystander)

    async def use(port: Port, region: Mr) -> None:
        for page in range(PAGES):
            await port.post(WrOpcode.RDMA_WRITE, mine, BASE, PAGE, region, BASE + page * PAGE)
        for done in await port.completions(PAGES):
            stage.check(done.status in ENDS, "end of a write", BASE, done.status.name)
            stage.saw("written" if done.status is WcStatus.SUCCESS else "refused")

    async def leave(process: Process, heir: Mm) -> None:
        await process.mm.exit()
        for page in range(PAGES):
            await heir.store(BASE + page * PAGE, pattern(50 + page))

    for offset in stage.sweep(-3000, 160_000, ROUNDS):
        process, heir = await stage.process(0, PAGES), await stage.program(name="heir")
        await heir.mmap(BASE, PAGES * PAGE, RW, fixed=True)
        region = await process.region(length=PAGES * PAGE)
        port, _ = await stage.connect(remote, process)
        await stage.machines[0].reclaim(2)

        await stage.meet(offset, use(port, region), leave(process, heir), device_cpu=remote.cpu)
        for page in range(PAGES):
            await stage.holds(heir, BASE + page * PAGE, pattern(50 + page), what="page of the heir")
        stage.check(await witness.write(mine, BASE, 64, theirs, BASE) is WcStatus.SUCCESS, "write to the bystander", BASE)
        await stage.close(process)
        await remote.driver.destroy_qp(port.qp)
        await heir.exit()
    stage.expect("during", at_least=3)
    stage.expect("written", at_least=PAGES)
    stage.expect("refused", at_least=PAGES)
    stage.saw("found_it_gone", stage.drivers[0].stats.fault_error)
    stage.expect("found_it_gone", at_least=2)
    stage.expect("released", at_least=ROUNDS)
