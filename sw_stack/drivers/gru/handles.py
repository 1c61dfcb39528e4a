"""Commands to the device's handles: one function an operation.

A command is a line whose double-word 0 lands last with its `cmd` bit. The device answers in the status field; nobody polls: the
waiter holds the line until the device changes it.

Promises: waiting spins and is legal in atomic context. A status of EXCEPTION is returned, never raised.
Needs: the caller holds the handle's lock, or owns it by protocol (a fault handle belongs to whoever answers its miss).
Costs: one line write, then one line read per change of the status.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwif.fields import Field, Line, new_line
from hwif.gen.gru import (
    CB_OFFSET,
    CBE_BASE,
    CCH_BASE,
    DSR_OFFSET,
    GSEG_STRIDE,
    HANDLE_BYTES,
    HANDLE_STRIDE,
    INVAL_ALL_N,
    NUM_CTX,
    PAGE_SHIFT,
    PAGE_SHIFTS,
    TFH_BASE,
    TFM_BASE,
    TGH_BASE,
    Cch,
    CchOpc,
    CchState,
    Gaa,
    HandleStatus,
    Tfh,
    TfhOpc,
    Tfm,
    Tgh,
    TghOpc,
)
from hwif.port import LineKind
from sw_stack.sched import Scheduler

__all__ = [
    "HandlePort",
    "cch_allocate",
    "cch_deallocate",
    "cch_interrupt",
    "cch_interrupt_sync",
    "cch_start",
    "gru_pagesize",
    "tfh_exception",
    "tfh_restart",
    "tfh_user_polling_mode",
    "tfh_write_only",
    "tfh_write_restart",
    "tfm_swap",
    "tgh_flush_all",
    "tgh_invalidate",
    "wait_instruction_complete",
]

LINE_WORDS = HANDLE_BYTES // 8
VADDRMASK_ALL = (1 << Tgh.vaddrmask.width) - 1
_CODES = {shift: code for code, shift in PAGE_SHIFTS.items()}


def gru_pagesize(shift: int) -> int:
    """Code of a page size; KeyError when the device has no such size."""
    return _CODES[shift]


@dataclass(frozen=True, slots=True)
class HandlePort:
    """One chiplet's window."""

    sched: Scheduler
    base: int

    def tfm(self, core: int) -> int:
        return self.base + TFM_BASE + core * HANDLE_STRIDE

    def tgh(self, index: int) -> int:
        return self.base + TGH_BASE + index * HANDLE_STRIDE

    def cbe(self, cbr: int) -> int:
        return self.base + CBE_BASE + cbr * HANDLE_STRIDE

    def tfh(self, cbr: int) -> int:
        return self.base + TFH_BASE + cbr * HANDLE_STRIDE

    def cch(self, ctx: int) -> int:
        return self.base + CCH_BASE + ctx * HANDLE_STRIDE

    def cb(self, ctx: int, ucbnum: int) -> int:
        """The user's control block, through the context's segment."""
        return self.base + ctx * GSEG_STRIDE + CB_OFFSET + ucbnum * HANDLE_STRIDE

    def dsr(self, ctx: int, offset: int) -> int:
        """Byte of the context's data segment."""
        return self.base + ctx * GSEG_STRIDE + DSR_OFFSET + offset

    async def read_line(self, addr: int) -> Line:
        """All eight double-words."""
        return list(await self.sched.mmio_read(addr, LINE_WORDS))


def _start(word0: int, cmd: Field, opc: Field, operation: int) -> int:
    """Double-word 0 with a command in it."""
    return word0 & ~cmd.place(1) & ~opc.place((1 << opc.width) - 1) | cmd.place(1) | opc.place(operation)


async def wait_instruction_complete(port: HandlePort, kind: LineKind, index: int, addr: int, status: Field) -> int:
    """Spin until the handle's status is not ACTIVE; its double-word 0."""
    sched = port.sched
    while True:
        # The sequence number is taken before the read: a change between the two ends the wait at once.
        seen = sched.line_seq(kind, index)
        (word,) = await sched.mmio_read(addr)
        if status.of(word) != HandleStatus.ACTIVE:
            return word
        await sched.wait_line(kind, index, seen)


# ---- shootdown handles -------------------------------------------------------------------------------------------------


async def _tgh(port: HandlePort, index: int, line: Line) -> None:
    Tgh.cmd.put(line, 1)
    Tgh.opc.put(line, TghOpc.TLBINV)
    await port.sched.mmio_write(port.tgh(index), line[: Tgh.ctxbitmap.dw + 1])


async def tgh_invalidate(port: HandlePort, index: int, vaddr: int, asid: int, n: int, ctxbitmap: int) -> None:
    """Shoot down `n` + 1 pages of 4 KiB from `vaddr` (n = INVAL_ALL_N: the whole ASID). Returns when the command has landed."""
    line = new_line()
    Tgh.vaddr.put(line, vaddr)
    Tgh.asid.put(line, asid)
    Tgh.pagesize.put(line, gru_pagesize(PAGE_SHIFT))
    Tgh.vaddrmask.put(line, VADDRMASK_ALL)
    Tgh.n.put(line, n)
    Tgh.ctxbitmap.put(line, ctxbitmap)
    await _tgh(port, index, line)


async def tgh_flush_all(port: HandlePort, index: int) -> None:
    """Shoot down every entry of every context. Returns when the command has landed."""
    line = new_line()
    Tgh.is_global.put(line, 1)
    Tgh.vaddrmask.put(line, VADDRMASK_ALL)
    Tgh.pagesize.put(line, 1)
    Tgh.n.put(line, INVAL_ALL_N)
    Tgh.ctxbitmap.put(line, (1 << NUM_CTX) - 1)
    await _tgh(port, index, line)


