"""The C ABI of tb/hil/hil.h from Python: everything the native and the cocotb host have in common.

Promises: requests and events keep their exact values; requests are handed over in one call before the clock runs. Errors of the
harness become DeviceError, a failing assertion of the RTL AssertionFailure with its text and cycle.
Costs: a foreign call an advance and one for the requests before it, plus one struct operation a request and an event.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwif.gen import timing
from hwif.gen.port import EventKind, RequestKind
from hwif.memory import HostMemory
from hwif.port import (
    AssertionFailure,
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
from hwif.trace import RECORD_WORDS

__all__ = ["AssertionFailure", "DeviceError", "Fate", "Harness", "HarnessOptions", "HcaOptions", "LinkFault", "Lookup", "load"]

ABI_VERSION = 2
MAX_EVENTS = 256
NEVER = (1 << 64) - 1

_REQUEST = struct.Struct("<HHIQQQ8Q")
_EVENT = struct.Struct("<HHIQQII")  # without its words
_WORDS = tuple(struct.Struct(f"<{count}Q") for count in range(9))
_EVENT_BYTES = _EVENT.size + _WORDS[8].size
_VIOLATION = struct.Struct("<QIBBBxIIIIQQ16x")
_LOOKUP_WORDS = 5
# Plain numbers: comparing with an enum's member costs more than the rest of a request.
_READ, _WRITE, _SWAP = map(int, RequestKind)
_MMIO_DONE, _IRQ, _SNOOP, _ORACLE = map(int, EventKind)
_ZERO_WORDS = (0,) * 8
_KINDS = tuple(LineKind)


@dataclass(frozen=True)
class HarnessOptions:
    """Settings of the harness (hil_configure). The memory's defaults are those of spec/timing.toml."""

    read_latency: int = timing.MEM_READ_LATENCY
    write_latency: int = timing.MEM_WRITE_LATENCY
    bytes_per_cycle: int = timing.MEM_BYTES_PER_CYCLE
    max_outstanding: int = timing.MEM_MAX_OUTSTANDING
    skip: int = 1
    oracle: int = 1
    asserts: int = 1
    mutant: int = 0
    log_lookups: int = 0


@dataclass(frozen=True)
class HcaOptions(HarnessOptions):
    """The same for HCAs and their link. What goes wrong on it is given per million packets and drawn from `link_seed`."""

    max_outstanding: int = timing.HCA_MAX_OUTSTANDING
    link_latency: int = timing.LINK_LATENCY
    link_cycles_per_flit: int = timing.LINK_CYCLES_PER_FLIT
    link_loss: int = 0
    link_corrupt: int = 0
    link_truncate: int = 0
    link_seed: int = 1


class Fate(IntEnum):
    """What becomes of a packet on the link."""

    PASS = 0
    LOSE = 1
    CORRUPT = 2
    TRUNCATE = 3


@dataclass(frozen=True, slots=True)
class LinkFault:
    """The fate of one packet: the `skip`-th from now on (0: the next) out of node `direction`, of those of this opcode (0: any)."""

    fate: Fate
    direction: int = 0
    opcode: int = 0
    skip: int = 0

    @property
    def setting(self) -> int:
        """As the value of the setting "link_fault"."""
        return self.fate | self.direction << 8 | self.opcode << 16 | self.skip << 32


@dataclass(frozen=True, slots=True)
class Lookup:
    """One lookup of the translation cache: cycle it was accepted and answered, by which control block (HCA: user, slot, segment;
    node in bits 63..32), hit or miss, physical address."""

    accepted: int
    answered: int
    cbr: int
    hit: bool
    pa: int


