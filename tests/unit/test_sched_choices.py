"""Schedules: recorded, replayed, and refused with one clear line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mm_rig import drive

from sw_stack.sched import Chooser, RecordedChooser, ReplayChooser, ScheduleError, Scheduler, SeededChooser

CHOICES = st.lists(st.tuples(st.sampled_from(["tie", "preempt"]), st.integers(2, 9)), max_size=200)


def run(chooser: Chooser) -> list[tuple[int, str]]:
    sched = Scheduler(chooser)
    log: list[tuple[int, str]] = []

    async def body(name: str) -> None:
        for _ in range(20):
            await sched.charge(3)
            log.append((sched.now, name))

    for name in "abc":
        sched.spawn(body(name), name, 0)
    drive(sched)
    chooser.close()
    return log


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), choices=CHOICES)
def test_replay_repeats_every_choice(tmp_path_factory: pytest.TempPathFactory, seed: int, choices: list[tuple[str, int]]) -> None:
    path = tmp_path_factory.mktemp("schedule") / "s"
    recorder = RecordedChooser(SeededChooser(seed, preempt_odds=3), path, {"seed": seed})
    wanted = [recorder.choose(kind, n) for kind, n in choices]
    recorder.close()
    recorder.close()
    assert all(0 <= value < n for value, (_kind, n) in zip(wanted, choices, strict=True))
    replay = ReplayChooser(path)
    assert replay.header["seed"] == seed
    assert [replay.choose(kind, n) for kind, n in choices] == wanted
    with pytest.raises(ScheduleError, match="past the schedule's last step"):
        replay.choose("tie", 2)


def test_a_run_is_replayed_from_its_schedule(tmp_path: Path) -> None:
    path = tmp_path / "schedule"
    wanted = run(RecordedChooser(SeededChooser(5), path, {}))
    assert run(ReplayChooser(path)) == wanted
    assert run(SeededChooser(6)) != wanted


def write(path: Path, *lines: str) -> Path:
    with gzip.open(path, "wt") as file:
        file.write("".join(line + "\n" for line in lines))
    return path


HEADER = '{"format": "shootdown-schedule", "version": 1}'


def test_another_run_is_refused(tmp_path: Path) -> None:
    replay = ReplayChooser(write(tmp_path / "s", HEADER, "2 t 3 1", "0 end"))
    assert [replay.choose("preempt", 9), replay.choose("tie", 3)] == [0, 0]
    with pytest.raises(ScheduleError, match="step 3: the schedule has a choice 't' of 3, the run asks for 'p' of 9"):
        replay.choose("preempt", 9)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{}"], "not a schedule file"),
        (['{"format": "shootdown-schedule", "version": 99}', "0 end"], "version 99, this program reads 1"),
        (["no json"], "not a readable schedule"),
        (["[]"], "not a schedule file"),
        ([], "not a readable schedule"),
        ([HEADER], "ends without its end mark"),
        ([HEADER, "x t 2 1"], "line 2 is not a choice"),
        ([HEADER, "1 t"], "line 2 is not a choice"),
        ([HEADER, "0 t 3 3", "0 end"], "line 2 is not a choice"),
        ([HEADER, "-1 t 3 1", "0 end"], "line 2 is not a choice"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, lines: list[str], message: str) -> None:
    path = write(tmp_path / "s", *lines)
    with pytest.raises(ScheduleError, match=message) as caught:
        ReplayChooser(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_missing_truncated_and_unwritable_files(tmp_path: Path) -> None:
    with pytest.raises(ScheduleError, match="no such schedule file"):
        ReplayChooser(tmp_path / "none")
    path = tmp_path / "s"
    run(RecordedChooser(SeededChooser(1), path, {}))
    whole = path.read_bytes()
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        with pytest.raises(ScheduleError):
            ReplayChooser(path)
    path.write_bytes(b"plain text")
    with pytest.raises(ScheduleError, match="not a readable schedule"):
        ReplayChooser(path)
    with pytest.raises(ScheduleError, match="cannot write the schedule"):
        RecordedChooser(SeededChooser(1), tmp_path / "no" / "folder", {})
    with pytest.raises(ScheduleError):
        ReplayChooser(tmp_path)  # a folder
