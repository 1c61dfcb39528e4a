"""A run of two HCAs in which the devices do nearly all the work: large transfers in both directions on many queue pairs, while
pages come and go under some of them. Software posts, waits and compares.

Promises: everything moved is compared with what a coherent memory would hold. Costs: `rounds` times a megabyte each way.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hwif.gen.hca import FaultPolicy, WcStatus, WrOpcode
from shootdown.software import Job, Workload
from shootdown.software.hca import hca_job
from sw_stack.drivers.hca import DriverPolicy, HcaDriver, Mr
from sw_stack.mm.machine import Machine
from sw_stack.sched import Scheduler
from sw_stack.workloads.hca_stage import BASE, PAGE, HcaStage, Port, Process, pattern

__all__ = ["streaming_job"]

PAIRS = 8
PAGES = 32  # of a queue pair's slice, moved in one request
FRAMES = 1536
SEED = 1
DISTURB_EVERY = 4_000  # cycles between two pages that move


def streaming_job(rounds: int) -> Job:
    """`rounds` times a WRITE of the whole slice and a READ of it back, by every queue pair."""

    def build(sched: Scheduler, machines: Sequence[Machine], drivers: Sequence[HcaDriver]) -> Workload:
        return HcaStage(partial(_play, rounds=rounds), sched, machines, drivers, SEED)

    return hca_job("streaming", (FRAMES, FRAMES), (DriverPolicy(), DriverPolicy()), build)


async def _play(stage: HcaStage, rounds: int) -> None:
    near, far = await stage.process(1, PAIRS * PAGES), await stage.process(0, PAIRS * PAGES, tag=1 + PAIRS * PAGES)
    mine, theirs = await near.region(length=PAIRS * PAGES * PAGE), await far.region(length=PAIRS * PAGES * PAGE)
    ports = [(await stage.connect(near, far, FaultPolicy.RESTART))[0] for _ in range(PAIRS)]
    stage.announce(rounds)
    for opcode in (WrOpcode.RDMA_WRITE, WrOpcode.RDMA_READ) * rounds:
        moving = stage.spawn(0, _disturb(stage, far), "compaction")
        await _move(stage, ports, mine, theirs, opcode)
        await stage.join(moving)
        if opcode is WrOpcode.RDMA_READ:
            stage.round()
    for page in range(PAIRS * PAGES):
        await stage.holds(far.mm, BASE + page * PAGE, pattern(1 + page), what="moved page")


async def _move(stage: HcaStage, ports: Sequence[Port], mine: Mr, theirs: Mr, opcode: WrOpcode) -> None:
    """Every queue pair moves its slice at once."""
    for index, port in enumerate(ports):
        at = BASE + index * PAGES * PAGE
        await port.post(opcode, mine, at, PAGES * PAGE, theirs, at)
    for port in ports:
        stage.check((await port.completion()).status is WcStatus.SUCCESS, "transfer", BASE, "did not succeed")


async def _disturb(stage: HcaStage, far: Process) -> None:
    """Pages move while they are read or written."""
    for index in range(2):
        await stage.sched.sleep(DISTURB_EVERY)
        await stage.machines[0].migrate_page(far.mm, BASE + PAGE * (index * PAGES))
