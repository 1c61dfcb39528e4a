"""Exact cycle counts of the HCA's RTL, taken through the port of two linked nodes: registers in, trace and lines out.

`measure()` returns the numbers by name. Those of the translation alone (hits, walks, misses) are taken at the ports of hca_xlt by
bench/hca_xlt.py; all others are of the whole chip under the traffic their functions name, read from its trace.

`write_share`, `read_share`: payload bytes a cycle that land, over the payload rate of the link with packets of 4,096 bytes:
64 bytes in 64 of 65 cycles (a header flit, 64 of payload). All keys and translations are cached.

Deterministic: two calls give the same numbers. A run that does not do what is to be measured is a MeasureError.
Costs: a minute once harness and block bench are built, most of it the fault storm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import hca_xlt
from bench.errors import MeasureError
from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from hwif.memory import FRAME_BYTES, HostMemory
from hwif.port import Irq
from hwif.shadow import Shadow
from hwif.trace import EVENT_MASK
from tb.hil.abi import HcaOptions
from tb.hil.hca_bare import Bare, BareQp, line_of, settings
from tb.hil.native import NativeHca

__all__ = ["measure"]

FLIT = h.ENTRY_BYTES
MTU = 1 << 12
LINK_RATE = FLIT * MTU / (MTU + FLIT)
A_VA, B_VA, HOLE_VA = 0x100_0000, 0x200_0000, 0x300_0000
PAGES = 32  # of each node's region under load
MESSAGE = PAGES * FRAME_BYTES
FRAMES = 2048
WARM = 6_000  # cycles until all queue pairs are under way and everything is cached
WINDOW = 20_000
OTHERS_MESSAGE = 256  # bytes of the messages of those who do not fault
OTHERS_LOG = 12  # log2 of their send queues: more than a window's work
OTHERS_RNR_DELAY = 200
MANY_FAULTS = 10  # in a window, or the measure says nothing
LONG = 1 << 20  # ACK_TIMEOUT no run reaches
STORM = h.NUM_QP
ROOM = 64  # entries of the fault queue in the storm
CYCLE, EVENT, ARGS = 0, 1, 2  # columns of a record


class Chip(Bare):
    """Two nodes and what their traces say."""

    def __init__(self, device: NativeHca, chosen: settings) -> None:
        super().__init__(device, chosen)
        self.native = device
        self.a, self.b = self.nodes

    def trace(self) -> NDArray[np.uint64]:
        """Records since the last call."""
        return self.native.drain_trace()

    def window(self, cycles: int) -> NDArray[np.uint64]:
        """Records of the next cycles."""
        self.trace()
        self.sleep(cycles)
        return self.trace()


@contextmanager
def chip(options: HcaOptions | None = None, chosen: settings | None = None, frames: int = FRAMES) -> Iterator[Chip]:
    """Two fresh, enabled nodes."""
    places = [(HostMemory(frames), Shadow(frames)) for _ in range(2)]
    device = NativeHca(places, options)
    try:
        yield Chip(device, chosen or settings(keys=16, ack_timeout=LONG))
    finally:
        device.close()


def of(records: NDArray[np.uint64], event: TraceEvent) -> NDArray[np.uint64]:
    """The records of one event."""
    chosen: NDArray[np.uint64] = records[records[:, EVENT] & np.uint64(EVENT_MASK) == event]
    return chosen


def landed(records: NDArray[np.uint64], qpns: Sequence[int]) -> int:
    """Payload bytes that landed for these queue pairs."""
    lands = of(records, TraceEvent.HDEV_LAND)
    return int(lands[np.isin(lands[:, ARGS], qpns)][:, ARGS + 3].sum())


def stream(it: Chip, opcode: h.WrOpcode, pairs: int) -> list[tuple[BareQp, BareQp]]:
    """Give every queue pair more large transfers to do than a window is long; each walks over all pages of both regions."""
    key_a, key_b = it.a.region(1, A_VA, PAGES), it.b.region(2, B_VA, PAGES)
    made = [it.pair(it.a, it.b, number) for number in range(pairs)]
    for qp, _other in made:  # one by one: nothing misses under load, so nothing piles up that would land faster than the link is
        qp._rdma(opcode, key_a, A_VA, key_b, B_VA, MESSAGE, {})
        it.wait(qp)
    for qp, _other in made:
        for _ in range(60):
            qp._rdma(opcode, key_a, A_VA, key_b, B_VA, MESSAGE, {"ring": False, "signaled": 0})
        qp.ring_send()
    it.sleep(WARM)
    return made


def share(opcode: h.WrOpcode, pairs: int) -> float:
    """Payload of large transfers that lands, as a share of the link's payload rate."""
    with chip() as it:
        made = stream(it, opcode, pairs)
        side = 0 if opcode is h.WrOpcode.RDMA_READ else 1
        return landed(it.window(WINDOW), [pair[side].qpn for pair in made]) / WINDOW / LINK_RATE


