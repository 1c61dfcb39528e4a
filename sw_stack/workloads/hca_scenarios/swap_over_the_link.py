"""Swap lies on the other system, behind the port that faults stall.

A's pages are swapped to B: to bring one in, A reads it from B through its own adapter. If A's receive side holds the packets that
wait for these very pages, its buffer is full, the answer cannot come in, and each waits for the other: input contingent on output.
STALL must come to that standstill here; a rescue (a copy that is near) ends it after a while and is counted. DISCARD and RESTART
never need it: packets that fault hold nothing, the answer comes through, and the write is sent again.
"""

from collections.abc import Sequence

from hwif.gen.hca import FaultPolicy, WcStatus, WrOpcode
from sw_stack.drivers.hca import DriverPolicy
from sw_stack.mm.swap import Slot
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, HcaNeeds, HcaStage, Port, pattern

VICTIMS = 8
PAGES = 6  # each writes so many: together more packets than the bounded buffer holds
ROUNDS = 2  # for each policy
PATIENCE = 80_000  # cycles the pager waits for an answer: many times what one takes
STEP = 500
QUESTIONS = 16
NEEDS = HcaNeeds(policies=(DriverPolicy(rnr_delay=4000), DriverPolicy(rnr_delay=4000)))


async def play(stage: HcaStage) -> None:
    await compete(stage)
    for name in ("standstill_discard", "standstill_restart"):
        stage.check(stage.times(name) == 0, name.replace("_", " of "), BASE, f"{stage.times(name)} times")
    stage.expect("standstill_stall")
    stage.expect("fetched", at_least=2 * ROUNDS * VICTIMS)


async def compete(
    stage: HcaStage, policies: Sequence[FaultPolicy] = tuple(FaultPolicy), victims: int = VICTIMS, rounds: int = ROUNDS
) -> None:
    """Under each policy, `victims` queue pairs write to pages in swap at once. Counts pages `fetched`, and `standstill_` and the
    policy: pages whose answer had not come when patience ended."""
    program, remote = await stage.process(0, victims * PAGES), await stage.process(1, PAGES, tag=200)
    theirs, mine = await program.region(length=victims * PAGES * PAGE), await remote.region(length=PAGES * PAGE, access=ALL)
    pager, store = await stage.process(0, 1, name="pager"), await stage.process(1, 1, name="store", tag=70)
    window, stock = await pager.region(access=ALL), await store.region(access=ALL)
    line, _ = await stage.connect(pager, store)
    places = [BASE + n * PAGES * PAGE for n in range(victims)]
    asked = answered = 0
    over = False
    policy = FaultPolicy.STALL

    async def serve() -> None:
        """The pager: reads a page's worth of bytes for each question. Whose they are does not matter, when they come does."""
        nonlocal answered
        sent = 0
        while not over or answered < asked:
            while sent < asked and sent - answered < QUESTIONS:
                await line.post(WrOpcode.RDMA_READ, window, BASE, PAGE, stock, BASE)
                sent += 1
            for done in await line.driver.poll_cq(line.cq, QUESTIONS):
                stage.check(done.status is WcStatus.SUCCESS, "read of a swapped page", BASE, done.status.name)
                answered += 1
                line.operations += 1
            await stage.sched.sleep(STEP)

    async def fetch(_slot: Slot) -> None:
        """What swap-in waits for."""
        nonlocal asked
        asked += 1
        number, end = asked, stage.sched.now + PATIENCE
        while answered < number and stage.sched.now < end:
            await stage.sched.sleep(STEP)
        stage.saw("fetched" if answered >= number else f"standstill_{policy.name.lower()}")

    async def fault(port: Port, place: int) -> None:
        await port.post(WrOpcode.RDMA_WRITE, mine, BASE, PAGES * PAGE, theirs, place)
        status = (await port.completion()).status
        stage.check(status is WcStatus.SUCCESS, "write to pages in swap", place, status.name)

    stage.announce(rounds * len(policies))
    task = stage.spawn(pager.cpu + 1, serve(), "pager")
    for policy in policies:
        ports = [(await stage.connect(remote, program, policy))[0] for _ in range(victims)]
        for _ in range(rounds):
            for n in range(victims * PAGES):
                await program.mm.store(BASE + n * PAGE, pattern(1 + n))
            while any(stage.frame(program.mm, place) is not None for place in places):
                await stage.machines[0].reclaim(victims * PAGES)
            stage.machines[0].swap.fetch = fetch
            tasks = [stage.spawn(remote.cpu + 1 + n, fault(port, places[n]), f"victim {n}") for n, port in enumerate(ports)]
            await stage.join(*tasks)
            stage.machines[0].swap.fetch = None
            while answered < asked:  # what the standstill had held
                await stage.sched.sleep(STEP)
            for place in places:
                for page in range(PAGES):
                    await stage.holds(program.mm, place + page * PAGE, pattern(200 + page))
            stage.round()
    over = True
    await stage.join(task)
