"""A pinned region is deregistered with accesses in flight, and its frames are somebody else's a moment later.

The pins hold the frames whatever the program does to the addresses; deregistration takes them off. It may do so only when the
device has forgotten the key and every access through it is done, or writes land in a page of another process. What was in flight
ends with success or is refused, nothing in between.
"""

from hwif.gen.hca import WcStatus, WrOpcode
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, RW, HcaNeeds, HcaStage, pattern

LENGTH = 1024
DEPTH = 16  # writes in flight
ROUNDS = 20
ENDS = {WcStatus.SUCCESS, WcStatus.REM_ACCESS_ERR, WcStatus.WR_FLUSH_ERR}
NEEDS = HcaNeeds()


async def play(stage: HcaStage) -> None:
    program, other = await stage.process(0), await stage.process(0, name="other")
    remote = await stage.process(1, 1, tag=9)
    mine = await remote.region(access=ALL)
    writer, far = await stage.connect(remote, program)

    async def use() -> None:
        for number in range(DEPTH):
            await writer.post(WrOpcode.RDMA_WRITE, mine, BASE, LENGTH, theirs, BASE + LENGTH * (number % (PAGE // LENGTH)))
        for done in await writer.completions(DEPTH):
            stage.check(done.status in ENDS, "write in flight", BASE, done.status.name)
            stage.saw("completed" if done.status is WcStatus.SUCCESS else "refused")

    async def give_up() -> None:
        await program.mm.munmap(BASE, PAGE)
        await program.driver.dereg_mr(theirs)
        await other.mm.mmap(BASE, PAGE, RW, fixed=True)
        await other.mm.store(BASE, pattern(77))
        stage.saw("same_frame", stage.frame(other.mm, BASE) == frame)

    for offset in stage.sweep(-3_000, 6_000, ROUNDS):
        await program.mm.mmap(BASE, PAGE, RW, fixed=True)
        await program.mm.store(BASE, pattern(1))
        frame = stage.frame(program.mm, BASE)
        theirs = await program.region(access=ALL)
        await stage.meet(offset, use(), give_up(), device_cpu=remote.cpu)
        await stage.holds(other.mm, BASE, pattern(77), what="page of another process")
        await other.mm.munmap(BASE, PAGE)
        await stage.up(writer, far)
    stage.expect("during", at_least=ROUNDS // 3)
    stage.expect("same_frame", at_least=ROUNDS // 2)
    stage.expect("completed", at_least=ROUNDS)
    stage.expect("refused", at_least=ROUNDS)
