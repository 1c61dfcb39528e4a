"""A region of the whole address space goes while a table of it is freed and a fault makes another.

Deregistration waits for the invalidation and for the faults at work, and for nobody for ever (Linux 3d8c6f26: a reference that was
never given back). Operations that come too late are refused; none of them reaches a page of the process afterwards.
"""

from hwif.gen.hca import WcStatus, WrOpcode
from sw_stack.drivers.hca import Mr
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, HcaNeeds, HcaStage, pattern

PAGES = 8
ROUNDS = 14
ENDS = {WcStatus.SUCCESS, WcStatus.REM_ACCESS_ERR, WcStatus.REM_OP_ERR, WcStatus.WR_FLUSH_ERR}
NEEDS = HcaNeeds()


async def play(stage: HcaStage) -> None:
    program, remote = await stage.process(0, PAGES), await stage.process(1, 1, tag=9)
    mine = await remote.region(access=ALL)
    port, far = await stage.connect(remote, program)

    async def use(whole: Mr) -> None:
        for page in range(PAGES):
            await port.post(WrOpcode.RDMA_WRITE, mine, BASE, PAGE, whole, BASE + page * PAGE)
        for done in await port.completions(PAGES):
            stage.check(done.status in ENDS, "end of a write", BASE, done.status.name)
            stage.saw("written" if done.status is WcStatus.SUCCESS else "refused")

    async def drop(whole: Mr) -> None:
        free = stage.spawn(program.cpu + 5, program.mm.madvise_dontneed(BASE, PAGES * PAGE), "madvise")
        await stage.sched.sleep(stage.rng.randrange(1500))
        await program.driver.dereg_mr(whole)
        await stage.join(free)
        await program.mm.store(BASE, pattern(3))

    for offset in stage.sweep(-5000, 9000, ROUNDS):
        whole = await program.whole()
        await program.prefetch(whole, BASE, PAGES * PAGE)

        await stage.meet(offset, use(whole), drop(whole), device_cpu=remote.cpu)
        await stage.holds(program.mm, BASE, pattern(3), what="page written after the region went")
        await stage.up(port, far)
    stage.expect("during", at_least=2)
    stage.expect("written", at_least=PAGES)
    stage.expect("refused", at_least=3)
