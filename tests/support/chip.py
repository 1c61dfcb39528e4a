"""The GRU for unit tests, RTL or model: the bare-metal driver made synchronous.

Promises: `Chip.do` runs one of BareMetal's generators to its end. Memory starts with random bytes, so misplaced ones show.
Costs: the harness is built once for all tests; a Chip is some milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwif.fields import Line, new_line
from hwif.gen import gru as g
from hwif.gen.events import TraceEvent
from hwif.memory import HostMemory
from hwif.port import Event, Irq, LineKind, MmioDone, MmioRead, MmioWrite, Snoop
from hwif.shadow import Shadow
from hwif.trace import EVENT_MASK
from pymodels.gru import GruModel, ModelOptions
from tb.hil.abi import HarnessOptions
from tb.hil.baremetal import BareMetal
from tb.hil.native import NativeDevice

__all__ = ["BASE", "FIRST", "PAGE", "Chip", "model", "rtl"]

T = TypeVar("T")
PAGE = 4096
BASE = 0x40_0000  # first mapped address; page i of it is frame i + FIRST
FIRST = 8
PAGES = 24


def rtl(memory: HostMemory, shadow: Shadow, **options: int) -> Any:
    """The RTL on the native host."""
    return NativeDevice(memory, shadow, HarnessOptions(**options))


def model(memory: HostMemory, shadow: Shadow, **options: int) -> Any:
    """The model; without assertions and clock skipping there is nothing to switch there."""
    return GruModel(
        memory, shadow, ModelOptions(**{key: value for key, value in options.items() if key not in ("skip", "asserts")})
    )


class Chip(BareMetal):
    """A chiplet with pages BASE.. mapped to frames FIRST.. in every context started through it."""

    make: Callable[..., Any] = staticmethod(rtl)
    """What the chip is made of; test modules of the model set it to `model`."""

    def __init__(self, frames: int = 64, **options: int) -> None:
        self.native = self.make(HostMemory(frames), Shadow(frames, 4096), **options)
        self.native.reset()
        super().__init__(self.native)
        self.mem = self.native.memory
        self.mem.bytes[:] = np.random.default_rng(1).integers(0, 256, self.mem.bytes.size, dtype=np.uint8)

    def do(self, steps: Generator[int, Sequence[Event], T]) -> T:
        """Run to the end of these steps."""
        try:
            until = next(steps)
            while True:
                until = steps.send(self.native.advance(until))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def context(self, ctx: int = 0, cbrs: int = 4, dsr_units: int = 4, **more: Any) -> None:
        """Start a context over pages BASE.. ."""
        for page in range(PAGES):
            self.map_page(ctx, BASE // PAGE + page, FIRST + page)
        self.do(self.start_context(ctx, cbrs, dsr_units, **more))

    def window(self, va: int, count: int) -> NDArray[np.uint8]:
        """Bytes behind a virtual address, as a view of memory."""
        start = FIRST * PAGE + va - BASE
        return self.mem.bytes[start : start + count]

    def execute(self, line: Line, ctx: int = 0, cb: int = 0) -> g.CbIstatus:
        """Run one instruction to its end, answering faults."""
        self.do(self.issue(ctx, cb, line))
        return self.do(self.finish(ctx, [cb]))[0]

    def cb(self, ctx: int = 0, cb: int = 0) -> Line:
        """A control block as software reads it."""
        return list(self.do(self.read(self.cb_addr(ctx, cb), 8)))

    def cbe(self, cbr: int) -> Line:
        """A control block extension."""
        return list(self.do(self.read(g.CBE_BASE + cbr * g.HANDLE_STRIDE, 8)))

    def tfh(self, cbr: int) -> Line:
        """A fault handle."""
        return list(self.do(self.read(g.TFH_BASE + cbr * g.HANDLE_STRIDE, 8)))

    def tfh_command(self, cbr: int, opc: g.TfhOpc, va: int | None = None, ctx: int = 0, *, write: bool = True) -> Line:
        """Give a fault handle a command (with the drop-in for `va`) and wait for its status; the handle afterwards."""
        line = new_line()
        if va is not None:
            found = self.lookup(ctx, va)
            assert found is not None
            line = self.fill_line(ctx, *found, opc)
            g.Tfh.dirty.put(line, int(write))
        g.Tfh.cmd.put(line, 1)
        g.Tfh.opc.put(line, opc)
        addr = g.TFH_BASE + cbr * g.HANDLE_STRIDE
        self.do(self.write(addr, line))
        self.do(self.wait_handle(addr, LineKind.TFH, cbr))
        return self.tfh(cbr)

    def cch(self, ctx: int, opc: g.CchOpc, line: Line | None = None, *, wait: bool = True) -> Line:
        """Give a context a command; the handle afterwards."""
        addr = g.CCH_BASE + ctx * g.HANDLE_STRIDE
        words = list(line) if line is not None else list(self.do(self.read(addr, 8)))
        g.Cch.cmd.put(words, 1)
        g.Cch.opc.put(words, opc)
        self.do(self.write(addr, words))
        if wait:
            self.do(self.wait_handle(addr, LineKind.CCH, ctx))
        return list(self.do(self.read(addr, 8)))

    def refused(self, addr: int, words: Sequence[int] | None = None) -> bool:
        """Whether an access ends in a bus error."""
        serial = self.next_serial()
        now = self.native.cycle
        self.native.submit(MmioRead(now, serial, addr, 1) if words is None else MmioWrite(now, serial, addr, tuple(words)))
        while True:
            for event in self.native.advance(self.native.cycle + 1000):
                if isinstance(event, MmioDone) and event.serial == serial:
                    return event.error

    def settle(self, cycles: int = 2000) -> None:
        """Let time pass."""
        self.do(self.sleep(cycles))

    @property
    def irq(self) -> int:
        """Levels of the interrupt lines after the last event."""
        levels = 0
        for event in self.log:
            if isinstance(event, Irq):
                levels = levels & ~(1 << event.line) | event.level << event.line
        return levels

    def events(self, kind: TraceEvent) -> list[tuple[int, ...]]:
        """Device events of this kind since the trace was last drained: (cycle, arguments ...)."""
        rows = self.native.drain_trace()
        return [(int(row[0]), *map(int, row[2:])) for row in rows if int(row[1]) & EVENT_MASK == kind]

    def snoops(self, kind: LineKind) -> list[int]:
        """Cycles at which lines of this kind were probed."""
        return [event.cycle for event in self.log if isinstance(event, Snoop) and event.kind is kind]

    def dsr(self, offset: int, count: int, ctx: int = 0) -> NDArray[np.uint8]:
        """Bytes of a context's data segment, through the window."""
        first, last = offset // 8, (offset + count + 7) // 8
        words: list[int] = []
        for word in range(first, last, 8):
            words += self.do(self.read(self.dsr_addr(ctx, 8 * word), min(8, last - word)))
        return np.array(words, dtype=np.uint64).view(np.uint8)[offset % 8 :][:count].copy()

    def dsr_put(self, offset: int, data: bytes, ctx: int = 0) -> None:
        """Store whole words in a data segment."""
        words = [int(word) for word in np.frombuffer(data, dtype=np.uint64)]
        for word in range(0, len(words), 8):
            self.do(self.write(self.dsr_addr(ctx, offset + 8 * word), words[word : word + 8]))
