"""Lines of a chip's window as software uses them: words in the right order, commands with their end, waiting with patience.

Promises: waiting is by coherence probe, with a look now and then. What takes longer than PATIENCE is an objection.
Needs: a virtual sequencer with an active register agent.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from cocotb.triggers import First, Timer
from pyuvm import uvm_sequence

from hwif.fields import Line
from hwif.gen import gru as g
from hwif.port import LineKind
from tb.uvm.agents.axil.item import RegisterItem
from tb.uvm.agents.axil.sequence import RefusedError, RegisterSequence, ResetError, settled
from tb.uvm.gru.virtual_sequencer import VirtualSequencer

__all__ = ["WORDS", "LostError", "SoftwareLines"]

PATIENCE = 40_000  # cycles
LOOK_NS = 799.5  # between looks without a probe
WORDS = {LineKind.TGH: 5, LineKind.TFH: 5, LineKind.CCH: 8, LineKind.CB: 6}
BASES = {LineKind.TGH: g.TGH_BASE, LineKind.TFH: g.TFH_BASE, LineKind.CCH: g.CCH_BASE}


class LostError(Exception):
    """Something never ends. It has been objected to."""


class SoftwareLines(uvm_sequence):
    """One chip's window."""

    def __init__(self, name: str, virtual: VirtualSequencer) -> None:
        super().__init__(name)
        self.virtual = virtual
        self.config = virtual.config
        self.clocking = virtual.config.clocking
        self.bus = RegisterSequence("bus")
        self.rng = random.Random(f"{virtual.config.seed}:{name}")

    async def body(self) -> None:
        """Open the bus."""
        await self.bus.start(self.virtual.registers)

    def lost(self, what: str) -> LostError:
        """Object, and something to raise."""
        self.virtual.env.handles.object_at(self.clocking.cycle, "liveness", f"{what} has not ended after {PATIENCE} cycles")
        return LostError(what)

    async def guarded(self, steps: Coroutine[Any, Any, Any]) -> None:
        """Steps that a reset ends, and that a broken chip ends with an objection."""
        try:
            await steps
        except (ResetError, LostError):
            pass
        except RefusedError as error:
            self.virtual.env.handles.object_at(self.clocking.cycle, "bus", str(error))

    async def read_words(self, addr: int, count: int) -> list[int]:
        """Double-words from `addr` upwards."""
        items = [await self.bus.asking(RegisterItem(addr=addr + 8 * dw)) for dw in range(count)]
        for item in items:
            await item.done.wait()
        return [settled(item).data for item in items]

    async def write_words(self, addr: int, words: Iterable[int]) -> None:
        """Double-words, the highest address first."""
        numbered = list(enumerate(words))
        items = [await self.bus.asking(RegisterItem(write=True, addr=addr + 8 * dw, data=word)) for dw, word in reversed(numbered)]
        for item in items:
            await item.done.wait()
            settled(item)

    async def wait_line(self, kind: LineKind, index: int, addr: int, busy: Callable[[int], bool], what: str) -> int:
        """Spin on a line's double-word 0 while it is busy."""
        event = self.virtual.probes.event(kind, index)
        begun = self.clocking.cycle
        while True:
            event.clear()
            word = await self.bus.read(addr)
            if not busy(word):
                return word
            if self.clocking.cycle - begun > PATIENCE:
                raise self.lost(what)
            await First(event.wait(), Timer(LOOK_NS, "ns"))

    async def command(self, kind: LineKind, index: int, line: Line) -> int:
        """Write a handle and wait for its end: its double-word 0."""
        addr = BASES[kind] + index * g.HANDLE_STRIDE
        await self.write_words(addr, line[: WORDS[kind]])
        return await self.wait_line(kind, index, addr, _active, f"{kind.name} {index}")


def _active(word: int) -> bool:
    return g.Tgh.status.of(word) == g.HandleStatus.ACTIVE  # the same place in every handle
