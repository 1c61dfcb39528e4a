"""The harness's memory model behind its pins, cycle by cycle, without a simulator.

A bench issues beats at given cycles, obeys ready, and logs responses with the cycle in which the pins showed them.
"""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from hwif.memory import HostMemory
from hwif.shadow import Shadow

ROOT = Path(__file__).resolve().parents[2]
HIL = ROOT / "tb" / "hil"
OKAY, EXOKAY, SLVERR, DECERR = range(4)


class Pins(ctypes.Structure):
    """Mirror of shim_pins."""

    _fields_ = [
        *((name, ctypes.c_uint8) for name in ["arready", "awready", "wready", "rvalid", "rid", "rresp", "bvalid", "bid", "bresp"]),
        ("line", ctypes.c_uint8 * 64),
    ]


class Record(ctypes.Structure):
    """Mirror of hil_violation_t."""

    _fields_ = [
        ("cycle", ctypes.c_uint64),
        ("reason", ctypes.c_uint32),
        *((name, ctypes.c_uint8) for name in ("write", "mapped", "node", "rsvd0")),
        *((name, ctypes.c_uint32) for name in ("ctx", "cbr", "asid", "mm")),
        ("va", ctypes.c_uint64),
        ("pa", ctypes.c_uint64),
        ("rsvd", ctypes.c_uint64 * 2),
    ]


def load() -> ctypes.CDLL:
    """Compile the shim once per content."""
    sources = [Path(__file__).with_suffix(".cpp"), HIL / "memory.cpp", HIL / "oracle.cpp", HIL / "link.cpp"]
    depends = [*sources, HIL / "memory.h", HIL / "oracle.h", HIL / "link.h", HIL / "hil.h", *sorted((HIL / "gen").glob("*.h"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in depends)).hexdigest()[:16]
    target = ROOT / "build" / "hil" / f"shim-{digest}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{id(sources)}.partial")
        flags = ["-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", f"-I{HIL}"]
        subprocess.run(["g++", *flags, *map(str, sources), "-o", str(partial)], check=True)
        partial.replace(target)
    lib = ctypes.CDLL(str(target))
    u64, pointer, i32 = ctypes.c_uint64, ctypes.c_void_p, ctypes.c_int
    lib.shim_new.restype = pointer
    lib.shim_new.argtypes = [pointer, u64, pointer, u64, pointer, ctypes.c_uint32]
    lib.shim_set.argtypes = [pointer, u64, u64, ctypes.c_uint, u64]
    lib.shim_ar.argtypes = lib.shim_aw.argtypes = [pointer, u64, i32, u64, i32, i32, i32, i32, u64]
    lib.shim_w.argtypes = [pointer, u64, ctypes.c_char_p, u64]
    lib.shim_tick.argtypes = [pointer, u64, i32, i32, pointer]
    u32 = ctypes.c_uint32
    lib.shim_regions.argtypes = [pointer, pointer, u32, pointer, u32]
    lib.shim_judge.restype = u32
    lib.shim_judge.argtypes = [pointer, u32, u32, u32, u64, u64, i32, u32, u32]
    lib.shim_region_ar.argtypes = [pointer, u64, u32, u32, u32, u64, u64, u32]
    lib.shim_region_aw.argtypes = [pointer, u64, u32, u32, u32, u64, u64, u64]
    lib.shim_links.restype = pointer
    lib.shim_links.argtypes = [u64, u64, u64, u64]
    lib.shim_links_target.argtypes = [pointer, u32, u32, u64, u32]
    lib.shim_links_tick.argtypes = lib.shim_links_delete.argtypes = [pointer]
    lib.shim_links_packet.argtypes = [pointer, u32, u32]
    lib.shim_links_count.restype = u64
    lib.shim_links_count.argtypes = [pointer, u32]
    lib.shim_violations.restype = lib.shim_checked.restype = u64
    lib.shim_violations.argtypes = lib.shim_checked.argtypes = lib.shim_delete.argtypes = [pointer]
    lib.shim_violation.argtypes = [pointer, u64, pointer]
    return lib


