"""A cocotb session that gets SIGINT in the middle, as from Ctrl-C in the launcher."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

from hwif.memory import HostMemory
from hwif.port import Event
from hwif.shadow import Shadow
from shootdown.result import CosimConfig, RunResult
from shootdown.rig import cocotb_session
from tb.hil.abi import HarnessOptions
from tb.hil.cocotb_host import CocotbDevice

__all__ = ["session"]

ADVANCES = 2000


class Interrupted(CocotbDevice):
    """Signals its own process once, after a number of advances."""

    count = 0

    async def advance(self, until: int) -> Sequence[Event]:
        self.count += 1
        if self.count == ADVANCES:
            os.kill(os.getpid(), signal.SIGINT)
        return await super().advance(until)


class Simulator:
    """Hands out the interrupted device."""

    def __init__(self, simulator: Any) -> None:
        self._simulator = simulator

    def device(self, memory: HostMemory, shadow: Shadow, options: HarnessOptions) -> Interrupted:
        return Interrupted(self._simulator, [(memory, shadow)], options)


async def session(simulator: Any, config: CosimConfig) -> RunResult:
    return await cocotb_session(Simulator(simulator), config)
