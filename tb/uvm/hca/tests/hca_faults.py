"""The rules of the fault queue, one after the other: FQ-1 to FQ-7, each driven to where it could break."""

from __future__ import annotations

from typing import Any

import pyuvm

from hwif.gen import hca as h
from tb.hil.hca_bare import Bare, settings
from tb.hil.hca_directed import refused_fault, stale_answer, unanswered_fault
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest
from tb.uvm.hca.tests.scene import PAGE, A, B, Scene

__all__ = ["HcaFaultLine", "HcaFaultQueue", "HcaTokens"]

ENTRIES = 2
STALLED = {"policy": int(h.FaultPolicy.STALL)}


def _many_faults(scene: Scene, count: int, first: int = 0) -> None:
    """A page of B for each of queue pairs `first` to `count`, away, and written to by each."""
    while len(scene.node.qps) < 2 * count:
        scene.pair(**STALLED)
    for number in range(first, count):
        scene.take(scene.kb, B + number * PAGE)
    for number in range(first, count):
        scene.write(64, there=number * PAGE, qp=scene.node.qps[2 * number])


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaFaultQueue(HcaBaseTest):
    """FQ-1, FQ-2, FQ-3, FQ-7: more faults than entries, records taken one by one; one page refused or late."""

    plan = Plan(chosen=settings(command_entries=16, fault_entries=ENTRIES, keys=16, ack_timeout=0, rnr_delay=300))

    def program(self, port: Any) -> None:
        """Rounds over one queue, which wraps."""
        bare = self.bare(port)
        scene = Scene(bare, self.rng, **STALLED)
        for count in (1, ENTRIES, 5)[: self.scaled(3)]:
            self._overflow(scene, count)
        scene.check()
        self._others_go_on(scene)
        refused_fault(_afresh(bare), self.config.seed)

    def _overflow(self, scene: Scene, count: int) -> None:
        node, bare = scene.node, scene.bare
        node.store(h.StatusReg, fault_overflow=1)
        _many_faults(scene, count)
        bare.run(lambda: node.load(h.FqProdReg)["index"] - len(scene.faults) & 0xFFFF == min(count, ENTRIES), "the queue to fill")
        bare.sleep(300)  # all are there that will come
        assert node.load(h.StatusReg)["fault_overflow"] == (count > ENTRIES)
        taken: list[dict[str, int]] = []
        while len(taken) < count:
            (fault,) = node.wait_faults(1)
            taken.append(fault)
            scene.faults.append(fault)
            scene.bring(fault)
            assert node.resume(fault) is h.CmdStatus.OK
        assert len({fault["qpn"] for fault in taken}) == count, "a queue pair has two records"
        for number in range(count):
            scene.end(node.qps[2 * number])

    def _others_go_on(self, scene: Scene) -> None:
        """FQ-3: while one fault stands, and its queue is full of others, the rest keep their rate."""
        node = scene.node
        scene.take(scene.kb, B)
        scene.write(64)
        (fault,) = node.wait_faults(1)
        other = node.qps[2]
        began = scene.bare.device.cycle
        for _ in range(4):
            scene.write(PAGE, there=2 * PAGE, qp=other)
            scene.end(other, serve=False)
        assert scene.bare.device.cycle - began < 4 * 2500, "a fault holds other queue pairs"
        scene.bring(fault)
        assert node.resume(fault) is h.CmdStatus.OK
        scene.end()


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaTokens(HcaBaseTest):
    """FQ-4 and FQ-5: every kind of token, for both sides, with and without error."""

    plan = Plan(chosen=settings(command_entries=16, fault_entries=8, keys=16, ack_timeout=0, rnr_delay=300))

    def program(self, port: Any) -> None:
        """Each side in turn."""
        bare = self.bare(port)
        for direction in h.FaultDir:
            scene = Scene(bare, self.rng, first_key=1 + 2 * direction, **STALLED)
            self._play(scene, direction)
            self._refuse(scene, direction)
            scene.node.qps.clear()
        stale_answer(_afresh(bare), self.config.seed)
        unanswered_fault(_afresh(bare), self.config.seed)

    def _fault(self, scene: Scene, direction: h.FaultDir) -> dict[str, int]:
        key, va = (scene.ka, A) if direction is h.FaultDir.REQUESTER else (scene.kb, B)
        scene.take(key, va)
        scene.write(100, signaled=1)
        (fault,) = scene.node.wait_faults(1)
        assert fault["direction"] == direction
        return fault

    def _play(self, scene: Scene, direction: h.FaultDir) -> None:
        node = scene.node
        old = self._fault(scene, direction)
        scene.bring(old)
        assert node.resume(old) is h.CmdStatus.OK
        scene.end()
        fault = self._fault(scene, direction)
        other = {**fault, "direction": 1 - direction}
        forged = {**fault, "token": fault["token"] ^ 1 << self.rng.randrange(12, 32)}
        elsewhere = {**fault, "token": fault["token"] + 1, "qpn": fault["qpn"] + 1}
        for bad in (old, other, forged, elsewhere):
            assert node.resume(bad, error=bool(self.rng.randrange(2))) is h.CmdStatus.BAD_TOKEN, f"a resume of {bad} was taken"
        assert not node.arrived(scene.qa.context["send_cqn"]), "a resume that was refused did something"
        scene.bring(fault)
        assert node.resume(fault) is h.CmdStatus.OK
        assert node.resume(fault) is h.CmdStatus.BAD_TOKEN, "a token counted twice"
        scene.end()
        scene.check()

    def _refuse(self, scene: Scene, direction: h.FaultDir) -> None:
        before = {key: bytes(data) for key, data in scene.bytes.items()}
        fault = self._fault(scene, direction)
        scene.bring(fault)
        assert scene.node.resume(fault, error=True) is h.CmdStatus.OK
        scene.end(wanted=h.WcStatus.LOC_PROT_ERR if direction is h.FaultDir.REQUESTER else h.WcStatus.REM_OP_ERR)
        scene.bytes = {key: bytearray(data) for key, data in before.items()}
        scene.check()
        assert scene.node.async_events(), "a queue pair went to ERR and nobody was told"


