"""Must-fail proof: every broken variant of the RTL and of the driver is played until a check objects.

A mutant is hunted through the scenarios, those named for its rule first; one of the TLB also through the UVM tests of the TLB
alone, one of the HCA's RTL through two HCAs without an operating system; and then through the shipped program under memory pressure
with many preemptions, a few seeds. The first objection ends the hunt: the oracle, an assertion of the RTL, the UVM scoreboard, a
comparison of data, a broken rule of the notifiers, a stall, or over-invalidation beyond what the same hunt shows without a mutant.

Promises: each hunt is also played without a mutant, and only a clean one counts; a mutant is caught only beside a clean control.
The model has no RTL to break: `catalogue` has only the driver's for it. UVM tests run under cocotb whatever the backend.
Costs a few seconds a mutant; `jobs` processes at once.
"""

from __future__ import annotations

import multiprocessing
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from hwif.gen.gru import LAST_TLB_MUTANT, RTL_MUTANT_TEXT, RtlMutant
from shootdown import hunts_hca
from shootdown.hca_alone import objection as alone_objection
from shootdown.result import ChainRow, CosimConfig, RunResult, Verdict
from shootdown.rig import RTL_MUTANTS, run
from shootdown.software.kinds import rtl_mutants
from shootdown.uvm_hunt import objection as uvm_objection
from shootdown.uvm_hunt import uvm_tests
from sw_stack.drivers.gru.policy import MUTANT_TEXT
from sw_stack.workloads.scenarios import names as scenario_names

__all__ = ["Caught", "Control", "Hunt", "Mutant", "MutantReport", "catalogue", "hunt_all"]

PRESSURE_FRAMES = 300
PRESSURE_ODDS = 2
PRESSURE_SEEDS = (1, 2, 3)
PRESSURE_EVENTS = 1_500  # VM events of the program's run: it starts, grows and swaps

ASSERTION = re.compile(r"Assertion failed in \S+\.(\w+):")

# Scenarios that aim at what a mutant breaks. Order only: every other scenario follows.
AIMED: Mapping[str, tuple[str, ...]] = {
    "edge_overlap": ("small_in_huge",),
    "large_survives": ("small_in_huge",),
    "size_level": ("small_in_huge",),
    "dup_sizes": ("small_in_huge",),
    "page_offset": ("small_in_huge",),
    "fill_not_dropped": ("dropin_shootdown",),
    "race_fill": ("uvm tlb_races",),
    "slot_late": ("uvm tlb_races",),
    "no_bypass": ("uvm tlb_races",),
    "fill_hides": ("uvm tlb_races",),
    "ctx_drain": ("uvm tlb_slow_fills",),
    "log_lap": ("uvm tlb_slow_fills",),
    "asid_zero": ("uvm tlb_random",),
    "late_fill": ("late_answer",),
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
    "sticky_match": ("uvm tlb_races",),
    "dup_upgrade": ("write_clean_entry",),
    "dropin_writable": ("mprotect_readonly",),
    "fault_lost": ("bad_address",),
    "axi_unstable": ("narrow shootdown_bcopy",),
}
FIRST = ("shootdown_bcopy", "remap_other_frame", "migration_dma")
NARROW = "narrow shootdown_bcopy"
MORE_SEEDS = 3
NARROW_BYTES = 8  # a cycle: the memory port pushes back
PROGRAM = "program under pressure"
UVM = "uvm "


@dataclass(frozen=True)
class Hunt:
    """One run in which a mutant may show itself.

    `ground`: a scenario by name; NARROW, a scenario over a narrow memory port; PROGRAM, the shipped program with few frames and
    many preemptions; or "uvm TEST", a test of tb/uvm on the TLB alone. The HCA's: hunts_hca.py.
    """

    ground: str
    seed: int
    device: str = "gru"
    backend: str = "native"

    def __str__(self) -> str:
        return f"{self.ground}, seed {self.seed}"


@dataclass(frozen=True)
class Mutant:
    """`layer`: "rtl" or "driver". Two devices may have mutants of one name."""

    name: str
    layer: str
    what: str
    device: str = "gru"


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
    """`caught` None: it survived every hunt. `controls`: the hunts it went through, as they are without it."""

    mutant: Mutant
    caught: Caught | None
    controls: tuple[Control, ...]

    @property
    def hunts(self) -> int:
        """How many were tried."""
        return len(self.controls)


def catalogue(device: str = "gru", backend: str = "native") -> list[Mutant]:
    """Every mutant of a device that a backend can show."""
    if device == "hca":
        known = [Mutant(name, layer, what, device) for name, layer, what in hunts_hca.texts()]
    else:
        known = [Mutant(name, "rtl", RTL_MUTANT_TEXT[RtlMutant(value)]) for name, value in RTL_MUTANTS.items()]
        known += [Mutant(name, "driver", what) for name, what in MUTANT_TEXT.items()]
    return [mutant for mutant in known if backend != "model" or mutant.layer == "driver"]


