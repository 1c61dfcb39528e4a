"""Operations behind one that faults, on the same queue pair: none is lost, and none waits for the transport's timeout.

Real adapters lost the packets behind a fault and noticed at the timeout, hundreds of milliseconds later ("packet damming", Fukuoka
and others). Here all are posted at once, their pages are taken away at any time, and under each policy all complete in order and
well, long before the timeout.
"""

from hwif.gen.hca import FaultPolicy, WcStatus, WrOpcode
from sw_stack.drivers.hca import DriverPolicy
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, HcaNeeds, HcaStage, Port, pattern

OPERATIONS = 8
ROUNDS = 5  # for each policy
TIMEOUT = 2_000_000
NEEDS = HcaNeeds(policies=(DriverPolicy(ack_timeout=TIMEOUT), DriverPolicy(ack_timeout=TIMEOUT)))


async def play(stage: HcaStage) -> None:
    program, remote = await stage.process(0, OPERATIONS), await stage.process(1, OPERATIONS, tag=50)
    theirs, mine = await program.region(length=OPERATIONS * PAGE), await remote.region(length=OPERATIONS * PAGE, access=ALL)

    async def use(port: Port) -> None:
        begin = stage.sched.now
        for n in range(OPERATIONS):
            await port.post(WrOpcode.RDMA_WRITE, mine, BASE + n * PAGE, 64, theirs, BASE + n * PAGE, wr_id=n)
        done = await port.completions(OPERATIONS)
        stage.check([wc.wr_id for wc in done] == list(range(OPERATIONS)), "order of completions", BASE, str(done))
        stage.check({wc.status for wc in done} == {WcStatus.SUCCESS}, "operations behind a fault", BASE, str(done))
        stage.check(stage.sched.now - begin < TIMEOUT // 2, "time of the operations", BASE, f"{stage.sched.now - begin} cycles")

    async def take() -> None:
        await program.mm.madvise_dontneed(BASE, OPERATIONS * PAGE)

    for policy in FaultPolicy:
        port, _ = await stage.connect(remote, program, policy)
        for offset in stage.sweep(-2000, 12_000, ROUNDS):
            for n in range(OPERATIONS):
                await program.mm.store(BASE + n * PAGE, pattern(1 + n))
            await take()
            await stage.meet(offset, use(port), take(), device_cpu=remote.cpu)
            for n in range(OPERATIONS):
                await stage.holds(program.mm, BASE + n * PAGE, pattern(50 + n, 64) + bytes(64), bytes(128))
    stage.expect("during", at_least=3)
    stage.expect("fault_records", at_least=ROUNDS * len(FaultPolicy))
