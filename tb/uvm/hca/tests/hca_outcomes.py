"""Every opcode with every status that it can end with."""

from __future__ import annotations

from typing import Any

import pyuvm

from hwif.gen import hca as h
from tb.hil.hca_bare import Bare, settings
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest
from tb.uvm.hca.tests.scene import PAGE, A, B, Scene

__all__ = ["HcaOutcomes"]

S = h.WcStatus
ATOMICS = (h.WrOpcode.ATOMIC_CMP_AND_SWP, h.WrOpcode.ATOMIC_FETCH_AND_ADD)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaOutcomes(HcaBaseTest):
    """Each case with a queue pair of its own: an error ends it."""

    plan = Plan(chosen=settings(command_entries=16, fault_entries=8, keys=32, ack_timeout=500, rnr_delay=100), frames=4096)

    def program(self, port: Any) -> None:
        """All of them."""
        bare = self.bare(port)
        scene = Scene(bare, self.rng)
        self.gone = scene.node.key(6, B, PAGE)  # on demand and nothing in it
        self.pinned = scene.node.key(7, B, PAGE, on_demand=False)  # the same, but it has holes: a broken table
        cases = [(opcode, status) for opcode in h.WrOpcode for status in self._statuses(opcode)]
        self.rng.shuffle(cases)
        for opcode, status in cases[: self.scaled(len(cases))]:
            self._one(bare, scene, opcode, status)
            scene.node.async_events()

    def _statuses(self, opcode: h.WrOpcode) -> list[S]:
        found = [S.SUCCESS, S.LOC_LEN_ERR, S.LOC_QP_OP_ERR, S.LOC_PROT_ERR, S.REM_INV_REQ_ERR, S.REM_OP_ERR, S.RETRY_EXC_ERR]
        return [*found, S.RNR_RETRY_EXC_ERR, *([] if opcode is h.WrOpcode.SEND else [S.REM_ACCESS_ERR])]

    def _one(self, bare: Bare, scene: Scene, opcode: h.WrOpcode, status: S) -> None:
        context = {"rnr_retry": 1, "retry_cnt": 1, "policy": int(h.FaultPolicy.DISCARD), "mtu_shift": 8}
        qa, qb = scene.pair(**context)
        wqe: dict[str, Any] = {"opcode": opcode, "num_sge": 1, "addr0": A, "length0": 8, "lkey0": scene.ka}
        if opcode is not h.WrOpcode.SEND:
            wqe |= {"rkey": scene.kb, "remote_addr": B}
        if opcode in ATOMICS:
            wqe |= {"addr1": 1, "swap": 2}
        room = 64
        match status:
            case S.LOC_LEN_ERR:
                wqe["length0"] = 7 if opcode in ATOMICS else h.MAX_MESSAGE + 1
            case S.LOC_QP_OP_ERR:
                wqe["num_sge"] = 3
            case S.LOC_PROT_ERR:
                wqe["lkey0"] = scene.ka + 1
            case S.REM_INV_REQ_ERR:
                qb.modify(allow_read=0, allow_write=0, allow_atomic=0)
                room = 4
            case S.REM_ACCESS_ERR:
                wqe["rkey"] = scene.kb + 1
            case S.REM_OP_ERR:
                wqe["rkey"] = self.pinned
            case S.RETRY_EXC_ERR:
                qb.modify(state=h.QpState.INIT)
            case S.RNR_RETRY_EXC_ERR:
                wqe["rkey"] = self.gone
        if opcode is h.WrOpcode.SEND:
            wqe.pop("rkey", None)
            if status is S.REM_OP_ERR:
                qb.recv(scene.kb + 1, B, room)
            elif status is not S.RNR_RETRY_EXC_ERR:
                qb.recv(scene.kb, B, room)
        qa.post_send(**wqe)
        found = S(bare.wait(qa)[0]["status"])
        assert found is status, f"{opcode.name} ended with {found.name}, not {status.name}"
        if opcode is h.WrOpcode.SEND and status in (S.SUCCESS, S.REM_INV_REQ_ERR, S.REM_OP_ERR):
            bare.wait(qb, recv=True)
        elif status is S.RNR_RETRY_EXC_ERR and opcode is not h.WrOpcode.SEND:
            for fault in scene.node.wait_faults(1):
                assert scene.node.resume(fault, error=True) is h.CmdStatus.OK