@dataclass
class Beat:
    """An access: address beat from cycle `at`, write data (if any) from `data_at`."""

    at: int
    cbr: int
    pa: int
    size: int = 6
    lock: bool = False
    mapped: bool = False
    ctx: int = 0
    va: int = 0
    data: bytes = b""
    strobe: int = (1 << 64) - 1
    data_at: int = 0


@dataclass
class Response:
    """A response: first cycle on the pins, cycle it was taken."""

    kind: str
    cycle: int
    taken: int
    cbr: int
    resp: int
    line: bytes


@dataclass
class MemoryBench:
    """Drives the pins. `hold` are cycles in which the master is not ready for read data."""

    memory: HostMemory
    shadow: Shadow
    read_latency: int = 10
    write_latency: int = 5
    beat_cycles: int = 1
    outstanding: int = 8
    hold: frozenset[int] = frozenset()
    reads: list[Beat] = field(default_factory=list)
    writes: list[Beat] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    accepted: list[tuple[str, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lib = load()
        words, ctx_mm = self.shadow.words.ctypes.data, self.shadow.ctx_mm.ctypes.data
        self.handle = self.lib.shim_new(
            self.memory.pointer, len(self.memory.bytes), words, self.shadow.frames, ctx_mm, len(self.shadow.ctx_mm)
        )
        self.lib.shim_set(self.handle, self.read_latency, self.write_latency, self.beat_cycles, self.outstanding)
        self.pins = Pins()
        self.cycle = 0
        self._data: list[Beat] = []
        self._first = {"r": 0, "b": 0}

    def run(self, cycles: int) -> list[Response]:
        """Evaluate that many cycles; the responses so far."""
        for _ in range(cycles):
            self._step()
        return self.responses

    def _step(self) -> None:
        cycle, pins = self.cycle, self.pins
        if pins.arready and self.reads and self.reads[0].at <= cycle:
            self._address(self.lib.shim_ar, "ar", self.reads.pop(0))
        if pins.awready and self.writes and self.writes[0].at <= cycle:
            beat = self.writes.pop(0)
            self._data.append(beat)
            self._address(self.lib.shim_aw, "aw", beat)
        pending = next((beat for beat in (*self._data, *self.writes) if beat.data and beat.data_at <= cycle), None)
        if pins.wready and pending is not None:
            self.lib.shim_w(self.handle, cycle, pending.data, pending.strobe)
            self.accepted.append(("w", pending.cbr, cycle))
            pending.data = b""
        rtaken = bool(pins.rvalid) and cycle not in self.hold
        btaken = bool(pins.bvalid)
        if rtaken:
            self.responses.append(Response("r", self._first["r"], cycle, pins.rid, pins.rresp, bytes(pins.line)))
        if btaken:
            self.responses.append(Response("b", self._first["b"], cycle, pins.bid, pins.bresp, b""))
        was = (pins.rvalid and not rtaken, pins.bvalid and not btaken)
        self.lib.shim_tick(self.handle, cycle, rtaken, btaken, ctypes.byref(pins))
        self.cycle += 1
        if pins.rvalid and not was[0]:
            self._first["r"] = self.cycle
        if pins.bvalid and not was[1]:
            self._first["b"] = self.cycle

    def _address(self, call: ctypes._NamedFuncPointer, name: str, beat: Beat) -> None:
        call(self.handle, self.cycle, beat.cbr, beat.pa, beat.size, beat.lock, beat.mapped, beat.ctx, beat.va)
        self.accepted.append((name, beat.cbr, self.cycle))

    @property
    def violations(self) -> list[Record]:
        """What the oracle recorded."""
        records = []
        for index in range(self.lib.shim_violations(self.handle)):
            record = Record()
            self.lib.shim_violation(self.handle, index, ctypes.byref(record))
            records.append(record)
        return records

    @property
    def checked(self) -> int:
        """Beats the oracle saw."""
        return int(self.lib.shim_checked(self.handle))
