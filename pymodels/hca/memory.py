"""The memory port of an adapter: timing, bytes, and the oracle on every access.

Promises: reads answer in order at one beat every `beat_cycles`, `read_latency` after their address; writes change memory when their
  last beat is taken and answer `write_latency` later. Small accesses of the tables pass a payload that streams, at the price of its
  beats. Outside memory no byte is touched, and the answer is an error.
Costs: an event a read, two a write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hwif.gen.hca import Need
from hwif.memory import HostMemory
from hwif.shadow import Shadow
from pymodels.hca.oracle import Oracle, beats_of

if TYPE_CHECKING:
    from pymodels.hca.node import Node
    from pymodels.hca.translation import Segment

__all__ = ["MemoryPort"]

ATOMIC_BYTES = 8


class MemoryPort:
    """One node's port. It outlives the adapter's resets."""

    def __init__(self, node: Node, number: int, memory: HostMemory, shadow: Shadow) -> None:
        self.oracle = Oracle(number, memory, shadow)
        self.memory = memory
        self.read_latency = self.write_latency = self.beat_cycles = 1
        self.read_beats = self.read_bytes = self.write_beats = self.write_bytes = self.errors = 0
        self.exclusive_reads = self.exclusive_passed = self.exclusive_failed = 0
        self._node = node
        self._last_read = self._last_small = 0
        self._write_free = self._small_free = self._last_response = 0

    def reserve(self, beats: int) -> tuple[int, int]:
        """Stream a payload of `beats` beats: the cycles of its first and last data."""
        first = max(self._node.now + self.read_latency, self._last_read + self.beat_cycles)
        self._last_read = first + (beats - 1) * self.beat_cycles
        return first, self._last_read

    def fetch(self, pa: int, size: int, got: Callable[[bytes | None], None]) -> None:
        """Read `size` bytes of the device's own tables; `got` receives them, or None for a memory error."""
        due = max(self._node.now + 1 + self.read_latency, self._last_small + self.beat_cycles)
        self._last_small = due
        self._last_read += self.beat_cycles
        self._node.at(due, self._sample, pa, size, got)

    def fetch_lines(self, pas: Sequence[int], size: int, got: Callable[[list[bytes | None]], None]) -> None:
        """Read several entries one behind the other; `got` receives all of them with the last."""
        due = max(self._node.now + 1 + self.read_latency, self._last_small + self.beat_cycles) + (len(pas) - 1) * self.beat_cycles
        self._last_small = due
        self._last_read += len(pas) * self.beat_cycles
        self._node.at(due, lambda: got([self._read(pa, size) for pa in pas]))

    def _sample(self, pa: int, size: int, got: Callable[[bytes | None], None]) -> None:
        got(self._read(pa, size))

    def _read(self, pa: int, size: int) -> bytes | None:
        self.read_beats += 1
        self.oracle.check_own(self._node.now, pa, size, write=False)
        if not self.oracle.inside(pa, size):
            self.errors += 1
            return None
        self.read_bytes += size
        return self.memory.read(pa, size)

    def store(self, pa: int, data: bytes, done: Callable[[bool], None]) -> None:
        """Write to the device's own tables and queues (within a line); `done(ok)` when memory has answered."""
        taken = max(self._node.now + 1, self._small_free)
        self._small_free = taken + self.beat_cycles
        self._write_free = max(self._write_free, taken) + self.beat_cycles
        self._node.at(taken, self._store, pa, data, done)

    def _store(self, pa: int, data: bytes, done: Callable[[bool], None]) -> None:
        self.write_beats += 1
        self.oracle.check_own(self._node.now, pa, len(data), write=True)
        inside = self.oracle.inside(pa, len(data))
        if inside:
            self.write_bytes += len(data)
            self.memory.write(pa, data)
        else:
            self.errors += 1
        self._node.at(self._answer(), done, inside)

    def _answer(self) -> int:
        """The cycle of the response to a write taken now."""
        self._last_response = max(self._node.now + self.write_latency, self._last_response + 1)
        return self._last_response

    def gather(self, segments: Sequence[Segment]) -> bytes | None:
        """The bytes of a payload, taken now; None if memory answered with an error."""
        now, parts, bad = self._node.now, [], False
        for segment in segments:
            self.read_beats += beats_of(segment.pa, segment.length)
            self.oracle.check(now, segment.qpn, segment.index, segment.need, segment.va, segment.pa, segment.length, write=False)
            if not self.oracle.inside(segment.pa, segment.length):
                self.errors += 1
                bad = True
                continue
            self.read_bytes += segment.length
            parts.append(self.memory.read(segment.pa, segment.length))
        if bad:
            return None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def scatter(self, segments: Sequence[Segment], payload: bytes, done: Callable[[bool], None]) -> None:
        """Write a payload to its segments; `done(ok)` when memory has answered for all of them."""
        beats = sum(beats_of(segment.pa, segment.length) for segment in segments)
        begin = max(self._node.now + 1, self._write_free)
        self._write_free = begin + beats * self.beat_cycles
        self._node.at(self._write_free - self.beat_cycles, self._scatter, segments, payload, beats, done)

    def _scatter(self, segments: Sequence[Segment], payload: bytes, beats: int, done: Callable[[bool], None]) -> None:
        now, place, bad = self._node.now, 0, False
        self.write_beats += beats
        for segment in segments:
            self.oracle.check(now, segment.qpn, segment.index, segment.need, segment.va, segment.pa, segment.length, write=True)
            if self.oracle.inside(segment.pa, segment.length):
                self.write_bytes += segment.length
                self.memory.write(segment.pa, payload[place : place + segment.length])
            else:
                self.errors += 1
                bad = True
            place += segment.length
        self._node.at(self._answer(), done, not bad)

    def exclusive(self, segment: Segment, change: Callable[[int], int], done: Callable[[int | None], None]) -> None:
        """Change eight bytes if nobody changes them between; again until so. `done` receives the old value, None for an error."""
        due = max(self._node.now + 1 + self.read_latency, self._last_small + self.beat_cycles)
        self._last_small = due
        self._node.at(due, self._locked_read, segment, change, done)

    def _judge(self, segment: Segment, *, write: bool) -> bool:
        now = self._node.now
        need = int(Need.REMOTE_ATOMIC)
        self.oracle.check(now, segment.qpn, segment.index, need, segment.va, segment.pa, ATOMIC_BYTES, write=write)
        return self.oracle.inside(segment.pa, ATOMIC_BYTES)

    def _locked_read(self, segment: Segment, change: Callable[[int], int], done: Callable[[int | None], None]) -> None:
        self.read_beats += 1
        if not self._judge(segment, write=False):
            self.errors += 1
            done(None)
            return
        self.read_bytes += ATOMIC_BYTES
        self.exclusive_reads += 1
        old = self.memory.read(segment.pa, ATOMIC_BYTES)
        taken = max(self._node.now + 1, self._small_free)
        self._small_free = taken + self.beat_cycles
        self._node.at(taken, self._locked_write, segment, old, change, done)

    def _locked_write(self, segment: Segment, old: bytes, change: Callable[[int], int], done: Callable[[int | None], None]) -> None:
        self.write_beats += 1
        self._judge(segment, write=True)
        if self.memory.read(segment.pa, ATOMIC_BYTES) != old:
            self.exclusive_failed += 1
            self._node.at(self._answer(), self.exclusive, segment, change, done)
            return
        value = int.from_bytes(old, "little")
        self.exclusive_passed += 1
        self.write_bytes += ATOMIC_BYTES
        self.memory.write(segment.pa, change(value).to_bytes(ATOMIC_BYTES, "little"))
        self._node.at(self._answer(), done, value)
