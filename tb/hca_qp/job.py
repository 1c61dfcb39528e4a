"""The regression's runs of the queue pairs, by profile.

Promises: `traffic` is a target of tb/block/job.py; the profile is the test's name. `scale` multiplies the messages. A profile also
says what must have happened in a run, or must not: a bench that lost its trouble is an objection.
Needs: what tb/hca_qp/bench.py needs.
Costs: some 5 us a cycle.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tb.block.job import result_of
from tb.block.points_hca import QP
from tb.hca_qp.bench import run
from tb.plan.run import RunConfig, RunResult

__all__ = ["PROFILES", "traffic"]

STALL, DISCARD, RESTART, EACH = 0, 1, 2, 3


@dataclass(frozen=True)
class Profile:
    """`settings`: of hca_qp_tb.sv. `some`, `none`: counters that are above 0, or 0, at the end of a run of full length."""

    settings: dict[str, int] = field(hash=False)
    some: str = ""
    none: str = ""


PROFILES = {
    "hca_qp_plain": Profile({"pairs": 8, "messages": 200}, none="retransmit timeouts nak dup rnr"),
    "hca_qp_trouble": Profile(
        {"pairs": 20, "messages": 200, "loss": 10, "txfault": 30, "rxfault": 40, "norecv": 30, "policy": EACH},
        some="retransmit timeouts rnr nak oos dup",
    ),
    "hca_qp_gaps": Profile({"pairs": 4, "messages": 400, "loss": 20}, some="nak timeouts retransmit"),
    "hca_qp_stall": Profile({"pairs": 4, "messages": 300, "rxfault": 50, "policy": STALL}, none="nak rnr timeouts oos"),
    "hca_qp_discard": Profile({"pairs": 4, "messages": 300, "rxfault": 50, "policy": DISCARD}, some="rnr retransmit"),
    "hca_qp_restart": Profile(
        {"pairs": 4, "messages": 300, "rxfault": 50, "policy": RESTART}, some="nak retransmit", none="rnr timeouts"
    ),
    "hca_qp_window": Profile({"pairs": 3, "messages": 1500, "size": 64, "rxfault": 3, "policy": EACH}, some="nak retransmit rnr"),
    "hca_qp_many_pairs": Profile(
        {"pairs": 64, "messages": 60, "loss": 5, "txfault": 10, "rxfault": 10, "policy": EACH}, some="nak"
    ),
    "hca_qp_wide": Profile(
        {"pairs": 64, "messages": 30, "loss": 5, "txfault": 20, "rxfault": 20, "norecv": 10, "policy": EACH, "wide": 1},
        some="nak rnr retransmit",
    ),
    "hca_qp_wrap": Profile({"pairs": 1, "messages": 70_000, "size": 64, "wide": 1, "tail": 120_000}, none="nak rnr timeouts"),
    "hca_qp_late": Profile({"pairs": 3, "messages": 800, "size": 64, "wide": 1, "ackloss": 900}, some="timeouts", none="nak rnr"),
}
"""By the test's name."""


def traffic(config: RunConfig) -> RunResult:
    """Messages until all are complete."""
    profile = PROFILES[config.test]
    messages = max(1, int(profile.settings["messages"] * config.scale))
    outcome = run(**profile.settings | {"seed": config.seed, "mutant": config.mutant, "messages": messages})
    found = result_of(outcome, "messages", QP)
    wrong = [
        f"{name} is 0, nothing was tried" for name in profile.some.split() if config.scale >= 1 and not outcome.numbers.get(name)
    ]
    wrong += [f"{name} is {outcome.numbers[name]}" for name in profile.none.split() if outcome.numbers.get(name)]
    return replace(found, errors=found.errors + len(wrong), objections=[*found.objections, *wrong])