def small_write() -> float:
    """Cycles a 64-byte WRITE takes: one queue pair whose send queue is never empty."""
    entries_log = 12
    with chip() as it:
        key_a, key_b = it.a.region(1, A_VA, 1), it.b.region(2, B_VA, 1)
        qp, other = it.pair(it.a, it.b, sq_log=entries_log)
        for number in range(1 << entries_log):
            at = FLIT * (number % (FRAME_BYTES // FLIT))
            qp.write(key_a, A_VA + at, key_b, B_VA + at, FLIT, ring=False, signaled=0)
        qp.ring_send()
        it.sleep(WARM)
        cycles = 3_000
        bytes_landed = landed(it.window(cycles), [other.qpn])
        if not bytes_landed:
            raise MeasureError("the send queue was empty, or stood still, before the window began")
        return cycles / (bytes_landed / FLIT)


def others(policy: h.FaultPolicy, faulting: bool) -> tuple[int, int]:
    """Payload of three queue pairs that write small messages while, or not, a fourth writes to a page that is never there: software
    answers each of its faults at once and changes nothing. And the number of those faults. Small messages, because turns go round
    by messages: the shorter they are, the more often the fourth sends its 4,096 bytes for nothing."""
    with chip(chosen=settings(keys=16, ack_timeout=LONG, rnr_delay=OTHERS_RNR_DELAY)) as it:
        key_a, key_b = it.a.region(1, A_VA, 1), it.b.region(2, B_VA, 1)
        made = [it.pair(it.a, it.b, number, sq_log=OTHERS_LOG) for number in range(3)]
        for qp, _other in made:
            qp.write(key_a, A_VA, key_b, B_VA, FRAME_BYTES)  # everything is cached
            it.wait(qp)
            for number in range((1 << OTHERS_LOG) - 1):
                at = OTHERS_MESSAGE * (number % (FRAME_BYTES // OTHERS_MESSAGE))
                qp.write(key_a, A_VA + at, key_b, B_VA + at, OTHERS_MESSAGE, ring=False, signaled=0)
        for qp, _other in made:
            qp.ring_send()
        it.sleep(WARM)
        hole = it.b.key(3, HOLE_VA, FRAME_BYTES)
        bad, _other = it.pair(it.a, it.b, 3, policy=policy)
        if faulting:
            bad.write(key_a, A_VA, hole, HOLE_VA, FRAME_BYTES)
        faults, end = 0, it.device.cycle + WINDOW
        it.trace()
        while it.device.cycle < end:
            for fault in it.b.faults() if it.b.irq[h.IrqLine.FAULT] else ():
                it.b.post_command(h.CmdOp.RESUME, qpn=fault["qpn"], direction=fault["direction"], token=fault["token"])
                faults += 1
            it.step(min(end, it.device.cycle + 100))
        return landed(it.trace(), [pair[1].qpn for pair in made]), faults


def others_share() -> float:
    """The worse of discard and restart."""
    shares = []
    for policy in (h.FaultPolicy.DISCARD, h.FaultPolicy.RESTART):
        with_it, faults = others(policy, faulting=True)
        without, none = others(policy, faulting=False)
        if faults < MANY_FAULTS or none:
            raise MeasureError(f"{faults} faults where {MANY_FAULTS} and more, {none} where none should have been")
        shares.append(with_it / without)
    return min(shares)


def connect_many(it: Chip, count: int) -> list[tuple[BareQp, BareQp]]:
    """Connected queue pairs, number n with number n, all on one completion queue a node; commands in batches."""
    made = []
    for node in it.nodes:
        node.cq(0, log=13)
    batch = it.a.settings.command_entries
    for start in range(0, count, batch):
        last = [0, 0]
        for qpn in range(start, min(count, start + batch)):
            context = {"send_cqn": 0, "policy": h.FaultPolicy.RESTART, "sq_log": 0, "rq_log": 0}
            qps = [node.qp(qpn, **context, dest_qpn=qpn) for node in it.nodes]
            for qp in qps:
                last[qp.node.number] = begin_modify(qp)
            made.append((qps[0], qps[1]))
        for node in it.nodes:
            node.ring_commands()
        for node in it.nodes:
            if node.wait_command(last[node.number]) is not h.CmdStatus.OK:
                raise MeasureError("MODIFY_QP failed")
    return made


def begin_modify(qp: BareQp) -> int:
    """Post, without its doorbell, the MODIFY_QP that takes the queue pair to RTS; the command's number."""
    qp.context["state"] = h.QpState.RTS
    qp.node.shadow.set_queue_pair(qp.qpn, qp.context["pd"])
    address = qp.node.context(line_of(h.Qpc, **qp.context))
    return qp.node.post_command(h.CmdOp.MODIFY_QP, ring=False, qpn=qp.qpn, addr=address, load_sq=1, load_rq=1)


def storm(count: int = STORM, room: int = ROOM) -> dict[str, int]:
    """All queue pairs write to one page that is not there; when all have faulted software maps it and answers the records."""
    chosen = settings(keys=16, ack_timeout=LONG, fault_entries=room)
    with chip(chosen=chosen, frames=4 * count + FRAMES) as it:
        key_a = it.a.region(1, A_VA, 1)
        key_b = it.b.key(2, B_VA, FRAME_BYTES)
        for qp, _other in connect_many(it, count):
            qp.write(key_a, A_VA, key_b, B_VA, FLIT)
            it.step(it.device.cycle + 12)
        faulted = 0

        def all_faulted() -> bool:
            nonlocal faulted
            faulted += len(of(it.trace(), TraceEvent.HDEV_FAULT))
            return faulted >= count

        it.run(all_faulted, f"{count} faults")
        it.b.map(key_b, B_VA, it.b.alloc_user(1))
        seen: Counter[tuple[int, int, int]] = Counter()
        completed: Counter[int] = Counter()

        def answered() -> bool:
            if it.b.irq[h.IrqLine.FAULT]:
                last = None
                for fault in it.b.faults(room):
                    fields = {name: fault[name] for name in ("qpn", "direction", "token")}
                    seen[fields["qpn"], fields["direction"], fields["token"]] += 1
                    last = it.b.post_command(h.CmdOp.RESUME, ring=False, **fields)
                if last is not None:
                    it.b.ring_commands()
                    it.b.wait_command(last)
            for entry in it.a.poll(0):
                completed[entry["qpn"]] += entry["status"] == h.WcStatus.SUCCESS
            return len(completed) == count and not it.b.irq[h.IrqLine.FAULT]

        it.run(answered, "the end of the storm", patience=4_000_000)
        it.sleep(2_000)
        late = it.b.faults()
        faulted += len(of(it.trace(), TraceEvent.HDEV_FAULT))
        qps = {qpn for qpn, _direction, _token in seen}
        return {
            "faults": faulted,
            "lost": faulted - len(seen) - len(late) + (count - len(qps)),
            "duplicated": seen.total() - len(seen),
            "resumed": sum(1 for times in completed.values() if times == 1),
        }


IDLE = HcaOptions(read_latency=1, write_latency=1)


def idle_invalidation(pages: int | None) -> tuple[int, int]:
    """An INVALIDATE of so many pages (None: of the key) and a FENCE, nothing else going on and memory that answers at once: cycles
    from the first command in the device to the acceptance, and to the fence's value in memory."""
    with chip(IDLE, frames=4096) as it:
        key_a = it.a.region(1, A_VA, PAGES)
        key_b = it.b.region(2, B_VA, PAGES)
        qp, _other = it.pair(it.a, it.b)
        qp.write(key_a, A_VA, key_b, B_VA, MESSAGE)
        it.wait(qp)
        it.sleep(500)
        if pages is None:
            it.b.post_command(h.CmdOp.INVALIDATE_KEY, ring=False, key=key_b)
        else:
            it.b.post_command(h.CmdOp.INVALIDATE_RANGE, ring=False, key=key_b, addr=B_VA, length=pages * FRAME_BYTES)
        it.b.post_command(h.CmdOp.FENCE, ring=False, addr=it.b.fence_address, length=1)
        it.trace()
        before = it.native.statistics()["b_memory_read_beats"]
        it.b.ring_commands()
        fetched = None
        for _ in range(2_000):
            it.step(it.device.cycle + 1)
            if fetched is None and it.native.statistics()["b_memory_read_beats"] > before:
                fetched = it.device.cycle + 1  # the beat counts when memory is read, a cycle before it is on the pins
        records = it.trace()
        accepted, fence = of(records, TraceEvent.HDEV_INVALIDATE), of(records, TraceEvent.HDEV_FENCE)
        if fetched is None or not len(accepted) or not len(fence) or not len(of(records, TraceEvent.HDEV_KILL)):
            raise MeasureError("the invalidation or its fence was not carried out, or covered nothing")
        return int(accepted[0, CYCLE]) - fetched, int(fence[0, CYCLE]) - fetched


def record_to_irq() -> int:
    """A fault record in memory to the line."""
    with chip() as it:
        key_a = it.a.region(1, A_VA, 1)
        key_b = it.b.key(2, B_VA, FRAME_BYTES)
        qp, _other = it.pair(it.a, it.b)
        it.trace()
        it.log.clear()
        qp.write(key_a, A_VA, key_b, B_VA, FLIT)
        it.run(lambda: bool(it.b.irq[h.IrqLine.FAULT]), "the fault's line")
        raised = next(event.cycle for event in it.log if isinstance(event, Irq) and event.level)
        return raised - int(of(it.trace(), TraceEvent.HDEV_RECORD)[0, CYCLE])


def measure() -> dict[str, Any]:
    """All numbers, by name."""
    table = hca_xlt.measure()
    dead = table.pop("invalidate_dead_cycles")
    assert isinstance(dead, dict)
    idle = {name: idle_invalidation(pages) for name, pages in (("1", 1), ("512", 512), ("key", None))}
    write, read = share(h.WrOpcode.RDMA_WRITE, 4), share(h.WrOpcode.RDMA_READ, 8)
    return {
        **table,
        "write_share": write,
        "read_share": read,
        "write_bytes_per_cycle": write * LINK_RATE,
        "read_bytes_per_cycle": read * LINK_RATE,
        "cycles_per_small_write": small_write(),
        "others_share_while_faulting": others_share(),
        "fault_storm": storm(),
        "invalidate_dead_cycles_max": max(idle[name][0] + dead[name] for name in idle),
        "invalidate_fence_cycles": {name: fence for name, (_accepted, fence) in idle.items()},
        "record_to_irq_cycles": record_to_irq(),
    }
