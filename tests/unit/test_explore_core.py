"""The search over orders: what a steered run does, which orders the strategies try, what shortening leaves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shootdown.explore import engine
from shootdown.explore.case import search
from shootdown.explore.engine import explore
from shootdown.explore.schedule import read
from shootdown.explore.search import Dfs, DfsChooser, PctChooser, PlanChooser, RandomChooser
from shootdown.explore.shrink import Found, Shrinker, record
from shootdown.explore.state import load, save
from shootdown.explore.worker import Part, PartDone, Subject, Worker
from shootdown.explore.world import Failure, World
from sw_stack.sched import Chooser, ScheduleError
from sw_stack.sched.steered import LIMIT, Stretch
from sw_stack.sched.steps import LenientChooser, Recorder, Step, StrictChooser
from sw_stack.workloads import explored
from sw_stack.workloads.explored import Play
from tests.support.toy_plays import OPERATIONS, Counting, Leaking, Operation, Program, Spinning, Strangers, Three, Waking


class Told:
    """Gives prepared answers, then 0; keeps what it was asked."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    def choose(self, kind: str, n: int) -> int:
        self.asked.append((kind, n))
        return self.answers.pop(0) if self.answers else 0

    def close(self) -> None:
        pass


def all_orders(scene: type[Play], planted: str | None, bound: int, *, prune: bool) -> tuple[list[Failure], set[int], int]:
    """Every schedule of a play: failures, histories, number of schedules."""
    search = Dfs(bound, prune)
    world = World(scene, planted)
    failures, marks, count = [], set(), 0
    for used, plan in search.plans():
        count += 1
        chooser = DfsChooser(search, world.sched, plan, used)
        failure = world.round(chooser)
        chooser.finish()
        marks.add(world.mark)
        if failure is not None:
            failures.append(failure)
            world.close()
            world = World(scene, planted)
    world.close()
    return failures, marks, count


# ---- a steered run -----------------------------------------------------------------------------------------------------


def test_a_task_goes_on_until_it_is_stopped_waits_or_ends() -> None:
    with World(Counting) as world:
        told = Told(0, 1, 0)  # adder0 first, stopped at its first point
        seen: list[Stretch] = []
        assert world.round(told, seen.append) is None
        assert [(stretch.actor, stretch.points, stretch.waits) for stretch in seen] == [
            ("adder0", 1, False),
            ("adder1", 2, True),
            ("adder0", 1, True),
        ]
        assert told.asked[:2] == [("switch", 2), ("point", 2)]
        assert seen[-1].place == "ends"


def test_nobody_is_asked_when_there_is_no_choice() -> None:
    with World(Counting) as world:
        told = Told()
        assert world.round(told) is None
        assert all(n > 1 for _kind, n in told.asked)
        assert ("switch", 1) not in told.asked


def test_equal_choices_give_equal_runs_in_the_first_round_and_in_the_hundredth() -> None:
    with World(Three) as world:
        for round_number in range(100):
            told = Told(1, 0, 2, 1)
            recorder = Recorder(world.sched)
            assert world.round(told, recorder) is None
            if round_number == 0:
                first = recorder.steps, world.mark, told.asked
            assert (recorder.steps, world.mark, told.asked) == first


def test_nobody_can_go_on() -> None:
    with World(Waking, "early") as world:
        # waiter stopped before it looks, sayer wakes nobody, waiter looks, sayer speaks: nobody wakes it
        failure = world.round(Told(0, 0, 1, 0))
        assert failure is not None
        assert failure.kind == "STALL"
        assert "waiter: waits for the word" in failure.text
        assert world.broken


def test_a_spinner_makes_way_and_a_run_without_end_is_ended() -> None:
    with World(Spinning) as world:
        assert world.round(Told()) is None
    with World(Spinning, "for_ever") as world:
        failure = world.round(Told())
        assert failure is not None
        assert failure.kind == "STALL"
        assert f"no end after {LIMIT} points" in failure.text


def test_marks_are_equal_for_orders_that_cannot_be_told_apart() -> None:
    failures, marks, count = all_orders(Strangers, None, 2, prune=False)
    assert not failures
    assert count > 20
    assert len(marks) == 1


def test_marks_differ_when_the_lock_is_taken_in_another_order() -> None:
    _failures, marks, _count = all_orders(Counting, None, 2, prune=False)
    # who takes the lock first, and whether the second asked for it before or after it was free
    orders = len(marks)
    assert orders > 1
    for first, second in itertools.combinations(marks, 2):
        assert first != second


