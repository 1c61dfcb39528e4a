"""Every kind of client on one address space, here and on the other system, with the adapters below.

System B adds to counters in A's memory by RDMA atomics, through a region on demand, and through an XPMEM attachment; on A a guest
with today's notifiers and one that holds references, a GPU, a dumb adapter behind a registration cache and an attached process
count in the same pages. Meanwhile the program has them moved, swapped out, protected and copied by fork. Pages go only when the
other system has acknowledged (XPMEM) and the fence has come back (the adapter); no addition of anybody is lost.
"""

from hwif.gen.hca import WcStatus
from sw_stack.mm.types import PROT_READ
from sw_stack.workloads.company import Company
from sw_stack.workloads.hca_stage import ALL, BASE, ODP, PAGE, RW, HcaNeeds, HcaStage

PAGES = 4
ADDS = 10  # by each client in a round
ROUNDS = 8
NEEDS = HcaNeeds(frames=(512, 512))


async def play(stage: HcaStage) -> None:
    home, away = await stage.process(0), await stage.process(1, 1, tag=9)
    mm, machine = home.mm, stage.machines[0]
    await mm.mmap(BASE, PAGES * PAGE, RW, fixed=True)
    theirs, mine = await home.region(length=PAGES * PAGE, access=ODP), await away.region(access=ALL)
    port, _ = await stage.connect(away, home)
    company = Company(stage, mm, BASE, PAGES, stage.machines, cpu=2)
    await company.open()
    totals = [0] * PAGES

    async def count() -> None:
        for _ in range(ADDS):
            page = stage.rng.randrange(PAGES)
            status = await port.fetch_add(mine, BASE, theirs, BASE + page * PAGE, 1)
            if not stage.check(status is WcStatus.SUCCESS, "remote addition", BASE + page * PAGE, status.name):
                return
            totals[page] += 1

    async def disturb(number: int) -> None:
        for page in range(PAGES):
            stage.saw("moved", int(await machine.migrate_page(mm, BASE + page * PAGE)))
            await machine.reclaim(1)
        await mm.mlock(BASE, PAGE)
        await mm.munlock(BASE, PAGE)
        if number % 2 == 0:
            await company.fork(20_000)

    for number, offset in enumerate(stage.sweep(-40_000, 40_000, ROUNDS)):
        tasks = company.start(ADDS)
        await stage.meet(offset, count(), disturb(number), device_cpu=away.cpu)
        await stage.join(*tasks)
        # Nobody may store while this holds, and everybody who is refused tries again: the clients have come to rest before.
        await mm.mprotect(BASE, PAGES * PAGE, PROT_READ)
        await mm.mprotect(BASE, PAGES * PAGE, RW)
        await company.check()
        for page, total in enumerate(totals):
            await stage.holds(mm, BASE + page * PAGE, total.to_bytes(8, "little"), what="count of the other system")
    await company.close()
    stage.expect("during")
    company.expect(at_least=ROUNDS * ADDS)
    for name in ("moved", "fault_cow", "swapped_out", "pinned"):
        stage.expect(name)