def load(library: Path | None) -> ctypes.CDLL:
    """The harness of a shared library, or (None) of this very process, which is a simulator."""
    lib = ctypes.CDLL(None if library is None else str(library))
    pointer, u32, u64, i32 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "hil_abi_version": (i32, []),
        "hil_create": (pointer, []),
        "hil_destroy": (None, [pointer]),
        "hil_reset": (None, [pointer]),
        "hil_nodes": (u32, [pointer]),
        "hil_bind_memory": (i32, [pointer, u32, pointer, u64]),
        "hil_bind_shadow": (i32, [pointer, u32, pointer, u64, u64, pointer, u32]),
        "hil_bind_regions": (i32, [pointer, u32, pointer, u32, pointer, u32]),
        "hil_configure": (i32, [pointer, ctypes.c_char_p, u64]),
        "hil_submit": (i32, [pointer, ctypes.c_char_p, u32]),
        "hil_advance": (i32, [pointer, u64, pointer, u32]),
        "hil_arm": (i32, [pointer, u64]),
        "hil_take": (i32, [pointer, pointer, u32]),
        "hil_cycle": (u64, [pointer]),
        "hil_status": (ctypes.POINTER(u64), [pointer]),
        "hil_trace_pending": (u64, [pointer]),
        "hil_trace_drain": (u64, [pointer, pointer, u64]),
        "hil_lookups_pending": (u64, [pointer]),
        "hil_lookups_drain": (u64, [pointer, pointer, u64]),
        "hil_violation_count": (u64, [pointer]),
        "hil_violations": (u64, [pointer, u64, pointer, u64]),
        "hil_statistic_name": (ctypes.c_char_p, [u32]),
        "hil_statistic": (u64, [pointer, u32]),
        "hil_trace_on": (i32, [pointer, ctypes.c_char_p]),
        "hil_trace_off": (None, [pointer]),
        "hil_last_error": (ctypes.c_char_p, [pointer]),
        "hil_failed": (i32, [pointer]),
        "hil_failure_cycle": (u64, [pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype = result
        function.argtypes = arguments
    if lib.hil_abi_version() != ABI_VERSION:
        raise DeviceError(f"the harness speaks ABI {lib.hil_abi_version()}, this program {ABI_VERSION}: remove build/")
    return lib


def pack(request: Request) -> bytes:
    """A request as hil_request_t."""
    if isinstance(request, MmioWrite):
        words = request.words
        padded = words + _ZERO_WORDS[len(words) :]
        return _REQUEST.pack(_WRITE, request.node, len(words), request.at, request.serial, request.addr, *padded[:8])
    kind = _READ if isinstance(request, MmioRead) else _SWAP
    return _REQUEST.pack(kind, request.node, request.count, request.at, request.serial, request.addr, *_ZERO_WORDS)


class Harness:
    """One handle. Owned by a host, which drives its clock."""

    def __init__(self, library: ctypes.CDLL, nodes: Sequence[tuple[HostMemory, Shadow]], options: HarnessOptions) -> None:
        self.lib = library
        self.nodes = tuple(nodes)  # the harness has pointers into them
        self.handle = library.hil_create()
        if not self.handle:
            raise DeviceError(library.hil_last_error(None).decode())
        self.events = ctypes.create_string_buffer(MAX_EVENTS * _EVENT_BYTES)
        self.status = library.hil_status(self.handle)
        """The harness's cycle and horizon, as it leaves them (hil_status)."""
        self.cycle = 0
        """Last complete cycle of the host: ahead of the harness's where nothing has happened since."""
        self.pending: list[bytes] = []
        wanted = library.hil_nodes(self.handle)
        if len(self.nodes) != wanted:
            raise DeviceError(f"the design has {wanted} nodes, not {len(self.nodes)}")
        for number, (memory, shadow) in enumerate(self.nodes):
            self._bind(number, memory, shadow)
        for field in fields(options):
            self.configure(field.name, getattr(options, field.name))

    def _bind(self, number: int, memory: HostMemory, shadow: Shadow) -> None:
        lib, handle = self.lib, self.handle
        self._check(lib.hil_bind_memory(handle, number, memory.pointer, len(memory.bytes)))
        if not 0 < shadow.frames <= memory.frames:
            raise DeviceError(f"the oracle knows {shadow.frames} frames, host memory has {memory.frames}")
        words, ctx_mm = shadow.words.ctypes.data, shadow.ctx_mm.ctypes.data
        self._check(lib.hil_bind_shadow(handle, number, words, shadow.frames, shadow.pool, ctx_mm, len(shadow.ctx_mm)))
        regions, domains = shadow.regions.ctypes.data, shadow.qp_pd.ctypes.data
        self._check(lib.hil_bind_regions(handle, number, regions, len(shadow.regions), domains, len(shadow.qp_pd)))

    def configure(self, name: str, value: int) -> None:
        """Change a setting (see hil_configure)."""
        self._check(self.lib.hil_configure(self.handle, name.encode(), value))

    def idle(self, until: int) -> bool:
        """True if nothing can happen up to `until`: the host is there at once, the harness follows when it next runs."""
        if self.pending or until >= self.status[1]:
            return False
        self.cycle = max(self.cycle, until)
        return True

    def reset(self) -> None:
        """Power-on state, cycle 0; bindings and settings stay."""
        self.pending.clear()
        self.cycle = 0
        self.lib.hil_reset(self.handle)

    def submit(self, request: Request) -> None:
        """Queue a request; it is checked when the clock next runs, or by `flush`."""
        if request.at < self.cycle:  # of the harness's own cycle it may be the future
            raise DeviceError(f"request {request.serial}: cycle {request.at} is in the past, now {self.cycle}")
        if isinstance(request, MmioWrite) and not 1 <= len(request.words) <= 8:
            raise DeviceError(f"request {request.serial}: 1 to 8 double-words, not {len(request.words)}")
        self.pending.append(pack(request))

    def flush(self) -> None:
        """Hand the queued requests over."""
        if self.pending:
            batch, self.pending = self.pending, []
            self._check(self.lib.hil_submit(self.handle, b"".join(batch), len(batch)))

    def decode(self, count: int) -> list[Event]:
        """After an advance: the first `count` events of the buffer; a negative count is an error of the harness."""
        if count < 0:
            self._raise()
        self.cycle = self.status[0]
        events: list[Event] = []
        for start in range(0, count * _EVENT_BYTES, _EVENT_BYTES):
            kind, node, words, cycle, serial, number, value = _EVENT.unpack_from(self.events, start)
            if kind == _MMIO_DONE:
                data = _WORDS[words].unpack_from(self.events, start + _EVENT.size)
                events.append(MmioDone(cycle, serial, data, bool(value)))
            elif kind == _SNOOP:
                events.append(Snoop(cycle, _KINDS[value], number, node))
            elif kind == _IRQ:
                events.append(Irq(cycle, number, value))
            else:
                events.append(OracleStop(cycle))
        return events

    def drain_trace(self) -> NDArray[np.uint64]:
        """Trace records since the last call, shape (n, 8)."""
        records = np.empty((int(self.lib.hil_trace_pending(self.handle)), RECORD_WORDS), dtype=np.uint64)
        self.lib.hil_trace_drain(self.handle, records.ctypes.data, len(records))
        return records

    def drain_lookups(self) -> NDArray[np.uint64]:
        """Lookups since the last call, shape (n, 5): accepted, answered, cbr, hit, pa. Only while log_lookups is set."""
        records = np.empty((int(self.lib.hil_lookups_pending(self.handle)), _LOOKUP_WORDS), dtype=np.uint64)
        self.lib.hil_lookups_drain(self.handle, records.ctypes.data, len(records))
        return records

    def violations(self) -> list[Violation]:
        """All violations kept so far."""
        count = int(self.lib.hil_violation_count(self.handle))
        buffer = ctypes.create_string_buffer(max(1, count) * _VIOLATION.size)
        self.lib.hil_violations(self.handle, 0, buffer, count)
        found = []
        for index in range(count):
            cycle, reason, write, mapped, node, ctx, cbr, asid, mm, va, pa = _VIOLATION.unpack_from(buffer, index * _VIOLATION.size)
            why = ViolationReason(reason)
            found.append(Violation(cycle, why, bool(write), bool(mapped), ctx, cbr, asid, mm, va, pa, node))
        return found

    def statistics(self) -> Mapping[str, int]:
        """Every counter by name."""
        counters: dict[str, int] = {}
        index = 0
        while (name := self.lib.hil_statistic_name(index)) is not None:
            counters[name.decode()] = int(self.lib.hil_statistic(self.handle, index))
            index += 1
        counters["skipped_cycles"] += self.cycle - int(self.status[0])
        return counters

    def close(self) -> None:
        """Free the handle."""
        if self.handle:
            self.lib.hil_destroy(self.handle)
            self.handle = None

    def _check(self, result: int) -> None:
        if result < 0:
            self._raise()

    def _raise(self) -> None:
        text = self.lib.hil_last_error(self.handle).decode()
        if self.lib.hil_failed(self.handle):
            raise AssertionFailure(text, int(self.lib.hil_failure_cycle(self.handle)))
        raise DeviceError(text)


def as_lookups(records: NDArray[np.uint64]) -> Sequence[Lookup]:
    """Rows of `drain_lookups` as values."""
    return [Lookup(int(a), int(b), int(c), bool(h), int(p)) for a, b, c, h, p in records]