# ---- strategies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", [Counting, Three, Waking, Strangers])
@pytest.mark.parametrize("bound", [0, 1, 2])
def test_pruning_loses_no_history(scene: type[Play], bound: int) -> None:
    _, with_all, every = all_orders(scene, None, bound, prune=False)
    _, with_pruning, fewer = all_orders(scene, None, bound, prune=True)
    assert with_pruning == with_all
    assert fewer <= every


operations = st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 2), st.integers(0, 1))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(operations, min_size=1, max_size=3), min_size=2, max_size=3), st.integers(0, 2))
# A timer that passed is a place in the program; who was let in at a preemption may be the wrong one.
@example([[("wake", 0, 0), ("wake", 0, 0)], [("pause", 0, 0), ("wake", 0, 0), ("pause", 0, 0)]], 0)
@example(
    [
        [("wake", 0, 0), ("lock", 0, 1)],
        [("use", 2, 1), ("lock", 2, 1), ("wake", 0, 0)],
        [("use", 2, 0), ("wake", 0, 0), ("use", 1, 0)],
    ],
    1,
)
@example([[("use", 2, 0), ("use", 0, 0), ("lock", 1, 0)], [("lock", 0, 0), ("use", 1, 0)], [("lock", 2, 0), ("lock", 0, 0)]], 2)
def test_pruning_loses_no_history_of_any_program(tasks: list[list[Operation]], bound: int) -> None:
    scene = type("Drawn", (Program,), {"TASKS": tasks})
    failures, with_all, every = all_orders(scene, None, bound, prune=False)
    pruned_failures, with_pruning, fewer = all_orders(scene, None, bound, prune=True)
    assert with_pruning == with_all
    assert fewer <= every
    assert {failure.kind for failure in failures} == {failure.kind for failure in pruned_failures}


@pytest.mark.parametrize(("scene", "planted"), [(Counting, "no_lock"), (Three, "no_lock"), (Waking, "early")])
def test_pruning_loses_no_failure(scene: type[Play], planted: str) -> None:
    kinds = [{failure.kind for failure in all_orders(scene, planted, 2, prune=prune)[0]} for prune in (False, True)]
    assert kinds[0] == kinds[1] != set()


def test_pruning_pays() -> None:
    assert 2 * all_orders(Strangers, None, 2, prune=True)[2] < all_orders(Strangers, None, 2, prune=False)[2]


def test_a_lost_addition_needs_one_preemption() -> None:
    assert not all_orders(Counting, "no_lock", 0, prune=True)[0]
    failures = all_orders(Counting, "no_lock", 1, prune=True)[0]
    assert failures
    assert failures[0].text.startswith("2 additions made 1")


def test_fewer_preemptions_come_first() -> None:
    search = Dfs(2)
    used_before = 0
    with World(Three) as world:
        for used, plan in search.plans():
            assert used >= used_before
            used_before = used
            chooser = DfsChooser(search, world.sched, plan, used)
            assert world.round(chooser) is None
            chooser.finish()
    assert used_before == 2
    assert not any(search.waiting)


def drawn(strategy: str, world: World, number: int) -> Chooser:
    return RandomChooser(f"1.{number}") if strategy == "random" else PctChooser(world.sched, f"1.{number}", 2, 8)


@pytest.mark.parametrize("strategy", ["random", "pct"])
def test_drawn_orders_find_it_too_and_the_same_seed_the_same(strategy: str) -> None:
    def first() -> tuple[int, list[Step]]:
        world = World(Counting, "no_lock")
        for number in range(500):
            recorder = Recorder(world.sched)
            if world.round(drawn(strategy, world, number), recorder) is not None:
                world.close()
                return number, recorder.steps
        raise AssertionError("500 draws found nothing")

    assert first() == first()


# ---- steps -------------------------------------------------------------------------------------------------------------


def failing(scene: type[Play], planted: str) -> Iterator[Found]:
    """Every schedule that fails, as it was found."""
    search = Dfs(2)
    world = World(scene, planted)
    for used, plan in search.plans():
        chooser = DfsChooser(search, world.sched, plan, used)
        broken = world.round(chooser) is not None
        chooser.finish()
        if broken:
            world.close()
            world = World(scene, planted)
            found = record(world, PlanChooser(plan))
            assert found is not None
            yield found
            world.close()
            world = World(scene, planted)
    world.close()


