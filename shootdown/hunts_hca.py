"""Where mutants of the HCA's RTL and of its driver are hunted: every scenario of two systems, those of accesses in flight also
over a narrow memory port, the RTL without driver or operating system (hca_alone.py), and the shipped program under pressure.

Promises: the likely places come first, and nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from hwif.gen.hca import HCA_MUTANT_TEXT, HcaMutant
from shootdown.hca_alone import GROUNDS
from shootdown.result import CosimConfig
from shootdown.software.kinds import rtl_mutants
from sw_stack.drivers.hca.policy import MUTANT_TEXT
from sw_stack.workloads.hca_scenarios import names as scenario_names

__all__ = ["AIMED", "ALONE", "NARROW", "PROGRAM", "grounds", "played", "texts"]

PRESSURE_FRAMES = 700
PRESSURE_ODDS = 2
PRESSURE_SEEDS = (1, 2, 3)
PRESSURE_EVENTS = 1_500  # VM events of the program's run
NARROW_BYTES = 8  # a cycle: the memory port pushes back
NARROW = "narrow "
NARROWED = ("page_in_flight", "pinned_in_flight")  # where that matters
ALONE = "alone "
ALONE_SEEDS = 3
PROGRAM = "program under pressure"

# Grounds that aim at what a mutant breaks. Order only: every other one follows.
AIMED: Mapping[str, tuple[str, ...]] = {
    "ack_before_drain": (ALONE + "slow writes",),
    "walk_not_dropped": (ALONE + "translation crowded",),
    "range_short": (ALONE + "translation crowded",),
    "key_ignored": (ALONE + "translation in storms",),
    "large_survives": (ALONE + "translation in storms",),
    "race_walk": (ALONE + "walk races",),
    "drain_all": (ALONE + "translation in storms",),
    "record_lost": ("more_faults_than_queue",),
    "index_first": ("adapters_under_pressure",),
    "stale_token": (ALONE + "stale answer",),
    "irq_edge": ("more_faults_than_queue",),
    "rnr_skips": (ALONE + "crowded",),
    "held_survives": (ALONE + "translation in storms",),
    "late_write": (ALONE + "slow writes",),
    "pd_ignored": (ALONE + "translation in storms",),
    "fence_first": ("adapters_under_pressure",),
    "length_off": (ALONE + "translation in storms",),
    "dup_executed": (ALONE + "mixed",),
    "early_cqe": (ALONE + "mixed",),
    "nak_lost": (ALONE + "lost packet",),
    "shoot_full_ack": (ALONE + "translation in storms",),
    "key_kept": (ALONE + "translation with new keys",),
    "resume_forgotten": (ALONE + "refused fault",),
    "fault_twice": (ALONE + "unanswered fault",),
    "abort_touches": (ALONE + "refused fault",),
    "axi_unstable": (ALONE + "narrow",),
    "quiet_lie": (ALONE + "walk races",),
    "upgrade_kept": ("upgrade_livelock",),
    "map_writable": ("upgrade_livelock",),
    "ignore_sequence": ("packet_damming", "optimistic_restart"),
    "token_before": ("more_faults_than_queue",),
    "missing_qp_resumed": ("queue_pair_gone",),
    "unpin_early": ("pinned_in_flight",),
    "free_before_fence": ("page_in_flight",),
    "table_after_invalidate": (NARROW + "page_in_flight",),
    "fence_before_invalidate": (NARROW + "page_in_flight",),
    "resume_before_table": ("part_of_huge_page",),
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
    alone = [ALONE + name for name in GROUNDS] if mutant in rtl_mutants("hca") else []
    order = dict.fromkeys([*aimed, *alone, *scenario_names(), *(NARROW + name for name in NARROWED)])
    yield from ((ground, seed) for ground in order)
    yield from ((ground, seed + extra) for extra in range(1, ALONE_SEEDS) for ground in alone)
    yield from ((PROGRAM, seed + extra - 1) for extra in PRESSURE_SEEDS)


def played(ground: str, common: CosimConfig, trace: Path) -> CosimConfig:
    """A run made that of a ground."""
    if ground == PROGRAM:
        return replace(common, trace=trace, memory=PRESSURE_FRAMES, limit=PRESSURE_EVENTS, preempt_odds=PRESSURE_ODDS)
    if ground.startswith(NARROW):
        return replace(common, scenario=ground.removeprefix(NARROW), bandwidth=NARROW_BYTES)
    return replace(common, scenario=ground)
