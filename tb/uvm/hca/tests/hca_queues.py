"""Completion queues: empty, one, full, past full, in later rounds; armed before and after, with and without coalescing; and the
line that tells of them."""

from __future__ import annotations

from typing import Any

import pyuvm

from hwif.gen import hca as h
from tb.hil.hca_bare import Bare, settings
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest
from tb.uvm.hca.tests.scene import A, B, Scene

__all__ = ["HcaQueues"]

LOG = 2
ENTRIES = 1 << LOG


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaQueues(HcaBaseTest):
    """Queues of four entries."""

    plan = Plan(chosen=settings(command_entries=16, fault_entries=8, keys=16, ack_timeout=0), left_open=True)

    def program(self, port: Any) -> None:
        """Round after round."""
        bare = self.bare(port)
        scene = Scene(bare, self.rng)
        node = scene.node
        self.number = 40
        for _ in range(self.scaled(2)):
            for armed in (False, True):
                self._fill(bare, scene, armed=armed)
        self._coalesce(bare, scene)
        self._overflow(bare, scene)
        assert not node.async_events()

    def _queue(self, scene: Scene) -> tuple[Any, int]:
        """A queue pair that sends, its completion queue small."""
        node = scene.node
        self.number += 2
        cqn = node.cq(self.number, LOG)
        pair = [node.qp(self.number + side, send_cqn=cqn, recv_cqn=cqn) for side in (0, 1)]
        scene.bare.connect(*pair)
        return pair[0], cqn

    def _write(self, scene: Scene, qp: Any, count: int) -> None:
        for _ in range(count):
            qp.write(scene.ka, A, scene.kb, B, 8, ring=False)
            scene.bytes[scene.kb][:8] = scene.bytes[scene.ka][:8]
        qp.ring_send()

    def _written(self, scene: Scene, cqn: int, count: int) -> None:
        """So many completions are there that nobody has looked at."""
        node, queue = scene.node, scene.node.cqs[cqn]
        at = queue.base + 64 * ((queue.taken + count - 1) % ENTRIES)
        owner = (queue.taken + count - 1 >> LOG & 1) ^ 1
        scene.bare.run(lambda: node.memory.read(at, 1)[0] & 1 == owner, "the completions")
        scene.bare.settle(60)

    def _fill(self, bare: Bare, scene: Scene, *, armed: bool) -> None:
        """One, several, full; each round with the line watched."""
        node = scene.node
        qp, cqn = self._queue(scene)
        for count in (1, 3, ENTRIES, ENTRIES, 2):
            for part in range(count):
                if armed:
                    node.store(h.CqDoorbellReg, cqn=cqn, index=(node.cqs[cqn].taken + part) & 0xFFFF, arm=1)
                    # The consumer index says what software has seen: a queue that is told so has room.
                    if part:
                        node.store(h.CqDoorbellReg, cqn=cqn, index=node.cqs[cqn].taken & 0xFFFF)
                self._write(scene, qp, 1)
                self._written(scene, cqn, part + 1)
                if armed:
                    bare.run(lambda: bool(node.irq[h.IrqLine.COMPLETION]), "the completion line")
                    assert node.cq_events() == [cqn], "another queue has fired"
                    bare.settle(60)
                    assert not node.irq[h.IrqLine.COMPLETION], "the completion line stays up"
            if self.rng.random() < 0.5:
                node.store(h.CqDoorbellReg, cqn=cqn, index=node.cqs[cqn].taken & 0xFFFF, arm=1)  # entries are there: at once
                bare.run(lambda: bool(node.irq[h.IrqLine.COMPLETION]), "the completion line, for what is there")
                assert node.cq_events() == [cqn]
            assert len(node.poll(cqn)) == count

    def _coalesce(self, bare: Bare, scene: Scene) -> None:
        """Two queues must fire, or one and a time."""
        node = scene.node
        (one, first), (two, second) = self._queue(scene), self._queue(scene)
        for count, delay in ((2, 0), (3, 1500)):
            node.store(h.CqCoalesceReg, count=count, delay=delay)
            for qp, cqn in ((one, first), (two, second)):
                node.store(h.CqDoorbellReg, cqn=cqn, index=node.cqs[cqn].taken & 0xFFFF, arm=1)
                if qp is two:
                    bare.sleep(100)
                    assert not node.irq[h.IrqLine.COMPLETION], "one queue has fired and the line is up"
                self._write(scene, qp, 1)
                self._written(scene, cqn, 1)
            bare.run(lambda: bool(node.irq[h.IrqLine.COMPLETION]), "the coalesced line")
            assert sorted(node.cq_events()) == sorted((first, second))
            assert len(node.poll(first)) == len(node.poll(second)) == 1
        node.store(h.CqCoalesceReg, count=0, delay=0)

    def _overflow(self, bare: Bare, scene: Scene) -> None:
        """More than fit: STATUS, an asynchronous event and its line; so many that events are lost too."""
        node = scene.node
        qp, cqn = self._queue(scene)
        self._write(scene, qp, ENTRIES + 1)
        self._written(scene, cqn, ENTRIES)
        bare.run(lambda: bool(node.irq[h.IrqLine.ASYNC]), "the asynchronous line")
        assert node.load(h.StatusReg)["cq_overflow"]
        assert node.async_events() == [(h.AsyncType.CQ_ERR, cqn)]
        bare.settle(40)
        assert not node.irq[h.IrqLine.ASYNC]
        self._write(scene, qp, 10)
        bare.run(lambda: bool(node.load(h.StatusReg)["async_overflow"]), "events to be lost")
        assert len(node.async_events()) == 8
        node.store(h.StatusReg, cq_overflow=1, async_overflow=1)
        assert not any(node.load(h.StatusReg).values())
        node.poll(cqn)
