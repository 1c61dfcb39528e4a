"""What a fault of one queue pair costs another on the same port: stall, discard and restart.

Several queue pairs write to pages in swap, and stay faulted for as long as swap takes; a bystander writes to a page that is there.
STALL holds the packets: the bounded buffer fills, the link stops, and the bystander with it. DISCARD drops them and lets the sender
try again after a delay; RESTART drops them and tells the sender when. With both the bystander goes on: it takes longest, by far,
under STALL. Every write arrives under each of them.
"""

from collections.abc import Sequence

from hwif.gen.hca import FaultPolicy, WcStatus, WrOpcode
from sw_stack.drivers.hca import DriverPolicy
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, HcaNeeds, HcaStage, Port, pattern

VICTIMS = 8
PAGES = 6  # each writes so many: together more packets than the bounded buffer holds
TURNS = 8  # of the bystander
ROUNDS = 3
DELAY = 4000  # cycles from an RNR NAK to the next try
NEEDS = HcaNeeds(policies=(DriverPolicy(rnr_delay=DELAY), DriverPolicy(rnr_delay=DELAY)))


async def bystander(
    stage: HcaStage, policies: Sequence[FaultPolicy] = tuple(FaultPolicy), victims: int = VICTIMS, rounds: int = ROUNDS
) -> dict[FaultPolicy, int]:
    """Under each policy, the cycles that TURNS writes of a bystander take while `victims` queue pairs write to pages in swap, all
    rounds together."""
    pages = max(1, victims) * PAGES
    program, idle = await stage.process(0, pages), await stage.process(0, 1, tag=70)
    remote = await stage.process(1, PAGES, tag=200)
    theirs, quiet = await program.region(length=pages * PAGE), await idle.region(access=ALL)
    mine = await remote.region(length=PAGES * PAGE, access=ALL)
    places = [BASE + n * PAGES * PAGE for n in range(victims)]

    async def fault(port: Port, place: int) -> None:
        await port.post(WrOpcode.RDMA_WRITE, mine, BASE, PAGES * PAGE, theirs, place)
        status = (await port.completion()).status
        stage.check(status is WcStatus.SUCCESS, "write to pages in swap", place, status.name)

    async def stand_by(witness: Port) -> int:
        begin = stage.sched.now
        for _ in range(TURNS):
            status = await witness.write(mine, BASE, 64, quiet, BASE)
            stage.check(status is WcStatus.SUCCESS, "write of the bystander", BASE, status.name)
        return stage.sched.now - begin

    async def together(ports: list[Port], witness: Port) -> int:
        """How long the bystander took while the others fault."""
        for n in range(victims * PAGES):
            await program.mm.store(BASE + n * PAGE, pattern(1 + n))
        while any(stage.frame(program.mm, place) is not None for place in places):
            await stage.machines[0].reclaim(victims * PAGES)
        tasks = [stage.spawn(remote.cpu + 1 + n, fault(port, places[n]), f"victim {n}") for n, port in enumerate(ports)]
        await stage.sched.sleep(6000)
        began = stage.drivers[0].stats.fault_records
        stage.check(began > 0 or not victims, "faults before the bystander begins", BASE)
        cycles: int = (await stage.join(stage.spawn(remote.cpu, stand_by(witness), "bystander")))[0]
        stage.saw("overtaken", sum(not task.finished for task in tasks))
        await stage.join(*tasks)
        for place in places:
            for page in range(PAGES):
                await stage.holds(program.mm, place + page * PAGE, pattern(200 + page))
        return cycles

    cost: dict[FaultPolicy, int] = {}
    stage.announce(rounds * len(policies))
    for policy in policies:
        ports = [(await stage.connect(remote, program, policy))[0] for _ in range(victims)]
        witness, _ = await stage.connect(remote, idle, policy)
        cost[policy] = 0
        for _ in range(rounds):
            cost[policy] += await together(ports, witness)
            stage.round()
        name = f"bystander_cycles_{policy.name.lower()}"
        stage.saw(name, cost[policy])
        stage.expect(name)
    return cost


async def play(stage: HcaStage) -> None:
    cost = await bystander(stage)
    found = ", ".join(f"{policy.name} {cycles:,}" for policy, cycles in cost.items())
    for policy in (FaultPolicy.DISCARD, FaultPolicy.RESTART):
        stage.check(cost[FaultPolicy.STALL] > 2 * cost[policy], f"cost of stall against {policy.name.lower()}", BASE, found)
    stage.expect("overtaken", at_least=VICTIMS)
    stage.expect("fault_records", at_least=len(FaultPolicy) * ROUNDS * VICTIMS)
