"""The hosts a mirrored hmm-test runs on.

A test is an async function of a Bench, marked @hmm. It runs with the software mirror and no hardware at all (`mirror`), and with
the GRU: on the model, and, among the slow tests, on the RTL, natively and under cocotb. The two RTL hosts must give one digest.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import pytest
from mirrored.hmm_bench import FRAMES, SEED, Bench, Body, Broken

from hwif.memory import HostMemory
from hwif.port import Device, Event, Request, Violation
from hwif.shadow import Shadow

__all__ = ["Host", "hmm", "run", "session"]

Host = Literal["mirror", "model", "native", "cocotb"]
SLOW: tuple[Host, ...] = ("native", "cocotb")


class NoDevice:
    """A clock and nothing else: hwif.port.Device for software that has no hardware below it."""

    def __init__(self, memory: HostMemory, shadow: Shadow) -> None:
        self.memory, self.shadow = memory, shadow
        self.cycle = 0

    def reset(self) -> None:
        self.cycle = 0

    def submit(self, request: Request) -> None:
        raise AssertionError(f"nobody answers {request}")

    def advance(self, until: int) -> Sequence[Event]:
        self.cycle = max(self.cycle, until)
        return ()

    def drain_trace(self) -> Any:
        return np.zeros((0, 8), dtype=np.uint64)

    def violations(self) -> Sequence[Violation]:
        return ()

    def statistics(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        pass


def _places(frames: int) -> tuple[HostMemory, Shadow]:
    return HostMemory(frames), Shadow(frames, 4 * frames)


def run(host: Host, body: Body, frames: int = FRAMES, *, seed: int = SEED, broken: Broken | None = None) -> str:
    """Run a test on a host; the digest of the run."""
    if host == "cocotb":
        from tb.hil.cocotb_host import run_under_cocotb  # noqa: PLC0415 - builds the RTL

        name = f"{body.__module__.rpartition('.')[2]}:{body.__name__}"
        digest: str = run_under_cocotb("mirrored.hmm_hosts:session", (name, frames, seed))
        assert digest == run("native", body, frames, seed=seed), "the hosts of the RTL differ"
        return digest
    memory, shadow = _places(frames)
    device = _device(host, memory, shadow)
    try:
        return Bench(device, gru=host != "mirror", seed=seed, broken=broken).play(body)
    finally:
        device.close()


def _device(host: Host, memory: HostMemory, shadow: Shadow) -> Device:
    if host == "mirror":
        return NoDevice(memory, shadow)
    if host == "model":
        from pymodels.gru import GruModel  # noqa: PLC0415 - compiles its kernels when it is first loaded

        return GruModel(memory, shadow)
    from tb.hil.native import NativeDevice  # noqa: PLC0415 - builds the RTL

    return NativeDevice(memory, shadow)


async def session(simulator: Any, order: tuple[str, int, int]) -> str:
    """Entry point inside the simulator's process."""
    name, frames, seed = order
    module, _, function = name.partition(":")
    test = getattr(importlib.import_module(f"mirrored.{module}"), function)
    device = simulator.device(*_places(frames))
    digest: str = await simulator.synchronous(device, lambda sync: Bench(sync, gru=True, seed=seed).play(test.body))
    return digest


def hmm(*, hosts: Sequence[Host] = get_args(Host), frames: int = FRAMES) -> Callable[[Body], Any]:
    """Make a test of an async function of a Bench: one case for each of `hosts`."""

    def made(body: Body) -> Any:
        marks = [pytest.param(host, marks=pytest.mark.slow if host in SLOW else ()) for host in hosts]

        @pytest.mark.parametrize("host", marks)
        def test(host: Host) -> None:
            run(host, body, frames)

        test.__name__, test.__qualname__, test.__doc__, test.__module__ = (
            body.__name__, body.__qualname__, body.__doc__, body.__module__,
        )  # fmt: skip
        test.body = body  # type: ignore[attr-defined]
        return test

    return made
