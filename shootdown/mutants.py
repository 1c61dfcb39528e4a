"""Must-fail proof: every broken variant of the RTL and of the driver is played until a check objects.

A mutant is hunted through the scenarios, those named for its rule first, and then through the shipped program under memory pressure
with many preemptions, a few seeds. The first objection ends the hunt: the oracle, an assertion of the RTL, a comparison of data, a
broken rule of the notifiers, a stall, or over-invalidation beyond what the same hunt shows without a mutant.

Promises: each hunt used is also played without a mutant and must be clean; a mutant counts as caught only beside a clean control.
Needs: the native host. Costs a few seconds a mutant; `jobs` processes at once.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from hwif.gen.gru import RTL_MUTANT_TEXT, RtlMutant
from shootdown.result import ChainRow, CosimConfig, RunResult, Verdict
from shootdown.rig import RTL_MUTANTS, run
from sw_stack.drivers.gru.policy import MUTANT_TEXT
from sw_stack.workloads.scenarios import names as scenario_names

__all__ = ["Caught", "Control", "Hunt", "Mutant", "MutantReport", "catalogue", "hunt_all"]

PRESSURE_FRAMES = 300
PRESSURE_ODDS = 2
PRESSURE_SEEDS = (1, 2, 3)

# Scenarios that aim at what a mutant breaks. Order only: every other scenario follows.
AIMED: Mapping[str, tuple[str, ...]] = {
    "edge_overlap": ("small_in_huge",),
    "large_survives": ("small_in_huge",),
    "size_level": ("small_in_huge",),
    "dup_sizes": ("small_in_huge",),
    "page_offset": ("small_in_huge",),
    "fill_not_dropped": ("dropin_shootdown",),
    "race_fill": ("dropin_shootdown",),
    "late_fill": ("dropin_shootdown",),
    "count_late": ("dropin_shootdown",),
    "ignore_range_active": ("dropin_shootdown",),
    "lost_wakeup": ("dropin_shootdown",),
    "drop_any": ("dropin_shootdown",),
    "asid_ignored": ("asid_wrap",),
    "wrap_no_flush": ("asid_wrap",),
    "stale_asid": ("context_steal",),
    "unload_busy": ("context_steal",),
    "no_fmm_lock": ("context_steal",),
    "mod_lost": ("write_clean_entry",),
    "lost_answer": ("write_clean_entry",),
    "dup_upgrade": ("write_clean_entry",),
    "dropin_writable": ("mprotect_readonly",),
    "fault_lost": ("bad_address",),
}
FIRST = ("shootdown_bcopy", "remap_other_frame", "migration_dma")


@dataclass(frozen=True)
class Hunt:
    """One run in which a mutant may show itself: a scenario, or (None) the shipped program under pressure."""

    scenario: str | None
    seed: int

    def __str__(self) -> str:
        return f"{self.scenario or 'program under pressure'}, seed {self.seed}"


@dataclass(frozen=True)
class Mutant:
    """`layer`: "rtl" or "driver"."""

    name: str
    layer: str
    what: str


@dataclass(frozen=True)
class Caught:
    """Who objected, in which hunt, at which cycle, and the events that explain it."""

    hunt: Hunt
    by: str
    what: str
    cycle: int
    chain: tuple[ChainRow, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Control:
    """A hunt without a mutant. `over_invalidated` is what the mutants are held against."""

    hunt: Hunt
    clean: bool
    over_invalidated: int
    what: str = ""


@dataclass(frozen=True)
class MutantReport:
    """`caught` None: it survived every hunt."""

    mutant: Mutant
    caught: Caught | None
    hunts: int


def catalogue() -> list[Mutant]:
    """Every mutant there is."""
    rtl = [Mutant(name, "rtl", RTL_MUTANT_TEXT[RtlMutant(value)]) for name, value in RTL_MUTANTS.items()]
    return [*rtl, *(Mutant(name, "driver", what) for name, what in MUTANT_TEXT.items())]


def hunts_for(mutant: Mutant, seed: int) -> Iterator[Hunt]:
    """Where to look, the likely places first."""
    aimed = AIMED.get(mutant.name, ()) + FIRST
    order = [*dict.fromkeys(aimed), *(name for name in scenario_names() if name not in aimed)]
    yield from (Hunt(name, seed) for name in order)
    yield from (Hunt(None, seed + extra - 1) for extra in PRESSURE_SEEDS)


def _config(hunt: Hunt, trace: Path, mutant: str | None, asserts: bool) -> CosimConfig:
    pressure = hunt.scenario is None
    return CosimConfig(
        trace=trace if pressure else None,
        scenario=hunt.scenario,
        seed=hunt.seed,
        out=Path(),  # nothing is written
        memory=PRESSURE_FRAMES if pressure else None,
        preempt_odds=PRESSURE_ODDS if pressure else CosimConfig.preempt_odds,
        mutant=mutant,
        asserts=asserts,
    )


def _objection(result: RunResult, control: Control) -> tuple[str, str, int, tuple[ChainRow, ...]] | None:
    """Who objected to a run, if anybody: (check, what, cycle, chain)."""
    for report in (*result.violations, *result.data_failures):
        return report.rule, report.what, report.cycle, report.chain
    if result.stalled is not None:
        return "LIVENESS", "no progress", result.cycles, ()
    extra = result.over_invalidated - control.over_invalidated
    if extra > 0:
        return "ECONOMY", f"{extra} entries died that no range covered", result.cycles, ()
    return None


def control(hunt: Hunt, trace: Path, asserts: bool) -> Control:
    """The hunt as it is without a mutant."""
    result = run(_config(hunt, trace, None, asserts), lambda _update: None, waves=False)
    clean = result.verdict is Verdict.CLEAN
    reports = (*result.violations, *result.data_failures)
    what = "" if clean else (reports[0].what if reports else result.verdict.name.lower())
    return Control(hunt, clean, result.over_invalidated, what)


def _quiet(_update: object) -> None:
    pass


def hunt_one(mutant: Mutant, trace: Path, seed: int, asserts: bool, controls: Mapping[Hunt, Control]) -> MutantReport:
    """Play until something objects."""
    tried = 0
    for hunt in hunts_for(mutant, seed):
        if not controls[hunt].clean:
            continue  # proves nothing; the controls' own report says so
        tried += 1
        result = run(_config(hunt, trace, mutant.name, asserts), _quiet, waves=False)
        found = _objection(result, controls[hunt])
        if found is not None:
            by, what, cycle, chain = found
            return MutantReport(mutant, Caught(hunt, by, what, cycle, chain), tried)
    return MutantReport(mutant, None, tried)


def hunt_all(
    mutants: Sequence[Mutant],
    trace: Path,
    seed: int,
    *,
    asserts: bool = True,
    jobs: int = 2,
    on_control: Callable[[Control, int, int], None] = lambda *_: None,
    on_report: Callable[[MutantReport, int, int], None] = lambda *_: None,
) -> tuple[list[Control], list[MutantReport]]:
    """Controls first, then every mutant. The callbacks are told (what came out, done, total) as it comes."""
    hunts = [*(Hunt(name, seed) for name in scenario_names()), *(Hunt(None, seed + extra - 1) for extra in PRESSURE_SEEDS)]
    controls: dict[Hunt, Control] = {}
    reports: dict[str, MutantReport] = {}
    # Fresh processes: a forked child would share the parent's simulator.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        try:
            checks = [pool.submit(control, hunt, trace, asserts) for hunt in hunts]
            for done, check in enumerate(as_completed(checks), 1):
                outcome = check.result()
                controls[outcome.hunt] = outcome
                on_control(outcome, done, len(checks))
            work = [pool.submit(hunt_one, mutant, trace, seed, asserts, controls) for mutant in mutants]
            for done, item in enumerate(as_completed(work), 1):
                report = item.result()
                reports[report.mutant.name] = report
                on_report(report, done, len(work))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [controls[hunt] for hunt in hunts], [reports[mutant.name] for mutant in mutants]
