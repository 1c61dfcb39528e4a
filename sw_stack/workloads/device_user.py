"""A user of the device as a scenario wants one: load, store, copy and add, each a sentence.

Every control block has its own slice of the data segment, so operations on different control blocks run side by side.

Promises: an operation answers None or False when it ended in the architected exception for a missing translation (ecause
OS_FATAL_TLB_FAULT, and no other bit); any other exception is reported to `fail`. Needs: one operation at a time on a control block.
"""

from __future__ import annotations

from collections.abc import Callable

from hwif.gen.gru import HANDLE_BYTES, CbEcause, CbIstatus, CbXtype, ExopEr
from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.state import GruThreadState
from sw_stack.drivers.gru.user import CbResult, GruUser, Instruction, gru_bcopy, gru_gamer, gru_vload, gru_vset, gru_vstore

__all__ = ["SLICE_BYTES", "DeviceUser"]

SLICE_BYTES = 256  # data segment of one control block: half for data, half as the buffer of a copy
DATA_BYTES = SLICE_BYTES // 2
BUFFER_LINES = (SLICE_BYTES - DATA_BYTES) // HANDLE_BYTES
NO_TRANSLATION = 1 << CbEcause.OS_FATAL_TLB_FAULT

Fail = Callable[[str, int, str], None]


class DeviceUser(GruUser):
    """A GruUser with words for what scenarios do. At most DATA_BYTES a load or store."""

    def __init__(self, driver: GruDriver, gts: GruThreadState, fail: Fail) -> None:
        super().__init__(driver, gts)
        self._fail = fail
        self.operations = 0

    async def load(self, cb: int, address: int, n: int = 8) -> bytes | None:
        """Bytes of memory, by VLOAD."""
        await self.issue(cb, self.loading(cb, address, n))
        return await self.collect(cb, n)

    def loading(self, cb: int, address: int, n: int = 8) -> Instruction:
        """The instruction of `load`, to issue now and wait for later."""
        return gru_vload(address, cb * SLICE_BYTES, CbXtype.DW, n // 8)

    async def collect(self, cb: int, n: int = 8) -> bytes | None:
        """What `loading`, issued before, has loaded."""
        return await self.read_dsr(cb * SLICE_BYTES, n) if self.completed(await self.wait(cb), 0) else None

    async def store(self, cb: int, address: int, data: bytes) -> bool:
        """Bytes to memory, by VSTORE."""
        await self.write_dsr(cb * SLICE_BYTES, data)
        return await self.finish(cb, gru_vstore(address, cb * SLICE_BYTES, CbXtype.DW, len(data) // 8))

    async def fill(self, cb: int, address: int, value: int, words: int = 1) -> bool:
        """One double-word to `words` places, by VSET."""
        return await self.finish(cb, self.filling(address, value, words))

    def filling(self, address: int, value: int, words: int = 1) -> Instruction:
        """The instruction of `fill`."""
        return gru_vset(address, value, CbXtype.DW, words)

    async def copy(self, cb: int, source: int, target: int, n: int) -> bool:
        """Whole lines from memory to memory, by BCOPY."""
        return await self.finish(cb, self.copying(cb, source, target, n))

    def copying(self, cb: int, source: int, target: int, n: int) -> Instruction:
        """The instruction of `copy`."""
        buffer = cb * SLICE_BYTES + DATA_BYTES
        return gru_bcopy(source, target, buffer, CbXtype.CL, n // HANDLE_BYTES, BUFFER_LINES)

    async def add(self, cb: int, address: int, addend: int) -> int | None:
        """Fetch and add on a double-word, by GAMER; what it held."""
        result = await self.execute(cb, gru_gamer(ExopEr.ADD, address, CbXtype.DW, addend, 0))
        return result.avalue if self.completed(result, address) else None

    async def forget(self, address: int, n: int) -> None:
        """Shoot the translations of a range down, by the driver's own call: the next accesses miss."""
        await self._driver.gru_user_flush_tlb(self.gts, address, n)

    async def finish(self, cb: int, instruction: Instruction) -> bool:
        """Execute; True if it completed, False if it ended for want of a translation."""
        return self.completed(await self.execute(cb, instruction), instruction.baddr0)

    def completed(self, result: CbResult, address: int) -> bool:
        """Whether an operation completed; complains of an exception that no missing translation explains."""
        self.operations += 1
        if result.istatus == CbIstatus.IDLE:
            return True
        if result.ecause != NO_TRANSLATION:
            self._fail(
                "exception of the device", address, f"ecause {result.ecause:#x}, a missing translation gives {NO_TRANSLATION:#x}"
            )
        return False
