"""The regression's runs of small blocks, by their sizes.

Promises: each function is a target of tb/block/job.py; a test's name ends with its sizes ("hca_stores_64", "hca_port_4_3_16").
`scale` multiplies the cycles.
Needs: what tb/hca_cells/bench.py needs.
Costs: a second or two a run.
"""

from __future__ import annotations

import re

from hwif.gen import hca as h
from tb.block.job import result_of
from tb.block.points_hca import CQ
from tb.hca_cells.bench import COMPLETIONS, REGISTERS, caches, ports, stores
from tb.plan.run import RunConfig, RunResult

__all__ = ["cache", "completions", "port", "registers", "store"]

CYCLES = 4000


def _sizes(config: RunConfig) -> list[int]:
    return [int(part) for part in config.test.split("_") if part.isdecimal()]


COMPLETION_PROFILES = {
    "hca_cq_plain": {"cycles": 20_000, "wait": 20, "bad": 0, "off": 0},
    "hca_cq_trouble": {"cycles": 20_000, "wait": 5, "bad": 10, "off": 7},
    "hca_cq_slow_memory": {"cycles": 20_000, "wait": 300, "bad": 3, "off": 1},
    "hca_cq_all": {"cycles": 50_000, "wait": 5, "bad": 5, "off": 1, "queues": 256, "given": 20},
    "hca_cq_long": {"cycles": 150_000, "wait": 5, "bad": 1, "off": 0, "queues": 1, "given": 0},
}
"""By the test's name: settings of hca_cqs_tb.sv."""


def completions(config: RunConfig) -> RunResult:
    """Entries, doorbells and contexts."""
    settings = COMPLETION_PROFILES[config.test]
    outcome = COMPLETIONS.run(**settings | {"seed": config.seed, "cycles": int(settings["cycles"] * config.scale)})
    return result_of(outcome, "items", CQ)


REGISTER_PLACES = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix("Reg")).lower() + "_at": register.offset
    for name, register in vars(h).items()
    if name.endswith("Reg") and hasattr(register, "offset")
}
"""Settings of hca_regs_tb.sv: where each register is."""


def registers(config: RunConfig) -> RunResult:
    """Every register, event and counter at full width."""
    settings = {"seed": config.seed, "rounds": max(1, int(40 * config.scale)), "hot": max(1, int(280_000 * config.scale))}
    return result_of(REGISTERS.run(**settings, **REGISTER_PLACES), "items", {})


def store(config: RunConfig) -> RunResult:
    """Filled and emptied."""
    (size,) = _sizes(config)
    return result_of(stores(size).run(seed=config.seed, cycles=int(CYCLES * config.scale)), "items", {})


def port(config: RunConfig) -> RunResult:
    """Requests of everybody."""
    readers, writers, outstanding = _sizes(config)
    outcome = ports(readers, writers, outstanding).run(seed=config.seed, mutant=config.mutant, cycles=int(CYCLES * config.scale))
    return result_of(outcome, "items", {})


def cache(config: RunConfig) -> RunResult:
    """Look-ups, fills and invalidations."""
    entries, ways, keys = _sizes(config)
    outcome = caches(entries, ways, keys).run(seed=config.seed, mutant=config.mutant, cycles=int(CYCLES * config.scale))
    return result_of(outcome, "items", {})
