"""UVM tests of the HCA that must not pass: a broken environment, which the boards must see. For the simulator."""

from __future__ import annotations

from typing import Any

import pyuvm

from hwif.gen import hca as h
from tb.plan.test import Kind, Test
from tb.uvm.agents.axi.driver import MemoryResponder
from tb.uvm.hca.boards.fences import _Flying
from tb.uvm.hca.mirror import Work
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest
from tb.uvm.hca.tests.hca_wide import HcaWide
from tb.uvm.hca.tests.scene import PAGE, A, B, Scene

__all__ = ["CASES"]

ALONE = "support.uvm_hca_cases"
NAMES = (
    "ForgetsWrites",
    "TakesTooEarly",
    "FakesARecord",
    "FakesACompletion",
    "FakesAStatus",
    "TellsTheMirrorLies",
    "TellsAnotherCommand",
    "MissesPackets",
    "MissesReads",
    "MissesAtomics",
    "KeepsAnAccess",
    "FailsTooEarly",
    "OwesACompletion",
    "ForgetsToHold",
    "Idle",
)
CASES = {name: Test(f"case_{name.lower()}", "", Kind.UVM, f"{ALONE}:{name}", "hca", "hca") for name in NAMES}


class Forgetful(MemoryResponder):
    """Every tenth read has a bit turned."""

    reads = 0

    def _read(self, request: Any) -> Any:
        data, resp = super()._read(request)
        self.reads += 1
        if self.reads % 10 == 0:
            data = bytes([data[0] ^ 1]) + data[1:]
        return data, resp


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class ForgetsWrites(HcaBaseTest):
    """Memory is not what it was: what the test's own end of the comparison says."""

    def build_phase(self) -> None:
        pyuvm.uvm_factory().set_type_override_by_type(MemoryResponder, Forgetful)
        super().build_phase()

    def program(self, port: Any) -> None:
        scene = Scene(self.bare(port), self.rng)
        for _ in range(8):
            scene.write(PAGE)
            scene.end()
        scene.check()


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class TakesTooEarly(HcaBaseTest):
    """Software frees a page without invalidation and fence."""

    def program(self, port: Any) -> None:
        scene = Scene(self.bare(port), self.rng)
        scene.write(PAGE)
        scene.end()
        frame = scene.node.unmap(scene.kb, B)
        scene.node.revoke(scene.kb, B)
        assert frame
        scene.write(64)
        scene.end()


class _Disturbed(HcaBaseTest):
    """Traffic, and something that the subclass does to the environment."""

    def program(self, port: Any) -> None:
        scene = Scene(self.bare(port), self.rng)
        self.disturb(scene)

    def disturb(self, scene: Scene) -> None:
        """What must not go unseen."""
        raise NotImplementedError


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class FakesARecord(_Disturbed):
    """The board of faults has missed one: a record that it does not wait for, as if it were written twice."""

    def disturb(self, scene: Scene) -> None:
        scene.take(scene.kb, B)
        self.env.faults.waiting.append((0, 0, 99, 0, 0, 0, 0, 0xBAD))
        scene.write(64)
        scene.end()


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class FakesACompletion(_Disturbed):
    """A completion queue that the device is told to be elsewhere than software says."""

    def disturb(self, scene: Scene) -> None:
        self.env.mirror.cqs[scene.qa.context["send_cqn"]].written = 1
        scene.write(64)
        scene.end()


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class FakesAStatus(_Disturbed):
    """A command that software never rang."""

    def disturb(self, scene: Scene) -> None:
        number = scene.node.post_command(h.CmdOp.NOP)
        scene.bare.run(lambda: bool(self.env.mirror.rung), "the doorbell")
        self.env.mirror.rung.clear()
        scene.node.wait_command(number)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class TellsTheMirrorLies(_Disturbed):
    """A work request that says something else than the device read."""

    def disturb(self, scene: Scene) -> None:
        scene.write(64, ring=False)
        scene.qa.ring_send()
        scene.bare.run(lambda: bool(self.env.mirror.qps[scene.qa.qpn].sends), "the doorbell")
        self.env.mirror.qps[scene.qa.qpn].sends[0].wqe["remote_addr"] += 1
        scene.end()


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class TellsAnotherCommand(_Disturbed):
    """A command that deserves another status than it gets."""

    def disturb(self, scene: Scene) -> None:
        number = scene.node.post_command(h.CmdOp.NOP)
        scene.bare.run(lambda: bool(self.env.mirror.rung), "the doorbell")
        self.env.mirror.rung[0].entry["opcode"] = 200
        scene.node.wait_command(number)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class MissesPackets(_Disturbed):
    """The board of bytes is not told what comes by the link."""

    def disturb(self, scene: Scene) -> None:
        self.env.data._arrived = lambda _wire: None
        scene.write(64)
        scene.end()


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class MissesReads(_Disturbed):
    """Nor of what memory gives."""

    def disturb(self, scene: Scene) -> None:
        self.env.data._read = _Forgotten()
        scene.write(64)
        scene.end()


class _Forgotten(dict[Any, Any]):
    """Keeps nothing."""

    def get(self, key: Any, default: Any = None) -> Any:
        """Nothing."""
        return default


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class MissesAtomics(_Disturbed):
    """An atomic that nobody has asked for."""

    def disturb(self, scene: Scene) -> None:
        self.env.data._atomics = _Forgotten()
        scene.qa.fetch_add(scene.ka, A, scene.kb, B, 1)
        scene.bare.wait(scene.qa)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class KeepsAnAccess(_Disturbed):
    """The board of fences waits for an answer that has come."""

    def disturb(self, scene: Scene) -> None:
        self.env.fences._flying[False, 99] = [_Flying(scene.kb >> 8, B >> 12, write=False)]
        scene.take(scene.kb, B)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class FailsTooEarly(_Disturbed):
    """A completion after one that failed."""

    def disturb(self, scene: Scene) -> None:
        self.env.mirror.qps[scene.qa.qpn].failed.add(0)
        scene.write(64)
        scene.end()


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class OwesACompletion(_Disturbed):
    """A doorbell that the device has not heard."""

    def disturb(self, scene: Scene) -> None:
        scene.write(64)
        scene.end()
        qp = self.env.mirror.qps[scene.qa.qpn]
        qp.sends.append(Work(qp.sq_seen, dict(qp.sent[0].wqe)))


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class ForgetsToHold(HcaWide):
    """Memory answers what it was told to keep: there is always another tag for an invalidation."""

    def program(self, port: Any) -> None:
        """One pair."""
        bare = self.bare(port)
        (pair,) = self.begin(bare, 1, iter((1, 2)))
        self.env.bus.held = _Nothing()
        self.tags(bare, pair)


class _Nothing(set[Any]):
    """Nothing is ever in it."""

    def __contains__(self, _one: object) -> bool:
        return False


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class Idle(HcaBaseTest):
    """Nothing happens."""

    def program(self, port: Any) -> None:
        """No access of anything."""
        assert A
