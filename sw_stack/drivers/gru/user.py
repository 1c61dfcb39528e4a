"""The user's library: instructions, waiting for them, and the data segment.

A user works on its segment through a mapping the driver takes away when the context is unloaded. An access then faults, the
driver loads the context, perhaps elsewhere, and the access goes on: nothing here knows where the context is for longer than one
access. A wait on a control block survives any number of thefts.

Promises: `wait` answers CALL_OS by calling the driver and repeats an instruction that failed for a passing reason, at most
RETRIES times; any other exception is returned. Raises GruError when the context was closed or its address space is gone.
Needs: one user at a time on a control block; no locks held (an access may fault and sleep).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from hwif.fields import Line
from hwif.gen.events import TraceEvent
from hwif.gen.gru import DSR_AU_BYTES, HANDLE_BYTES, Cb, CbEcause, CbIstatus
from hwif.port import LineKind
from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.handles import HandlePort
from sw_stack.drivers.gru.instructions import (
    Instruction,
    gru_bcopy,
    gru_gamer,
    gru_gamerr,
    gru_gamir,
    gru_gamirr,
    gru_ivload,
    gru_ivset,
    gru_ivstore,
    gru_mesq,
    gru_nop,
    gru_vload,
    gru_vset,
    gru_vstore,
)
from sw_stack.drivers.gru.state import GruError, GruThreadState

__all__ = [
    "CbResult",
    "GruError",
    "GruUser",
    "Instruction",
    "gru_bcopy",
    "gru_gamer",
    "gru_gamerr",
    "gru_gamir",
    "gru_gamirr",
    "gru_ivload",
    "gru_ivset",
    "gru_ivstore",
    "gru_mesq",
    "gru_nop",
    "gru_vload",
    "gru_vset",
    "gru_vstore",
]

T = TypeVar("T")
RETRIES = 3
RETRYABLE = sum(
    1 << cause
    for cause in (
        CbEcause.EXECUTION_HW_ERROR,
        CbEcause.TLBHW_ERROR,
        CbEcause.RA_REQUEST_TIMEOUT,
        CbEcause.RA_RESPONSE_NON_FATAL,
        CbEcause.HA_RESPONSE_NON_FATAL,
        CbEcause.RA_RESPONSE_DATA_ERROR,
        CbEcause.HA_RESPONSE_DATA_ERROR,
    )
)
WORD = 8


@dataclass(frozen=True, slots=True)
class CbResult:
    """How an instruction ended: IDLE or EXCEPTION, and then why. `avalue` is what an atomic read."""

    istatus: CbIstatus
    isubstatus: int
    ecause: int
    avalue: int


class GruUser:
    """A program with a context open."""

    def __init__(self, driver: GruDriver, gts: GruThreadState) -> None:
        self._driver = driver
        self._sched = driver.sched
        self.gts = gts

    # ---- instructions ----------------------------------------------------------------------------------------------

    async def issue(self, cb: int, instruction: Instruction) -> None:
        """Start an instruction on a control block that is idle."""
        words = instruction.words()

        async def start(port: HandlePort, ctx: int) -> None:
            cbr = self.gts.thread_cbr_number(cb)
            first, second, thread = instruction.baddr0, instruction.baddr1_op2, self.gts.ts_number
            self._driver.trace.emit(self._sched.now, TraceEvent.USR_ISSUE, cbr, instruction.opc, first, second, thread, cb)
            await self._sched.mmio_write(port.cb(ctx, cb), words)

        await self._segment(start)

    async def wait(self, cb: int) -> CbResult:
        """Spin until the instruction is over, answering its faults."""
        retries = 0
        while True:
            cbr, seen, line = await self._look(cb)
            istatus = CbIstatus(Cb.istatus.get(line))
            if istatus == CbIstatus.ACTIVE:
                await self._sched.wait_line(LineKind.CB, cbr, seen)
                continue
            if istatus == CbIstatus.CALL_OS:
                await self._call_os(cb, cbr)
                continue
            ecause = 0
            if istatus == CbIstatus.EXCEPTION:
                ecause = await self._driver.gru_get_exception_detail(self.gts, cb)
                if ecause & RETRYABLE and not ecause & ~RETRYABLE and retries < RETRIES:
                    retries += 1
                    await self._again(cb, line)
                    continue
            self._driver.trace.emit(self._sched.now, TraceEvent.USR_DONE, cbr, istatus, self.gts.ts_number, cb)
            return CbResult(istatus, Cb.isubstatus.get(line), ecause, Cb.avalue.get(line))

    async def _call_os(self, cb: int, cbr: int) -> None:
        trace, sched = self._driver.trace, self._sched
        trace.emit(sched.now, TraceEvent.DRV_CALL_OS, cbr, self.gts.ts_number, cb)
        try:
            await self._driver.gru_handle_user_call_os(self.gts, cb)
        finally:
            trace.emit(sched.now, TraceEvent.DRV_CALL_OS_DONE, cbr)

    async def execute(self, cb: int, instruction: Instruction) -> CbResult:
        """Issue and wait."""
        await self.issue(cb, instruction)
        return await self.wait(cb)

    async def _look(self, cb: int) -> tuple[int, int, Line]:
        """The control block as it is: its physical number, the sequence number to wait from, its line."""

        async def look(port: HandlePort, ctx: int) -> tuple[int, int, Line]:
            cbr = self.gts.thread_cbr_number(cb)
            # Before the read. A theft counts it up as well, so the wait ends when the line is taken away.
            seen = self._sched.line_seq(LineKind.CB, cbr)
            return cbr, seen, await port.read_line(port.cb(ctx, cb))

        return await self._segment(look)

    async def _again(self, cb: int, line: Line) -> None:
        """Start the same instruction once more."""
        Cb.icmd.put(line, 1)
        Cb.istatus.put(line, CbIstatus.ACTIVE)

        async def start(port: HandlePort, ctx: int) -> None:
            await self._sched.mmio_write(port.cb(ctx, cb), line[:1])

        await self._segment(start)

    # ---- data segment ----------------------------------------------------------------------------------------------

    async def write_dsr(self, offset: int, data: bytes) -> None:
        """Store bytes in the data segment. Bytes beside them in a double-word are written back as they were read."""
        self._check_dsr(offset, len(data))
        first, last = offset & -WORD, offset + len(data) + WORD - 1 & -WORD
        if first == last:
            return
        head = b"" if first == offset else (await self.read_dsr(first, offset - first))
        end = offset + len(data)
        tail = b"" if end == last else (await self.read_dsr(end, last - end))
        padded = head + data + tail
        for start, stop in _lines(first, last):
            piece = padded[start - first : stop - first]
            words = [int.from_bytes(piece[index : index + WORD], "little") for index in range(0, len(piece), WORD)]

            async def store(port: HandlePort, ctx: int, at: int = start, words: list[int] = words) -> None:
                await self._sched.mmio_write(port.dsr(ctx, at), words)

            await self._segment(store)

    async def read_dsr(self, offset: int, n: int) -> bytes:
        """Load bytes from the data segment."""
        self._check_dsr(offset, n)
        first, last = offset & -WORD, offset + n + WORD - 1 & -WORD
        found = b""
        for start, stop in _lines(first, last):

            async def load(port: HandlePort, ctx: int, at: int = start, count: int = (stop - start) // WORD) -> tuple[int, ...]:
                return await self._sched.mmio_read(port.dsr(ctx, at), count)

            found += b"".join(word.to_bytes(WORD, "little") for word in await self._segment(load))
        return found[offset - first : offset - first + n]

    def _check_dsr(self, offset: int, n: int) -> None:
        size = self.gts.ts_dsr_au_count * DSR_AU_BYTES
        if offset < 0 or n < 0 or offset + n > size:
            raise GruError(f"bytes {offset}..{offset + n} outside the data segment of {size}")

    # ---- the mapping -----------------------------------------------------------------------------------------------

    async def _segment(self, access: Callable[[HandlePort, int], Awaitable[T]]) -> T:
        """One access to the segment, faulting until it is mapped.

        Between the test and the count nothing else runs, so whoever takes the mapping away sees this access and waits for it.
        """
        gts = self.gts
        while not gts.ts_mapped:
            await self._driver.gru_fault(gts)
        gru = gts.ts_gru
        if gru is None:
            raise GruError(f"context {gts.ts_number} is mapped but not loaded")
        gts.ts_user_mmio += 1
        try:
            return await access(gru.gs_port, gts.ts_ctxnum)
        finally:
            gts.ts_user_mmio -= 1
            if gts.ts_user_mmio == 0:
                gts.ts_user_mmio_wait.wake_all()


def _lines(first: int, last: int) -> list[tuple[int, int]]:
    """The range cut at line boundaries."""
    cuts = [first, *range((first // HANDLE_BYTES + 1) * HANDLE_BYTES, last, HANDLE_BYTES), last]
    return [(start, stop) for start, stop in pairwise(cuts) if start < stop]
