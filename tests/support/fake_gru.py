"""A functional GRU behind hwif.port.Device: enough of the device to test its driver without RTL.

Keeps the rules the driver leans on: the context lock, the drain before a shootdown's status, the drop of a drop-in whose miss
is older than a covering shootdown, user polling, save and restore. Latencies are fixed and arbitrary. Accesses are checked
against the oracle's shadow when their bytes move. `magic=False` breaks the third rule, so that a test can see it matters.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray
from support.fake_program import Access, begin, finish, next_access
from support.fake_tlb import Page, Shoot

from hwif.fields import Field, Line, new_line
from hwif.gen import gru as g
from hwif.gen.events import TraceEvent
from hwif.gen.gru import Cb, Cbe, CbIstatus, CbrState, Cch, CchOpc, CchState, HandleStatus, Tfh, TfhCause, TfhOpc, TfhState, Tgh
from hwif.memory import HostMemory
from hwif.port import (
    Event,
    Irq,
    LineKind,
    MmioDone,
    MmioRead,
    MmioSwap,
    MmioWrite,
    OracleStop,
    Request,
    Snoop,
    Violation,
    ViolationReason,
)
from hwif.shadow import READ, WRITE, Shadow

BUS, STEP, MEMORY = 6, 4, 40  # cycles: a bus access, one engine step, a memory access


class FakeGru:
    """One chiplet."""

    def __init__(self, memory: HostMemory, shadow: Shadow, *, magic: bool = True) -> None:
        self.memory, self.shadow, self.magic = memory, shadow, magic
        self.reset()

    def reset(self) -> None:
        self._now = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._serial = count()
        self._events: list[Event] = []
        self._records: list[list[int]] = []
        self._violations: list[Violation] = []
        self._counts: Counter[str] = Counter()
        self.tlb: list[Page] = []
        self.lines: dict[str, list[Line]] = {
            name: [new_line() for _ in range(n)]
            for name, n in (("tgh", g.NUM_TGH), ("cbe", g.NUM_CBR), ("tfh", g.NUM_CBR), ("cch", g.NUM_CTX), ("cb", g.NUM_CBR))
        }
        self.dsr = bytearray(g.DSR_BYTES)
        self.fault_bits, self.done_bits = [0] * g.NUM_TFM, [0] * g.NUM_TFM
        self.ctx_of: dict[int, int] = {}
        self.dsr_units: dict[int, list[int]] = {}
        self.flight: dict[int, Page] = {}
        self.drains: dict[int, set[int]] = {}
        self.log: list[Shoot] = []
        self.missed_at: dict[int, int] = {}
        self.stopping: dict[int, CchOpc] = {}

    # ---- the port --------------------------------------------------------------------------------------------------

    @property
    def cycle(self) -> int:
        return self._now

    def submit(self, request: Request) -> None:
        self._at(request.at, lambda: self._bus(request))

    def advance(self, until: int) -> Sequence[Event]:
        while self._queue and self._queue[0][0] <= until:
            self._now = max(self._now, self._queue[0][0])
            while self._queue and self._queue[0][0] <= self._now:
                heapq.heappop(self._queue)[2]()
            if self._events:
                events, self._events = self._events, []
                return events
        self._now = max(self._now, until)
        return ()

    def drain_trace(self) -> NDArray[np.uint64]:
        records, self._records = self._records, []
        return np.array(records, dtype=np.uint64).reshape(-1, 8)

    def violations(self) -> Sequence[Violation]:
        return tuple(self._violations)

    def statistics(self) -> dict[str, int]:
        return dict(self._counts)

    def close(self) -> None:
        self._queue.clear()

    def _at(self, cycle: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (cycle, next(self._serial), action))

    def _after(self, cycles: int, action: Callable[[], None]) -> None:
        self._at(self._now + cycles, action)

    def _trace(self, event: TraceEvent, *args: int) -> None:
        self._records.append([self._now, event, *args, *[0] * (6 - len(args))])
        self._counts[event.name.lower()] += 1

    def _set(self, name: str, index: int, field: Field, value: int, snoop: LineKind | None = None) -> None:
        line = self.lines[name][index]
        changed = field.get(line) != value
        field.put(line, value)
        if changed and snoop is not None:
            self._events.append(Snoop(self._now, snoop, index))

    # ---- the bus ---------------------------------------------------------------------------------------------------

    def _bus(self, request: Request) -> None:
        try:
            data = self._serve(request)
            done = MmioDone(self._now + BUS, request.serial, data)
        except LookupError:
            done = MmioDone(self._now + BUS, request.serial, (), error=True)
        self._after(BUS, lambda: self._events.append(done))

    def _serve(self, request: Request) -> tuple[int, ...]:
        addr = request.addr
        if isinstance(request, MmioSwap):
            return self._swap((addr - g.TFM_BASE) // g.HANDLE_STRIDE, request.count)
        if addr < g.TFM_BASE and addr % g.GSEG_STRIDE >= g.DSR_OFFSET:
            return self._segment(addr // g.GSEG_STRIDE, addr % g.GSEG_STRIDE - g.DSR_OFFSET, request)
        name, index = self._handle(addr)
        word, line = addr % g.HANDLE_STRIDE // 8, self.lines[name][index]
        if isinstance(request, MmioRead):
            return tuple(line[word : word + request.count])
        if name == "cbe" and Cch.state.get(self.lines["cch"][self.ctx_of[index]]) == CchState.ACTIVE:
            return ()
        for offset, value in reversed(list(enumerate(request.words))):
            keep = 0 if name in ("cb", "cbe") or word + offset else _HARDWARE[name]
            line[word + offset] = line[word + offset] & keep | value & ~keep
        if word == 0:
            self._command(name, index)
        return ()

    def _handle(self, addr: int) -> tuple[str, int]:
        if addr < g.TFM_BASE:
            ctx, ucb = addr // g.GSEG_STRIDE, addr % g.GSEG_STRIDE // g.HANDLE_STRIDE
            return "cb", self._cbrs(ctx)[ucb]
        for name, base in (("cch", g.CCH_BASE), ("tfh", g.TFH_BASE), ("cbe", g.CBE_BASE), ("tgh", g.TGH_BASE)):
            if addr >= base:
                return name, (addr - base) // g.HANDLE_STRIDE
        raise LookupError(addr)

    def _cbrs(self, ctx: int) -> list[int]:
        return sorted(cbr for cbr, owner in self.ctx_of.items() if owner == ctx)

    def _dsr(self, ctx: int, offset: int) -> int:
        return self.dsr_units[ctx][offset // g.DSR_AU_BYTES] * g.DSR_AU_BYTES + offset % g.DSR_AU_BYTES

    def _segment(self, ctx: int, offset: int, request: MmioRead | MmioWrite) -> tuple[int, ...]:
        if not self._cbrs(ctx):
            raise LookupError(ctx)
        at = self._dsr(ctx, offset)
        if isinstance(request, MmioRead):
            return tuple(int.from_bytes(self.dsr[at + 8 * i : at + 8 * i + 8], "little") for i in range(request.count))
        for i, word in enumerate(request.words):
            self.dsr[at + 8 * i : at + 8 * i + 8] = word.to_bytes(8, "little")
        return ()

    def _swap(self, core: int, words: int) -> tuple[int, ...]:
        both = self.fault_bits[core] | self.done_bits[core] << 256
        self.fault_bits[core] = self.done_bits[core] = 0
        if both:
            self._events.append(Irq(self._now, core, 0))
        return tuple(both >> 64 * i & (1 << 64) - 1 for i in range(words))

    def _command(self, name: str, index: int) -> None:
        line = self.lines[name][index]
        if not line[0] & 1:
            return
        line[0] &= ~1
        if name == "cb":
            self._start(index)
        elif name == "tgh":
            self._set("tgh", index, Tgh.status, HandleStatus.ACTIVE, LineKind.TGH)
            self._after(STEP, lambda: self._shoot(index))
        elif name == "tfh":
            self._fault_command(index, TfhOpc(Tfh.opc.get(line)))
        elif name == "cch":
            self._set("cch", index, Cch.status, HandleStatus.ACTIVE, LineKind.CCH)
            self._after(STEP, lambda: self._context(index, CchOpc(Cch.opc.get(line))))

    # ---- contexts --------------------------------------------------------------------------------------------------

    def _context(self, ctx: int, opc: CchOpc) -> None:
        line, state = self.lines["cch"][ctx], CchState(Cch.state.get(self.lines["cch"][ctx]))
        if opc == CchOpc.ALLOCATE and state == CchState.INACTIVE:
            units = Cch.cbr_allocation_map.get(line)
            for cbr in (2 * unit + half for unit in range(64) if units >> unit & 1 for half in (0, 1)):
                if cbr in self.ctx_of:
                    raise AssertionError(f"control block {cbr} is allocated twice")
                self.ctx_of[cbr] = ctx
            self.dsr_units[ctx] = [bit for bit in range(32) if Cch.dsr_allocation_map.get(line) >> bit & 1]
            self._context_done(ctx, CchState.MAPPED)
        elif opc == CchOpc.START and state in (CchState.MAPPED, CchState.INTERRUPTED):
            self._context_done(ctx, CchState.ACTIVE)
            for cbr in self._cbrs(ctx):
                if Cbe.cbrstate.get(self.lines["cbe"][cbr]) == CbrState.INTERRUPTED:
                    self._run(cbr)
        elif opc in (CchOpc.INTERRUPT, CchOpc.INTERRUPT_SYNC) and state == CchState.ACTIVE:
            self.stopping[ctx] = opc
            self._try_stop(ctx)
        elif opc == CchOpc.DEALLOCATE and state in (CchState.MAPPED, CchState.INTERRUPTED):
            for cbr in self._cbrs(ctx):
                del self.ctx_of[cbr]
            self._context_done(ctx, CchState.INACTIVE)
        else:
            raise AssertionError(f"{opc.name} of context {ctx} in state {state.name}")

    def _context_done(self, ctx: int, state: CchState) -> None:
        self._set("cch", ctx, Cch.state, state)
        self._set("cch", ctx, Cch.status, HandleStatus.IDLE, LineKind.CCH)
        self._trace(TraceEvent.DEV_CCH, ctx, state)

    def _try_stop(self, ctx: int) -> None:
        """A context stops when no fault-map miss is unanswered and nothing is in flight."""
        cbrs = self._cbrs(ctx)
        locked = any(Tfh.state.get(self.lines["tfh"][cbr]) == TfhState.MISS_FMM for cbr in cbrs)
        if ctx not in self.stopping or locked or any(cbr in self.flight for cbr in cbrs):
            return
        del self.stopping[ctx]
        for cbr in cbrs:
            if cbr in self.missed_at:
                self._answered(cbr)
                self._set("cbe", cbr, Cbe.cbrstate, CbrState.INTERRUPTED)
        self._context_done(ctx, CchState.INTERRUPTED)

    # ---- control blocks --------------------------------------------------------------------------------------------

    def _start(self, cbr: int) -> None:
        cb, cbe = self.lines["cb"][cbr], self.lines["cbe"][cbr]
        if begin(cb, cbe):
            self._run(cbr)
        else:
            self._end(cbr, g.CbEcause.INVALID_INSTRUCTION)

    def _run(self, cbr: int) -> None:
        self._set("cbe", cbr, Cbe.cbrstate, CbrState.QUEUED)
        self._set("cb", cbr, Cb.istatus, CbIstatus.ACTIVE, LineKind.CB)
        self._after(STEP, lambda: self._step(cbr))

    def _step(self, cbr: int) -> None:
        ctx = self.ctx_of[cbr]
        if ctx in self.stopping or Cch.state.get(self.lines["cch"][ctx]) != CchState.ACTIVE:
            self._set("cbe", cbr, Cbe.cbrstate, CbrState.INTERRUPTED)
            return
        access = next_access(self.lines["cb"][cbr], self.lines["cbe"][cbr], lambda at, n: self._dsr_read(ctx, at, n))
        if access is None:
            self._end(cbr)
            return
        asid = self._asid(ctx, access.vaddr)
        found = [page for page in self.tlb if page.asid == asid and page.first <= access.vaddr <= page.last]
        if len(found) > 1:
            raise AssertionError(f"{access.vaddr:#x} matches {found}")
        if not found or (access.write and not found[0].dirty):
            self._miss(cbr, ctx, access, asid, TfhCause.TLB_MOD if found else TfhCause.TLB_MISS)
            return
        self.flight[cbr] = found[0]
        self._after(MEMORY, lambda: self._complete(cbr, access, found[0]))

    def _asid(self, ctx: int, vaddr: int) -> int:
        return Cch.asid.get(self.lines["cch"][ctx]) >> 32 * (vaddr >> g.REGION_LSB) & (1 << g.ASID_WIDTH) - 1

    def _dsr_read(self, ctx: int, offset: int, n: int) -> bytes:
        return bytes(self.dsr[self._dsr(ctx, offset + i)] for i in range(n))

    def _complete(self, cbr: int, access: Access, page: Page) -> None:
        ctx = self.ctx_of[cbr]
        where = (page.frame << g.PAGE_SHIFT) + access.vaddr - page.first
        self._counts["checked_beats"] += 1
        self._check(cbr, access, page, where)
        if access.kind == "load":
            for i, byte in enumerate(self.memory.read(where, access.nbytes)):
                self.dsr[self._dsr(ctx, access.dsr + i)] = byte
        elif access.update is not None:
            old = int.from_bytes(self.memory.read(where, access.nbytes), "little")
            self._set("cb", cbr, Cb.avalue, old)
            self.memory.write(where, access.update(old).to_bytes(access.nbytes, "little"))
        else:
            self.memory.write(where, access.data)
        finish(self.lines["cb"][cbr], self.lines["cbe"][cbr])
        del self.flight[cbr]
        for tgh in list(self.drains):
            self.drains[tgh].discard(cbr)
            self._try_drained(tgh)
        self._step(cbr)
        self._try_stop(ctx)

    def _check(self, cbr: int, access: Access, page: Page, where: int) -> None:
        ctx = self.ctx_of[cbr]  # not the context the entry was filled for: an address space keeps its ASID when it moves
        mm = int(self.shadow.ctx_mm[ctx])
        rights = self.shadow.rights(where >> g.PAGE_SHIFT, mm, access.vaddr >> g.PAGE_SHIFT) if mm else 0
        if not rights & (WRITE if access.write else READ):
            reason = ViolationReason.READ_ONLY if rights else ViolationReason.REVOKED
            reason = reason if mm else ViolationReason.NO_CONTEXT
            self._violations.append(Violation(self._now, reason, access.write, True, ctx, cbr, page.asid, mm, access.vaddr, where))
            self._events.append(OracleStop(self._now))

    def _end(self, cbr: int, ecause: int | None = None) -> None:
        self._set("cbe", cbr, Cbe.cbrstate, CbrState.IDLE)
        self._set("cbe", cbr, Cbe.ecause, 0 if ecause is None else 1 << ecause)
        status = CbIstatus.IDLE if ecause is None else CbIstatus.EXCEPTION
        self._set("cb", cbr, Cb.istatus, status, LineKind.CB)
        self._trace(TraceEvent.DEV_CB_DONE, cbr, status)

    # ---- misses ----------------------------------------------------------------------------------------------------

    def _miss(self, cbr: int, ctx: int, access: Access, asid: int, cause: TfhCause) -> None:
        cch = self.lines["cch"][ctx]
        self.missed_at[cbr] = len(self.log)
        self._trace(TraceEvent.DEV_MISS, cbr, access.vaddr, asid, cause)
        for field, value in ((Tfh.cause, cause), (Tfh.ctxnum, ctx), (Tfh.missvaddr, access.vaddr), (Tfh.missasid, asid)):
            self._set("tfh", cbr, field, value)
        if Cch.tfm_fault_bit_enable.get(cch):
            self._set("tfh", cbr, Tfh.state, TfhState.MISS_FMM)
            core = Cch.tlb_int_select.get(cch)
            if not self.fault_bits[core] and Cch.tlb_int_enable.get(cch):
                self._events.append(Irq(self._now, core, 1))
            self.fault_bits[core] |= 1 << cbr
        else:
            self._polling(cbr)
        self._set("tfh", cbr, Tfh.status, HandleStatus.EXCEPTION, LineKind.TFH)

    def _polling(self, cbr: int) -> None:
        self._set("tfh", cbr, Tfh.state, TfhState.MISS_UPM)
        self._set("cb", cbr, Cb.istatus, CbIstatus.CALL_OS, LineKind.CB)

    def _answered(self, cbr: int) -> None:
        del self.missed_at[cbr]
        self._set("tfh", cbr, Tfh.state, TfhState.IDLE)
        self._set("tfh", cbr, Tfh.status, HandleStatus.IDLE, LineKind.TFH)

    def _fault_command(self, cbr: int, opc: TfhOpc) -> None:
        if cbr not in self.missed_at:
            self._counts["stray_tfh_commands"] += 1
            return
        ctx = self.ctx_of[cbr]
        if opc in (TfhOpc.WRITE_ONLY, TfhOpc.WRITE_RESTART):
            self._fill(cbr, ctx)
        if opc == TfhOpc.USER_POLLING_MODE:
            self._polling(cbr)
        elif opc == TfhOpc.EXCEPTION:
            self._answered(cbr)
            self._end(cbr, g.CbEcause.OS_FATAL_TLB_FAULT)
        elif opc in (TfhOpc.RESTART, TfhOpc.WRITE_RESTART):
            self._answered(cbr)
            self._run(cbr)
        self._try_stop(ctx)

    def _fill(self, cbr: int, ctx: int) -> None:
        line = self.lines["tfh"][cbr]
        shift = g.PAGE_SHIFTS[Tfh.pagesize.get(line)]
        first = Tfh.fillvaddr.get(line) & -1 << shift
        page = Page(Tfh.fillasid.get(line), ctx, first, first + (1 << shift) - 1, Tfh.pfn.get(line), bool(Tfh.dirty.get(line)))
        if self.magic and any(shoot.covers(page) for shoot in self.log[self.missed_at[cbr] :]):
            self._trace(TraceEvent.DEV_FILL_DROPPED, cbr, first, page.asid)
            return
        # A newer translation replaces whatever it overlaps (SD-7).
        self.tlb = [p for p in self.tlb if p.asid != page.asid or p.last < page.first or page.last < p.first]
        self.tlb.append(page)
        self._trace(TraceEvent.DEV_FILL, cbr, first, page.asid, page.frame, shift, page.dirty)

    # ---- shootdowns ------------------------------------------------------------------------------------------------

    def _shoot(self, tgh: int) -> None:
        line = self.lines["tgh"][tgh]
        asid, n, size = Tgh.asid.get(line), Tgh.n.get(line), 1 << g.PAGE_SHIFTS[Tgh.pagesize.get(line)]
        first = None if n == g.INVAL_ALL_N else Tgh.vaddr.get(line) & -size
        last = (first or 0) + (n + 1) * size - 1
        shoot = Shoot(None if Tgh.is_global.get(line) else asid, Tgh.ctxbitmap.get(line), first, last)
        self.log.append(shoot)
        self._trace(TraceEvent.DEV_SHOOT_ACCEPT, tgh, Tgh.vaddr.get(line), asid, n, Tgh.is_global.get(line))
        self.tlb = [page for page in self.tlb if not shoot.covers(page)]
        self.drains[tgh] = {cbr for cbr, page in self.flight.items() if shoot.covers(page)}
        self._try_drained(tgh)

    def _try_drained(self, tgh: int) -> None:
        if not self.drains[tgh]:
            del self.drains[tgh]
            self._trace(TraceEvent.DEV_SHOOT_DONE, tgh)
            self._after(STEP, lambda: self._set("tgh", tgh, Tgh.status, HandleStatus.IDLE, LineKind.TGH))


def _mask(*fields: Field) -> int:
    return sum(field.place((1 << field.width) - 1) for field in fields)


# Bits of double-word 0 that belong to the device: what a driver writes there is ignored.
_HARDWARE = {
    "tgh": _mask(Tgh.status, Tgh.state, Tgh.cause),
    "tfh": _mask(Tfh.status, Tfh.state, Tfh.cause, Tfh.indexway, Tfh.ctxnum),
    "cch": _mask(Cch.status, Cch.state, Cch.cause),
}
