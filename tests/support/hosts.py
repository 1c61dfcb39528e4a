"""Sessions that run alike on every host of the RTL: natively at once, under cocotb inside the simulator.

A session is described by a `Case`, which pickles; `play` gives what it left behind, with a digest of everything observable.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwif.memory import HostMemory
from hwif.port import Event, Violation
from hwif.shadow import Shadow
from hwif.trace import Trace
from tb.hil.abi import HarnessOptions
from tb.hil.baremetal import BareMetal, Program
from tb.hil.cocotb_host import Simulator, run_under_cocotb
from tb.hil.native import NativeDevice

HOSTS = ("native", "cocotb")
"""Hosts a case can be played on. The model joins here once it is behind the port."""


@dataclass(frozen=True)
class Case:
    """`program` ("module:function") called with `arguments` makes the program."""

    program: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    frames: int = 1024
    options: HarnessOptions = field(default_factory=HarnessOptions)


@dataclass
class Played:
    """What a session left behind."""

    cycle: int
    digest: str
    events: list[Event]
    trace: NDArray[np.uint64]
    statistics: Mapping[str, int]
    violations: list[Violation]
    memory: bytes
    notes: Any


def play(case: Case, host: str) -> Played:
    """Run a case on a host."""
    if host == "cocotb":
        played: Played = run_under_cocotb("support.hosts:session", case, timeout=300)
        return played
    with NativeDevice(HostMemory(case.frames), Shadow(case.frames), case.options) as device:
        gru = BareMetal(device)
        steps = _program(case)(gru)
        try:
            until = next(steps)
            while True:
                until = steps.send(device.advance(until))
        except StopIteration as end:
            return _played(device, gru, end.value)


async def session(simulator: Simulator, case: Case) -> Played:
    """The same inside the simulator."""
    device = simulator.device(HostMemory(case.frames), Shadow(case.frames), case.options)
    gru = BareMetal(device)
    steps = _program(case)(gru)
    try:
        until = next(steps)
        while True:
            until = steps.send(await device.advance(until))
    except StopIteration as end:
        return _played(device, gru, end.value)


def _program(case: Case) -> Program:
    module, _, name = case.program.partition(":")
    maker: Callable[..., Program] = getattr(importlib.import_module(module), name)
    return maker(**case.arguments)


def _played(device: Any, gru: BareMetal, notes: Any) -> Played:
    records = device.drain_trace()
    trace = Trace()
    trace.feed_device(records)
    return Played(
        cycle=device.cycle,
        digest=trace.digest(),
        events=gru.log,
        trace=records,
        statistics=device.statistics(),
        violations=list(device.violations()),
        memory=bytes(device.memory.bytes),
        notes=notes,
    )
