"""A GRU without an operating system: drives the registers through the port alone. For benches and tests of the hosts.

Programs are generators: they yield the cycle to advance to and are sent the events, so one program runs on every host.

    def program(gru):
        gru.map_page(vpn=0x100, frame=3)
        yield from gru.start_context(ctx=0, cbrs=2, dsr_units=1)
        yield from gru.issue(0, 0, gru.vset(va=0x100000, value=7, count=512))
        yield from gru.serve(lambda: gru.finished(0))

    run(device, program)

Promises: page faults are answered from `map_page`'s table with a drop-in, or with an exception where it has no page; every
request is awaited in turn, except `issue_all`. Keeps the oracle's records in step with its table.
Needs: one address space per context; contexts and frames are the program's choice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hwif.fields import Line, new_line
from hwif.gen import gru as g
from hwif.memory import HostMemory
from hwif.port import Event, Irq, LineKind, MmioDone, MmioRead, MmioSwap, MmioWrite, OracleStop, Request, Snoop
from hwif.shadow import READ, WRITE, Shadow

__all__ = ["BareMetal", "BusErrorSeen", "Program", "StuckError", "SyncDevice", "run"]

Steps = Generator[int, Sequence[Event], None]
Program = Callable[["BareMetal"], Steps]
PATIENCE = 200_000  # cycles without an event before a wait is called stuck
ALL_SIZES = 0xFFFF


class StuckError(Exception):
    """Nothing happened for PATIENCE cycles."""


class BusErrorSeen(Exception):  # noqa: N818
    """The device answered SLVERR."""


class DeviceLike(Protocol):
    """What a program needs while it runs; the host advances."""

    memory: HostMemory
    shadow: Shadow

    @property
    def cycle(self) -> int: ...
    def submit(self, request: Request) -> None: ...


class SyncDevice(DeviceLike, Protocol):
    """A device that `run` can advance."""

    def advance(self, until: int) -> Sequence[Event]: ...


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the table: its first frame, code of its size, rights."""

    frame: int
    size: int = 0
    write: bool = True


def run(device: SyncDevice, program: Program) -> BareMetal:
    """Run a program to its end on a device that advances at once."""
    gru = BareMetal(device)
    steps = program(gru)
    try:
        until = next(steps)
        while True:
            until = steps.send(device.advance(until))
    except StopIteration:
        return gru


