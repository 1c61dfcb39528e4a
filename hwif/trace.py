"""The trace of a run and its digest.

Two streams, each in its own order of time: what software did (emitted here) and what the device did (drained from it). The
digest covers both, so two runs agree iff every event, argument and cycle agrees. Costs one append per event; hashing happens
in blocks. Records have the shape of spec/events.toml: cycle, event, up to six 64-bit arguments. The upper half of the event word
says who: bits 47..32 are n + 1 for processor n, and for a device record the first processor of its node + 1, or 0 for node 0;
bits 63..48 number the task, in the order in which tasks first appear in the trace, from 1 (0: none, or more tasks than there are
numbers). Node n's processors are NODE_CPUS * n upwards. Whether a record is a device's, its event says.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwif.gen.events import CATALOGUE, TraceEvent

__all__ = [
    "CPU_MASK",
    "CPU_SHIFT",
    "DEVICE_EVENTS",
    "EVENT_MASK",
    "NODE_CPUS",
    "RECORD_WORDS",
    "TASK_SHIFT",
    "Trace",
    "TraceSink",
    "TracedTask",
    "node_of",
]

RECORD_WORDS = 8
BLOCK_RECORDS = 4096
CPU_SHIFT = 32
EVENT_MASK = (1 << CPU_SHIFT) - 1
TASK_SHIFT = 48
CPU_MASK = (1 << TASK_SHIFT - CPU_SHIFT) - 1
NODE_CPUS = 16
"""Processors of a node."""
DEVICE_EVENTS = frozenset(event for event, (layer, _args) in CATALOGUE.items() if layer in ("device", "hca_device"))
"""Events that devices emit."""
MAX_TASKS = (1 << 64 - TASK_SHIFT) - 1
_MASK = (1 << 64) - 1
_RECORD = struct.Struct(f"={RECORD_WORDS}Q")
# By number of arguments; the rest of a record is zeros.
_PACK = tuple(struct.Struct(f"={count + 2}Q{8 * (RECORD_WORDS - 2 - count)}x").pack for count in range(RECORD_WORDS - 1))
BLOCK_BYTES = BLOCK_RECORDS * _RECORD.size

TraceSink = Callable[[NDArray[np.uint64]], None]
"""Receives blocks of records, shape (n, 8)."""


def node_of(word: int) -> int:
    """The node of a record, from its event word."""
    who = word >> CPU_SHIFT & CPU_MASK
    return (who - 1) // NODE_CPUS if who else 0


class TracedTask(Protocol):
    """What the trace wants to know of a task."""

    name: str
    cpu: int


class Trace:
    """Collects, hashes and hands on records."""

    def __init__(self) -> None:
        self._block = bytearray()
        self._software = hashlib.blake2b(digest_size=16)
        self._device = hashlib.blake2b(digest_size=16)
        self._sinks: list[TraceSink] = []
        self.records = 0
        self.current_cpu: Callable[[], int] = lambda: 0
        """Set by the rig: the processor whose task is running."""
        self.current_task: Callable[[], TracedTask | None] = lambda: None
        """Set by the machine: the task that is running."""
        self.tasks: list[TracedTask] = []
        """Tasks that have emitted something; the task numbered n is `tasks[n - 1]`."""
        self._who: dict[int, int] = {}

    def subscribe(self, sink: TraceSink) -> None:
        """Every later record also goes to `sink`, software and device blocks each in order of time."""
        self._sinks.append(sink)

    def emit(self, cycle: int, event: TraceEvent, *args: int) -> None:
        """One software event; at most six arguments, taken modulo 2**64."""
        task = self.current_task()
        who = self._who.get(id(task))  # `tasks` keeps them alive, so no two share an id
        if who is None:
            who = self._introduce(task)
        pack = _PACK[len(args)]
        try:
            self._block += pack(cycle, event | who, *args)
        except struct.error:  # a negative argument, or one of more than 64 bits
            self._block += pack(cycle, event | who, *(value & _MASK for value in args))
        if len(self._block) >= BLOCK_BYTES:
            self.flush()

    def _introduce(self, task: TracedTask | None) -> int:
        """The upper half of a task's event words: a task stays on its processor and keeps its number."""
        who = (self.current_cpu() + 1) << CPU_SHIFT
        if task is not None and len(self.tasks) < MAX_TASKS:
            self.tasks.append(task)
            who |= len(self.tasks) << TASK_SHIFT
            self._who[id(task)] = who
        return who

    def feed_device(self, records: NDArray[np.uint64]) -> None:
        """Records drained from the device, shape (n, 8)."""
        if len(records):
            self._device.update(records.tobytes())
            self._hand_on(records)

    def flush(self) -> None:
        """Hash and hand on the software events collected so far."""
        if not self._block:
            return
        block, self._block = self._block, bytearray()
        self._software.update(block)
        records = np.frombuffer(block, dtype=np.uint64).reshape(-1, RECORD_WORDS)
        self._hand_on(records)

    def digest(self) -> str:
        """Hexadecimal digest of everything emitted and fed so far."""
        self.flush()
        both = hashlib.blake2b(digest_size=16)
        both.update(self._software.digest())
        both.update(self._device.digest())
        return both.hexdigest()

    def _hand_on(self, records: NDArray[np.uint64]) -> None:
        self.records += len(records)
        for sink in self._sinks:
            sink(records)
