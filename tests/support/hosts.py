"""Sessions that run alike on every device: the RTL natively at once, the RTL under cocotb inside the simulator, the model.

A session is described by a `Case`, which pickles; `play` gives what it left behind, with a digest of everything observable.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwif.memory import HostMemory
from hwif.port import Event, Violation
from hwif.shadow import Shadow
from hwif.trace import Trace
from pymodels.gru import GruModel, ModelOptions
from tb.hil.abi import HarnessOptions
from tb.hil.baremetal import BareMetal, Program
from tb.hil.cocotb_host import Simulator, run_under_cocotb
from tb.hil.native import NativeDevice

HOSTS = ("native", "cocotb", "model")
"""What a case can be played on."""


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
    with open_device(case, host) as device:
        gru = BareMetal(device)
        steps = _program(case)(gru)
        try:
            until = next(steps)
            while True:
                until = steps.send(device.advance(until))
        except StopIteration as end:
            return _played(device, gru, end.value)


def open_device(case: Case, host: str) -> NativeDevice | GruModel:
    """The device of a host in this process. The model has no assertions, no clock to skip and no broken variants."""
    memory, shadow = HostMemory(case.frames), Shadow(case.frames)
    if host == "native":
        return NativeDevice(memory, shadow, case.options)
    assert not case.options.mutant
    return GruModel(
        memory, shadow, ModelOptions(**{field.name: getattr(case.options, field.name) for field in fields(ModelOptions)})
    )


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
