"""Exact cycle counts of the GRU's RTL, taken through the port: registers in, events and trace out.

`measure()` returns the numbers by name. Every number is of the whole chip under the traffic its comment names; nothing is read
from inside the design but the monitor's log of lookups. Deterministic: two calls give the same numbers.
Costs: some seconds once the harness is built.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwif.fields import Line
from hwif.gen import gru as g
from hwif.gen.events import TraceEvent
from hwif.memory import HostMemory
from hwif.port import Event, LineKind, MmioWrite, Snoop
from hwif.shadow import READ, WRITE, Shadow
from tb.hil.abi import HarnessOptions
from tb.hil.baremetal import BareMetal, Page
from tb.hil.native import NativeDevice

__all__ = ["measure"]

T = TypeVar("T")
FRAMES = 4096
PAGE = 1 << g.PAGE_SHIFT
BASE = 0x4000_0000  # first address of the pages under load, aligned to every page size
FIRST_FRAME = 0
LOAD_PAGES = 64  # 128 control blocks share them: all in the TLB at once
ALL_CBS = g.NUM_CBR
# Memory fast enough that 128 control blocks with one access each can fill the pipeline; slower memory measures the memory.
FAST = HarnessOptions(read_latency=20, write_latency=20, log_lookups=1)
PIN_DELAY = 2  # a request made in cycle c is on the device's pins in cycle c + 2 (tb/hil/hil.h)
SETTLE = 256  # cycles from the last control block's start until all of them take turns
NO_CORE = None  # faults go to user polling mode: no interrupt, the bench reads the handles
ACCEPTED, ANSWERED, CBR, HIT, PA = range(5)


class Bench(BareMetal):
    """A chiplet driven straight from Python."""

    def __init__(self, device: NativeDevice) -> None:
        super().__init__(device)
        self.native = device

    def do(self, steps: Generator[int, Sequence[Event], T]) -> T:
        """Run one of BareMetal's generators to its end."""
        try:
            until = next(steps)
            while True:
                until = steps.send(self.native.advance(until))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def wait(self, wanted: Callable[[Event], bool], limit: int = 100_000) -> int:
        """Cycle of the first such event from now on."""
        end = self.native.cycle + limit
        while self.native.cycle < end:
            for event in self.native.advance(end):
                if wanted(event):
                    return event.cycle
        raise RuntimeError(f"the event did not come within {limit} cycles")

    def run_for(self, cycles: int) -> None:
        """Let time pass."""
        end = self.native.cycle + cycles
        while self.native.cycle < end:
            self.native.advance(end)

    def command(self, addr: int, line: Line) -> int:
        """Write a handle, double-word 0 by itself; the cycle in which the command is on the pins."""
        self.do(self.write(addr + 8, line[1:]))
        at = self.native.cycle
        self.native.submit(MmioWrite(at, self.next_serial(), addr, (line[0],)))
        return at + PIN_DELAY

    def prefill(self, ctx: int, cb: int, pages: Iterable[tuple[int, Page]]) -> None:
        """Fill the TLB through one pending miss of a control block, which then runs on."""
        wanted = list(pages)
        first = wanted[0][0] << g.PAGE_SHIFT
        cbr = self.cbr(ctx, cb)
        addr = g.TFH_BASE + cbr * g.HANDLE_STRIDE
        self.do(self.issue(ctx, cb, self.instruction(g.CbOpc.VSET, va=first, count=1)))
        self.run_for(200)
        for vpn, page in reversed(wanted):
            last = vpn == wanted[0][0]
            opc = g.TfhOpc.WRITE_RESTART if last else g.TfhOpc.WRITE_ONLY
            self.do(self.write(addr, self.fill_line(ctx, vpn, page, opc)))
            self.run_for(40)
        self.run_for(500)

    def trace(self, event: TraceEvent) -> NDArray[np.uint64]:
        """Records of one event since the last call of `trace`."""
        records = self.native.drain_trace()
        chosen: NDArray[np.uint64] = records[records[:, 1] == event]
        return chosen


