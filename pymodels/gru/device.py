"""The model of the GRU behind the port.

Promises: hwif.port.Device, with what NativeDevice offers besides except waveforms: the same events with the same payload in the
  same order, trace records of the same catalogue, counters of the same names, violations by the same oracle. Latencies are
  approximate: software must not rely on a cycle of them.
Needs: memory and shadow outlive the device, and change only while it stands still. One thread.
Costs: the first device of a process loads the compiled kernel (compiles it, once a machine); an advance in which nothing happens is
  answered without entering it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from hwif.gen.gru import GRU_SIZE
from hwif.memory import HostMemory
from hwif.port import (
    Device,
    DeviceError,
    Event,
    Irq,
    LineKind,
    MmioDone,
    MmioRead,
    MmioWrite,
    OracleStop,
    Request,
    Snoop,
    Violation,
    ViolationReason,
)
from hwif.shadow import Shadow
from pymodels.gru import layout as k
from pymodels.gru.core import FULL, run
from pymodels.gru.jit import compile_once
from pymodels.gru.state import STATE, new_state

__all__ = ["GruModel", "ModelOptions"]

FIRST_REQUESTS = 256
_REQUEST_BYTES = 8 * k.Q_WORDS
# A request as the kernel takes it, by its number of double-words.
_PUT = tuple(struct.Struct(f"=5q{words}Q{8 * (8 - words)}x").pack_into for words in range(9))
_KINDS = tuple(LineKind)
_DONE, _WAKE, _QUEUED = (int(STATE.fields[name][1]) // 8 for name in ("done", "wake", "queued"))  # type: ignore[index]
_COUNTERS = (
    *("tlb_lookups", "tlb_hits", "tlb_misses", "hit_latency_min", "hit_latency_max", "hit_latency_sum", "shootdown_pages"),
    *("irq_changes", "snoops", "mmio_reads", "mmio_writes", "mmio_errors"),
    *("memory_read_beats", "memory_read_bytes", "memory_write_beats", "memory_write_bytes", "memory_decode_errors"),
    *("exclusive_reads", "exclusive_passed", "exclusive_failed", "checked_beats", "checked_bytes", "violations"),
)
_BY_EVENT = {
    "faults": TraceEvent.DEV_MISS,
    "dropins": TraceEvent.DEV_FILL,
    "dropins_dropped": TraceEvent.DEV_FILL_DROPPED,
    "restarts": TraceEvent.DEV_RESTART,
    "shootdowns": TraceEvent.DEV_SHOOT_ACCEPT,
    "shootdowns_done": TraceEvent.DEV_SHOOT_DONE,
    "kills": TraceEvent.DEV_KILL,
    "instructions": TraceEvent.DEV_CB_DONE,
}


@dataclass(frozen=True)
class ModelOptions:
    """Settings of the model: the memory's, and what is recorded. Names and meaning as those of the harness (tb/hil/hil.h)."""

    read_latency: int = timing.MEM_READ_LATENCY
    write_latency: int = timing.MEM_WRITE_LATENCY
    bytes_per_cycle: int = timing.MEM_BYTES_PER_CYCLE
    max_outstanding: int = timing.MEM_MAX_OUTSTANDING
    oracle: int = 1
    log_lookups: int = 0


_LIMITS = {
    "read_latency": (1, 1 << 30),
    "write_latency": (1, 1 << 30),
    "bytes_per_cycle": (1, k.LINE),
    "max_outstanding": (1, 1 << 20),
    "oracle": (0, 1),
    "log_lookups": (0, 1),
    "max_violations": (1, k.V_KEPT),
}


