"""Where mutants of the HCA's RTL and of its driver are hunted: every scenario of two systems, one of them over a narrow memory
port, the RTL without driver or operating system (hca_alone.py), and the shipped program under pressure.

Promises: the likely places come first, and nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from hwif.gen.hca import HCA_MUTANT_TEXT, HcaMutant
from shootdown.hca_alone import ALONE as ALONE_GROUNDS
from shootdown.result import CosimConfig
from shootdown.software.kinds import rtl_mutants
from sw_stack.drivers.hca.policy import MUTANT_TEXT
from sw_stack.workloads.hca_scenarios import names as scenario_names

__all__ = ["AIMED", "ALONE", "NARROW", "PROGRAM", "config", "grounds", "texts"]

PRESSURE_FRAMES = 700
PRESSURE_ODDS = 2
PRESSURE_SEEDS = (1, 2, 3)
PRESSURE_EVENTS = 1_500  # VM events of the program's run
NARROW_BYTES = 8  # a cycle: the memory port pushes back
NARROW = "narrow "
ALONE = "alone "
ALONE_SEEDS = 3
PROGRAM = "program under pressure"

# Scenarios that aim at what a mutant breaks. Order only: every other one follows.
AIMED: Mapping[str, tuple[str, ...]] = {
    "upgrade_kept": ("upgrade_livelock",),
    "map_writable": ("upgrade_livelock",),
    "ignore_sequence": ("packet_damming", "optimistic_restart"),
    "no_invalidate": ("optimistic_restart",),
    "forget_implicit": ("end_of_everything",),
    "invalidate_short": ("more_faults_than_queue",),
    "stale_key": ("dereg_madvise",),
    "lost_wakeup": ("more_faults_than_queue",),
    "pin_uncounted": ("pinned_pages",),
}


def texts() -> list[tuple[str, str, str]]:
    """Every mutant: name, layer, what is broken."""
    rtl = [(name, "rtl", HCA_MUTANT_TEXT[HcaMutant(value)]) for name, value in rtl_mutants("hca").items()]
    return [*rtl, *((name, "driver", what) for name, what in MUTANT_TEXT.items())]


def grounds(mutant: str, seed: int) -> Iterator[tuple[str, int]]:
    """Where to look for a mutant, and with which seed."""
    aimed = AIMED.get(mutant, ())
    alone = [ALONE + name for name in ALONE_GROUNDS] if mutant in rtl_mutants("hca") else []
    order = dict.fromkeys([*aimed, *alone, *scenario_names(), *(NARROW + name for name in scenario_names()[:1])])
    yield from ((ground, seed) for ground in order)
    yield from ((ground, seed + extra) for extra in range(1, ALONE_SEEDS) for ground in alone)
    yield from ((PROGRAM, seed + extra - 1) for extra in PRESSURE_SEEDS)


def config(ground: str, seed: int, trace: Path, mutant: str | None, asserts: bool) -> CosimConfig:
    """The run of a ground. Nothing is written."""
    common = CosimConfig(trace=None, seed=seed, out=Path(), device="hca", mutant=mutant, asserts=asserts)
    if ground == PROGRAM:
        return replace(common, trace=trace, memory=PRESSURE_FRAMES, limit=PRESSURE_EVENTS, preempt_odds=PRESSURE_ODDS)
    if ground.startswith(NARROW):
        return replace(common, scenario=ground.removeprefix(NARROW), bandwidth=NARROW_BYTES)
    return replace(common, scenario=ground)
