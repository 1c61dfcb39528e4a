"""Every access of memory against the oracle of translations (pymodels/hca/oracle.py): was it allowed when it was asked, and is it
still when it is answered? SD-1, SD-2, FQ-5, and nobody else's memory ever.

Promises: an access is judged by the shadow as it is then; software changes it only while the clock stands. Accesses that memory
refuses are not judged a second time.
"""

from __future__ import annotations

from pyuvm import ConfigDB

from pymodels.hca.oracle import Oracle
from tb.uvm.agents.axi.config import MemoryAccess, Resp
from tb.uvm.agents.axi.memory import strobe_runs
from tb.uvm.hca.boards.base import Board
from tb.uvm.hca.observed import owner_of
from tb.uvm.inlet import Inlet

__all__ = ["BeatBoard"]


class BeatBoard(Board):
    """Both ends of every access."""

    def build_phase(self) -> None:
        super().build_phase()
        self.memory = ConfigDB().get(self, "", "MEMORY")
        self.oracle: Oracle = ConfigDB().get(self, "", "ORACLE")
        self.oracle.max_violations = 1
        self.started = Inlet("started", self, lambda access: self._judge(access, "asked for"))
        self.accesses = Inlet("accesses", self, self._ended)

    def _ended(self, access: MemoryAccess) -> None:
        self.judge.note("access", access.write, access.ident, access.addr, access.resp)
        if access.resp in (Resp.OKAY, Resp.EXOKAY) and not (access.lock and access.resp == Resp.OKAY):
            self._judge(access, "answered")

    def _judge(self, access: MemoryAccess, when: str) -> None:
        if not self.memory.holds(access.addr):
            return  # memory refuses it, and the device must cope
        oracle, owner = self.oracle, owner_of(access.user)
        before = oracle.violations
        if owner.mapped:
            pa = access.addr & -64 | owner.va % 64
            args = (self.cycle, owner.qpn, owner.key, owner.need, owner.va, pa, max(1, owner.bytes))
            oracle.check(*args, write=access.write)
            if (access.write and access.strobe >> owner.va % 64 != (1 << owner.bytes) - 1) or (
                access.write and access.strobe & (1 << owner.va % 64) - 1
            ):
                self.judge.object(
                    "strobe", f"a write of {owner.bytes} bytes at {owner.va:#x} has strobes {strobe_runs(access.strobe)}"
                )
        else:
            oracle.check_own(self.cycle, access.addr, access.size, write=access.write)
        if oracle.violations != before:
            self.judge.object("SD-2", f"{when}: {oracle.kept[-1]}")
            oracle.kept.clear()