class GruModel:
    """A GRU without gates."""

    def __init__(self, memory: HostMemory, shadow: Shadow, options: ModelOptions | None = None) -> None:
        if not 0 < shadow.frames <= memory.frames:
            raise DeviceError(f"the oracle knows {shadow.frames} frames, host memory has {memory.frames}")
        self.memory = memory
        self.shadow = shadow
        self._words = shadow.words.view(np.int64)
        self._settings: dict[str, int] = {"max_violations": k.V_KEPT}
        self._requests = np.zeros((FIRST_REQUESTS, k.Q_WORDS), dtype=np.int64)
        self.reset()
        chosen = options or ModelOptions()
        for field in fields(chosen):
            self.configure(field.name, getattr(chosen, field.name))
        compile_once(run, self._state, memory.bytes, self._words, shadow.ctx_mm, self._requests, self._fresh, 0, 0)

    def _run(self, count: int, until: int) -> int:
        """Enter the kernel with `count` fresh requests; the number of events, or FULL."""
        return run(self._state, self.memory.bytes, self._words, self.shadow.ctx_mm, self._requests, self._fresh, count, until)

    def reset(self) -> None:
        """Power-on state, cycle 0. Settings stay."""
        self._state = new_state()
        self._st = self._state[0]
        self._words_of = self._st["event"].view(np.uint64)
        self._flat = memoryview(self._state.data).cast("B").cast("q")  # indexes several times faster than numpy's scalars
        self._fresh = np.zeros((16, k.Q_WORDS), dtype=np.int64)
        self._handed = 0
        self._taken: list[NDArray[np.uint64]] = []
        self._looked: list[NDArray[np.uint64]] = []
        self._cycle = 0
        self._wake = 1
        for name, value in self._settings.items():
            self._apply(name, value)

    def configure(self, name: str, value: int) -> None:
        """Change a setting; takes effect at once."""
        if name not in _LIMITS:
            raise DeviceError(f"no setting '{name}'")
        low, high = _LIMITS[name]
        if not low <= value <= high:
            raise DeviceError(f"{name} must lie in {low}..{high}, not {value}")
        self._settings[name] = value
        self._apply(name, value)

    def _apply(self, name: str, value: int) -> None:
        if name == "bytes_per_cycle":
            self._st["beat_cycles"] = (k.LINE + value - 1) // value
        else:
            self._st[name] = value
        self._st["memory_bytes"] = len(self.memory.bytes)
        self._st["frames"] = self.shadow.frames

    @property
    def cycle(self) -> int:
        """Last complete cycle."""
        return self._cycle

    def submit(self, request: Request) -> None:
        """Queue a request."""
        at, serial, addr = request.at, request.serial, request.addr
        if isinstance(request, MmioWrite):
            kind, words = k.REQ_WRITE, request.words
            count = len(words)
        else:
            kind, words = (k.REQ_READ if isinstance(request, MmioRead) else k.REQ_SWAP), ()
            count = request.count
        what = f"request {serial}: "
        if at < self._cycle:
            raise DeviceError(f"{what}cycle {at} is in the past, now {self._cycle}")
        if not 1 <= count <= 8:
            raise DeviceError(f"{what}1 to 8 double-words, not {count}")
        if addr % 8:
            raise DeviceError(f"{what}address is not a multiple of 8")
        if addr + 8 * count > GRU_SIZE:
            raise DeviceError(f"{what}address outside the chiplet window")
        if self._handed == len(self._fresh):
            self._fresh = np.concatenate((self._fresh, np.zeros_like(self._fresh)))
        _PUT[len(words)](self._fresh.data, self._handed * _REQUEST_BYTES, at, serial, kind, count, addr, *words)
        self._handed += 1
        self._wake = min(self._wake, at + 1)

    def advance(self, until: int) -> Sequence[Event]:
        """Run to the end of the first cycle with an event, or to `until`."""
        if until < self._wake:  # nothing can happen before
            self._cycle = max(self._cycle, until)
            return ()
        flat = self._flat
        flat[_DONE] = self._cycle
        until = min(until, k.NEVER - 1)
        events = self._run(self._hand_over(), until)
        while events == FULL:
            self._take()
            events = self._run(0, until)
        self._cycle = flat[_DONE]
        self._wake = flat[_WAKE]
        return self._decode(events) if events else ()

    def _hand_over(self) -> int:
        """Put what software submitted where the kernel takes it."""
        count, self._handed = self._handed, 0
        if not count:
            return 0
        needed = self._flat[_QUEUED] + count
        if needed > len(self._requests):
            larger = np.zeros((2 * needed, k.Q_WORDS), dtype=np.int64)
            larger[: len(self._requests)] = self._requests
            self._requests = larger
        return count

    def _decode(self, count: int) -> list[Event]:
        events: list[Event] = []
        for kind, words, cycle, serial, index, value, *data in self._words_of[:count].tolist():
            if kind == k.EV_DONE:
                events.append(MmioDone(cycle, serial, tuple(data[:words]), bool(value)))
            elif kind == k.EV_SNOOP:
                events.append(Snoop(cycle, _KINDS[value], index))
            elif kind == k.EV_IRQ:
                events.append(Irq(cycle, index, value))
            else:
                events.append(OracleStop(cycle))
        return events

    def _take(self) -> None:
        """Copy the records the kernel has collected."""
        st = self._st
        if st["traces"]:
            self._taken.append(st["trace"][: st["traces"]].view(np.uint64).copy())
            st["traces"] = 0
        if st["lookups"]:
            self._looked.append(st["lookup"][: st["lookups"]].view(np.uint64).copy())
            st["lookups"] = 0

    def drain_trace(self) -> NDArray[np.uint64]:
        """Trace records since the last call, shape (n, 8)."""
        self._take()
        taken, self._taken = self._taken, []
        return np.concatenate(taken) if taken else np.empty((0, 8), dtype=np.uint64)

    def drain_lookups(self) -> NDArray[np.uint64]:
        """Lookups since the last call, while log_lookups is set, shape (n, 5): accepted, answered, cbr, hit, pa."""
        self._take()
        looked, self._looked = self._looked, []
        return np.concatenate(looked) if looked else np.empty((0, 5), dtype=np.uint64)

    def violations(self) -> Sequence[Violation]:
        """All violations kept so far."""
        rows = self._st["violation"][: self._st["kept"]].view(np.uint64).tolist()
        return [
            Violation(cycle, ViolationReason(reason), bool(write), bool(mapped), ctx, cbr, asid, mm, va, pa)
            for cycle, reason, write, mapped, ctx, cbr, asid, mm, va, pa in rows
        ]

    def statistics(self) -> Mapping[str, int]:
        """Counters by name (see tb/hil/hil.h)."""
        st = self._st
        counters = {"translations": int(st["tlb_hits"])} | {name: int(st[name]) for name in _COUNTERS}
        counters |= {name: int(st["kinds"][event - k.DEV_FIRST]) for name, event in _BY_EVENT.items()}
        evaluated = int(st["evaluated"])
        return counters | {"evaluated_cycles": evaluated, "skipped_cycles": self._cycle - evaluated}

    def close(self) -> None:
        """Nothing to release; the state goes with the object."""

    def __enter__(self) -> GruModel:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


_DEVICE: type[Device] = GruModel  # the type checker compares the class with the port
