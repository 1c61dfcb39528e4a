"""`shootdown explore` as its user runs it: finds, shortens, keeps, shows, replays, says what it covered, goes on with a search."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.preflight import WAVE_HEADERS, has_header

PLAY, DEFECT = "gru_dropin", "gru_free_before_ack"
KEYS = {
    "play", "planted", "strategy", "bound", "seed", "found", "failure", "trouble", "schedule", "schedule_steps", "seconds",
    "schedules", "schedules_per_s", "orders", "complete_to", "waiting", "pruned", "interrupted", "device", "replayed_on_rtl",
    "state",
}  # fmt: skip
RACE_KEYS = {"name", "found", "seconds", "schedule_steps", "found_when_off", "device", "replayed_on_rtl"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from shootdown.cli import main; raise SystemExit(main())", *arguments]


def run(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "160"}
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == status, f"exit {done.returncode}: {done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return done


def told(*arguments: str, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json", status=status).stdout)
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The defect searched for once: the schedule that was kept, and what was printed."""
    out = tmp_path_factory.mktemp("found")
    printed = run("explore", PLAY, "--planted", DEFECT, "--out", str(out), status=1).stdout
    return out / f"{DEFECT}.schedule", printed


def test_a_planted_defect_is_found_shortened_and_shown(found: tuple[Path, str]) -> None:
    schedule, printed = found
    assert re.search(r"found after [\d,]+ schedules, [\d.]+ s: ORACLE REVOKED: read of va 0x100000", printed)
    shortened = re.search(r"shortened from (\d+) steps to (\d+) in", printed)
    assert shortened is not None
    assert int(shortened[2]) <= int(shortened[1])
    assert "without preemption: " in printed
    for words in ("CPU 0", "CPU 1", "device", "madvise(DONTNEED)", "ORACLE REVOKED"):
        assert words in printed
    assert "on the RTL: the same" in printed
    assert f"again: shootdown cosim --schedule {schedule}" in printed
    steps = schedule.read_text().split("steps\n")[1].splitlines()
    assert len(steps) == int(shortened[2])


@pytest.mark.parametrize("backend", ["native", "model"])
def test_the_schedule_replays_with_the_same_digest(found: tuple[Path, str], backend: str) -> None:
    schedule, _ = found
    first, second = (run("cosim", "--schedule", str(schedule), "--backend", backend, status=1).stdout for _ in range(2))
    assert first == second
    assert "the same: ORACLE REVOKED" in first
    assert re.search(r"^digest [0-9a-f]{32}$", first, re.MULTILINE)


@pytest.mark.skipif(not all(map(has_header, WAVE_HEADERS)), reason="waveforms need the headers of lz4 and zlib")
def test_the_waveform_opens_at_the_failure(found: tuple[Path, str], tmp_path: Path) -> None:
    printed = run("cosim", "--schedule", str(found[0]), "--waves", "--out", str(tmp_path), status=1).stdout
    assert f"waveform: {tmp_path / 'waves.fst'}" in printed
    assert (tmp_path / "waves.fst").stat().st_size > 1000
    assert re.search(r"-cycle \d+: ORACLE REVOKED", (tmp_path / "waves.gtkw").read_text())


BENT = {
    r"line \d+: not a step": lambda text: text.replace("  stops  ", "  jumps  "),
    "schedule version 7, this program reads 2": lambda text: text.replace("schedule 2", "schedule 7", 1),
    r"step \d+ \(nobody, .*does not fit: it cannot run there": lambda text: re.sub(r"  program +(\d)", r"  nobody   \1", text),
    r"play gru_dropout: there is no such play; try gru_dropin": lambda text: text.replace("gru_dropin", "gru_dropout"),
    r"planted gru_fee_before_ack: there is no such defect; try": lambda text: text.replace("gru_free", "gru_fee"),
    r"line \d+: step 9 where step 1 should be": lambda text: text.replace("\n  1  ", "\n  9  "),
    "no steps": lambda text: text.split("steps\n")[0] + "steps\n",
    "the line 'failure ...' is missing": lambda text: re.sub("failure .*\n", "", text),
}  # fmt: skip


@pytest.mark.parametrize("message", list(BENT))
def test_a_schedule_bent_by_hand_is_refused_in_one_line(found: tuple[Path, str], tmp_path: Path, message: str) -> None:
    bent = tmp_path / "bent.schedule"
    bent.write_text(BENT[message](found[0].read_text()))
    done = run("cosim", "--schedule", str(bent), "--backend", "model", status=2)
    assert re.search(message, done.stderr), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_options_that_the_schedule_fixes_are_refused(found: tuple[Path, str]) -> None:
    for option, value in (("--seed", "3"), ("--mutant", "no_flush"), ("--memory", "100")):
        assert option in run("cosim", "--schedule", str(found[0]), option, value, status=2).stderr
    assert "native is the same RTL" in run("cosim", "--schedule", str(found[0]), "--backend", "cocotb", status=2).stderr
    assert "no pins" in run("cosim", "--schedule", str(found[0]), "--backend", "model", "--waves", status=2).stderr


