"""Accesses are in the middle of their beats when their page goes, and its frame is somebody else's a moment later.

Two queue pairs keep writes and reads of one page in flight. The program drops the page, and the frame freed last is the next to be
used: by a page of its own that no region covers. Whatever the fence of the invalidation does not wait for lands in that page, or
reads from it.
"""

from hwif.gen.hca import WcStatus, WrOpcode
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, RW, HcaNeeds, HcaStage, Port, pattern

LENGTH = 1024
DEPTH = 16  # requests in flight on each queue pair
ROUNDS = 24
OTHER = BASE + 64 * PAGE
NEEDS = HcaNeeds()


async def play(stage: HcaStage) -> None:
    program, remote = await stage.process(0, 1), await stage.process(1, 2, tag=9)
    theirs, mine = await program.region(), await remote.region(length=2 * PAGE, access=ALL)
    await program.mm.mmap(OTHER, PAGE, RW, fixed=True)
    writer, _ = await stage.connect(remote, program)
    reader, _ = await stage.connect(remote, program)

    async def stream(port: Port, opcode: WrOpcode) -> None:
        local = BASE if port is writer else BASE + PAGE
        for number in range(DEPTH):
            await port.post(opcode, mine, local, LENGTH, theirs, BASE + LENGTH * (number % (PAGE // LENGTH)))
        for done in await port.completions(DEPTH):
            stage.check(done.status is WcStatus.SUCCESS, "access in flight", BASE, done.status.name)

    async def use() -> None:
        other = stage.spawn(remote.cpu + 1, stream(reader, WrOpcode.RDMA_READ), "reader")
        await stream(writer, WrOpcode.RDMA_WRITE)
        await stage.join(other)

    async def drop() -> None:
        frame = stage.frame(program.mm, BASE)
        await program.mm.madvise_dontneed(BASE, PAGE)
        await program.mm.store(OTHER, pattern(77))
        stage.saw("same_frame", stage.frame(program.mm, OTHER) == frame)

    for offset in stage.sweep(-2_000, 20_000, ROUNDS):
        await program.mm.store(BASE, pattern(1))
        await program.prefetch(theirs)
        await stage.meet(offset, use(), drop(), device_cpu=remote.cpu)
        await stage.holds(program.mm, OTHER, pattern(77), what="page of the program that no region covers")
        await stage.holds(remote.mm, BASE + PAGE, *_allowed(), what="what was read")
        await program.mm.madvise_dontneed(OTHER, PAGE)
    stage.expect("during", at_least=ROUNDS // 2)
    stage.expect("same_frame", at_least=ROUNDS // 2)
    stage.expect("invalidate_range", at_least=ROUNDS)


def _allowed() -> tuple[bytes, ...]:
    """What the page may hold, piece by piece: the program's, the writer's (every piece the same source), or nothing yet."""
    old = pattern(1)
    return (*(old[at : at + LENGTH] for at in range(0, PAGE, LENGTH)), pattern(9, LENGTH), bytes(LENGTH))
