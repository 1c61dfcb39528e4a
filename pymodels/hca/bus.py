"""The processors' side of a node's register block: requests served one at a time, word by word.

Promises: as tb/hil/bus.h: in the order (at, serial), taken in cycle at + 1 at the earliest; writes from the highest address
  down, reads upwards, a swap reads all its words and writes back what it read.
Costs: an event a word.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from hwif.gen.timing import HCA_WORD
from hwif.port import MmioDone, MmioRead, MmioSwap, MmioWrite, Request
from pymodels.hca.timeline import Life

if TYPE_CHECKING:
    from pymodels.hca.device import Recorder
    from pymodels.hca.node import Node

__all__ = ["Bus"]

WORD = 8


class Bus:
    """The bus of one node. It works whether the adapter is enabled or not."""

    def __init__(self, node: Node, recorder: Recorder) -> None:
        self.reads = self.writes = self.errors = 0
        self._node = node
        self._recorder = recorder
        self._life = Life()
        self._queue: list[tuple[int, int, Request]] = []
        self._current: Request | None = None
        self._steps: list[tuple[bool, int]] = []
        """What is left of the current request, last first: is it a write, and which word."""
        self._data: list[int] = []
        self._error = False
        self._free = 0

    def submit(self, request: Request) -> None:
        """Queue a request."""
        heapq.heappush(self._queue, (request.at, request.serial, request))
        self._node.timeline.at(self._life, max(request.at + 1, self._free), self._start)

    def _start(self) -> None:
        if self._current is not None or not self._queue or self._queue[0][0] >= self._node.now:
            return
        request = heapq.heappop(self._queue)[2]
        self._current = request
        self._error = False
        if isinstance(request, MmioWrite):
            self._data = list(request.words)
            steps = [(True, index) for index in reversed(range(len(self._data)))]
        else:
            self._data = [0] * request.count
            steps = [(False, index) for index in range(request.count)]
            if isinstance(request, MmioSwap):
                steps += [(True, index) for index in reversed(range(request.count))]
        self._steps = steps[::-1]
        self._node.timeline.at(self._life, self._node.now + HCA_WORD, self._step)

    def _step(self) -> None:
        request = self._current
        assert request is not None
        write, index = self._steps.pop()
        offset = request.addr + WORD * index
        registers = self._node.registers
        if write:
            self.writes += 1
            self._error |= registers.write(offset, self._data[index])
        else:
            self.reads += 1
            self._data[index], error = registers.read(offset)
            self._error |= error
        now = self._node.now
        if self._steps:
            self._node.timeline.at(self._life, now + HCA_WORD, self._step)
            return
        self.errors += self._error
        data = tuple(self._data) if isinstance(request, MmioRead | MmioSwap) else ()
        self._recorder.event(MmioDone(now, request.serial, data, self._error))
        self._current = None
        self._free = now
        self._start()
        if self._current is None and self._queue:
            self._node.timeline.at(self._life, max(now, self._queue[0][0] + 1), self._start)
