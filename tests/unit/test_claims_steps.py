"""What the experiments share: turns at even distances, stores that may fail, curves, and the rule that an error names."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from itertools import pairwise

import pytest

from shootdown.claims.alone import BASE, PAGE, RW, Alone, rules
from shootdown.claims.base import RuleBrokenError, Series, curves, pivot
from shootdown.claims.steps import due, stored
from shootdown.rules import BREAKS, broken
from sw_stack.mm import MmError
from sw_stack.mm.frames import FrameError
from sw_stack.mm.secondary import DeadTranslationError
from sw_stack.notifier import NotifierError
from sw_stack.sched import BusError, LockdepError


@pytest.mark.parametrize(("rate", "of"), [(0, 1000), (1, 1000), (50, 1000), (333, 1000), (1000, 1000), (3, 64)])
def test_turns_are_due_at_even_distances(rate: int, of: int) -> None:
    turns = [turn for turn in range(1, of + 1) if due(turn, rate, of)]
    assert len(turns) == rate
    gaps = {after - before for before, after in pairwise(turns)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_a_store_without_memory_is_told_from_one_without_a_mapping() -> None:
    async def play(alone: Alone) -> list[bool]:
        frames, mm = alone.machine.frames.free, alone.machine.new_mm("all")
        await mm.mmap(BASE, (frames + 1) * PAGE, RW, fixed=True)
        return [await stored(mm, BASE + page * PAGE) for page in range(frames + 1)]

    async def nowhere(alone: Alone) -> bool:
        return await stored(alone.machine.new_mm("nobody"), BASE)

    with Alone(32, 1, swap=0) as alone:
        (done,) = alone.run(play(alone))
        assert done[0] and not done[-1]
        with pytest.raises(RuleBrokenError, match="VM"):
            alone.run(nowhere(alone))


def test_a_curve_goes_from_the_left_to_the_right_and_a_table_shows_what_lacks() -> None:
    @dataclass
    class Row:
        kind: str
        at: int
        cost: float | None

    rows = [Row("b", 2, 5000.0), Row("b", 1, None), Row("a", 2, 7.0)]
    assert curves(rows, "at", "cost") == (Series("b", ((1, None), (2, 5000.0))), Series("a", ((2, 7.0),)))
    assert curves(rows, lambda row: 10 * row.at, "cost", across="at")[1] == Series("1", ((10, None),))
    table = pivot(rows, "caption", "at", "head", "cost", show_x="{} pages".format)
    assert table.heads == ("head", "b", "a") and table.rows == (("1 pages", "–", "–"), ("2 pages", "5,000", "7"))


ERRORS: list[tuple[Exception, str, str]] = [
    (LockdepError("a cycle"), "LOCKDEP", "a cycle"),
    (BusError("SLVERR"), "BUS", "SLVERR"),
    (FrameError("freed twice"), "VM", "freed twice"),
    (MmError(errno.EFAULT, "nothing there"), "VM", str(MmError(errno.EFAULT, "nothing there"))),
    (NotifierError("MN-1: no end: twice"), "MN-1", "no end: twice"),
    (DeadTranslationError("SD-1: a read"), "SD-1", "a read"),
]


@pytest.mark.parametrize(("error", "rule", "what"), ERRORS, ids=[type(error).__name__ for error, _, _ in ERRORS])
def test_an_error_names_its_rule(error: Exception, rule: str, what: str) -> None:
    assert broken(error) == (rule, what)
    with pytest.raises(RuleBrokenError) as caught, rules():
        raise error
    assert (caught.value.rule, caught.value.what) == (rule, what)


def test_every_break_has_a_rule_and_nothing_else_has() -> None:
    assert {type(error) for error, _, _ in ERRORS} == set(BREAKS)
    with pytest.raises(TypeError):
        broken(ValueError("no rule"))
