"""The regression's runs of the way from packets to the cable, by profile.

Promises: `traffic` is a target of tb/block/job.py; the profile is the test's name. `scale` multiplies the packets.
Needs: what tb/hca_tx/bench.py needs.
Costs: some 20 us a cycle.
"""

from __future__ import annotations

from tb.block.job import result_of
from tb.block.points_hca import TX
from tb.hca_tx.bench import run
from tb.plan.run import RunConfig, RunResult

__all__ = ["PROFILES", "traffic"]

RANDOM, CALM, EQUAL = 0, 1, 2
PROFILES: dict[str, dict[str, int]] = {
    "hca_tx_plain": {"mode": CALM, "packets": 1500, "qps": 8},
    "hca_tx_trouble": {"mode": RANDOM, "packets": 6000, "qps": 16, "latency": 30},
    "hca_tx_one_pair": {"mode": RANDOM, "packets": 1500, "qps": 1, "latency": 60},
    "hca_tx_slow_cable": {"mode": RANDOM, "packets": 1000, "qps": 5, "rate": 5, "look": 30},
    "hca_tx_slow_memory": {"mode": RANDOM, "packets": 1000, "qps": 16, "latency": 400},
    "hca_tx_large": {"mode": EQUAL, "packets": 300, "qps": 3, "length": 4096, "skew": 17, "latency": 120},
}
"""By the test's name: settings of hca_tx_tb.sv."""


def traffic(config: RunConfig) -> RunResult:
    """Packets until each has left or is dropped."""
    settings = PROFILES[config.test]
    packets = max(1, int(settings["packets"] * config.scale))
    return result_of(run(**settings | {"seed": config.seed, "mutant": config.mutant, "packets": packets}), "left gone failures", TX)
