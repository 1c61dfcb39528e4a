"""The GRU's scenarios (library.py; docs/scenarios.md). Add one by copying the shortest."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.policy import DriverPolicy
from sw_stack.mm.machine import Machine
from sw_stack.sched import Scheduler
from sw_stack.workloads.library import Library
from sw_stack.workloads.stage import Needs, Stage

__all__ = ["Scenario", "load", "names"]

_LIBRARY = Library(__name__)


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
    return _LIBRARY.names()


def load(name: str) -> Scenario:
    """The scenario of that name. KeyError if there is none."""
    page = _LIBRARY.page(name)
    return Scenario(page.name, page.title, page.description, page.module.NEEDS, page.module.play)
