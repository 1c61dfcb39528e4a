"""The device as a program sees it (tb.hil.hca_bare.BareTarget): every register access is an item for the register agent, every
interrupt comes from its monitor.

    async def body(self):
        await bridge(program)(SyncPort(port, resume(port.advance)))

Promises: requests reach the bus in the order in which they were submitted, one after the other. `advance` ends in the cycle of
the next event (a probe among them), or at `until`; while a program computes, the clock stands. It raises StoppedError when the
judge has seen enough.
Needs: `serve` and `listen` running.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from cocotb.triggers import ClockCycles, Event, First

from hwif.memory import HostMemory
from hwif.port import Event as PortEvent
from hwif.port import Irq, LineKind, MmioDone, MmioRead, MmioSwap, MmioWrite, Request, Snoop, Violation
from hwif.shadow import Shadow
from tb.hil.abi import Fate, LinkFault
from tb.uvm.agents.axil.item import RegisterItem
from tb.uvm.agents.axil.sequence import RegisterSequence
from tb.uvm.agents.irq.config import IrqChanged
from tb.uvm.hca.bfm import Seen
from tb.uvm.hca.cable import Cable
from tb.uvm.hca.judge import Judge

__all__ = ["ChipPort", "StoppedError", "SyncPort"]


QUIET = 40_000
"""Cycles without an event after which nobody waits any longer, whatever the program would."""


class StoppedError(Exception):
    """The judge has seen enough."""


class ChipPort:
    """One node."""

    def __init__(self, judge: Judge, cable: Cable, memory: HostMemory, shadow: Shadow, registers: RegisterSequence) -> None:
        self.memory, self.shadow = memory, shadow
        self.memories: Sequence[HostMemory] = (memory,)
        self.shadows: Sequence[Shadow] = (shadow,)
        self._judge = judge
        self._cable = cable
        self._registers = registers
        self._clocking = judge.bfm.clocking
        self._queue: deque[Request] = deque()
        self._events: list[PortEvent] = []
        self._busy = False
        self._heard = 0
        self._patience = QUIET
        self._more = Event()
        self._wake = Event()
        bfm = judge.bfm
        for seen, kind, pin in (
            (Seen.SNOOP_CQ, LineKind.CQ, "snoop_cq"),
            (Seen.SNOOP_COMMAND, LineKind.COMMAND, "snoop_cmd"),
            (Seen.SNOOP_FENCE, LineKind.FENCE, ""),
        ):
            bfm.watch(seen, self._probe(kind, pin))

    @property
    def cycle(self) -> int:
        """The present one."""
        return self._clocking.cycle

    def submit(self, request: Request) -> None:
        """Queue a request."""
        self._queue.append(request)

    def violations(self) -> Sequence[Violation]:
        """Objections are the judge's."""
        return ()

    def configure(self, name: str, value: int) -> None:
        """The fate of a packet ("link_fault", as of tb.hil.abi.LinkFault)."""
        if name != "link_fault":
            raise ValueError(f"no setting {name}")
        self._cable.damage(LinkFault(Fate(value & 0xFF), value >> 8 & 0xFF, value >> 16 & 0xFFFF, value >> 32))

    def changed(self, seen: IrqChanged) -> None:
        """From the interrupt monitor."""
        self._told(Irq(seen.cycle, seen.line, seen.level))

    def _probe(self, kind: LineKind, pin: str) -> Callable[[], None]:
        bfm = self._judge.bfm
        return lambda: self._told(Snoop(bfm.cycle, kind, bfm.get(pin) if pin else 0))

    def _told(self, event: PortEvent) -> None:
        self._events.append(event)
        self._wake.set()

    async def advance(self, until: int) -> Sequence[PortEvent]:
        """Run to the next event, or to `until`."""
        if self._queue:
            self._more.set()
        while not self._events and until > self.cycle:
            if self.cycle - self._heard > self._patience:
                self._judge.object("liveness", f"nothing has happened for {self._patience} cycles")
                raise StoppedError
            if self._judge.enough.is_set():
                raise StoppedError
            self._wake.clear()
            await First(self._wake.wait(), ClockCycles(self._clocking.clock, until - self.cycle))
        if self._judge.enough.is_set():
            raise StoppedError
        events, self._events = self._events, []
        if events:
            self._heard = self.cycle
        return events

    async def settled(self) -> None:
        """Everything that was submitted is done."""
        self._more.set()
        while self._queue or self._busy:
            await self._clocking.wait(1)

    async def serve(self) -> None:
        """Carry out requests, for ever."""
        while True:
            while not self._queue:
                self._more.clear()
                await self._more.wait()
            request = self._queue.popleft()
            self._busy = True
            answers = [await self._registers.access(item) for item in self._items(request)]
            data = () if isinstance(request, MmioWrite) else tuple(item.data for item in answers)
            self._events.append(MmioDone(self.cycle, request.serial, data, any(item.resp for item in answers)))
            self._busy = False
            self._wake.set()

    def _items(self, request: Request) -> list[RegisterItem]:
        match request:
            case MmioWrite(addr=addr, words=words):
                return [RegisterItem(write=True, addr=addr + 8 * at, data=words[at]) for at in reversed(range(len(words)))]
            case MmioRead(addr=addr, count=count):
                return [RegisterItem(addr=addr + 8 * at) for at in range(count)]
            case MmioSwap():
                raise ValueError("an HCA has no maps to swap")


class SyncPort:
    """A ChipPort for code that does not await."""

    def __init__(self, port: ChipPort, advance: Callable[[int], Sequence[PortEvent]]) -> None:
        self.memories, self.shadows = port.memories, port.shadows
        self.submit, self.violations, self.configure = port.submit, port.violations, port.configure
        self.advance = advance
        self.settled = port.settled
        self._port = port

    @property
    def cycle(self) -> int:
        """The present one."""
        return self._port.cycle
