"""The GRU with the commands of a dmirror: read, write, count up.

Small areas go through the data segment, a page at a time, on two control blocks at once: VLOAD and VSTORE. A large page goes by
BCOPY on sixteen, from or to an area of the process's own. A page the process does not have, or not with the right asked for, ends
in the architected exception; the GRU cannot tell the one from the other.

Promises: exact counts of drop-ins for the pages asked for. Needs: one command at a time; for a large page 2 MiB more of the
process. Costs: what the driver and the user's library cost.
"""

from __future__ import annotations

from typing import Any

from hwif.gen.gru import CbEcause, CbIstatus, CbXtype, ExopIr
from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.user import CbResult, GruError, GruUser, gru_bcopy, gru_gamir, gru_vload, gru_vset, gru_vstore
from sw_stack.drivers.hmm.values import Access, Done, Refused
from sw_stack.mm import PROT_READ, PROT_WRITE, Mm
from sw_stack.mm.types import PAGE_SHIFT, PAGE_SIZE

__all__ = ["GruDevice"]

LANES = 2
"""Control blocks that move small pages, each with a page of data segment."""
COPIERS = 16
"""Control blocks that copy a large page, each with its part of the data segment as its buffer."""
DSR = LANES * PAGE_SIZE
WORDS = PAGE_SIZE // 8
LARGE_SHIFT = 21
LARGE = 1 << LARGE_SHIFT
LINE = 64
BUFFER = DSR // COPIERS
PIECE = LARGE // (8 * COPIERS)
DEVICE_CPU = 1
# Drop-ins a page takes. A store to a page without an entry misses twice, for the translation and then for the right to write
# (TLB_MOD). If it copies the page, the range of the copy takes the entry and voids the answer under way (SD-3): both come again.
DROPINS = {"read": 1, "write": 2, "copy": 4}
NO_TRANSLATION = 1 << CbEcause.OS_FATAL_TLB_FAULT


