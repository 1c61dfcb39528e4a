"""Sessions with HCAs that run alike on every device: the RTL natively, the RTL under cocotb, the model.

A session is described by an `HcaCase`, which pickles: a function that is called with a tb.hil.hca_bare.Bare and returns its notes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from support.hosts import Played

from hwif.memory import HostMemory
from hwif.shadow import Shadow
from hwif.trace import Trace
from pymodels.hca import HcaModel, HcaModelOptions
from tb.hil.abi import HcaOptions
from tb.hil.cocotb_host import Simulator, run_under_cocotb
from tb.hil.hca_bare import Bare, settings
from tb.hil.native import NativeHca

HOSTS = ("native", "cocotb", "model")


@dataclass(frozen=True)
class HcaCase:
    """`program` ("module:function") is called with a Bare and `arguments`."""

    program: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    nodes: int = 2
    frames: int = 1024
    options: HcaOptions = field(default_factory=HcaOptions)
    settings: settings = field(default_factory=settings)


def play(case: HcaCase, host: str) -> Played:
    """Run a case on a host."""
    if host == "cocotb":
        played: Played = run_under_cocotb("support.hca_hosts:session", case, timeout=600, nodes=case.nodes)
        return played
    device = open_device(case, host)
    try:
        return run(device, case)
    finally:
        device.close()


def open_device(case: HcaCase, host: str) -> Any:
    """The device of a host in this process. The model has no assertions, no clock to skip and no broken variants."""
    places = _places(case)
    if host == "native":
        return NativeHca(places, case.options)
    assert not case.options.mutant
    return HcaModel(
        places,
        HcaModelOptions(
            **{f.name: getattr(case.options, f.name) for f in fields(HcaModelOptions) if hasattr(case.options, f.name)}
        ),
    )


async def session(simulator: Simulator, case: HcaCase) -> Played:
    """The same inside the simulator."""
    device = simulator.hca(_places(case), case.options)
    return await simulator.synchronous(device, lambda sync: run(sync, case))


def run(device: Any, case: HcaCase) -> Played:
    """The case on a device that is there."""
    bare = Bare(device, case.settings)
    module, _, name = case.program.partition(":")
    program: Callable[..., Any] = getattr(importlib.import_module(module), name)
    notes = program(bare, **case.arguments)
    records = device.drain_trace()
    trace = Trace()
    trace.feed_device(records)
    return Played(
        cycle=device.cycle,
        digest=trace.digest(),
        events=bare.log,
        trace=records,
        statistics=device.statistics(),
        violations=list(device.violations()),
        memory=b"".join(bytes(memory.bytes) for memory in device.memories),
        notes=notes,
    )


def _places(case: HcaCase) -> list[tuple[HostMemory, Shadow]]:
    return [(HostMemory(case.frames), Shadow(case.frames)) for _ in range(case.nodes)]