@contextmanager
def chip(options: HarnessOptions) -> Iterator[Bench]:
    """A fresh chiplet."""
    memory, shadow = HostMemory(FRAMES), Shadow(FRAMES)
    with NativeDevice(memory, shadow, options) as device:
        yield Bench(device)


def small_pages(bench: Bench, count: int, ctx: int = 0) -> list[tuple[int, Page]]:
    """`count` pages of 4 KiB from BASE."""
    pages = [((BASE >> g.PAGE_SHIFT) + index, Page(FIRST_FRAME + index)) for index in range(count)]
    for vpn, page in pages:
        bench.map_page(ctx, vpn, page.frame)
    return pages


def large_page(bench: Bench, size: int, touched: int) -> list[tuple[int, Page]]:
    """One page of a larger size at BASE; the oracle is told of the part that will be touched."""
    vpn = BASE >> g.PAGE_SHIFT
    for offset in range(touched):
        bench.device.shadow.grant(FIRST_FRAME + offset, 1, vpn + offset, READ | WRITE)
    return [(vpn, Page(FIRST_FRAME, size))]


def loaded(bench: Bench, pages: Sequence[tuple[int, Page]], opc: g.CbOpc) -> None:
    """Start every control block on a walk over LOAD_PAGES pages from BASE that touches a new line with every access."""
    bench.prefill(0, 0, pages)
    segment = g.DSR_BYTES // ALL_CBS
    lines = []
    for cb in range(ALL_CBS):
        va = BASE + (cb * PAGE // 2) % (LOAD_PAGES * PAGE // 2)
        if opc is g.CbOpc.VSET:  # 1024 lines a control block
            line = bench.instruction(opc, va=va, count=1024 * 8, value=cb)
        else:  # a byte of each of 256 lines: as many as its share of the data segment holds
            line = bench.instruction(opc, va=va, count=segment, xtype=g.CbXtype.B, stride=g.LINE_BYTES, tri0=cb * segment)
        lines.append((bench.cb_addr(0, cb), line))
    bench.do(bench.issue_all(lines))
    bench.run_for(SETTLE)


def hammer(bench: Bench, pages: Sequence[tuple[int, Page]], span: int) -> None:
    """Start every control block on one of the first `span` pages: 256 accesses that stay there."""
    bench.prefill(0, 0, pages)
    lines = []
    for cb in range(ALL_CBS):
        line = bench.instruction(g.CbOpc.VSET, va=BASE + cb % span * PAGE, count=PAGE // 16, stride=2)
        lines.append((bench.cb_addr(0, cb), line))
    bench.do(bench.issue_all(lines))
    bench.run_for(SETTLE)


def rate(lookups: NDArray[np.uint64], first: int, last: int) -> float:
    """Hits a cycle in cycles first..last."""
    inside = (lookups[:, ANSWERED] >= first) & (lookups[:, ANSWERED] <= last) & (lookups[:, HIT] == 1)
    return float(np.count_nonzero(inside)) / (last - first + 1)


def steady_hits(opc: g.CbOpc) -> tuple[float, int]:
    """Hits a cycle with all control blocks at work, and the slowest hit."""
    window = 4096
    with chip(FAST) as bench:
        bench.do(bench.start_context(0, ALL_CBS, 32, core=NO_CORE))
        loaded(bench, small_pages(bench, LOAD_PAGES), opc)
        bench.native.drain_trace()
        first = bench.native.cycle + 1
        bench.run_for(window)
        if len(bench.trace(TraceEvent.DEV_CB_DONE)):
            raise RuntimeError("a control block ended within the window")
        lookups = bench.native.drain_lookups()
        hits = lookups[lookups[:, HIT] == 1]
        return rate(lookups, first, first + window - 1), int((hits[:, ANSWERED] - hits[:, ACCEPTED]).max())


def hits_during_shootdown() -> float:
    """Hits a cycle while shootdowns of 1024 pages beside the pages in use are accepted and swept, one behind the other."""
    with chip(FAST) as bench:
        bench.do(bench.start_context(0, ALL_CBS, 32, core=NO_CORE))
        loaded(bench, small_pages(bench, LOAD_PAGES), g.CbOpc.VSET)
        bench.native.drain_trace()
        beside = BASE + LOAD_PAGES * PAGE
        # 256 pages of 16 KiB: a count of 1024 in 4 KiB pages would purge the whole address space.
        lines = [(g.TGH_BASE + tgh * g.HANDLE_STRIDE, bench.shootdown_line(0, beside, 256, size=1)) for tgh in range(g.NUM_TGH)]
        bench.do(bench.issue_all(lines))
        bench.run_for(256)
        accepted = bench.trace(TraceEvent.DEV_SHOOT_ACCEPT)[:, 0]
        lookups = bench.native.drain_lookups()
        return rate(lookups, int(accepted[0]), int(accepted[-1]) + 128)


def dead_cycles() -> int:
    """Worst number of cycles from acceptance to the last hit on what the shootdown covers, under full load. Over counts, scopes and
    page sizes; a hit answered in the accepting cycle or before counts as none."""
    worst = 0
    cases: list[tuple[int, int, int, bool]] = [  # page size of the entries, pages shot, their size, everything
        (0, 1, 0, False),
        (0, 2, 0, False),
        (0, 7, 0, False),
        (0, 64, 0, False),
        (0, 1023, 0, False),
        (0, 1024, 0, False),
        (0, 16, 2, False),
        (0, 1, 5, False),
        (0, 1, 0, True),
        (5, 1, 0, False),
        (5, 1024, 0, False),
        (5, 1, 5, False),
        (10, 1, 0, False),
        (10, 1, 0, True),
    ]
    for entry, pages, size, everything in cases:
        with chip(FAST) as bench:
            bench.do(bench.start_context(0, ALL_CBS, 32, core=NO_CORE, sizes=1 << entry))
            table = small_pages(bench, LOAD_PAGES) if entry == 0 else large_page(bench, entry, LOAD_PAGES)
            shot = pages << (g.PAGE_SHIFTS[size] - g.PAGE_SHIFT)
            hammer(bench, table, LOAD_PAGES if entry or everything else min(shot, LOAD_PAGES))
            bench.native.drain_trace()
            bench.native.drain_lookups()
            bench.do(bench.shootdown(0, 0, BASE, pages, size=size, everything=everything))
            bench.run_for(64)
            accepted = int(bench.trace(TraceEvent.DEV_SHOOT_ACCEPT)[0, 0])
            lookups = bench.native.drain_lookups()
            answered = lookups[lookups[:, HIT] == 1][:, ANSWERED]
            if np.count_nonzero((answered > accepted - 16) & (answered <= accepted)) < 12:
                raise RuntimeError(f"the pages of case {entry, pages, size, everything} were hardly in use when shot down")
            if not np.any(lookups[:, HIT] == 0):
                raise RuntimeError("nothing missed after the shootdown: it did not cover the pages in use")
            worst = max(worst, int(answered.max()) - accepted)
    return worst


def idle_cycles(pages: int, size: int = 0, *, everything: bool = False) -> int:
    """Command on the pins to status IDLE, nothing else going on, the covered entries in the TLB."""
    with chip(FAST) as bench:
        bench.do(bench.start_context(0, 2, 2, core=NO_CORE))
        bench.prefill(0, 0, small_pages(bench, LOAD_PAGES))
        line = bench.shootdown_line(0, BASE, pages, size=size, everything=everything)
        started = bench.command(g.TGH_BASE, line)
        return bench.wait(lambda event: isinstance(event, Snoop) and event.kind is LineKind.TGH) - started


def drain_cycles(opc: g.CbOpc) -> int:
    """Response of the one covered access in flight to status IDLE, the shootdown accepted long before."""
    latency = 400
    read = opc is g.CbOpc.VLOAD
    counter = "memory_read_beats" if read else "memory_write_beats"
    with chip(dataclasses.replace(FAST, read_latency=latency, write_latency=latency)) as bench:
        bench.do(bench.start_context(0, 2, 2, core=NO_CORE))
        bench.prefill(0, 0, small_pages(bench, 2))
        bench.run_for(2 * latency)
        bench.native.drain_trace()
        before = bench.native.statistics()[counter]
        access = bench.instruction(opc, va=BASE, count=1)
        for addr, line in ((bench.cb_addr(0, 1), access), (g.TGH_BASE, bench.shootdown_line(0, BASE, 1))):
            bench.native.submit(MmioWrite(bench.native.cycle, bench.next_serial(), addr, tuple(line)))
        seen = status = None  # cycle in which the memory sampled the read or performed the write
        while status is None:
            for event in bench.native.advance(bench.native.cycle + 1):
                if isinstance(event, Snoop) and event.kind is LineKind.TGH:
                    status = event.cycle
            if seen is None and bench.native.statistics()[counter] > before:
                seen = bench.native.cycle
        if seen is None:
            raise RuntimeError("the shootdown was acknowledged before the access it covers was over")
        if int(bench.trace(TraceEvent.DEV_SHOOT_ACCEPT)[0, 0]) <= int(bench.native.drain_lookups()[-1, ANSWERED]):
            raise RuntimeError("the shootdown came before the access")
        return status - (seen + 1 if read else seen + latency)


def dropin_to_restart() -> int:
    """WRITE_RESTART on the pins to the control block's next lookup."""
    with chip(FAST) as bench:
        bench.do(bench.start_context(0, 2, 2, core=NO_CORE))
        ((vpn, page),) = small_pages(bench, 1)
        bench.do(bench.issue(0, 0, bench.instruction(g.CbOpc.VLOAD, va=BASE, count=1)))
        bench.run_for(200)
        bench.native.drain_lookups()
        started = bench.command(g.TFH_BASE, bench.fill_line(0, vpn, page))
        bench.run_for(200)
        return int(bench.native.drain_lookups()[0, ACCEPTED]) - started


def outstanding_misses() -> int:
    """Control blocks whose miss waits in the fault map at the same time."""
    with chip(FAST) as bench:
        bench.do(bench.start_context(0, ALL_CBS, 32, core=0))
        lines = [(bench.cb_addr(0, cb), bench.instruction(g.CbOpc.VSET, va=BASE + cb * PAGE, count=8)) for cb in range(ALL_CBS)]
        bench.do(bench.issue_all(lines))
        bench.run_for(500)
        low, high = bench.do(bench.read(g.TFM_BASE, 2))
        waiting = low.bit_count() + high.bit_count()
        if waiting != bench.native.statistics()["faults"]:
            raise RuntimeError("the fault map and the monitor disagree")
        return waiting


def measure() -> dict[str, Any]:
    """All numbers, by name."""
    stores, store_latency = steady_hits(g.CbOpc.VSET)
    loads, load_latency = steady_hits(g.CbOpc.VLOAD)
    return {
        "hits_per_cycle": min(stores, loads),
        "hit_latency_cycles": max(store_latency, load_latency),
        "hits_per_cycle_during_shootdown": hits_during_shootdown(),
        "shootdown_dead_cycles_max": dead_cycles(),
        "shootdown_idle_cycles": {
            "1": idle_cycles(1),
            "1024": max(idle_cycles(1024), idle_cycles(256, size=1)),
            "global": idle_cycles(1024, everything=True),
        },
        "drain_cycles": max(drain_cycles(g.CbOpc.VLOAD), drain_cycles(g.CbOpc.VSET)),
        "dropin_to_restart_cycles": dropin_to_restart(),
        "outstanding_misses": outstanding_misses(),
    }