async def tgh_wait(port: HandlePort, index: int) -> HandleStatus:
    """Spin until the shootdown is done: covered entries are dead and the accesses that used them are over."""
    word = await wait_instruction_complete(port, LineKind.TGH, index, port.tgh(index), Tgh.status)
    return HandleStatus(Tgh.status.of(word))


# ---- fault handles -----------------------------------------------------------------------------------------------------
# `line` is the handle as the caller read it: a command goes out in the line it answers, with the miss's own fields unchanged.


async def _tfh_short(port: HandlePort, cbr: int, line: Line, operation: TfhOpc) -> None:
    await port.sched.mmio_write(port.tfh(cbr), [_start(line[0], Tfh.cmd, Tfh.opc, operation)])


async def _tfh_write(
    port: HandlePort, cbr: int, line: Line, operation: TfhOpc, vaddr: int, asid: int, pfn: int, dirty: bool, pagesize: int
) -> None:
    line = list(line)
    Tfh.fillvaddr.put(line, vaddr)
    Tfh.fillasid.put(line, asid)
    Tfh.pfn.put(line, pfn)
    Tfh.gaa.put(line, Gaa.RAM)
    Tfh.dirty.put(line, int(dirty))
    Tfh.pagesize.put(line, pagesize)
    line[0] = _start(line[0], Tfh.cmd, Tfh.opc, operation)
    await port.sched.mmio_write(port.tfh(cbr), line[: Tfh.fillvaddr.dw + 1])


async def tfh_write_only(
    port: HandlePort, cbr: int, line: Line, vaddr: int, asid: int, pfn: int, dirty: bool, pagesize: int
) -> HandleStatus:
    """Drop in a translation and leave the control block parked. Waits."""
    await _tfh_write(port, cbr, line, TfhOpc.WRITE_ONLY, vaddr, asid, pfn, dirty, pagesize)
    word = await wait_instruction_complete(port, LineKind.TFH, cbr, port.tfh(cbr), Tfh.status)
    return HandleStatus(Tfh.status.of(word))


async def tfh_write_restart(
    port: HandlePort, cbr: int, line: Line, vaddr: int, asid: int, pfn: int, dirty: bool, pagesize: int
) -> None:
    """Drop in a translation and let the control block run. Not waited for: the handle may hold the next miss by then."""
    await _tfh_write(port, cbr, line, TfhOpc.WRITE_RESTART, vaddr, asid, pfn, dirty, pagesize)


async def tfh_restart(port: HandlePort, cbr: int, line: Line) -> None:
    """Let the control block run: it looks its translation up again."""
    await _tfh_short(port, cbr, line, TfhOpc.RESTART)


async def tfh_user_polling_mode(port: HandlePort, cbr: int, line: Line) -> None:
    """Hand the miss to the user: its control block shows CALL_OS, and the context lock is off."""
    await _tfh_short(port, cbr, line, TfhOpc.USER_POLLING_MODE)


async def tfh_exception(port: HandlePort, cbr: int, line: Line) -> None:
    """End the instruction with OS_FATAL_TLB_FAULT."""
    await _tfh_short(port, cbr, line, TfhOpc.EXCEPTION)


async def tfm_swap(port: HandlePort, core: int) -> tuple[int, int]:
    """Take a core's fault map: fault bits, done bits."""
    words = list(await port.sched.mmio_swap(port.tfm(core), Tfm.done_bits.dw + Tfm.done_bits.words))
    words += [0] * (LINE_WORDS - len(words))
    return Tfm.fault_bits.get(words), Tfm.done_bits.get(words)


# ---- context handles ---------------------------------------------------------------------------------------------------


async def _cch(port: HandlePort, ctx: int, line: Line, operation: CchOpc, words: int) -> int:
    line = list(line)
    line[0] = _start(line[0], Cch.cmd, Cch.opc, operation)
    await port.sched.mmio_write(port.cch(ctx), line[:words])
    return await wait_instruction_complete(port, LineKind.CCH, ctx, port.cch(ctx), Cch.status)


def cch_failure(word: int) -> str | None:
    """None if the command went well, else what the device says."""
    if Cch.status.of(word) == HandleStatus.IDLE:
        return None
    return f"status {Cch.status.of(word)}, cause {Cch.cause.of(word)}, state {CchState(Cch.state.of(word)).name}"


async def cch_allocate(port: HandlePort, ctx: int, line: Line) -> int:
    """Give the context its control blocks and data segment; from here its segment exists. Double-word 0 afterwards."""
    return await _cch(port, ctx, line, CchOpc.ALLOCATE, LINE_WORDS)


async def cch_start(port: HandlePort, ctx: int, line: Line) -> int:
    """Run: `line`'s ASIDs and page sizes take effect, control blocks with work go on."""
    return await _cch(port, ctx, line, CchOpc.START, LINE_WORDS)


async def cch_interrupt(port: HandlePort, ctx: int, line: Line) -> int:
    """Stop. Waits while a miss in fault-map mode is unanswered."""
    return await _cch(port, ctx, line, CchOpc.INTERRUPT, 1)


async def cch_interrupt_sync(port: HandlePort, ctx: int, line: Line) -> int:
    """Stop, and wait until no access of the context is in flight."""
    return await _cch(port, ctx, line, CchOpc.INTERRUPT_SYNC, 1)


async def cch_deallocate(port: HandlePort, ctx: int, line: Line) -> int:
    """Give the resources back; the segment is gone."""
    return await _cch(port, ctx, line, CchOpc.DEALLOCATE, 1)
