"""On-demand paging between two systems, in the words of pyverbs: no page of either process is pinned.

Run it from the project's root:  .venv/bin/python examples/odp_pingpong.py [model|native]

A process on system A and one on system B register a buffer each, on demand, connect a queue pair, and send a message there and
back a few times. Before each round both throw their pages away, so the adapters fault; what came of it is printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hwif.gen.hca import FaultPolicy
from hwif.loop import drive
from hwif.memory import HostMemory
from hwif.port import NodesDevice
from hwif.shadow import Shadow
from hwif.trace import Trace
from sw_stack.drivers.hca import HcaDriver
from sw_stack.mm import Machine
from sw_stack.sched import Scheduler, SeededChooser
from sw_stack.verbs import CQ, MR, PD, QP, SGE, WC, Context, QPAttr, QPCap, QPInitAttr, RecvWR, SendWR
from sw_stack.verbs import enums as e
from sw_stack.verbs.mem_alloc import madvise, mmap

ROUNDS = 5
SIZE = 10_000
LIVENESS = 2_000_000


class Peer:
    """A process with one queue pair."""

    async def start(self, driver: HcaDriver, machine: Machine, name: str) -> None:
        self.mm = machine.new_mm(name)
        self.ctx = Context(driver, self.mm)
        self.pd = await PD(self.ctx)
        buffer = await mmap(self.mm, SIZE)
        self.mr = await MR(self.pd, SIZE, e.IBV_ACCESS_LOCAL_WRITE | e.IBV_ACCESS_ON_DEMAND, address=buffer)
        self.cq = await CQ(self.ctx, 16)
        cap = QPCap(max_send_wr=4, max_recv_wr=4)
        init = QPInitAttr(scq=self.cq, rcq=self.cq, cap=cap, fault_policy=FaultPolicy.RESTART)
        self.qp = await QP(self.pd, init, QPAttr())

    async def connect(self, peer: Peer) -> None:
        await self.qp.to_rts(QPAttr(dest_qp_num=peer.qp.qp_num, path_mtu=e.IBV_MTU_4096))

    @property
    def buffer(self) -> SGE:
        return SGE(self.mr.buf, SIZE, self.mr.lkey)

    async def completion(self) -> WC:
        while True:
            await self.cq.req_notify()
            count, found = await self.cq.poll()
            if count:
                return found[0]
            await self.cq.channel.get_cq_event()


async def send(sender: Peer, receiver: Peer, text: bytes) -> bool:
    """One message; whether it arrived."""
    message = (text * (SIZE // len(text) + 1))[:SIZE]
    await receiver.qp.post_recv(RecvWR(num_sge=1, sg=[receiver.buffer]))
    await sender.mr.write(message, SIZE)
    await sender.qp.post_send(SendWR(num_sge=1, sg=[sender.buffer]))
    done = [await sender.completion(), await receiver.completion()]
    return all(one.status == e.IBV_WC_SUCCESS for one in done) and await receiver.mr.read(SIZE, 0) == message


async def play(sched: Scheduler, drivers: list[HcaDriver], machines: list[Machine]) -> None:
    for driver in drivers:
        await driver.probe()
    a, b = Peer(), Peer()
    await a.start(drivers[0], machines[0], "ping")
    await b.start(drivers[1], machines[1], "pong")
    await a.connect(b)
    await b.connect(a)
    for number in range(ROUNDS):
        started, before = sched.now, sum(driver.stats.fault_records for driver in drivers)
        for peer in (a, b):
            await madvise(peer.mm, peer.mr.buf, SIZE)
        arrived = await send(a, b, b"ping ") and await send(b, a, b"pong ")
        faults = sum(driver.stats.fault_records for driver in drivers) - before
        print(f"round {number}: {'arrived' if arrived else 'WRONG'}, {faults} page faults, {(sched.now - started) / 500:.1f} us")
    for peer in (a, b):
        await peer.ctx.close()
        await peer.mm.exit()


def main(backend: str) -> int:
    nodes = [(HostMemory(512), Shadow(512)) for _ in range(2)]
    device: NodesDevice
    if backend == "native":
        from tb.hil.native import NativeHca  # noqa: PLC0415 - builds the RTL

        device = NativeHca(nodes)
    else:
        from pymodels.hca import HcaModel  # noqa: PLC0415

        device = HcaModel(nodes)
    sched, trace = Scheduler(SeededChooser(1)), Trace()
    machines = [Machine(sched, memory, shadow, trace, node=node) for node, (memory, shadow) in enumerate(nodes)]
    drivers = [HcaDriver(sched, trace, machine, nodes[n][1], node=n) for n, machine in enumerate(machines)]
    for driver in drivers:
        driver.start()
    sched.spawn(play(sched, drivers, machines), "play", 0)
    loop = drive(sched, device.submit, lambda: device.cycle, LIVENESS)
    until = next(loop, None)
    while until is not None:
        try:
            until = loop.send(device.advance(until))
        except StopIteration:
            break
    print(f"{len(device.violations())} accesses through dead translations in {device.cycle:,} cycles")
    return len(device.violations())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "model"))
