"""The regression's runs of the receive engine, by profile.

Promises: `traffic` is a target of tb/block/job.py; the profile is the test's name. `scale` multiplies the packets.
Needs: what tb/hca_rx/bench.py needs.
Costs: some 20 us a cycle.
"""

from __future__ import annotations

from tb.block.job import result_of
from tb.block.points_hca import RX
from tb.hca_rx.bench import run
from tb.plan.run import RunConfig, RunResult

__all__ = ["PROFILES", "traffic"]

RANDOM, CALM, EQUAL = 0, 1, 2
PROFILES: dict[str, dict[str, int]] = {
    "hca_rx_plain": {"mode": CALM, "packets": 2000, "qps": 8},
    "hca_rx_trouble": {"mode": RANDOM, "packets": 4000, "qps": 12},
    "hca_rx_one_pair": {"mode": RANDOM, "packets": 2000, "qps": 1},
    "hca_rx_many_pairs": {"mode": RANDOM, "packets": 3000, "qps": 100, "latency": 20, "think": 1},
    "hca_rx_slow_memory": {"mode": RANDOM, "packets": 1500, "qps": 12, "latency": 400, "think": 5},
    "hca_rx_large": {"mode": EQUAL, "packets": 300, "qps": 3, "length": 4096, "skew": 17},
}
"""By the test's name: settings of hca_rx_tb.sv."""


def traffic(config: RunConfig) -> RunResult:
    """Packets until all are judged."""
    settings = PROFILES[config.test]
    packets = max(1, int(settings["packets"] * config.scale))
    return result_of(run(**settings | {"seed": config.seed, "mutant": config.mutant, "packets": packets}), "taken dropped", RX)
