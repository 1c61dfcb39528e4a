"""The far end of the command queue: what executed commands write, in the queue's order.

Promises: a fence's value is written when no access is left under an invalidation executed before it (SD-2), a report as soon as
  memory takes it; then double-word 7 of the entry. CMDQ_CONS moves, and the probe goes out, when memory has answered that.
Costs: two events a command.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hwif.gen.events import TraceEvent
from hwif.gen.hca import ENTRY_BYTES, INDEX_WIDTH, CmdStatus, Command, Counter
from hwif.gen.port import LineKind
from hwif.gen.timing import HCA_RETIRE
from pymodels.hca.lines import build
from pymodels.hca.translation import Invalidation

if TYPE_CHECKING:
    from pymodels.hca.node import Node

__all__ = ["Retire", "Retiring"]

INDEX_MASK = (1 << INDEX_WIDTH) - 1
FENCE_BYTES = 8
STATUS_BYTE = 56
"""Double-word 7 of an entry."""


class Retiring:
    """An executed command: what it writes first (nothing, a fence's value, a report) and its status."""

    __slots__ = ("address", "data", "fence", "status", "waits")

    def __init__(self, status: CmdStatus, address: int = 0, data: bytes = b"", fence: int | None = None) -> None:
        self.status = status
        self.address = address
        self.data = data
        self.fence = fence
        self.waits: Sequence[Invalidation] = ()


class Retire:
    """Commands executed and not answered."""

    def __init__(self, node: Node, failed: Callable[[], None], moved: Callable[[], None]) -> None:
        self._node = node
        self._failed = failed
        """Memory refused a status."""
        self._moved = moved
        """CMDQ_CONS moved."""
        self._queue: deque[Retiring] = deque()
        self._busy = False
        """The oldest one's first write is on its way."""
        self._written = 0
        self._covered: list[Invalidation] = []
        self.consumer = 0
        self.base = 0
        self.size = 1

    @property
    def idle(self) -> bool:
        """Nothing waits for memory."""
        return not self._queue and self._written == self.consumer

    def restart(self) -> None:
        """Begin again at index 0."""
        self._written = self.consumer = 0

    def cover(self, invalidation: Invalidation) -> None:
        """An invalidation was executed."""
        self._covered = [one for one in self._covered if one.flying]
        if invalidation.flying:
            self._covered.append(invalidation)

    def push(self, command: Retiring) -> None:
        """A command was executed."""
        if command.fence is not None:
            command.waits = [one for one in self._covered if one.flying]
        self._queue.append(command)
        self.drained()

    def drained(self) -> None:
        """Write what may be written: something has changed."""
        while self._queue and not self._busy:
            head = self._queue[0]
            if any(one.flying for one in head.waits):
                return
            if head.data:
                self._busy = True
                self._node.at(self._node.now + HCA_RETIRE, self._node.memory.store, head.address, head.data, self._first_written)
                return
            self._queue.popleft()
            self._write_status(head.status)

    def _first_written(self, ok: bool) -> None:
        node, head = self._node, self._queue[0]
        self._busy = False
        head.data = b""
        if not ok:
            head.status = CmdStatus.BAD_ADDRESS
        elif head.fence is not None:
            node.count[Counter.FENCES] += 1
            node.emit(TraceEvent.HDEV_FENCE, self._written, head.fence)
            node.snoop(LineKind.FENCE, 0)
        self.drained()

    def _write_status(self, status: CmdStatus) -> None:
        entry = self._written % self.size
        self._written = (self._written + 1) & INDEX_MASK
        word = build((Command.status, status), (Command.done, 1))[STATUS_BYTE : STATUS_BYTE + FENCE_BYTES]

        def answered(ok: bool) -> None:
            count = self._node.count
            count[Counter.COMMANDS] += 1
            count[Counter.BAD_COMMANDS] += status != CmdStatus.OK
            self.consumer = (self.consumer + 1) & INDEX_MASK
            self._node.snoop(LineKind.COMMAND, entry)
            if not ok:
                self._failed()
            self._moved()

        place = self.base + entry * ENTRY_BYTES + STATUS_BYTE
        self._node.at(self._node.now + HCA_RETIRE, self._node.memory.store, place, word, answered)
