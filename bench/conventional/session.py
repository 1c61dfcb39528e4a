"""A run of the software stack against the conventional testbench, inside its simulator.

Promises: the same recorded program, seed, VM, notifiers and driver as a native run of the same configuration, joined by the same
loop (hwif/loop.py). Timing differs, for bus models take their own time; what the program asks of the VM does not.
Needs: the simulator of tb/conventional/build.py.
Costs: minutes for the shipped trace; use `limit`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from shootdown.errors import InputError
from shootdown.result import CosimConfig, RunResult
from shootdown.rig import play_awaiting
from shootdown.session import Session
from shootdown.software.gru import program_job
from sw_stack.workloads.trace import read_trace
from tb.conventional.build import TOP, build_conventional
from tb.hil.cocotb_host import Simulator, run_under_cocotb

__all__ = ["run_conventional"]

TIMEOUT_SECONDS = 1800.0


@dataclass(frozen=True)
class Order:
    """What travels to the simulator's process."""

    config: CosimConfig
    pauses: int | None


def run_conventional(config: CosimConfig, pauses: int | None = None) -> RunResult:
    """Play a configuration. `pauses`: seed of random stalls on every bus channel."""
    result = run_under_cocotb(
        "bench.conventional.session:play",
        Order(config, pauses),
        timeout=TIMEOUT_SECONDS,
        simulator=build_conventional(),
        toplevel=TOP,
    )
    if not isinstance(result, RunResult):
        raise TypeError(f"the simulator's process returned {type(result).__name__}, not a result")
    return result


async def play(simulator: Simulator, order: Order) -> RunResult:
    """Entry point inside the simulator's process."""
    warnings.simplefilter("ignore", DeprecationWarning)  # the bus models still use names that cocotb 2 renamed
    from tb.conventional.device import ConventionalDevice  # noqa: PLC0415 - cocotb's triggers exist only inside a simulator

    config = order.config
    if config.trace is None:
        raise InputError("the conventional testbench plays recorded programs", "give a trace")
    session = Session(config, program_job(config, read_trace(config.trace)), lambda _update: None)
    device: Any = ConventionalDevice(simulator.dut, session.memory, order.pauses)
    await device.start()
    return await play_awaiting(session, device)
