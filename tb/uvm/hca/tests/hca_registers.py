"""The register block against its model, which is generated from spec/hca.rdl: reset values, bit bash, read-only and write-one-to-
clear bits, strobes, addresses that do not exist.

The model is tb/uvm/gen/hca_ral.py in pyuvm's register layer. Its predictor is `_Predictor`: pyuvm's own cannot be made.
"""

from __future__ import annotations

import random
from typing import Any

import pyuvm
from pyuvm import uvm_access_e, uvm_predict_e, uvm_reg_adapter, uvm_status_e, uvm_subscriber

from hwif.gen import hca as h
from tb.uvm.agents.axil.config import RegisterAccess
from tb.uvm.agents.axil.item import RegisterItem
from tb.uvm.agents.axil.sequence import RegisterSequence
from tb.uvm.gen.hca_ral import hca_csr
from tb.uvm.hca.points import register_names
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest

__all__ = ["HcaRegisters"]

WORD = (1 << 64) - 1
ASKS = 40  # random words for each register


class _Adapter(uvm_reg_adapter):
    """Operations of the model as items of the register agent."""

    def reg2bus(self, rw: Any) -> RegisterItem:
        """To the bus."""
        write = rw.kind == uvm_access_e.UVM_WRITE
        return RegisterItem(write=write, addr=int(rw.addr), data=rw.data if write else 0)

    def bus2reg(self, bus_item: RegisterItem, rw: Any) -> None:
        """From the bus."""
        rw.data = bus_item.data
        rw.status = uvm_status_e.UVM_IS_OK if bus_item.resp == 0 else uvm_status_e.UVM_NOT_OK


class _Front(RegisterSequence):
    """An operation ends when its access does."""

    async def finish_item(self, item: RegisterItem) -> None:
        """With its answer."""
        await super().finish_item(item)
        await item.done.wait()


class _Predictor(uvm_subscriber):
    """Keeps the model's mirror by what crosses the bus, whoever asked."""

    model: Any = None

    def write(self, access: RegisterAccess) -> None:
        """From the register monitor."""
        register = None if self.model is None else self.model.get_default_map().get_reg_by_offset(access.addr & -8)
        if register is None or not access.okay:
            return
        if access.write:
            register.predict(access.data, be=access.strobe, kind=uvm_predict_e.UVM_PREDICT_WRITE)
        else:
            register.predict(access.data, kind=uvm_predict_e.UVM_PREDICT_READ)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaRegisters(HcaBaseTest):
    """The device stays switched off but for STATUS, so that nothing changes its registers but writes."""

    def build_phase(self) -> None:
        super().build_phase()
        self.predictor = _Predictor.create("predictor", self)

    def connect_phase(self) -> None:
        """Before the boards."""
        self.env.registers.monitor.ap.connect(self.predictor.analysis_export)

    async def play(self) -> None:
        """All of it."""
        self.bfm.put(mutant=self.config.mutant)
        await self.bfm.start()
        self.random = random.Random(f"{self.seed}:registers")
        self.bus = self.env.register_sequence()
        model = hca_csr("csr")
        model.build()
        model.lock_model()
        adapter = _Adapter("adapter")
        adapter.parent_sequence = _Front("front")
        model.get_default_map().set_sequencer(self.env.registers.sequencer, adapter)
        model.get_default_map().set_auto_predict(False)
        self.predictor.model = model
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