def test_json_of_a_search(tmp_path: Path) -> None:
    outcome = told("explore", PLAY, "--planted", DEFECT, "--out", str(tmp_path), "--no-rtl", status=1)
    assert set(outcome) == KEYS
    assert outcome["found"]
    assert outcome["failure"]["kind"] == "ORACLE REVOKED"
    assert outcome["device"] == "gru"
    assert outcome["replayed_on_rtl"] is None


def test_every_order_without_preemption(tmp_path: Path) -> None:
    outcome = told("explore", PLAY, "--bound", "0", "--out", str(tmp_path))
    assert not outcome["found"]
    assert outcome["complete_to"] == 0
    assert outcome["waiting"] == [0]
    assert outcome["state"] is None
    assert 1 < outcome["orders"] <= outcome["schedules"]


def test_a_budget_too_small_is_said_and_the_search_taken_up_again(tmp_path: Path) -> None:
    done = run("explore", PLAY, "--bound", "0", "--budget", "20", "--out", str(tmp_path), status=3)
    assert "does not even cover the orders without a preemption: this says nothing about the play" in done.stdout
    state = tmp_path / f"{PLAY}.search.gz"
    assert f"go on: shootdown explore --resume {state}" in done.stdout
    rest = told("explore", "--resume", str(state), "--out", str(tmp_path))
    assert rest["complete_to"] == 0
    assert rest["schedules"] > 20


def test_an_interrupted_search_says_how_to_go_on(tmp_path: Path) -> None:
    arguments = command("explore", PLAY, "--budget", "1000000", "--out", str(tmp_path))
    # A shell that starts tests in the background has them ignore SIGINT, and their children with them.
    arguments[2] = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {arguments[2]}"
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as search:
        assert search.stderr is not None
        assert search.stderr.readline().startswith("searching")
        search.send_signal(signal.SIGINT)
        printed, _ = search.communicate()
    assert search.returncode == 130
    assert "interrupted" in printed
    assert "covered: " in printed
    assert f"go on: shootdown explore --resume {tmp_path / f'{PLAY}.search.gz'}" in printed


def test_two_processes_give_the_same_twice(tmp_path: Path) -> None:
    outcomes = []
    for number in range(2):
        outcome = told(
            "explore", PLAY, "--planted", DEFECT, "--jobs", "2", "--out", str(tmp_path / str(number)), "--no-rtl", status=1
        )
        outcomes.append(
            (outcome["schedules"], outcome["schedule_steps"], (tmp_path / str(number) / f"{DEFECT}.schedule").read_text())
        )
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("strategy", ["random", "pct"])
def test_drawn_orders_find_it_too(tmp_path: Path, strategy: str) -> None:
    arguments = ("explore", PLAY, "--planted", DEFECT, "--strategy", strategy, "--out", str(tmp_path), "--no-rtl")
    first, second = (told(*arguments, "--seed", "5", status=1) for _ in range(2))
    assert first["schedules"] == second["schedules"]
    assert first["failure"] == second["failure"]


def test_the_list_names_plays_and_defects() -> None:
    listed = json.loads(run("explore", "--list", "--json").stdout)
    play = next(entry for entry in listed if entry["name"] == PLAY)
    assert DEFECT in play["planted"]
    assert PLAY in run("explore", "--list").stdout


def test_several_defects_of_a_play_and_the_play_without(tmp_path: Path) -> None:
    arguments = ("--planted", DEFECT, "--planted", "gru_end_lost", "--bound", "1", "--out", str(tmp_path), "--no-rtl")
    outcome = told("explore", PLAY, *arguments)
    assert outcome["schedules_per_s"] > 0
    assert [race["name"] for race in outcome["races"]] == [DEFECT, "gru_end_lost"]
    for race in outcome["races"]:
        assert set(race) >= RACE_KEYS
        assert race["found"]
        assert not race["found_when_off"]
        assert race["off_complete_to"] == 1
        assert 2 * race["schedule_steps"] <= 3 * race["shortest_known"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gru_dropim",), "there is no such play; try gru_dropin"),
        ((PLAY, "--planted", "gru_no_ack"), "there is no such defect of gru_dropin; try"),
        ((PLAY, "--strategy", "bfs"), "there is no such strategy; choose dfs, pct, random"),
        ((PLAY, "--budget", "0"), "--budget 0: must be at least 1"),
        ((), "nothing to search; give a play"),
        (("--resume", "nowhere.gz"), "nowhere.gz: no such file"),
        ((PLAY, "--resume", "nowhere.gz"), "not with a play"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = run("explore", *arguments, "--out", str(tmp_path), status=2)
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
