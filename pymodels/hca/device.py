"""The model of the HCA behind the port: one adapter whose link leads back to it, or two with a link between.

Promises: hwif.port.NodesDevice, with what NativeHca offers besides except waveforms: the same events with the same payload, trace
  records of the same catalogue, counters of the same names, violations by the same oracle. Latencies are approximate
  (spec/timing.toml [hca_model]): software must not rely on a cycle of them.
Needs: memories and shadows outlive the device, and change only while it stands still. One thread.
Costs: a few events a packet, look-up or command; an advance in which nothing happens costs a comparison.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hwif.gen.events import TraceEvent
from hwif.gen.hca import CSR_BYTES, NODE_IRQS
from hwif.memory import HostMemory
from hwif.port import (
    DeviceError,
    Event,
    Irq,
    MmioDone,
    MmioWrite,
    NodesDevice,
    OracleStop,
    Request,
    Snoop,
    Violation,
)
from hwif.shadow import Shadow
from hwif.trace import CPU_SHIFT, NODE_CPUS, RECORD_WORDS
from pymodels.hca.bus import Bus
from pymodels.hca.link import Link
from pymodels.hca.node import Node
from pymodels.hca.options import LIMITS, HcaModelOptions
from pymodels.hca.statistics import statistics
from pymodels.hca.timeline import Timeline

__all__ = ["HcaModel", "Recorder"]

MAX_NODES = 2
MAX_WORDS = 8
WORD = 8
_RECORD = struct.Struct(f"={RECORD_WORDS}Q")
_PADDING = tuple((0,) * count for count in range(RECORD_WORDS))


def _place(event: Event) -> tuple[int, int, int]:
    """Order of the events of a cycle, as the harness has it."""
    if isinstance(event, MmioDone):
        return 0, 0, 0
    if isinstance(event, Irq):
        return 1, event.line, 0
    return (2, event.kind, event.node) if isinstance(event, Snoop) else (3, 0, 0)


class Recorder:
    """Where the blocks leave what happened: events of the present cycle, and trace records."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.block = bytearray()
        self.kinds: dict[tuple[int, int], int] = {}
        self.irqs = [0] * MAX_NODES
        self.snoops = [0] * MAX_NODES

    def objection(self, cycle: int) -> None:
        """The oracle objected: the host hears of it once a cycle."""
        stop = OracleStop(cycle)
        if stop not in self.events:
            self.events.append(stop)

    def event(self, event: Event) -> None:
        """Something the host must see."""
        self.events.append(event)
        if isinstance(event, Snoop):
            self.snoops[event.node] += 1
        elif isinstance(event, Irq):
            node = event.line // NODE_IRQS
            self.irqs[node] += 1
            self.trace(node, event.cycle, TraceEvent.DEV_IRQ, (event.line, event.level))

    def trace(self, node: int, cycle: int, event: TraceEvent, args: tuple[int, ...]) -> None:
        """A record of the trace; those of node 0 carry no processor, as ever."""
        who = (NODE_CPUS * node + 1) << CPU_SHIFT if node else 0
        self.block += _RECORD.pack(cycle, event | who, *args, *_PADDING[RECORD_WORDS - 2 - len(args)])
        self.kinds[(node, event)] = self.kinds.get((node, event), 0) + 1


