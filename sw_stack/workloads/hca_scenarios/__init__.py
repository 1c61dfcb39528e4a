"""The HCA's scenarios (library.py; docs/scenarios.md). Add one by copying the shortest."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from sw_stack.drivers.hca import HcaDriver
from sw_stack.mm.machine import Machine
from sw_stack.sched import Scheduler
from sw_stack.workloads.hca_stage import HcaNeeds, HcaStage
from sw_stack.workloads.library import Library

__all__ = ["HcaScenario", "load", "names"]

_LIBRARY = Library(__name__)


@dataclass(frozen=True)
class HcaScenario:
    """One scenario, and what the two systems must be made with."""

    name: str
    title: str
    description: str
    needs: HcaNeeds
    play: Callable[[HcaStage], Coroutine[Any, Any, None]] = field(repr=False)

    def build(self, sched: Scheduler, machines: Sequence[Machine], drivers: Sequence[HcaDriver], seed: int) -> HcaStage:
        """The workload: `start()` it."""
        return HcaStage(self.play, sched, machines, drivers, seed)


def names() -> list[str]:
    """Every scenario, in order."""
    return _LIBRARY.names()


def load(name: str) -> HcaScenario:
    """The scenario of that name. KeyError if there is none."""
    page = _LIBRARY.page(name)
    return HcaScenario(page.name, page.title, page.description, page.module.NEEDS, page.module.play)
