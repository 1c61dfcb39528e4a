"""The native host: the Verilated GRU, or HCAs and their link, in this process: hwif.port.Device, hwif.port.NodesDevice.

Promises: the port's contract (hwif/port.py) with exact cycles. `reset` makes a fresh model, so RAMs are as after power-on.
Needs: what tb/hil/build.py needs, once. One thread per device; several devices may live side by side.
Costs: an advance is a foreign call, and one more with requests; none while the harness knows that nothing can happen until then. A
cycle that is simulated costs what the Verilated model costs.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hwif.memory import HostMemory
from hwif.port import Device, Event, NodesDevice, Request, Violation
from hwif.shadow import Shadow
from tb.hil.abi import MAX_EVENTS, NEVER, DeviceError, Harness, HarnessOptions, HcaOptions, load
from tb.hil.build import HCA_HARNESS, BuildOptions, build_native

__all__ = ["NativeDevice", "NativeHca"]

_LIBRARIES: dict[Path, ctypes.CDLL] = {}


class _Native:
    """A Verilated model behind the port."""

    def __init__(self, path: Path, nodes: Sequence[tuple[HostMemory, Shadow]], options: HarnessOptions) -> None:
        if path not in _LIBRARIES:
            _LIBRARIES[path] = load(path)
        self.memory, self.shadow = nodes[0]
        self._harness = Harness(_LIBRARIES[path], nodes, options)
        self._end = weakref.finalize(self, self._harness.close)  # for who forgets to close it
        self._advance = _LIBRARIES[path].hil_advance

    @property
    def cycle(self) -> int:
        """Last complete cycle."""
        return self._harness.cycle

    def reset(self) -> None:
        """Power-on state, cycle 0. Settings stay."""
        self._harness.reset()

    def submit(self, request: Request) -> None:
        """Queue a request."""
        self._harness.submit(request)

    def advance(self, until: int) -> Sequence[Event]:
        """Run to the end of the first cycle with an event, or to `until`."""
        harness = self._harness
        if harness.idle(until):
            return ()
        harness.flush()
        return harness.decode(self._advance(harness.handle, min(until, NEVER), harness.events, MAX_EVENTS))

    def _catch_up(self) -> None:
        """Let the harness arrive where the host is."""
        harness = self._harness
        if harness.status[0] < harness.cycle:
            harness.decode(self._advance(harness.handle, harness.cycle, harness.events, MAX_EVENTS))

    def configure(self, name: str, value: int) -> None:
        """Change a setting of the harness (HarnessOptions)."""
        self._catch_up()
        self._harness.configure(name, value)

    def drain_trace(self) -> NDArray[np.uint64]:
        """Trace records since the last call."""
        return self._harness.drain_trace()

    def drain_lookups(self) -> NDArray[np.uint64]:
        """Lookups since the last call, while log_lookups is set."""
        return self._harness.drain_lookups()

    def violations(self) -> Sequence[Violation]:
        """All violations kept so far."""
        return self._harness.violations()

    def statistics(self) -> Mapping[str, int]:
        """Counters by name."""
        return self._harness.statistics()

    def trace_on(self, path: Path) -> None:
        """Write a waveform (FST) from now on. The device must have been built with BuildOptions(waves=True)."""
        self._catch_up()
        if self._harness.lib.hil_trace_on(self._harness.handle, str(path).encode()) < 0:
            raise DeviceError(self._harness.lib.hil_last_error(self._harness.handle).decode())

    def trace_off(self) -> None:
        """Finish the waveform."""
        self._catch_up()
        self._harness.lib.hil_trace_off(self._harness.handle)

    def close(self) -> None:
        """Free the model."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class NativeDevice(_Native):
    """The GRU's RTL behind the port."""

    def __init__(
        self,
        memory: HostMemory,
        shadow: Shadow,
        options: HarnessOptions | None = None,
        build: BuildOptions | None = None,
    ) -> None:
        super().__init__(build_native(build), [(memory, shadow)], options or HarnessOptions())


class NativeHca(_Native):
    """The RTL of one HCA, whose link leads back to it, or of two, behind the port."""

    def __init__(
        self,
        nodes: Sequence[tuple[HostMemory, Shadow]],
        options: HarnessOptions | None = None,
        build: BuildOptions | None = None,
    ) -> None:
        if len(nodes) not in HCA_HARNESS:
            raise DeviceError(f"an HCA has a link to itself or to one other: one or two nodes, not {len(nodes)}")
        super().__init__(build_native(build, HCA_HARNESS[len(nodes)]), nodes, options or HcaOptions())
        self.memories: Sequence[HostMemory] = tuple(memory for memory, _shadow in nodes)
        self.shadows: Sequence[Shadow] = tuple(shadow for _memory, shadow in nodes)


_DEVICE: type[Device] = NativeDevice  # the type checker compares the classes with the port
_NODES: type[NodesDevice] = NativeHca