class HcaModel:
    """HCAs without gates."""

    def __init__(self, nodes: Sequence[tuple[HostMemory, Shadow]], options: HcaModelOptions | None = None) -> None:
        if not 1 <= len(nodes) <= MAX_NODES:
            raise DeviceError(f"an HCA device has one or two nodes, not {len(nodes)}")
        for memory, shadow in nodes:
            if not 0 < shadow.frames <= memory.frames:
                raise DeviceError(f"the oracle knows {shadow.frames} frames, host memory has {memory.frames}")
        self.memories: Sequence[HostMemory] = tuple(memory for memory, _ in nodes)
        self.shadows: Sequence[Shadow] = tuple(shadow for _, shadow in nodes)
        self.memory, self.shadow = nodes[0]
        self._settings: dict[str, int] = {}
        chosen = options or HcaModelOptions()
        for field in fields(chosen):
            self._keep(field.name, getattr(chosen, field.name))
        self.reset()

    def reset(self) -> None:
        """Power-on state, cycle 0. Settings stay."""
        self._timeline = Timeline()
        self._recorder = Recorder()
        self._cycle = 0
        count = len(self.memories)
        self._links = [Link(self._timeline) for _ in range(count)]
        self._nodes = [
            Node(number, memory, shadow, self._timeline, self._recorder, self._links[number], self._links[(number + 1) % count])
            for number, (memory, shadow) in enumerate(zip(self.memories, self.shadows, strict=True))
        ]
        self._buses = [Bus(node, self._recorder) for node in self._nodes]
        for name, value in self._settings.items():
            self._apply(name, value)

    # ---- settings ------------------------------------------------------------------------------------------------------

    def configure(self, name: str, value: int) -> None:
        """Change a setting; takes effect at once. `link_fault`: the packet value[63:32] from now (0: the next) of opcode [23:16]
        (0: any) in direction [15:8] meets the fate [7:0]: 0 pass, 1 lost, 2 corrupted, 3 truncated."""
        self._keep(name, value)
        self._apply(name, value)

    def _keep(self, name: str, value: int) -> None:
        if name not in LIMITS:
            raise DeviceError(f"no setting '{name}'")
        low, high = LIMITS[name]
        if not low <= value <= high:
            raise DeviceError(f"{name} must lie in {low}..{high}, not {value}")
        if name != "link_fault":  # an order, not a setting
            self._settings[name] = value

    def _apply(self, name: str, value: int) -> None:
        for node in self._nodes:
            port = node.memory
            if name in ("read_latency", "write_latency"):
                setattr(port, name, value)
            elif name == "bytes_per_cycle":
                port.beat_cycles = -(-LIMITS[name][1] // value)
            elif name == "oracle":
                port.oracle.enabled = bool(value)
            elif name == "max_violations":
                port.oracle.max_violations = value
        for direction, link in enumerate(self._links):
            if name == "link_latency":
                link.latency = value
            elif name == "link_cycles_per_flit":
                link.cycles_per_flit = value
            elif name == "link_seed":
                link.seed(value * MAX_NODES + direction)
            elif name == "link_fault":
                if value >> 8 & 0xFF == direction:
                    link.choose(value >> 32, value >> 16 & 0xFF, value & 3)
            elif name in ("link_loss", "link_corrupt", "link_truncate"):
                link.rates[("link_loss", "link_corrupt", "link_truncate").index(name)] = value

    # ---- the port ------------------------------------------------------------------------------------------------------

    @property
    def cycle(self) -> int:
        """Last complete cycle."""
        return self._cycle

    def submit(self, request: Request) -> None:
        """Queue a request."""
        at, serial, addr = request.at, request.serial, request.addr
        count = len(request.words) if isinstance(request, MmioWrite) else request.count
        what = f"request {serial}: "
        if at < self._cycle:
            raise DeviceError(f"{what}cycle {at} is in the past, now {self._cycle}")
        if not 0 <= request.node < len(self._nodes):
            raise DeviceError(f"{what}no node {request.node}: there are {len(self._nodes)}")
        if not 1 <= count <= MAX_WORDS:
            raise DeviceError(f"{what}1 to {MAX_WORDS} double-words, not {count}")
        if addr % WORD:
            raise DeviceError(f"{what}address is not a multiple of {WORD}")
        if addr < 0 or addr + WORD * count > CSR_BYTES:
            raise DeviceError(f"{what}address outside the register block")
        self._buses[request.node].submit(request)

    def advance(self, until: int) -> Sequence[Event]:
        """Run to the end of the first cycle with an event, or to `until`."""
        timeline = self._timeline
        if until < timeline.next:
            self._cycle = max(self._cycle, until)
            return ()
        events = self._recorder.events
        timeline.run(until, events)
        self._cycle = max(self._cycle, timeline.now)
        if not events:
            return ()
        self._recorder.events = []
        if len(events) > 1:
            events.sort(key=_place)
        return events

    def drain_trace(self) -> NDArray[np.uint64]:
        """Trace records since the last call, shape (n, 8)."""
        block, self._recorder.block = self._recorder.block, bytearray()
        return np.frombuffer(bytes(block), dtype=np.uint64).reshape(-1, RECORD_WORDS)

    def violations(self) -> Sequence[Violation]:
        """All violations kept so far."""
        found = [violation for node in self._nodes for violation in node.memory.oracle.kept]
        return sorted(found, key=lambda violation: violation.cycle)

    def statistics(self) -> Mapping[str, int]:
        """Counters by name (see tb/hil/hil.h)."""
        evaluated = self._timeline.evaluated
        cycles = {"evaluated_cycles": evaluated, "skipped_cycles": self._cycle - evaluated}
        return statistics(self._nodes, self._buses, self._links, self._recorder) | cycles

    def close(self) -> None:
        """Nothing to release; the state goes with the object."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


_DEVICE: type[NodesDevice] = HcaModel  # the type checker compares the class with the port
