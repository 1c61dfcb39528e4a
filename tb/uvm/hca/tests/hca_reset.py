"""Reset, and switching off, in the middle of everything; afterwards the device is a new one."""

from __future__ import annotations

from typing import Any

import pyuvm
from cocotb.task import resume

from hwif.gen import hca as h
from tb.hil.hca_bare import Bare, settings
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.points import ACTIVITIES
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest
from tb.uvm.hca.tests.scene import PAGE, A, B, Scene

__all__ = ["HcaReset"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaReset(HcaBaseTest):
    """`hardware`: the reset pin; `software`: CTRL.enable."""

    plan = Plan(
        latency=(10, 120),
        chosen=settings(command_entries=16, fault_entries=4, keys=32, ack_timeout=3000, rnr_delay=300),
        frames=8192,
        left_open=True,
    )

    def program(self, port: Any) -> None:
        """Every activity, both ways, at a moment drawn."""
        bare = self.bare(port)
        self._reset = resume(self.bfm.clocking.reset)
        cases = [(activity, hardware) for activity in ACTIVITIES for hardware in (False, True)]
        self.rng.shuffle(cases)
        scene = Scene(bare, self.rng)
        for activity, hardware in cases[: self.scaled(len(cases))]:
            scene = self._once(bare, scene, activity, hardware=hardware)

    def _once(self, bare: Bare, scene: Scene, activity: str, *, hardware: bool) -> Scene:
        """The device afterwards, and what is on it."""
        node = bare.nodes[0]
        self._begin_with(scene, activity)
        self.env.cover.activity = activity
        bare.sleep(self.rng.randrange(2, 700))
        if hardware:
            self._reset()
            bare.settle()
            assert node.load(h.CtrlReg)["enable"] == 0 and node.load(h.CmdqSizeReg)["entries"] == 0, "a reset left a register"
        self._begin(node)
        for name in ("fault_overflow", "command_stopped", "cq_overflow", "async_overflow"):
            cleared: dict[str, Any] = {name: 1}
            node.store(h.StatusReg, **cleared)
        assert not node.irq[h.IrqLine.FAULT] and not node.faults() and not node.async_events()
        fresh = Scene(bare, self.rng, policy=self.rng.randrange(3))
        fresh.write(PAGE + 100)
        fresh.end()
        fresh.read(100, here=2 * PAGE, there=0)
        fresh.end()
        fresh.check()
        return fresh

    @staticmethod
    def _begin_with(scene: Scene, activity: str) -> None:
        """Something is going on."""
        node = scene.node
        match activity:
            case "commands":
                for at in range(8):
                    node.post_command(h.CmdOp.FENCE, addr=node.fence_address, length=at)
            case "walks":
                node.post_command(h.CmdOp.INVALIDATE_KEY, key=scene.kb)
                scene.write(2 * PAGE)
            case "writes":
                scene.write(4 * PAGE)
            case "reads":
                scene.read(4 * PAGE)
            case "atomics":
                for _ in range(4):
                    scene.qa.fetch_add(scene.ka, A, scene.kb, B, 1)
            case "fault":
                scene.take(scene.kb, B)
                scene.write(PAGE)
            case "completions":
                for _ in range(12):
                    scene.write(8)

    @staticmethod
    def _begin(node: Any) -> None:
        """Off and on again."""
        node.restart()
