"""The register block against its model, which is generated from spec/hca.rdl: reset values, bit bash, read-only and write-one-to-
clear bits, strobes, addresses that do not exist.

The model is tb/uvm/gen/hca_ral.py in pyuvm's register layer.
"""

from __future__ import annotations

import random
from typing import Any

import pyuvm
from pyuvm import uvm_status_e

from hwif.gen import hca as h
from tb.uvm.agents.axil.item import RegisterItem
from tb.uvm.agents.axil.model import Predictor, put_on_bus
from tb.uvm.gen.hca_ral import hca_csr
from tb.uvm.hca.points import register_names
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest

__all__ = ["HcaRegisters"]

WORD = (1 << 64) - 1
ASKS = 40  # random words for each register


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaRegisters(HcaBaseTest):
    """The device stays switched off but for STATUS, so that nothing changes its registers but writes."""

    def build_phase(self) -> None:
        super().build_phase()
        self.predictor = Predictor.create("predictor", self)

    def connect_phase(self) -> None:
        """Before the boards."""
        self.env.registers.monitor.ap.connect(self.predictor.analysis_export)

    async def play(self) -> None:
        """All of it."""
        self.bfm.put(mutant=self.config.mutant)
        await self.bfm.start()
        self.random = random.Random(f"{self.seed}:registers")
        self.bus = self.env.register_sequence()
        model = put_on_bus(hca_csr("csr"), self.env.registers.sequencer, self.predictor)
        registers = model.get_registers()
        await self._reset_values(registers)
        for register in registers:
            await self._bash(register)
        await self._strobes(registers)
        await self._nowhere()
        await self._write_one_to_clear()
        await self.bfm.clocking.reset()
        await self._reset_values(registers)

    def _same(self, what: str, register: Any, found: int, wanted: int, mask: int = WORD) -> None:
        self.env.judge.note(what, register.get_name(), found)
        if (found ^ wanted) & mask:
            self.env.judge.object("register", f"{what}: {register.get_name()} is {found & mask:#x}, not {wanted & mask:#x}")

    @staticmethod
    def _steady(register: Any) -> int:
        """Bits that only a write changes, and what no field has: zeros."""
        moving = 0
        for field in register.get_fields():
            if field.is_volatile():
                moving |= (1 << field.get_n_bits()) - 1 << field.get_lsb_pos()
        return WORD & ~moving

    async def _reset_values(self, registers: list[Any]) -> None:
        for register in registers:
            status, found = await register.read()
            assert status == uvm_status_e.UVM_IS_OK
            self._same("after reset", register, found, register.get_reset())

    async def _bash(self, register: Any) -> None:
        """Each bit alone, then words at random; the mirror says what must come of it."""
        if register.get_offset() == h.CtrlReg.offset:
            patterns = [0, WORD & ~1]
        else:
            patterns = [1 << bit for bit in range(64) if self.config.scale >= 1 or bit % 8 == 0]
            patterns += [self.random.getrandbits(64) for _ in range(self.scaled(ASKS) // 8)] + [0]
        name = register.get_name()
        if name.startswith("COUNTER") and name != "COUNTER[31]":
            patterns = patterns[-2:]
        for pattern in patterns:
            await self.bus.write(int(register.get_offset()), pattern)
            _status, found = await register.read()
            self._same(f"after a write of {pattern:#x}", register, found, register.get_mirrored_value(), self._steady(register))
            if register.get_rights() == "RO":
                self._same(f"read-only, after a write of {pattern:#x}", register, found, register.get_reset())

    async def _strobes(self, registers: list[Any]) -> None:
        """Bytes that are not strobed keep their value."""
        steady = [one for one in registers if one.get_rights() == "RW" and one.get_offset() != h.CtrlReg.offset]
        for _ in range(self.scaled(60)):
            register = self.random.choice(steady)
            await self.bus.write(int(register.get_offset()), self.random.getrandbits(64), self.random.randrange(256))
            _status, found = await register.read()
            self._same("after a write of some bytes", register, found, register.get_mirrored_value(), self._steady(register))

    async def _nowhere(self) -> None:
        """Addresses without a register answer with an error, and nothing changes."""
        known = register_names()
        for addr in (addr for addr in range(0, h.CSR_BYTES, 8) if addr not in known):
            for write in (False, True):
                item = await self.bus.access(RegisterItem(write=write, addr=addr, data=WORD))
                self.env.judge.note("nowhere", addr, item.resp)
                if not item.resp:
                    self.env.judge.object("register", f"an access of {addr:#x}, where nothing is, is answered with OKAY")

    async def _write_one_to_clear(self) -> None:
        """STATUS.command_stopped: the device sets it when a queue without entries is rung."""
        read, write = self.bus.read, self.bus.write
        stopped = h.StatusReg.command_stopped.place(1)
        await write(h.CmdqSizeReg.offset, 0)
        await write(h.CtrlReg.offset, 1)
        await write(h.CmdqProdReg.offset, 1)
        for _ in range(40):
            if await read(h.StatusReg.offset):
                break
        for written, wanted in ((0, stopped), (WORD & ~stopped, stopped), (stopped, 0)):
            await write(h.StatusReg.offset, written)
            found = await read(h.StatusReg.offset)
            self.env.judge.note("STATUS", written, found)
            if found != wanted:
                self.env.judge.object("register", f"STATUS is {found:#x} after a write of {written:#x}, not {wanted:#x}")
        await write(h.CtrlReg.offset, 0)