def _afresh(bare: Bare) -> Bare:
    """The device off and on again, with new keys."""
    bare.nodes[0].restart()
    return bare


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaFaultLine(HcaBaseTest):
    """FQ-6: the line against the software that empties the queue, masks it, and lets it coalesce."""

    plan = Plan(chosen=settings(command_entries=16, fault_entries=4, keys=16, ack_timeout=0, irqs=0))

    def program(self, port: Any) -> None:
        """A record comes around the time at which the queue is emptied or the line enabled."""
        bare = self.bare(port)
        scene = Scene(bare, self.rng, **STALLED)
        node = scene.node
        scene.pair(**STALLED)
        for _ in range(self.scaled(8)):
            node.store(h.IrqEnableReg, fault=1, completion=1, asynchronous=1)
            self._race(scene)
            node.store(h.IrqEnableReg, fault=0)
        self._coalesce(scene, count=2, delay=0)
        self._coalesce(scene, count=3, delay=400)
        self._coalesce(scene, count=0, delay=0)
        self._full(scene)
        scene.check()

    def _race(self, scene: Scene) -> None:
        """The first record is taken at some cycle around the coming of the second."""
        node, bare = scene.node, scene.bare
        for number in (0, 1):
            scene.take(scene.kb, B + number * PAGE)
        scene.write(8)
        (first,) = node.wait_faults(1)
        node.store(h.FqConsReg, index=node.load(h.FqConsReg)["index"])
        scene.write(8, there=PAGE, qp=node.qps[2])
        bare.sleep(self.rng.randrange(150))
        node.store(h.FqConsReg, index=node.load(h.FqConsReg)["index"])
        (second,) = node.wait_faults(1)
        for fault in (first, second):
            scene.bring(fault)
            assert node.resume(fault) is h.CmdStatus.OK
        scene.end()
        scene.end(node.qps[2])

    def _coalesce(self, scene: Scene, *, count: int, delay: int) -> None:
        """Two records, masked, then with this coalescing."""
        node, bare = scene.node, scene.bare
        node.store(h.FqCoalesceReg, count=count, delay=delay)
        _many_faults(scene, 2)
        bare.run(lambda: node.load(h.FqProdReg)["index"] - node.load(h.FqConsReg)["index"] & 0xFFFF == 2, "two records")
        assert not node.irq[h.IrqLine.FAULT], "a masked line is up"
        node.store(h.IrqEnableReg, fault=1, completion=1, asynchronous=1)
        for fault in node.wait_faults(2):
            scene.bring(fault)
            assert node.resume(fault) is h.CmdStatus.OK
        for number in (0, 1):
            scene.end(node.qps[2 * number])
        node.store(h.IrqEnableReg, fault=0)

    def _full(self, scene: Scene) -> None:
        """One record after the other until the queue is more than full: masked, enabled, coalescing."""
        node, bare = scene.node, scene.bare
        for irqs, count in ((0, 0), (1, 0), (1, 5)):
            node.store(h.FqCoalesceReg, count=count, delay=1500 if count else 0)
            node.store(h.IrqEnableReg, fault=irqs, completion=1, asynchronous=1)
            _many_faults(scene, 4)
            bare.run(lambda: node.load(h.FqProdReg)["index"] - node.load(h.FqConsReg)["index"] & 0xFFFF == 4, "a full queue")
            node.store(h.IrqEnableReg, fault=irqs, completion=1, asynchronous=1)
            _many_faults(scene, 6, 4)
            bare.sleep(300)
            node.store(h.IrqEnableReg, fault=1, completion=1, asynchronous=1)
            for fault in node.wait_faults(6):
                scene.bring(fault)
                assert node.resume(fault) is h.CmdStatus.OK
            for number in range(6):
                scene.end(node.qps[2 * number])
