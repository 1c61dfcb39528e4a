"""The register window against its model, which is generated from spec/gru.toml: reset values, bit bash, read-only and write-one-
to-clear bits, strobes, what a context does not own, addresses where nothing is.
"""

from __future__ import annotations

from typing import Any

import pyuvm
from pyuvm import uvm_status_e

from hwif.gen import gru as g
from tb.uvm.agents.axil.config import WHOLE
from tb.uvm.agents.axil.item import RegisterItem
from tb.uvm.agents.axil.model import Predictor, put_on_bus
from tb.uvm.gen.gru_ral import GruHandles
from tb.uvm.gru.software import User
from tb.uvm.gru.tests.base import TIMEOUT_US, SoftwareTest
from tb.uvm.gru.window import UNIT_BYTES, UNITS

__all__ = ["GruRegisters"]

WORD = (1 << 64) - 1
CHOSEN = 3  # handles of a kind, beside the first and the last


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruRegisters(SoftwareTest):
    """No command is given, so nothing changes a handle but writes."""

    def build_phase(self) -> None:
        super().build_phase()
        self.predictor = Predictor.create("predictor", self)

    def connect_phase(self) -> None:
        """Before the boards."""
        self.env.registers.monitor.ap.connect(self.predictor.analysis_export)

    async def scene(self) -> None:
        """All of it."""
        made: Any = GruHandles
        model = put_on_bus(made("handles"), self.env.registers.sequencer, self.predictor)
        chosen = []
        for handles in (model.tfm, model.tgh, model.tfh, model.cch):
            inside = self.rng.sample(range(1, len(handles) - 1), CHOSEN)
            chosen += [register for index in (0, *inside, len(handles) - 1) for register in handles[index].values()]
        for register in chosen:
            await self._reset_value(register)
        for register in chosen:
            await self._bash(register)
        await self._refused()
        user = await self.software.open(self.chip.spaces.new(), 2, 2, core=None, sizes=1)
        await self._owned(user)

    def must(self, what: str, found: int, wanted: int) -> None:
        """Or object."""
        self.env.handles.judged((what, found))
        if found != wanted:
            self.env.handles.object_at(self.now(), "register", f"{what}: {found:#x}, not {wanted:#x}")

    @staticmethod
    def _mask(register: Any, *access: str) -> int:
        found = 0
        for field in register.get_fields():
            if field.get_access() in access:
                found |= (1 << field.get_n_bits()) - 1 << field.get_lsb_pos()
        return found

    async def _reset_value(self, register: Any) -> None:
        status, found = await register.read()
        self.must(f"{register.get_name()} can be read", int(status == uvm_status_e.UVM_IS_OK), 1)
        for field in register.get_fields():
            if field.has_reset():
                value = found >> field.get_lsb_pos() & (1 << field.get_n_bits()) - 1
                self.must(f"{register.get_name()}.{field.get_name()} after reset", value, field.get_reset())

    async def _bash(self, register: Any) -> None:
        """Bits alone and at random: the mirror says what must come of it. No command is given."""
        bits = self.rng.sample(range(64), 8)
        patterns = [1 << bit for bit in bits] + [WORD] + [self.rng.getrandbits(64) for _ in range(4)] + [0]
        name, commands = register.get_name(), {field.get_name() for field in register.get_fields()}
        steady, fixed = self._mask(register, "RW"), self._mask(register, "RO")
        clear = self._mask(register, "W1C")
        _status, before = await register.read()
        for pattern in patterns:
            written = pattern & ~1 if "cmd" in commands else pattern
            await register.write(written)
            _status, found = await register.read()
            mirrored = register.get_mirrored_value()
            self.must(f"{name} after a write of {written:#x}", found & steady, written & steady)
            self.must(f"the mirror of {name} after a write of {written:#x}", mirrored & steady, written & steady)
            if name.startswith(("tgh", "cch", "tfm")) or not fixed:
                self.must(f"{name}, read-only bits after a write of {written:#x}", found & fixed, before & fixed)
            self.must(f"{name}, an empty map after a write of {written:#x}", found & clear, 0)

    # ---- what is refused --------------------------------------------------------------------------------------------------------

    async def _refuse(self, what: str, *, addr: int, write: bool = False, strobe: int = WHOLE) -> None:
        item = RegisterItem(write=write, addr=addr, data=self.rng.getrandbits(64) & ~1, strobe=strobe)
        await self.software.bus.access(item)
        self.must(f"{what} at {addr:#x} is refused", int(bool(item.resp)), 1)

    async def _refused(self) -> None:
        for name, (base, count) in UNITS.items():
            at = base + self.rng.randrange(count) * g.HANDLE_STRIDE
            for write in (False, True):
                await self._refuse(f"{name} past its line", addr=at + g.HANDLE_BYTES + 8 * self.rng.randrange(24), write=write)
                if count * g.HANDLE_STRIDE < UNIT_BYTES:
                    await self._refuse(f"a {name} too many", addr=base + count * g.HANDLE_STRIDE, write=write)
            before = await self.software.bus.read(at + 8)
            for _ in range(3):
                await self._refuse(f"a part of a {name}", addr=at + 8, write=True, strobe=self.rng.randrange(1, WHOLE))
            self.must(f"{name} after refused writes", await self.software.bus.read(at + 8), before)
        nowhere = (g.NUM_CBR * g.HANDLE_STRIDE, g.DSR_OFFSET + g.DSR_BYTES, g.TFM_BASE - 8, g.CCH_BASE + UNIT_BYTES, g.GRU_SIZE - 8)
        for addr in nowhere:
            for write in (False, True):
                await self._refuse("nothing", addr=addr, write=write)
        for ctx in self.rng.sample(range(g.NUM_CTX), 2):
            for write in (False, True):
                await self._refuse("a control block of nobody", addr=ctx * g.GSEG_STRIDE, write=write)
                await self._refuse("a data segment of nobody", addr=ctx * g.GSEG_STRIDE + g.DSR_OFFSET, write=write)

    async def _owned(self, user: User) -> None:
        """A context's own: any strobe, and not a byte more."""
        software, rng = self.software, self.rng
        for base, limit in ((software.block_addr(user, 1) + 8, 5), (software.segment_addr(user, 0), user.dsr_bytes // 8)):
            addr = base + 8 * rng.randrange(limit)
            value = 0
            await software.bus.write(addr, 0)
            for _ in range(12):
                data, strobe = rng.getrandbits(64), rng.randrange(1 << 8)
                mask = sum(0xFF << 8 * byte for byte in range(8) if strobe >> byte & 1)
                value = value & ~mask | data & mask
                await software.bus.write(addr, data, strobe)
                self.must(f"{addr:#x} after a write with strobe {strobe:#x}", await software.bus.read(addr), value)
        await self._refuse("past the control blocks", addr=software.block_addr(user, 2))
        await self._refuse("past a control block's line", addr=software.block_addr(user, 1) + g.HANDLE_BYTES)
        await self._refuse("past the data segment", addr=software.segment_addr(user, user.dsr_bytes), write=True)
        cbe = g.CBE_BASE + user.cbrs[1] * g.HANDLE_STRIDE
        await software.bus.write(cbe + 16, 0x1234)
        self.must("a CBE's idef1upd", await software.bus.read(cbe + 16), 0x1234)
