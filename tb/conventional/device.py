"""The GRU behind the port, as a testbench written with cocotb and bus models alone would drive it.

`ConventionalDevice` is what the native host is measured against, and a second opinion on the RTL's two buses from bus models
that know nothing of this project: cocotbext-axi's AXI4-Lite master makes every access to the chiplet window, its AXI4 slave
channels stand before host memory (memory.py), coroutines watch the interrupt lines and the coherence probes.

Promises: the port's contract (hwif/port.py) but for cycles, which differ by what the bus models take, and for the oracle, which
needs the C++ memory; `advance` is awaited. Every cycle is simulated. `pauses` makes every channel of both buses stall at
random, the same way for the same seed.
Needs: to run inside a simulation of conventional_top; one device per simulation.
Costs: tens of microseconds of Python per bus access. Python sleeps while the buses are idle.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.simtime import get_sim_time
from cocotb.task import Task
from cocotb.triggers import Event as Signal
from cocotb.triggers import First, RisingEdge, Timer, ValueChange
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiResp
from numpy.typing import NDArray

from hwif.memory import HostMemory
from hwif.port import Event, Irq, LineKind, MmioDone, MmioRead, MmioWrite, Request, Snoop, Violation
from hwif.trace import RECORD_WORDS
from tb.conventional.memory import AxiHostMemory

__all__ = ["ConventionalDevice"]

CLOCK_NS = 2
STEPS = 2000  # of the simulator's picosecond, a cycle
RESET_CYCLES = 4
WORD = 8
PAUSE_ODDS = 0.3
LINES = (LineKind.CB, LineKind.TFH, LineKind.TGH, LineKind.CCH)  # those a GRU tells of
# Counters of the other hosts that come from inside the design or from the oracle: not visible on pins.
UNSEEN = (
    "translations",
    "tlb_lookups",
    "tlb_hits",
    "tlb_misses",
    "faults",
    "dropins",
    "dropins_dropped",
    "shootdowns",
    "kills",
    "checked_beats",
    "checked_bytes",
    "violations",
    "skipped_cycles",
)


class ConventionalDevice:
    """One chiplet under cocotb, bus models around it."""

    def __init__(self, dut: Any, memory: HostMemory, pauses: int | None = None) -> None:
        self.memory = memory
        self._dut = dut
        self._pauses = pauses
        self._queue: list[tuple[int, int, Request]] = []
        self._asked = Signal()
        self._events: list[Event] = []
        self._arrived = Signal()
        self._origin = 0
        self._broken: Exception | None = None
        self._tasks: list[Task[None]] = []
        self._counts = {"mmio_reads": 0, "mmio_writes": 0, "mmio_errors": 0, "irq_changes": 0, "snoops": 0}

    async def start(self) -> None:
        """Clock, reset, bus models, monitors; the device is then in cycle 0."""
        dut = self._dut
        dut.rst_n.value = 0
        self._window = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst_n, reset_active_level=False)
        self._axi = AxiHostMemory(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst_n, self.memory)
        # The clock in C++: Python wakes only when something listens to an edge.
        Clock(dut.clk, CLOCK_NS, unit="ns", impl="gpi").start(start_high=False)
        edge = RisingEdge(dut.clk)
        for _ in range(RESET_CYCLES):
            await edge
        dut.rst_n.value = 1
        await edge
        self._origin = int(get_sim_time("step"))
        if self._pauses is not None:
            self._pause(random.Random(self._pauses))
        watchers = [self._serve(), self._watch_irq()]
        for kind in LINES:
            name = f"snoop_{kind.name.lower()}"
            watchers.append(self._watch_line(kind, getattr(dut, f"{name}_valid"), getattr(dut, name)))
        self._tasks = [cocotb.start_soon(self._guarded(watcher)) for watcher in watchers]

    def _pause(self, rng: random.Random) -> None:
        window, axi = self._window, self._axi
        channels = [window.write_if.aw_channel, window.write_if.w_channel, window.write_if.b_channel]
        channels += [window.read_if.ar_channel, window.read_if.r_channel]
        channels += [axi.write_if.aw_channel, axi.write_if.w_channel, axi.write_if.b_channel]
        channels += [axi.read_if.ar_channel, axi.read_if.r_channel]

        def stalls(seed: int) -> Iterator[bool]:
            own = random.Random(seed)
            while True:
                yield own.random() < PAUSE_ODDS

        for channel in channels:
            channel.set_pause_generator(stalls(rng.randrange(1 << 32)))

    # ---- the port ----------------------------------------------------------------------------------------------------

    @property
    def cycle(self) -> int:
        """Present cycle."""
        return (int(get_sim_time("step")) - self._origin) // STEPS

    def submit(self, request: Request) -> None:
        """Queue a request."""
        heapq.heappush(self._queue, (request.at, request.serial, request))
        self._asked.set()

    async def advance(self, until: int) -> Sequence[Event]:
        """Run to the next event, or to `until`."""
        wait = until - self.cycle
        if not self._events and wait > 0:
            self._arrived.clear()
            await First(self._arrived.wait(), Timer(wait * STEPS, unit="step"))
        if self._broken is not None:
            raise self._broken
        events, self._events = self._events, []
        return events

    def drain_trace(self) -> NDArray[np.uint64]:
        """Nothing: there is no monitor inside the design."""
        return np.empty((0, RECORD_WORDS), dtype=np.uint64)

    def violations(self) -> Sequence[Violation]:
        """None: there is no oracle behind a Python memory."""
        return ()

    def statistics(self) -> Mapping[str, int]:
        """Counters of what the buses saw, under the names of the other hosts; 0 for what pins do not show."""
        store = self._axi.store
        return {
            **dict.fromkeys(UNSEEN, 0),
            **self._counts,
            "memory_read_beats": store.read_beats,
            "memory_write_beats": store.write_beats,
            "memory_decode_errors": store.decode_errors,
            "exclusive_passed": store.exclusive_passed,
            "exclusive_failed": store.exclusive_failed,
            "evaluated_cycles": self.cycle,
        }

    # ---- the processors' bus -----------------------------------------------------------------------------------------

    async def _guarded(self, watcher: Any) -> None:
        """A watcher that fails ends the run, not only itself."""
        try:
            await watcher
        except Exception as error:
            self._broken = error
            self._arrived.set()

    async def _serve(self) -> None:
        """Requests, one at a time, in order."""
        queue = self._queue
        while True:
            if not queue:
                self._asked.clear()
                await self._asked.wait()
            elif queue[0][0] > self.cycle:
                self._asked.clear()
                await First(self._asked.wait(), Timer((queue[0][0] - self.cycle) * STEPS, unit="step"))
            else:
                self._emit(await self._access(heapq.heappop(queue)[2]))

    async def _access(self, request: Request) -> MmioDone:
        if isinstance(request, MmioWrite):
            error = await self._write(request.addr, request.words)
            return MmioDone(self.cycle, request.serial, (), error)
        answer = await self._window.read(request.addr, WORD * request.count)
        self._counts["mmio_reads"] += request.count
        error = answer.resp != AxiResp.OKAY
        data = tuple(int.from_bytes(answer.data[at : at + WORD], "little") for at in range(0, WORD * request.count, WORD))
        if not isinstance(request, MmioRead):  # a swap: the map is write-one-to-clear
            error |= await self._write(request.addr, data)
        self._counts["mmio_errors"] += error
        return MmioDone(self.cycle, request.serial, data, error)

    async def _write(self, addr: int, words: Sequence[int]) -> bool:
        """Double-words of a line; double-word 0, which starts the command, by itself and last. True: a bus error."""
        self._counts["mmio_writes"] += len(words)
        error = False
        if len(words) > 1:
            rest = b"".join(word.to_bytes(WORD, "little") for word in words[1:])
            error |= (await self._window.write(addr + WORD, rest)).resp != AxiResp.OKAY
        error |= (await self._window.write(addr, words[0].to_bytes(WORD, "little"))).resp != AxiResp.OKAY
        return bool(error)

    # ---- the pins ----------------------------------------------------------------------------------------------------

    def _emit(self, event: Event) -> None:
        self._events.append(event)
        self._arrived.set()

    async def _watch_irq(self) -> None:
        pins, level = self._dut.irq, 0
        changed = ValueChange(pins)
        while True:
            await changed
            before, level = level, int(pins.value)
            for line in range(len(pins)):
                if (before ^ level) >> line & 1:
                    self._counts["irq_changes"] += 1
                    self._emit(Irq(self.cycle, line, level >> line & 1))

    async def _watch_line(self, kind: LineKind, valid: Any, index: Any) -> None:
        rises, edge = RisingEdge(valid), RisingEdge(self._dut.clk)
        while True:
            await rises
            await edge
            while valid.value:
                self._counts["snoops"] += 1
                self._emit(Snoop(self.cycle, kind, int(index.value)))
                await edge