def hunts_for(mutant: Mutant, seed: int, backend: str = "native") -> Iterator[Hunt]:
    """Where to look, the likely places first."""
    if mutant.device == "hca":
        yield from (Hunt(ground, at, "hca", backend) for ground, at in hunts_hca.grounds(mutant.name, seed))
        return
    in_tlb = mutant.layer == "rtl" and RTL_MUTANTS[mutant.name] <= LAST_TLB_MUTANT
    uvm = [UVM + name for name in uvm_tests()] if in_tlb else []
    aimed = AIMED.get(mutant.name, ())
    yield from (Hunt(ground, seed, backend=backend) for ground in aimed)
    # A race is a matter of the draw: what has survived where it is most likely met meets it again.
    yield from (Hunt(ground, seed + more, backend=backend) for more in range(1, MORE_SEEDS + 1) for ground in aimed)
    order = dict.fromkeys([*FIRST, *uvm, *scenario_names(), NARROW])
    yield from (Hunt(ground, seed, backend=backend) for ground in order if ground not in aimed)
    yield from (Hunt(PROGRAM, seed + extra - 1, backend=backend) for extra in PRESSURE_SEEDS)


def _config(hunt: Hunt, trace: Path, mutant: str | None, asserts: bool) -> CosimConfig:
    nothing = Path()  # is written
    common = CosimConfig(None, hunt.seed, nothing, device=hunt.device, backend=hunt.backend, mutant=mutant, asserts=asserts)
    if hunt.device == "hca":
        return hunts_hca.played(hunt.ground, common, trace)
    if hunt.ground == PROGRAM:
        return replace(common, trace=trace, memory=PRESSURE_FRAMES, limit=PRESSURE_EVENTS, preempt_odds=PRESSURE_ODDS)
    if hunt.ground == NARROW:
        return replace(common, scenario=NARROW.removeprefix("narrow "), bandwidth=NARROW_BYTES)
    return replace(common, scenario=hunt.ground)


Objection = tuple[str, str, int, tuple[ChainRow, ...]]
"""Who, what, cycle, chain."""


def _without_system(hunt: Hunt) -> bool:
    """The RTL alone, without driver or operating system?"""
    return hunt.ground.startswith((UVM, hunts_hca.ALONE))


def _run_alone(hunt: Hunt, mutant: str | None, asserts: bool) -> Objection | None:
    number = rtl_mutants(hunt.device)[mutant] if mutant is not None else 0
    if hunt.ground.startswith(UVM):
        said = uvm_objection(hunt.ground.removeprefix(UVM), hunt.seed, number)
        return None if said is None else ("UVM scoreboard", *said, ())
    found = alone_objection(hunt.ground.removeprefix(hunts_hca.ALONE), hunt.seed, number, asserts, hunt.backend)
    return None if found is None else (_who(found.by, found.what), found.what, found.cycle, ())


def _who(rule: str, what: str) -> str:
    """An assertion by its own name."""
    label = ASSERTION.search(what)
    return f"assertion {label[1]}" if rule == "SVA" and label else rule


def _objection(result: RunResult, control: Control) -> Objection | None:
    """Who objected to a run, if anybody: (check, what, cycle, chain)."""
    for report in (*result.violations, *result.data_failures):
        if report.rule == "NOT_MET":
            continue  # the scenario missed its race: nobody has seen anything wrong
        return _who(report.rule, report.what), report.what, report.cycle, report.chain
    if result.stalled is not None:
        return "LIVENESS", "no progress", result.cycles, ()
    extra = result.over_invalidated - control.over_invalidated
    if extra > 0:
        return "ECONOMY", f"{extra} entries died that no range covered", result.cycles, ()
    return None


@cache
def control(hunt: Hunt, trace: Path, asserts: bool) -> Control:
    """The hunt as it is without a mutant. Played once a process."""
    if _without_system(hunt):
        found = _run_alone(hunt, None, asserts)
        return Control(hunt, found is None, 0, "" if found is None else found[1])
    result = run(_config(hunt, trace, None, asserts), _quiet, waves=False)
    clean = result.verdict is Verdict.CLEAN
    reports = (*result.violations, *result.data_failures)
    what = "" if clean else (reports[0].what if reports else result.verdict.name.lower())
    return Control(hunt, clean, result.over_invalidated, what)


def _quiet(_update: object) -> None:
    pass


def hunt_one(mutant: Mutant, trace: Path, seed: int, asserts: bool, backend: str = "native") -> MutantReport:
    """Play until something objects."""
    controls: list[Control] = []
    for hunt in hunts_for(mutant, seed, backend):
        beside = control(hunt, trace, asserts)
        controls.append(beside)
        if not beside.clean:
            continue  # proves nothing; the report says so
        if _without_system(hunt):
            found = _run_alone(hunt, mutant.name, asserts)
        else:
            found = _objection(run(_config(hunt, trace, mutant.name, asserts), _quiet, waves=False), beside)
        if found is not None:
            by, what, cycle, chain = found
            return MutantReport(mutant, Caught(hunt, by, what, cycle, chain), tuple(controls))
    return MutantReport(mutant, None, tuple(controls))


def hunt_all(
    mutants: Sequence[Mutant], trace: Path, seed: int, *, asserts: bool = True, jobs: int = 2, backend: str = "native"
) -> Iterator[MutantReport]:
    """Every mutant's report, as it comes. Closing the iterator abandons the rest."""
    # Fresh processes: a forked child would share the parent's simulator.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_ignore_interrupt) as pool:
        try:
            for item in as_completed([pool.submit(hunt_one, mutant, trace, seed, asserts, backend) for mutant in mutants]):
                yield item.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupt() -> None:
    """Ctrl-C goes to every process of the terminal; the parent alone decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
