"""Two systems with adapters and a link, for experiments with a device: the model, under the oracle.

Promises: `play` returns when the play and everything it opened is over; a violation, wrong data, a broken rule or a stall is a
RuleBrokenError. The same seed gives the same cycles. Costs: about a second for every four million cycles at work.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from shootdown import rig
from shootdown.claims.base import RuleBrokenError
from shootdown.result import CosimConfig, RunResult
from shootdown.session import Session
from shootdown.software.hca import hca_job
from sw_stack.drivers.hca import DriverPolicy, HcaDriver
from sw_stack.mm.machine import Machine
from sw_stack.sched import Scheduler
from sw_stack.workloads.hca_stage import HcaNeeds, HcaStage

__all__ = ["play"]


def play(
    body: Callable[[HcaStage], Coroutine[Any, Any, None]],
    seed: int,
    *,
    frames: tuple[int, int] = (768, 768),
    policies: tuple[DriverPolicy, DriverPolicy] | None = None,
) -> Mapping[str, int]:
    """Play `body` on the model; the counters of both drivers."""
    needs = HcaNeeds(frames, policies) if policies is not None else HcaNeeds(frames)

    def build(sched: Scheduler, machines: Sequence[Machine], drivers: Sequence[HcaDriver]) -> HcaStage:
        return HcaStage(body, sched, machines, drivers, seed)

    config = CosimConfig(trace=None, scenario="claims", device="hca", backend="model", seed=seed, out=Path())
    session = Session(config, hca_job("claims", needs.frames, needs.policies, build), lambda _update: None)
    with rig.open_device(config, session) as device:
        rig.play(session, device)
        result = session.result()
    _check(result)
    return result.driver


def _check(result: RunResult) -> None:
    for found in (*result.violations, *result.data_failures):
        raise RuleBrokenError(found.rule, f"{found.what} (cycle {found.cycle:,})")
    if result.stalled is not None:
        raise RuleBrokenError("STALL", result.stalled)
