"""Commands: every one with every status it can end with, at odd times; a command queue that stops and is started anew."""

from __future__ import annotations

from typing import Any

import pyuvm

from hwif.fields import new_line
from hwif.gen import hca as h
from tb.hil.hca_bare import Bare, BareNode, line_of, settings
from tb.uvm.agents.axi.config import ErrorRule, Resp
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest
from tb.uvm.hca.tests.scene import PAGE, A, B, Scene

__all__ = ["HcaCommands"]

OUTSIDE = 1 << 40


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaCommands(HcaBaseTest):
    """The command board knows which status each deserves."""

    plan = Plan(chosen=settings(command_entries=8, fault_entries=8, keys=16, ack_timeout=0))

    def program(self, port: Any) -> None:
        """Bad ones, many at once, and the queue itself."""
        bare = self.bare(port)
        scene = Scene(bare, self.rng)
        self._bad(bare, scene)
        for _ in range(self.scaled(3)):
            self._batch(scene)
        self._stops(bare)

    def _bad(self, bare: Bare, scene: Scene) -> None:
        node, status = bare.nodes[0], h.CmdStatus
        good_qp = node.context(line_of(h.Qpc, **{**scene.qa.context, "state": h.QpState.RTS}))
        good_cq = node.context(line_of(h.Cqc, valid=0))
        scratch = node.context(new_line())
        cases: list[tuple[int, dict[str, int], h.CmdStatus]] = [
            (200, {}, status.BAD_OPCODE),
            (8, {}, status.BAD_OPCODE),
            (h.CmdOp.NOP, {}, status.OK),
            (h.CmdOp.MODIFY_QP, {"qpn": h.NUM_QP, "addr": good_qp}, status.BAD_NUMBER),
            (h.CmdOp.MODIFY_QP, {"qpn": 9, "addr": good_qp + 8}, status.BAD_CONTEXT),
            (h.CmdOp.MODIFY_QP, {"qpn": 9, "addr": OUTSIDE}, status.BAD_ADDRESS),
            (h.CmdOp.MODIFY_CQ, {"qpn": h.NUM_CQ, "addr": good_cq}, status.BAD_NUMBER),
            (h.CmdOp.MODIFY_CQ, {"qpn": 200, "addr": good_cq + 32}, status.BAD_CONTEXT),
            (h.CmdOp.MODIFY_CQ, {"qpn": 200, "addr": OUTSIDE}, status.BAD_ADDRESS),
            (h.CmdOp.MODIFY_CQ, {"qpn": 200, "addr": good_cq}, status.OK),
            (h.CmdOp.QUERY_QP, {"qpn": h.NUM_QP, "addr": scratch}, status.BAD_NUMBER),
            (h.CmdOp.QUERY_QP, {"qpn": 0, "addr": scratch + 4}, status.BAD_CONTEXT),
            (h.CmdOp.QUERY_QP, {"qpn": 0, "addr": OUTSIDE}, status.BAD_ADDRESS),
            (h.CmdOp.QUERY_QP, {"qpn": 0, "addr": scratch}, status.OK),
            (h.CmdOp.INVALIDATE_RANGE, {"key": h.NUM_KEY << 8, "length": 1}, status.BAD_NUMBER),
            (h.CmdOp.INVALIDATE_KEY, {"key": h.NUM_KEY << 8}, status.BAD_NUMBER),
            (h.CmdOp.FENCE, {"addr": node.fence_address + 4, "length": 1}, status.BAD_CONTEXT),
            (h.CmdOp.FENCE, {"addr": OUTSIDE, "length": 1}, status.BAD_ADDRESS),
            (h.CmdOp.RESUME, {"qpn": h.NUM_QP, "token": 1}, status.BAD_NUMBER),
            (h.CmdOp.RESUME, {"qpn": 5, "token": 1}, status.BAD_TOKEN),
        ]
        for field, value in {"state": 9, "policy": 3, "mtu_shift": 13}.items():
            bad = node.context(line_of(h.Qpc, **{**scene.qa.context, field: value}))
            cases.append((h.CmdOp.MODIFY_QP, {"qpn": 9, "addr": bad}, status.BAD_CONTEXT))
        for side, field in (("load_sq", "sq_base"), ("load_rq", "rq_base")):
            for base in (8, 1 << 52):
                bad = node.context(line_of(h.Qpc, **{**scene.qa.context, field: base}))
                cases.append((h.CmdOp.MODIFY_QP, {"qpn": 9, "addr": bad, side: 1}, status.BAD_CONTEXT))
        for base in (8, 1 << 52):
            bad = node.context(line_of(h.Cqc, valid=1, log=2, base=base))
            cases.append((h.CmdOp.MODIFY_CQ, {"qpn": 201, "addr": bad}, status.BAD_CONTEXT))
        self.rng.shuffle(cases)
        for opcode, fields, wanted in cases:
            found = node.command(opcode, **fields)
            assert found is wanted, f"command {opcode} {fields} ended with {found.name}, not {wanted.name}"
        scene.write(100)
        scene.end()

    def _batch(self, scene: Scene) -> None:
        """As many as the queue holds, rung at once, a fence behind each invalidation, while traffic runs."""
        node = scene.node
        scene.write(2 * PAGE)
        numbers = []
        for at in range(4):
            key, base = self.rng.choice([(scene.ka, A), (scene.kb, B)])
            numbers.append(
                node.post_command(
                    h.CmdOp.INVALIDATE_RANGE, key=key, addr=base, length=self.rng.choice([1, PAGE, 1 << 40]), ring=False
                )
            )
            numbers.append(node.post_command(h.CmdOp.FENCE, addr=node.fence_address, length=at + 1, ring=at == 3))
        for number in numbers:
            assert node.wait_command(number) is h.CmdStatus.OK
        assert int.from_bytes(node.memory.read(node.fence_address, 8), "little") == 4
        scene.end()

    def _stops(self, bare: Bare) -> None:
        """A bad size, a bad base, memory that refuses the fetch: stopped, told, and started anew."""
        node: BareNode = bare.nodes[0]
        base, size = node._commandq, self.plan.chosen.command_entries

        def rings(before: Any) -> None:
            before()
            node.post_command(h.CmdOp.NOP)
            bare.run(lambda: bool(node.load(h.StatusReg)["command_stopped"]), "the queue to stop")
            assert node.async_events() == [(h.AsyncType.COMMAND_QUEUE, 0)]
            self.env.mirror.rung.clear()
            self.env.bus.errors[1:] = []
            node.store(h.CmdqBaseReg, addr=base)
            node.store(h.CmdqSizeReg, entries=size)
            node.store(h.StatusReg, command_stopped=1)
            node._commands = 0
            assert node.command(h.CmdOp.NOP) is h.CmdStatus.OK

        def size_of(entries: int) -> Any:
            def change() -> None:
                node.store(h.CmdqSizeReg, entries=entries)
                node._commands = 0

            return change

        for entries in (0, 3, 24):
            rings(size_of(entries))

        def base_of() -> None:
            node.store(h.CmdqBaseReg, addr=base + 8)
            size_of(size)()

        rings(base_of)
        rings(lambda: self.env.bus.errors.append(ErrorRule(Resp.SLVERR, base, base + size * 64 - 1, writes=False)))
        rings(lambda: self.env.bus.errors.append(ErrorRule(Resp.SLVERR, base, base + size * 64 - 1, reads=False)))
