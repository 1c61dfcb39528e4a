"""The cable of a device whose link leads back to it: which packets it loses, corrupts or truncates.

Promises: `faults` decide the fate of single packets as tb.hil.abi.LinkFault says; all others are drawn, by seed and their number.
Needs: "BFM" and "PLAN" in the ConfigDB.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from cocotb.triggers import Event
from pyuvm import ConfigDB, uvm_component

from tb.hil.abi import Fate, LinkFault
from tb.uvm.hca.bfm import HcaBfm, Seen
from tb.uvm.hca.plan import Plan

__all__ = ["Cable"]

OPCODES = 16


class Cable(uvm_component):
    """Sets the fate of the packet that comes next, before it comes."""

    def build_phase(self) -> None:
        super().build_phase()
        self.bfm: HcaBfm = ConfigDB().get(self, "", "BFM")
        self.plan: Plan = ConfigDB().get(self, "", "PLAN")
        self.faults: list[LinkFault] = []
        self.told: Callable[[int, Fate], None] = lambda _opcode, _fate: None
        """Called with each packet's opcode and fate."""
        self._rng = random.Random(f"{ConfigDB().get(self, '', 'SEED')}:cable")
        self._drawn = Fate.PASS
        self._changed = Event()
        self.bfm.watch(Seen.CABLE, self._begun)

    async def run_phase(self) -> None:
        shown = 0
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self.bfm.clocking.edge  # the packet that begins now keeps its fate
            fates = sum(self._fate(opcode) << 2 * opcode for opcode in range(OPCODES))
            if fates != shown:
                shown = fates
                self.bfm.put(loop_fates=fates)

    def damage(self, fault: LinkFault) -> None:
        """One packet to come."""
        self.faults.append(fault)
        self._changed.set()

    def _fate(self, opcode: int) -> Fate:
        due = [fault for fault in self.faults if fault.opcode in (0, opcode) and fault.skip == 0]
        return due[0].fate if due else self._drawn

    def _begun(self) -> None:
        opcode = self.bfm.get("loop_opcode")
        self.told(opcode, self._fate(opcode % OPCODES))
        kept: list[LinkFault] = []
        spent = False
        for fault in self.faults:
            if fault.opcode not in (0, opcode):
                kept.append(fault)
            elif fault.skip:
                kept.append(LinkFault(fault.fate, fault.direction, fault.opcode, fault.skip - 1))
            elif spent:
                kept.append(fault)
            else:
                spent = True
        changed = kept != self.faults
        self.faults = kept
        if self.plan.damage:
            self._drawn = self._rng.choice(list(Fate)[1:]) if self._rng.random() < self.plan.damage else Fate.PASS
            changed = True
        if changed:
            self._changed.set()