class GruDevice:
    """A context open for `mm`. Made by `open`."""

    def __init__(self, driver: GruDriver, user: GruUser) -> None:
        self.user = user
        self.mm = user.gts.ts_mm
        self._driver = driver
        self._sched = driver.sched
        self._area: int | None = None

    def __repr__(self) -> str:
        return f"<GRU context {self.user.gts.ts_number} of {self.mm.name}>"

    @classmethod
    async def open(cls, driver: GruDriver, mm: Mm) -> GruDevice:
        """A context for it; loaded by the first command."""
        return cls(driver, GruUser(driver, await driver.open(mm, cbrs=COPIERS, dsr_bytes=DSR)))

    async def close(self) -> None:
        """Give the context up."""
        await self._driver.close(self.user.gts)

    def faults(self, pages: int, shift: int = PAGE_SHIFT, access: Access = "read") -> int:
        """Drop-ins for the first access to each of `pages` pages of 4 KiB, of an area of 2**shift byte pages."""
        return -(-pages // (1 << shift - PAGE_SHIFT)) * DROPINS[access]

    # ---- commands --------------------------------------------------------------------------------------------------

    async def read(self, address: int, mirror: bytearray) -> Done:
        """Fill `mirror` from memory. Refused: it holds then what the data segment held. GruError: the process has exited."""
        if len(mirror) >= LARGE:
            return await self._copy(address, mirror, write=False)
        return await self._pages(self._load, address, mirror)

    async def write(self, address: int, mirror: bytearray) -> Done:
        """Write `mirror` to memory."""
        if len(mirror) >= LARGE:
            return await self._copy(address, mirror, write=True)
        return await self._pages(self._store, address, mirror)

    async def increment(self, address: int) -> int:
        """Count a double-word up, by GAMIR; what it held."""
        result = await self.user.execute(0, gru_gamir(ExopIr.INC, address, CbXtype.DW))
        self._completed([result], address)
        return result.avalue

    # ---- by the data segment ---------------------------------------------------------------------------------------

    async def _pages(self, move: Any, address: int, mirror: bytearray) -> Done:
        """`move` for every page, control block n with pages n, n + LANES, ..."""
        before, pages = self.user.gts.ustats.tlbdropin, len(mirror) // PAGE_SIZE
        results: list[CbResult] = []
        gone: list[GruError] = []

        async def lane(cb: int) -> None:
            try:
                for page in range(cb, pages, LANES):
                    part = memoryview(mirror)[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
                    results.append(await move(cb, address + page * PAGE_SIZE, part))
            except GruError as error:  # the driver's, for who asked
                gone.append(error)

        tasks = [self._sched.spawn(lane(cb), f"gru user {cb}", DEVICE_CPU) for cb in range(min(LANES, pages))]
        for task in tasks:
            await self._sched.join(task)
        if gone:
            raise gone[0]
        self._completed(results, address)
        return Done(len(results), self.user.gts.ustats.tlbdropin - before)

    async def _load(self, cb: int, address: int, part: memoryview) -> CbResult:
        # What the segment holds goes out and comes back: an exception that changed it would show.
        await self.user.write_dsr(cb * PAGE_SIZE, bytes(part))
        result = await self.user.execute(cb, gru_vload(address, cb * PAGE_SIZE, CbXtype.DW, WORDS))
        part[:] = await self.user.read_dsr(cb * PAGE_SIZE, PAGE_SIZE)
        return result

    async def _store(self, cb: int, address: int, part: memoryview) -> CbResult:
        await self.user.write_dsr(cb * PAGE_SIZE, bytes(part))
        return await self.user.execute(cb, gru_vstore(address, cb * PAGE_SIZE, CbXtype.DW, WORDS))

    # ---- by BCOPY --------------------------------------------------------------------------------------------------

    async def _copy(self, address: int, mirror: bytearray, *, write: bool) -> Done:
        if len(mirror) != LARGE:
            raise ValueError(f"{len(mirror)} bytes: a copy is of {LARGE}")
        if self._area is None:
            self._area = await self.mm.mmap(None, LARGE, PROT_READ | PROT_WRITE, huge=LARGE_SHIFT)
        area = self._area
        # The device's own accesses to the area miss before the count begins.
        if write:
            await self.mm.store(area, bytes(mirror))
            warm = gru_vload(area, 0, CbXtype.DW, 1)
        else:
            warm = gru_vset(area, 0, CbXtype.DW, 1)
        self._completed([await self.user.execute(0, warm)], area)
        before = self.user.gts.ustats.tlbdropin
        source, target = (area, address) if write else (address, area)
        results: list[CbResult] = []

        async def copy(cb: int, first: int, last: int) -> None:
            for offset in range(first, last, PIECE):
                n = min(PIECE, last - offset) // LINE
                copying = gru_bcopy(source + offset, target + offset, cb * BUFFER, CbXtype.CL, n, BUFFER // LINE)
                results.append(await self.user.execute(cb, copying))

        # One line alone: else every control block would miss on the page.
        await copy(0, 0, LINE)
        share = LARGE // COPIERS
        tasks = [
            self._sched.spawn(copy(cb, cb * share or LINE, (cb + 1) * share), f"gru user {cb}", DEVICE_CPU) for cb in range(COPIERS)
        ]
        for task in tasks:
            await self._sched.join(task)
        self._completed(results, address)
        if not write:
            mirror[:] = await self.mm.load(area, LARGE)
        return Done(LARGE // PAGE_SIZE, self.user.gts.ustats.tlbdropin - before)

    def _completed(self, results: list[CbResult], address: int) -> None:
        """Refused if one ended for want of a translation."""
        for result in results:
            if result.istatus != CbIstatus.IDLE:
                assert result.ecause == NO_TRANSLATION, f"ecause {result.ecause:#x}, not {NO_TRANSLATION:#x}"
                raise Refused(None, f"no translation for an access from {address:#x} on")
