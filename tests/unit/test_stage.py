"""The stage of the scenarios: what it calls a failure, what it calls a race met, and that it leaves nothing behind."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from support.gru_rig import Rig

from hwif.gen.events import TraceEvent
from hwif.gen.gru import CbEcause, CbIstatus
from sw_stack.drivers.gru.user import CbResult
from sw_stack.workloads import hca_scenarios, scenarios
from sw_stack.workloads.stage import BASE, PAGE, Stage, pattern

Play = Callable[[Stage], Awaitable[None]]


def on_stage(play: Play, seed: int = 1) -> tuple[Stage, Rig, list[int]]:
    """The play on the stand-in device; the cycles at which `on_failure` was called."""
    rig = Rig(frames=128)
    stage = Stage(play, rig.sched, rig.machine, rig.driver, seed, cbrs=2)  # type: ignore[arg-type]
    called: list[int] = []
    stage.on_failure = lambda: called.append(rig.sched.now)
    stage.start()
    rig.run()
    return stage, rig, called


async def load_and_drop(stage: Stage, offset: int) -> None:
    mm = await stage.program(pages=2)
    user = await stage.user(mm)
    loaded, _ = await stage.meet(offset, user.load(0, BASE, 64), mm.madvise_dontneed(BASE, PAGE))
    stage.same("load", BASE, loaded, pattern(1, 64), bytes(64))


# ---- failures --------------------------------------------------------------------------------------------------------------


def test_a_clean_play_leaves_nothing_behind() -> None:
    async def play(stage: Stage) -> None:
        for offset in stage.sweep(-3000, 3000, rounds=5):
            await load_and_drop(stage, offset)

    stage, rig, called = on_stage(play)
    assert stage.failures == [] and called == []
    assert rig.machine.mms == {} and rig.machine.frames.free == rig.machine.frames.count
    assert stage.position() == (5, 5)
    assert stage.counters() == {"rounds": 5, "operations": 5, "data_bytes_compared": 320}
    assert stage.notifier_statistics()["invalidate_range_begin"] == 5


def test_a_failed_check_is_recorded_at_once_and_the_play_goes_on() -> None:
    after: list[int] = []

    async def play(stage: Stage) -> None:
        await stage.sched.sleep(100)
        stage.check(False, "something", 0x1234, "is wrong")
        await stage.sched.sleep(100)
        after.append(stage.sched.now)

    stage, _rig, called = on_stage(play)
    assert called == [100] and after == [200]
    (failure,) = stage.failures
    assert (failure.cycle, failure.what, failure.address, failure.rule) == (100, "something", 0x1234, "DATA")


def test_an_error_of_the_software_is_a_failure() -> None:
    async def broken(stage: Stage) -> None:
        mm = await stage.program(pages=1)
        await mm.store(BASE + PAGE, b"x")

    async def play(stage: Stage) -> None:
        await stage.join(stage.spawn(1, broken(stage), "writer"))
        raise AssertionError("the play goes on after a task it waits for has failed")

    stage, _rig, called = on_stage(play)
    assert len(called) == 1
    assert "writer ended" in str(stage.failures[0]) and "EFAULT" in str(stage.failures[0])


def test_a_lost_frame_is_a_failure() -> None:
    async def play(stage: Stage) -> None:
        stage.machine.frames.alloc()

    stage, _rig, _called = on_stage(play)
    assert any("pins" in str(failure) or "not free" in str(failure) for failure in stage.failures)


def test_an_exception_of_the_device_that_nothing_explains_is_a_failure() -> None:
    async def play(stage: Stage) -> None:
        user = await stage.user(await stage.program(pages=1))
        stage.check(await user.load(0, BASE + PAGE) is None, "bad address", BASE + PAGE)  # explained: nothing is mapped
        assert not user.completed(CbResult(CbIstatus.EXCEPTION, 0, 1 << CbEcause.INVALID_INSTRUCTION, 0), BASE)
        assert user.operations == 2

    stage, _rig, _called = on_stage(play)
    (failure,) = stage.failures
    assert failure.what == "exception of the device" and failure.address == BASE


# ---- contents --------------------------------------------------------------------------------------------------------------


def test_contents_may_be_a_mixture_of_what_is_allowed_and_nothing_else() -> None:
    old, new = pattern(1, 64), pattern(2, 64)
    verdicts: list[bool] = []

    async def play(stage: Stage) -> None:
        verdicts.extend(
            [
                stage.same("exact", 0, old, old),
                stage.same("mixture", 0, old[:24] + new[24:40] + bytes(24), old, new, bytes(64)),
                stage.same("torn word", 0, old[:4] + new[4:8] + old[8:], old, new),
                stage.same("other word", 0x40, old[:16] + new[16:24] + old[24:], old),
                stage.same("exception", 0, None, old),
            ]
        )

    stage, _rig, _called = on_stage(play)
    assert verdicts == [True, True, False, False, False]
    assert [failure.address for failure in stage.failures] == [0, 0x50, 0]


def test_patterns_name_their_place() -> None:
    words = [pattern(tag)[start : start + 8] for tag in (1, 2, 3) for start in range(0, PAGE, 8)]
    assert len(set(words)) == len(words) and bytes(8) not in words
    assert pattern(7, 64) == pattern(7)[:64]


# ---- races -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("offset", "order"), [(50_000, "before"), (10, "during"), (-50_000, "after")])
def test_the_order_of_a_meeting_is_counted(offset: int, order: str) -> None:
    async def play(stage: Stage) -> None:
        await load_and_drop(stage, offset)
        stage.expect(order)

    stage, _rig, _called = on_stage(play)
    assert stage.failures == [] and stage.counters()[f"met_{order}"] == 1


def test_a_race_that_was_not_met_fails_the_run() -> None:
    async def play(stage: Stage) -> None:
        for offset in stage.sweep(40_000, 50_000, rounds=3):
            await load_and_drop(stage, offset)
        stage.expect_orders()
        stage.expect("dropins", TraceEvent.DRV_DROPIN, at_least=3)
        stage.expect("mmap", at_least=1_000)
        stage.saw("something")
        stage.expect("something")

    stage, _rig, called = on_stage(play)
    assert called == []  # nothing has gone wrong: there is nothing to stop for
    assert {failure.rule for failure in stage.failures} == {"NOT_MET"}
    assert [failure.what for failure in stage.failures] == [f"race '{name}' not met" for name in ("during", "after", "mmap")]
    assert stage.counters()["met_dropins"] >= 3 and stage.counters()["met_something"] == 1


def test_a_sweep_takes_both_ends_and_something_of_every_part() -> None:
    seen: list[list[int]] = []

    async def play(stage: Stage) -> None:
        seen.append(list(stage.sweep(-1000, 1000, rounds=12)))

    on_stage(play, seed=1)
    on_stage(play, seed=2)
    for offsets in seen:
        assert offsets[0] == -1000 and offsets[-1] == 1000
        assert [(offset + 1000) // 200 for offset in offsets[1:-1]] == list(range(10))
    assert seen[0] != seen[1]


def test_one_seed_is_one_run() -> None:
    async def play(stage: Stage) -> None:
        for offset in stage.sweep(-3000, 3000, rounds=4):
            await load_and_drop(stage, offset)

    assert on_stage(play)[1].digest == on_stage(play)[1].digest


# ---- the library -----------------------------------------------------------------------------------------------------------


def test_every_scenario_says_what_it_is() -> None:
    names = scenarios.names()
    assert names == sorted(names) and len(names) >= 15
    for name in names:
        scenario = scenarios.load(name)
        assert scenario.name == name and 0 < len(scenario.title) < 80 and not scenario.title.endswith(".")
        assert any(rule in scenario.description for rule in ("SD-", "MN-", "FQ-")), f"{name} names no rule"


def test_the_page_lists_every_scenario() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text()
    listed = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `") and line.split("`")[1].isidentifier()]
    assert listed == [*scenarios.names(), *hca_scenarios.names()]


def test_a_name_that_is_no_scenario() -> None:
    with pytest.raises(KeyError):
        scenarios.load("dropin")


def test_a_copy_of_the_shortest_is_a_new_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/scenarios.md tells a newcomer to do."""
    folder = Path(scenarios.__file__).parent
    shortest = min((folder / f"{name}.py" for name in scenarios.names()), key=lambda path: len(path.read_text()))
    assert f"`{shortest.stem}`" in (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text()
    shutil.copy(shortest, tmp_path / "my_race.py")
    monkeypatch.setattr(scenarios, "__path__", [*scenarios.__path__, str(tmp_path)])
    assert "my_race" in scenarios.names()
    mine, original = scenarios.load("my_race"), scenarios.load(shortest.stem)
    assert (mine.title, mine.needs) == (original.title, original.needs) and mine.play is not original.play