@pytest.mark.parametrize(("scene", "planted"), [(Counting, "no_lock"), (Three, "no_lock"), (Waking, "early")])
def test_what_is_found_is_shortened_to_the_shortest_and_fails_again(scene: type[Play], planted: str) -> None:
    every = list(failing(scene, planted))
    shortest = min(found.size for found in every)
    for found in every[:: max(1, len(every) // 12)]:
        shrinker = Shrinker(scene, planted)
        small = shrinker(found)
        assert small.failure.kind == found.failure.kind
        assert len(small.steps) <= len(found.steps)
        assert 2 * len(small.steps) <= 3 * shortest[0]
        again = shrinker.replay(small)
        assert again is not None
        assert again.failure.kind == found.failure.kind
        shrinker.close()


def test_a_schedule_replays_step_by_step() -> None:
    found = next(failing(Counting, "no_lock"))
    with World(Counting, "no_lock") as world:
        strict = StrictChooser(world.sched, found.steps, "f")
        failure = world.round(strict, strict)
        assert failure is not None
        assert strict.followed >= len(found.steps) - 1


def bent(steps: tuple[Step, ...], at: int, step: Step) -> tuple[Step, ...]:
    return (*steps[:at], step, *steps[at + 1 :])


def test_a_step_that_does_not_fit_is_named() -> None:
    found = next(failing(Counting, "no_lock"))
    steps = found.steps
    stopped = next(index for index, step in enumerate(steps) if step.stopped)
    cases = {
        f"step {stopped + 1} .*does not fit": bent(steps, stopped, Step(steps[stopped].actor, 40, True)),
        r"step 1 \(nobody.*cannot run there": bent(steps, 0, Step("nobody", 1, True)),
        "step 1 .*does not fit": bent(steps, 0, Step(steps[0].actor, 0, False)),
    }
    waits = next(index for index, step in enumerate(steps) if not step.stopped and index + 1 < len(steps))
    cases[rf"step {waits + 1} .*does not fit: it waits after"] = bent(steps, waits, replace(steps[waits], points=99))
    for message, wrong in cases.items():
        world = World(Counting, "no_lock")
        strict = StrictChooser(world.sched, wrong, "f.schedule")
        with pytest.raises(ScheduleError, match=f"^f.schedule: {message}"):
            world.round(strict, strict)
        assert world.broken
        world.close()


def test_steps_without_the_defect_do_not_fail() -> None:
    found = next(failing(Counting, "no_lock"))
    with World(Counting) as world:
        assert world.round(LenientChooser(world.sched, found.steps)) is None


# ---- a search as a whole ------------------------------------------------------------------------------------------------


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toys are plays of the library."""
    scenes: dict[str, type[Play]] = {"counting": Counting, "leaking": Leaking}
    monkeypatch.setattr(explored, "load", scenes.__getitem__)


@pytest.mark.usefixtures("toys")
def test_a_search_keeps_a_schedule_that_reads_back(tmp_path: Path) -> None:
    case = search(Subject("counting", "no_lock", "dfs", 2, 1), 1000, out=tmp_path)
    assert case.schedule is not None
    assert case.path is not None
    assert read(case.path) == case.schedule
    assert case.on_rtl is None
    assert not case.trouble


@pytest.mark.usefixtures("toys")
def test_what_fails_once_and_never_again_is_no_find(tmp_path: Path) -> None:
    case = search(Subject("leaking", None, "dfs", 2, 1), 1000, out=tmp_path)
    assert case.outcome.failure is not None
    assert case.schedule is None
    assert "PLAY: rounds have left 2 behind; it did not come again on a new machine" in case.trouble
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("toys")
def test_a_search_in_two_halves_covers_what_one_covers(tmp_path: Path) -> None:
    subject = Subject("counting", None, "dfs", 2, 1)
    whole = explore(subject, 10_000).covered
    half = explore(subject, whole.total // 2)
    assert not half.all_tried
    save(tmp_path / "state.gz", subject, half.covered)
    rest = explore(*load(tmp_path / "state.gz")[:1], 10_000, covered=load(tmp_path / "state.gz")[1])
    assert rest.all_tried
    assert rest.covered.orders == whole.orders


@pytest.mark.usefixtures("toys")
def test_an_interrupted_part_waits_again(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Subject("counting", None, "dfs", 2, 1)
    whole = explore(subject, 10_000).covered.orders
    calls = itertools.count()
    play = Worker.run

    def interrupted(worker: Worker, part: Part) -> PartDone:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return play(worker, part)

    monkeypatch.setattr(engine, "SLICE", 3)  # the search has several parts
    monkeypatch.setattr(Worker, "run", interrupted)
    stopped = explore(subject, 10_000)
    assert stopped.interrupted
    assert explore(subject, 10_000, covered=stopped.covered).covered.orders == whole
