"""Memory refuses: every kind of access of the device ends with an error once, and what is architected for it, and nothing else,
comes of it. A broken cable and a register bus that is asked nonsense stand in other tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyuvm

from hwif.gen import hca as h
from hwif.memory import FRAME_BYTES
from tb.hil.hca_bare import Bare, line_of, settings
from tb.uvm.agents.axi.config import ErrorRule, Resp
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest
from tb.uvm.hca.tests.scene import PAGE, A, B, Scene

__all__ = ["HcaErrors"]

SUCCESS = h.WcStatus.SUCCESS


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaErrors(HcaBaseTest):
    """Each case has a queue pair of its own, for most of them end it."""

    plan = Plan(chosen=settings(command_entries=16, fault_entries=4, keys=32, ack_timeout=2500, rnr_delay=300), frames=2048)

    def program(self, port: Any) -> None:
        """One refusal after the other."""
        bare = self.bare(port)
        self.scene = Scene(bare, self.rng, first_key=1, retry_cnt=2)
        self.node = bare.nodes[0]
        cases: list[Callable[[Bare], None]] = [
            self._key,
            self._table,
            self._send_request,
            self._receive_request,
            self._payload_read,
            self._payload_write,
            self._answer_source,
            self._atomic,
            self._completion,
            self._record,
            self._context,
            self._report,
            self._fence,
        ]
        self.rng.shuffle(cases)
        for case in cases[: self.scaled(len(cases))]:
            case(bare)
            self._heal(bare)

    def _refuse(self, first: int, count: int, *, writes: bool = False, times: int = 1) -> ErrorRule:
        rule = ErrorRule(self.rng.choice([Resp.SLVERR, Resp.DECERR]), first, first + count - 1, not writes, writes, times=times)
        self.env.bus.errors.append(rule)
        return rule

    def _heal(self, bare: Bare) -> None:
        """Memory is whole, the device told nothing it was not asked, and the first queue pair works."""
        self.env.bus.errors[1:] = []
        self.node.async_events()
        scene = self.scene
        scene.write(300, there=64)
        scene.end()

    def _ends(self, qp: Any, wanted: h.WcStatus, rule: ErrorRule) -> None:
        status = h.WcStatus(self.scene.bare.wait(qp)[0]["status"])
        assert rule.times == 0, "the access that memory refuses never came"
        assert status is wanted, f"it ended with {status.name}, not {wanted.name}"

    def _flush(self) -> None:
        for key in (self.scene.ka, self.scene.kb):
            assert self.node.invalidate(key) is h.CmdStatus.OK

    def _key(self, bare: Bare) -> None:
        """The key table's entry: BAD_TABLE. Here of the far key, so REM_OP."""
        qa, _qb = self.scene.pair()
        self._flush()
        rule = self._refuse(self.node.key_table + 64 * (self.scene.kb >> 8), 64)
        qa.write(self.scene.ka, A, self.scene.kb, B, 64)
        self._ends(qa, h.WcStatus.REM_OP_ERR, rule)

    def _table(self, bare: Bare) -> None:
        """A level of the table, of the near key: LOC_QP_OP_ERR."""
        qa, _qb = self.scene.pair()
        self._flush()
        region = self.node.regions[self.scene.ka >> 8]
        frame = self.rng.choice([region.root, *region.tables.values()])
        rule = self._refuse(frame * FRAME_BYTES, FRAME_BYTES)
        qa.write(self.scene.ka, A, self.scene.kb, B, 64)
        self._ends(qa, h.WcStatus.LOC_QP_OP_ERR, rule)

    def _send_request(self, bare: Bare) -> None:
        qa, _qb = self.scene.pair()
        rule = self._refuse(qa.context["sq_base"], 64)
        qa.write(self.scene.ka, A, self.scene.kb, B, 64)
        self._ends(qa, h.WcStatus.LOC_QP_OP_ERR, rule)

    def _receive_request(self, bare: Bare) -> None:
        qa, qb = self.scene.pair()
        rule = self._refuse(qb.context["rq_base"], 64)
        qb.recv(self.scene.kb, B, 64)
        qa.send(self.scene.ka, A, 64)
        self._ends(qa, h.WcStatus.REM_OP_ERR, rule)

    def _payload_read(self, bare: Bare) -> None:
        """The packet leaves with a wrong CRC; its queue pair is told."""
        qa, _qb = self.scene.pair()
        frame = self.node.frame_at(self.scene.ka, A + PAGE)
        rule = self._refuse(frame * FRAME_BYTES, FRAME_BYTES)
        qa.write(self.scene.ka, A + PAGE, self.scene.kb, B, 64)
        self._ends(qa, h.WcStatus.LOC_QP_OP_ERR, rule)

    def _payload_write(self, bare: Bare) -> None:
        qa, _qb = self.scene.pair()
        frame = self.node.frame_at(self.scene.kb, B + PAGE)
        rule = self._refuse(frame * FRAME_BYTES, FRAME_BYTES, writes=True)
        qa.write(self.scene.ka, A, self.scene.kb, B + PAGE, 64)
        self._ends(qa, h.WcStatus.REM_OP_ERR, rule)

    def _answer_source(self, bare: Bare) -> None:
        """A READ's source."""
        qa, _qb = self.scene.pair()
        frame = self.node.frame_at(self.scene.kb, B + PAGE)
        rule = self._refuse(frame * FRAME_BYTES, FRAME_BYTES)
        qa.read(self.scene.ka, A + 4 * PAGE, self.scene.kb, B + PAGE, 64)
        self._ends(qa, h.WcStatus.REM_OP_ERR, rule)

    def _atomic(self, bare: Bare) -> None:
        qa, _qb = self.scene.pair()
        frame = self.node.frame_at(self.scene.kb, B + PAGE)
        rule = self._refuse(frame * FRAME_BYTES, FRAME_BYTES, writes=bool(self.rng.randrange(2)))
        before = self.node.peek(self.scene.kb, B + PAGE, 8)
        qa.fetch_add(self.scene.ka, A + 4 * PAGE, self.scene.kb, B + PAGE, 1)
        self._ends(qa, h.WcStatus.REM_OP_ERR, rule)
        assert self.node.peek(self.scene.kb, B + PAGE, 8) == before, "an atomic that failed changed memory"

    def _completion(self, bare: Bare) -> None:
        """The completion itself: it is lost, and nobody else's."""
        qa, _qb = self.scene.pair()
        cq = self.node.cqs[qa.context["send_cqn"]]
        rule = self._refuse(cq.base, 64, writes=True)
        qa.write(self.scene.ka, A, self.scene.kb, B, 64, signaled=1)
        bare.run(lambda: rule.times == 0, "the completion that memory refuses")
        bare.sleep(200)
        assert not self.node.arrived(qa.context["send_cqn"])

    def _record(self, bare: Bare) -> None:
        """A fault record: it stays in the device until software has written the queue's registers."""
        scene, node = self.scene, self.node
        node.store(h.StatusReg, fault_overflow=1)
        scene.take(scene.kb, B + 5 * PAGE)
        rule = self._refuse(node._faultq, 4 * 64, writes=True)
        scene.write(64, there=5 * PAGE)
        bare.run(lambda: rule.times == 0, "the record that memory refuses")
        bare.sleep(300)
        assert node.load(h.FqProdReg)["index"] == node.load(h.FqConsReg)["index"], "a record that is not in memory is announced"
        assert node.load(h.StatusReg)["fault_overflow"]
        node.store(h.FqConsReg, index=node.load(h.FqConsReg)["index"])
        (fault,) = node.wait_faults(1)
        scene.bring(fault)
        assert node.resume(fault) is h.CmdStatus.OK
        scene.end()

    def _context(self, bare: Bare) -> None:
        context = self.node.context(line_of(h.Qpc, **self.scene.qa.context))
        rule = self._refuse(context, 64)
        self.env.commands.memory_refuses = True
        assert self.node.command(h.CmdOp.MODIFY_QP, qpn=30, addr=context) is h.CmdStatus.BAD_ADDRESS
        context = self.node.context(line_of(h.Cqc, valid=0))
        other = self._refuse(context, 64)
        assert self.node.command(h.CmdOp.MODIFY_CQ, qpn=30, addr=context) is h.CmdStatus.BAD_ADDRESS
        self.env.commands.memory_refuses = False
        assert rule.times == other.times == 0

    def _report(self, bare: Bare) -> None:
        at = self.node.context(line_of(h.Cqc))
        rule = self._refuse(at, 64, writes=True)
        self.env.commands.memory_refuses = True
        assert self.node.command(h.CmdOp.QUERY_QP, qpn=0, addr=at) is h.CmdStatus.BAD_ADDRESS
        self.env.commands.memory_refuses = False
        assert rule.times == 0

    def _fence(self, bare: Bare) -> None:
        rule = self._refuse(self.node.fence_address, 8, writes=True)
        self.env.commands.memory_refuses = True
        assert self.node.command(h.CmdOp.FENCE, addr=self.node.fence_address, length=9) is h.CmdStatus.BAD_ADDRESS
        self.env.commands.memory_refuses = False
        assert rule.times == 0
