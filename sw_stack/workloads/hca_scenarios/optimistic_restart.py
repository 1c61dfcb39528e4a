"""Optimistic transfers: no page is brought in beforehand, and a transfer that meets a missing one is restarted (Quadrics).

Long writes and reads run while reclaim takes pages of both ends. What faults is dropped and sent again from the packet that found
no page, not from the beginning; transfers that meet none cost nothing. Contents are exact, whatever was sent twice.
"""

from hwif.gen.events import TraceEvent
from hwif.gen.hca import FaultPolicy, WcStatus
from sw_stack.workloads.hca_stage import BASE, PAGE, HcaNeeds, HcaStage, pattern

PAGES = 12
ROUNDS = 10
NEEDS = HcaNeeds()


async def play(stage: HcaStage) -> None:
    a, b = await stage.process(0, PAGES), await stage.process(1, PAGES, tag=100)
    theirs, mine = await a.region(length=PAGES * PAGE), await b.region(length=PAGES * PAGE)
    port, _ = await stage.connect(b, a, FaultPolicy.RESTART)

    async def use(number: int) -> None:
        transfer = port.read if number % 2 else port.write
        status = await transfer(mine, BASE, PAGES * PAGE, theirs, BASE)
        stage.check(status is WcStatus.SUCCESS, "long transfer", BASE, status.name)

    async def take(number: int) -> None:
        for _ in range(3):
            await stage.machines[number // 2 % 2].reclaim(PAGES // 2)
            await stage.sched.sleep(stage.rng.randrange(4000))

    for number, offset in enumerate(stage.sweep(-90_000, 40_000, ROUNDS)):
        tag = 1 + number * PAGES
        source, target = (a, b) if number % 2 else (b, a)
        for page in range(PAGES):
            await source.mm.store(BASE + page * PAGE, pattern(tag + page))
        await stage.meet(offset, use(number), take(number), device_cpu=b.cpu)
        for page in range(PAGES):
            await stage.holds(target.mm, BASE + page * PAGE, pattern(tag + page), what="page that arrived")
    stage.expect("during", at_least=3)
    stage.expect("swapped_out", at_least=ROUNDS)
    stage.expect("restarts", TraceEvent.HDEV_NAK, at_least=ROUNDS // 2)
