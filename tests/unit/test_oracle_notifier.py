"""The oracle of the notifiers' trace: it objects to each rule's breach, and to nothing that is right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hwif.gen.events import MrKind
from hwif.gen.events import TraceEvent as E
from hwif.trace import CPU_SHIFT, EVENT_MASK, TASK_SHIFT
from pymodels.oracle import LegalNotifiers
from shootdown.regress.cosim_oracle import NotifierJudge
from shootdown.result import CosimConfig, Verdict
from shootdown.rig import run

MM, OTHER = 4, 5
A, B, PAGE = 0x10_0000, 0x20_0000, 0x1000
KEY = 0x501
Told = tuple[int, ...]
Records = NDArray[np.uint64]


def judged(*records: Told, node: int = 0) -> list[str]:
    """The rules objected to. A record: task, event, arguments."""
    oracle = LegalNotifiers()
    words = [
        (cycle, task << TASK_SHIFT | (16 * node + 1) << CPU_SHIFT | event, *(*args, 0, 0, 0, 0, 0, 0)[:6])
        for cycle, (task, event, *args) in enumerate(records)
    ]
    return [objection.rule for objection in oracle.feed(words)]


def begin(task: int = 1, mm: int = MM, start: int = A, end: int = B, atomic: int = 0) -> list[Told]:
    return [(task, E.MN_RANGE_BEGIN, mm, start, end, atomic), (task, E.MN_RANGE_BEGIN_DONE, mm, start, end)]


def end(task: int = 1, mm: int = MM, start: int = A, to: int = B) -> Told:
    return task, E.MN_RANGE_END, mm, start, to


def page(mm: int = MM, at: int = A) -> list[Told]:
    return [(1, E.MN_INVALIDATE_PAGE, mm, at), (1, E.MN_INVALIDATE_PAGE_DONE, mm, at)]


def age(young: int, at: int = A) -> Told:
    return 1, E.MN_AGE_PAGE, MM, at, young


def reclaim(at: int = A) -> Told:
    return 1, E.VM_RECLAIM, 7, MM, at


def region(kind: MrKind = MrKind.ON_DEMAND) -> Told:
    return 2, E.HCA_REG_MR, KEY, MM, A, 2 * B, 7, kind


def entered(at: int) -> Told:
    return 2, E.HCA_MAP, KEY, at, 9, 1


RELEASE = [(3, E.VM_EXIT, MM), (3, E.MN_RELEASE, MM), (3, E.MN_RELEASE_DONE, MM), (3, E.VM_DONE, MM)]
FAILED = (1, E.MN_RANGE_FAILED, MM, A, B)
RIGHT: dict[str, list[Told]] = {
    "nested": [*begin(), *begin(start=A + PAGE), end(start=A + PAGE), end()],
    "crossed": [*begin(), *begin(2), end(), end(2)],
    "a range up to the top": [*begin(end=0), end(to=0)],
    "another address space": [*begin(), region(), *begin(mm=OTHER), entered(B), end(mm=OTHER), end()],
    "a translation before, beside and after": [region(), entered(A), *begin(), entered(B), end(), entered(A)],
    "a translation while the begin runs": [region(), begin()[0], entered(A), begin()[1], end()],
    "a pinned region": [region(MrKind.PINNED), *begin(), entered(A), end()],
    "reclaim": [age(0), *page(), reclaim()],
    "used, then unused": [age(1), age(0), *page(), reclaim()],
    "kept": [age(0), age(1)],
    "no client": [reclaim()],
    "the client goes meanwhile": [age(0), (2, E.HCA_DEREG_MR, KEY), reclaim()],
    "who used it goes": [age(1), (2, E.HCA_DEREG_MR, KEY), reclaim()],
    "exit": [*begin(), end(), *RELEASE],
    "exit under another's range": [*begin(1), *RELEASE, end(1)],
    "a range that nobody would let begin": [*begin(atomic=1), FAILED, *RELEASE],
    "a range that some had agreed to": [*begin(atomic=1), FAILED, end()],
    "a range that may sleep": [begin()[0], (1, E.VM_FAULT_BEGIN, MM, A, 0), begin()[1], end()],
    "another task faults": [page()[0], (2, E.VM_FAULT_BEGIN, MM, A, 0), page()[1]],
    "a new address space": [*RELEASE, *begin(mm=OTHER), end(mm=OTHER)],
}
WRONG: dict[str, tuple[str, list[Told]]] = {
    "an end too many": ("MN-1", [*begin(), end(), end()]),
    "another end": ("MN-1", [*begin(), end(start=A + PAGE)]),
    "a begin that nobody called": ("MN-1", [begin()[1]]),
    "a translation inside": ("MN-1", [region(), *begin(), entered(A), end()]),
    "a translation in its last page": ("MN-1", [region(), *begin(), entered(B - PAGE), end()]),
    "a translation under the outer one": ("MN-1", [region(), *begin(), *begin(2), end(2), entered(A), end()]),
    "exit inside": ("MN-1", [*begin(3), *RELEASE]),
    "a fault inside a page's call": ("MN-2", [page()[0], (1, E.VM_FAULT_BEGIN, MM, A, 0), page()[1]]),
    "reclaim inside an atomic begin": ("MN-2", [begin(atomic=1)[0], (1, E.VM_PAGEOUT, 3), begin(atomic=1)[1], end()]),
    "a range that may sleep inside": ("MN-2", [page()[0], *begin(), end(), page()[1]]),
    "nobody told": ("MN-3", [age(0), reclaim()]),
    "told of another page": ("MN-3", [age(0), *page(at=B), reclaim()]),
    "told before it was asked": ("MN-3", [*page(), age(0), reclaim()]),
    "told too late": ("MN-3", [age(0), page()[0], reclaim(), page()[1]]),
    "a call after release": ("MN-4", [*RELEASE, *page()]),
    "a range after release": ("MN-4", [*RELEASE, *begin(), end()]),
    "a question after release": ("MN-4", [*RELEASE, age(0)]),
    "released twice": ("MN-4", [*RELEASE, RELEASE[1]]),
    "gone too early": ("MN-4", [*RELEASE[:2], RELEASE[3]]),
    "the end of what was before": ("MN-5", [region(), end()]),
    "used a moment ago": ("MN-6", [age(0), age(1), *page(), reclaim()]),
}


@pytest.mark.parametrize("what", RIGHT)
def test_what_is_right_is_let_pass(what: str) -> None:
    assert judged(*RIGHT[what]) == judged(*RIGHT[what], node=1) == []


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_named_by_its_rule(what: str) -> None:
    rule, records = WRONG[what]
    assert judged(*records) == judged(*records, node=1) == [rule]


def test_nodes_are_apart() -> None:
    oracle = LegalNotifiers()
    word = 1 << TASK_SHIFT | E.MN_RANGE_END
    assert not oracle.feed([(0, 1 << TASK_SHIFT | 1 << CPU_SHIFT | E.MN_RANGE_BEGIN, MM, A, B, 0, 0, 0)])
    assert [one.rule for one in oracle.feed([(1, word | 17 << CPU_SHIFT, MM, A, B, 0, 0, 0)])] == ["MN-5"]
    assert not oracle.feed([(2, word | 1 << CPU_SHIFT, MM, A, B, 0, 0, 0)])


@pytest.mark.parametrize(("device", "scenario"), [("gru", "reclaim_in_use"), ("gru", "fork_cow"), ("hca", "exit_in_fault")])
def test_it_has_nothing_against_the_software_as_it_is(tmp_path: Path, device: str, scenario: str) -> None:
    judge, seen = NotifierJudge(), set()

    def listen(records: Records) -> None:
        judge(records)
        seen.update(event & EVENT_MASK for event in records[:, 1].tolist())

    config = CosimConfig(None, seed=3, out=tmp_path, scenario=scenario, device=device, backend="model", timeline=False)
    assert run(config, lambda _update: None, listen=listen).verdict is Verdict.CLEAN
    assert judge.objections() == [] and {E.MN_AGE_PAGE, E.MN_RANGE_END, E.MN_RELEASE} & seen


def test_as_a_listener_it_sorts_what_comes_and_says_when_it_was() -> None:
    judge = NotifierJudge()
    assert judge.objections() == []
    first, last = begin()
    rows = [(30, first), (40, last), (50, end()), (60, end())]
    table = np.zeros((len(rows), 8), dtype=np.uint64)
    for row, (cycle, (task, event, *args)) in enumerate(rows):
        table[row, : 2 + len(args)] = (cycle, task << TASK_SHIFT | 1 << CPU_SHIFT | event, *args)
    device = np.array([[35, E.DEV_MISS, 0, 0, 0, 0, 0, 0]], dtype=np.uint64)
    for block in (table[2:], device, table[:2]):
        judge(block)
    assert judge.objections() == ["cycle 60: MN-1: end of [0x100000, 0x200000) on mm 4 without its begin"]


def test_it_meets_a_driver_that_enters_pages_while_their_range_is_open(tmp_path: Path) -> None:
    judge = NotifierJudge()
    config = CosimConfig(
        None,
        seed=1,
        out=tmp_path,
        scenario="packet_damming",
        device="hca",
        backend="model",
        timeline=False,
        preempt_odds=2,
        mutant="ignore_sequence",
    )
    assert run(config, lambda _update: None, listen=judge).verdict is Verdict.VIOLATION
    assert len(judge.objections()) == 1 and ": MN-1: key 0x101 gets page " in judge.objections()[0]
