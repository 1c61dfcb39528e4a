"""The scenario library: one file a scenario, found by its name.

A scenario's file has a docstring (its first line is the title), `NEEDS`, and `async def play(stage: Stage)`. Files are listed in
the order of their names. Add one by copying the shortest (docs/scenarios.md).

Promises: `names` costs no import of a scenario; `load` raises KeyError for a name that is not one of them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.policy import DriverPolicy
from sw_stack.mm.machine import Machine
from sw_stack.sched import Scheduler
from sw_stack.workloads.stage import Needs, Stage

__all__ = ["Scenario", "load", "names"]


@dataclass(frozen=True)
class Scenario:
    """One scenario. `frames` and `policy` are what the machine and the driver must be made with."""

    name: str
    title: str
    description: str
    needs: Needs
    play: Callable[[Stage], Coroutine[Any, Any, None]] = field(repr=False)

    @property
    def frames(self) -> int:
        return self.needs.frames

    @property
    def policy(self) -> DriverPolicy:
        return self.needs.policy

    def build(self, sched: Scheduler, machine: Machine, driver: GruDriver, seed: int) -> Stage:
        """The workload: `start()` it."""
        return Stage(self.play, sched, machine, driver, seed, cbrs=self.needs.cbrs)


def names() -> list[str]:
    """Every scenario, in order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> Scenario:
    """The scenario of that name."""
    if name not in names():
        raise KeyError(name)
    module = importlib.import_module(f"{__name__}.{name}")
    title, _, description = inspect.cleandoc(module.__doc__ or "").partition("\n")
    return Scenario(name, title.rstrip("."), description.strip(), module.NEEDS, module.play)
