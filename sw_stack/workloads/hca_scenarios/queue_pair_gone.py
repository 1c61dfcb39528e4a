"""Queue pairs are destroyed with faults outstanding.

Their records are still in the fault queue, or with a worker. Destroying waits for the worker; a record that is read afterwards is
nobody's, and is dropped: nothing is resumed, and the device refuses nothing (FQ-4). Whoever comes next finds pages, queue pairs and
fault queue as if nothing had been.
"""

from hwif.gen.hca import WcStatus, WrOpcode
from sw_stack.drivers.hca import DriverPolicy
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, HcaNeeds, HcaStage, pattern

PAIRS = 6
ROUNDS = 16
REST = 20_000  # cycles in which everything that is to come of a fault has come
NEEDS = HcaNeeds(policies=(DriverPolicy(work_items=1), DriverPolicy()))  # the others' records stay in the queue


async def play(stage: HcaStage) -> None:
    program, remote = await stage.process(0, PAIRS), await stage.process(1, 1, tag=9)
    theirs, mine = await program.region(length=PAIRS * PAGE), await remote.region(access=ALL)
    witness, _ = await stage.connect(remote, program)
    driver = stage.drivers[0]

    async def use() -> None:
        for page, (near, _far) in enumerate(ports):
            await near.post(WrOpcode.RDMA_WRITE, mine, BASE, 64, theirs, BASE + page * PAGE)
        await stage.sched.sleep(REST)

    async def destroy() -> None:
        for _near, far in ports:
            await driver.destroy_qp(far.qp)

    for offset in stage.sweep(-2_000, REST, ROUNDS):
        ports = [await stage.connect(remote, program) for _ in range(PAIRS)]
        await program.mm.madvise_dontneed(BASE, PAIRS * PAGE)
        await stage.meet(offset, use(), destroy(), device_cpu=remote.cpu)
        for near, _far in ports:
            await remote.driver.destroy_qp(near.qp)
        await stage.sched.sleep(REST)
        for page in range(PAIRS):
            await stage.holds(program.mm, BASE + page * PAGE, bytes(64), pattern(9, 64))
            status = await witness.write(mine, BASE, 64, theirs, BASE + page * PAGE)
            stage.check(status is WcStatus.SUCCESS, "write of the next", BASE + page * PAGE, status.name)
            await stage.holds(program.mm, BASE + page * PAGE, pattern(9, 64) + bytes(64))
        refused = driver.stats.resume_refused
        stage.check(refused == 0, "resumes of faults that are gone", 0, f"{refused} refused")
    stage.expect("during", at_least=ROUNDS // 3)
    stage.expect("fault_no_qp", at_least=ROUNDS // 4)
    stage.expect("fault_records", at_least=3 * ROUNDS)