class BareMetal:
    """The registers of one chiplet and a page table per address space. Address space = context + 1, ASID = 8 * (context + 1)."""

    def __init__(self, device: DeviceLike) -> None:
        self.device = device
        self.log: list[Event] = []
        self.pages: dict[tuple[int, int], Page] = {}
        self.stop_on_violation = True
        self.violated = False
        self.answered = 0
        self._inbox: deque[Event] = deque()
        self._serial = 0
        self._irq = 0
        self._cbrs: dict[int, list[int]] = {}
        self._free_cbr = 0
        self._free_dsr = 0

    # ---- requests --------------------------------------------------------------------------------------------------

    def read(self, addr: int, count: int = 1) -> Generator[int, Sequence[Event], tuple[int, ...]]:
        """Double-words from `addr` upwards."""
        return (yield from self._await(MmioRead(self.device.cycle, self.next_serial(), addr, count)))

    def write(self, addr: int, words: Iterable[int]) -> Steps:
        """Double-words, the highest address first."""
        yield from self._await(MmioWrite(self.device.cycle, self.next_serial(), addr, tuple(words)))

    def swap(self, addr: int, count: int) -> Generator[int, Sequence[Event], tuple[int, ...]]:
        """Read and clear a map."""
        return (yield from self._await(MmioSwap(self.device.cycle, self.next_serial(), addr, count)))

    def issue_all(self, writes: Sequence[tuple[int, Line]]) -> Steps:
        """Write many lines back to back, then wait for all of them."""
        waiting = set()
        for addr, line in writes:
            request = MmioWrite(self.device.cycle, self.next_serial(), addr, tuple(line))
            waiting.add(request.serial)
            self.device.submit(request)
        while waiting:
            for event in (yield from self._events()):
                if isinstance(event, MmioDone) and event.serial in waiting:
                    waiting.remove(event.serial)
                    _refuse(event)
                else:
                    self._inbox.append(event)

    def _await(self, request: Request) -> Generator[int, Sequence[Event], tuple[int, ...]]:
        self.device.submit(request)
        while True:
            found = None
            for event in (yield from self._events()):
                if isinstance(event, MmioDone) and event.serial == request.serial:
                    found = event
                else:
                    self._inbox.append(event)
            if found is not None:
                _refuse(found)
                return found.data

    def next_serial(self) -> int:
        """A number no request has had."""
        self._serial += 1
        return self._serial

    def _events(self) -> Generator[int, Sequence[Event], Sequence[Event]]:
        """The next events, at least one."""
        limit = self.device.cycle + PATIENCE
        while True:
            events = yield limit
            self._note(events)
            if events:
                return events
            if self.device.cycle >= limit:
                raise StuckError(f"nothing happened for {PATIENCE} cycles up to {self.device.cycle}")

    def _note(self, events: Sequence[Event]) -> None:
        self.log.extend(events)
        for event in events:
            if isinstance(event, Irq):
                self._irq = (self._irq & ~(1 << event.line)) | (event.level << event.line)
            self.violated |= isinstance(event, OracleStop)

    def sleep(self, cycles: int) -> Steps:
        """Let time pass; what happens is served later."""
        until = self.device.cycle + cycles
        while self.device.cycle < until:
            events = yield until
            self._note(events)
            self._inbox.extend(events)

    # ---- contexts --------------------------------------------------------------------------------------------------

    def start_context(
        self,
        ctx: int,
        cbrs: int,
        dsr_units: int,
        *,
        core: int | None = 0,
        sizes: int = 1,
        unmapped: bool = False,
    ) -> Steps:
        """Allocate and start a context with the next free control blocks and data segment units. `core` None: user polling mode.
        `sizes`: bit per page size code it may use."""
        line = new_line()
        g.Cch.cbr_allocation_map.put(line, ((1 << ((cbrs + 1) // 2)) - 1) << (self._free_cbr // 2))
        g.Cch.dsr_allocation_map.put(line, ((1 << dsr_units) - 1) << self._free_dsr)
        g.Cch.asid.put(line, sum((self.asid(ctx) + region) << (32 * region) for region in range(g.NUM_REGION)))
        g.Cch.sizeavail.put(line, sum((sizes & ALL_SIZES) << (16 * region) for region in range(g.NUM_REGION)))
        g.Cch.unmap_enable.put(line, int(unmapped))
        g.Cch.tlb_int_enable.put(line, int(core is not None))
        g.Cch.tfm_fault_bit_enable.put(line, int(core is not None))
        g.Cch.tlb_int_select.put(line, core or 0)
        self._cbrs[ctx] = list(range(self._free_cbr, self._free_cbr + cbrs))
        self._free_cbr += 2 * ((cbrs + 1) // 2)
        self._free_dsr += dsr_units
        self.device.shadow.set_context(ctx, ctx + 1)
        addr = g.CCH_BASE + ctx * g.HANDLE_STRIDE
        for opc in (g.CchOpc.ALLOCATE, g.CchOpc.START):
            g.Cch.cmd.put(line, 1)
            g.Cch.opc.put(line, opc)
            yield from self.write(addr, line)
            word = yield from self.wait_handle(addr, LineKind.CCH, ctx)
            if g.Cch.status.of(word) != g.HandleStatus.IDLE:
                raise BusErrorSeen(f"context {ctx}: {opc.name} ended with cause {g.CchCause(g.Cch.cause.of(word)).name}")

    def asid(self, ctx: int, region: int = 0) -> int:
        """ASID of a context's region."""
        return 8 * (ctx + 1) + region

    def cbr(self, ctx: int, cb: int) -> int:
        """Physical number of a context's control block."""
        return self._cbrs[ctx][cb]

    def cb_addr(self, ctx: int, cb: int) -> int:
        """Where a context's control block is written."""
        return ctx * g.GSEG_STRIDE + g.CB_OFFSET + cb * g.HANDLE_STRIDE

    def dsr_addr(self, ctx: int, offset: int) -> int:
        """Where a context's data segment byte is."""
        return ctx * g.GSEG_STRIDE + g.DSR_OFFSET + offset

    def wait_handle(self, addr: int, kind: LineKind, index: int) -> Generator[int, Sequence[Event], int]:
        """Spin on a handle until its status is not ACTIVE; its double-word 0."""
        while True:
            (word,) = yield from self.read(addr)
            if g.Tgh.status.of(word) != g.HandleStatus.ACTIVE:
                return word
            if not self._pop(lambda event: isinstance(event, Snoop) and (event.kind, event.index) == (kind, index)):
                yield from self._collect()

    # ---- shootdown -------------------------------------------------------------------------------------------------

    def shootdown_line(self, ctx: int, va: int, pages: int, *, size: int = 0, everything: bool = False) -> Line:
        """A TGH that shoots `pages` pages of `size` from `va` down; `everything`: all of the context's."""
        line = new_line()
        g.Tgh.cmd.put(line, 1)
        g.Tgh.opc.put(line, g.TghOpc.TLBINV)
        g.Tgh.vaddr.put(line, va)
        g.Tgh.asid.put(line, self.asid(ctx, va >> g.REGION_LSB))
        g.Tgh.pagesize.put(line, size)
        g.Tgh.vaddrmask.put(line, (1 << 39) - 1)
        g.Tgh.n.put(line, pages - 1)
        g.Tgh.is_global.put(line, int(everything))
        g.Tgh.ctxbitmap.put(line, 1 << ctx)
        return line

    def shootdown(self, tgh: int, ctx: int, va: int, pages: int, *, size: int = 0, everything: bool = False) -> Steps:
        """Shoot down and wait for the acknowledgement."""
        addr = g.TGH_BASE + tgh * g.HANDLE_STRIDE
        yield from self.write(addr, self.shootdown_line(ctx, va, pages, size=size, everything=everything))
        yield from self.wait_handle(addr, LineKind.TGH, tgh)

    # ---- page table ------------------------------------------------------------------------------------------------

    def map_page(self, ctx: int, vpn: int, frame: int, *, size: int = 0, write: bool = True) -> None:
        """Map a page of `size` (code) at 4 KiB page number `vpn` to frames from `frame`; tells the oracle."""
        span = 1 << (g.PAGE_SHIFTS[size] - g.PAGE_SHIFT)
        self.pages[ctx, vpn] = Page(frame, size, write)
        for offset in range(span):
            if frame + offset < self.device.shadow.frames:
                self.device.shadow.grant(frame + offset, ctx + 1, vpn + offset, READ | (WRITE if write else 0))

    def unmap_page(self, ctx: int, vpn: int) -> Page:
        """Take a page away from the table; the oracle is told by `revoke` once the shootdown is acknowledged."""
        return self.pages.pop((ctx, vpn))

    def revoke(self, ctx: int, vpn: int, page: Page) -> None:
        """No access through this page is legal any more."""
        for offset in range(1 << (g.PAGE_SHIFTS[page.size] - g.PAGE_SHIFT)):
            self.device.shadow.revoke(page.frame + offset, ctx + 1, vpn + offset)

    def lookup(self, ctx: int, va: int) -> tuple[int, Page] | None:
        """Page that maps an address, with its first page number."""
        for size, shift in g.PAGE_SHIFTS.items():
            vpn = va >> shift << (shift - g.PAGE_SHIFT)
            page = self.pages.get((ctx, vpn))
            if page is not None and page.size == size:
                return vpn, page
        return None

    def fill_line(self, ctx: int, vpn: int, page: Page, opc: g.TfhOpc = g.TfhOpc.WRITE_RESTART) -> Line:
        """A TFH with a drop-in."""
        line = new_line()
        g.Tfh.cmd.put(line, 1)
        g.Tfh.opc.put(line, opc)
        g.Tfh.fillasid.put(line, self.asid(ctx, vpn >> (g.REGION_LSB - g.PAGE_SHIFT)))
        g.Tfh.fillvaddr.put(line, vpn << g.PAGE_SHIFT)
        g.Tfh.pfn.put(line, page.frame)
        g.Tfh.pagesize.put(line, page.size)
        g.Tfh.dirty.put(line, int(page.write))
        return line

    def answer_fault(self, cbr: int) -> Steps:
        """Read a fault handle and answer it from the page table."""
        addr = g.TFH_BASE + cbr * g.HANDLE_STRIDE
        words = yield from self.read(addr, 3)
        line = [*words, *[0] * 5]
        if g.Tfh.status.get(line) != g.HandleStatus.EXCEPTION:
            return
        ctx, va = g.Tfh.ctxnum.get(line), g.Tfh.missvaddr.get(line)
        found = self.lookup(ctx, va)
        if found is None or (g.Tfh.cause.get(line) & g.TfhCause.TLB_MOD and not found[1].write):
            answer = new_line()
            g.Tfh.cmd.put(answer, 1)
            g.Tfh.opc.put(answer, g.TfhOpc.EXCEPTION)
        else:
            answer = self.fill_line(ctx, *found)
        self.answered += 1
        yield from self.write(addr, answer)

    def serve(self, done: Callable[[], bool]) -> Steps:
        """Answer faults until `done`; returns early after a violation if `stop_on_violation`."""
        while not done() and not (self.violated and self.stop_on_violation):
            if self._irq:
                core = (self._irq & -self._irq).bit_length() - 1
                low, high = yield from self.swap(g.TFM_BASE + core * g.HANDLE_STRIDE, 2)
                faults = low | high << 64
                for cbr in range(g.NUM_CBR):
                    if faults >> cbr & 1:
                        yield from self.answer_fault(cbr)
                continue
            if done():
                return
            yield from self._collect()

    # ---- instructions ----------------------------------------------------------------------------------------------

    def instruction(
        self,
        opc: g.CbOpc,
        *,
        va: int = 0,
        count: int = 0,
        xtype: g.CbXtype = g.CbXtype.DW,
        tri0: int = 0,
        tri1: int = 0,
        stride: int = 1,
        value: int = 0,
        exop: int = 0,
        ima: int = 0,
    ) -> Line:
        """A control block ready to be written."""
        line = new_line()
        g.Cb.icmd.put(line, 1)
        g.Cb.istatus.put(line, g.CbIstatus.ACTIVE)
        for part, number in (
            (g.Cb.opc, opc),
            (g.Cb.xtype, xtype),
            (g.Cb.ima, ima),
            (g.Cb.exopc, exop),
            (g.Cb.tri0, tri0),
            (g.Cb.tri1_bufsize, tri1),
            (g.Cb.baddr0, va),
            (g.Cb.nelem, count),
            (g.Cb.stride_op1, stride),
            (g.Cb.baddr1_op2, value),
        ):
            part.put(line, number)
        return line

    def issue(self, ctx: int, cb: int, line: Line) -> Steps:
        """Start an instruction."""
        yield from self.write(self.cb_addr(ctx, cb), line)

    def istatus(self, ctx: int, cb: int) -> Generator[int, Sequence[Event], g.CbIstatus]:
        """Status of a control block."""
        (word,) = yield from self.read(self.cb_addr(ctx, cb))
        return g.CbIstatus(g.Cb.istatus.of(word))

    def finish(self, ctx: int, cbs: Sequence[int]) -> Generator[int, Sequence[Event], list[g.CbIstatus]]:
        """Serve faults until these control blocks are done; their statuses."""
        outcome = []
        for cb in cbs:
            while True:
                status = yield from self.istatus(ctx, cb)
                if status in (g.CbIstatus.IDLE, g.CbIstatus.EXCEPTION) or (self.violated and self.stop_on_violation):
                    outcome.append(status)
                    break
                wanted = self.cbr(ctx, cb)
                yield from self.serve(lambda wanted=wanted: self._changed(wanted))  # type: ignore[misc]
        return outcome

    def _changed(self, cbr: int) -> bool:
        return self._pop(lambda event: isinstance(event, Snoop) and event.kind is LineKind.CB and event.index == cbr)

    def _pop(self, wanted: Callable[[Event], bool]) -> bool:
        """Take the first such event out of the inbox."""
        for position, event in enumerate(self._inbox):
            if wanted(event):
                del self._inbox[position]
                return True
        return False

    def _collect(self) -> Steps:
        self._inbox.extend((yield from self._events()))


def _refuse(event: MmioDone) -> None:
    if event.error:
        raise BusErrorSeen(f"request {event.serial} ended with a bus error in cycle {event.cycle}")
