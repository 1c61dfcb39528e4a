"""`shootdown claims` as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.small_claims import small

from shootdown import cli
from shootdown.claims import moving, run
from shootdown.claims.base import RuleBrokenError
from shootdown.claims.holders import MLOCKED, NOTIFIER, PINNED
from shootdown.claims.library import NAMES


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim on moving has two small points."""
    points = (moving.Point(kind, 1 / 32, frames=64) for kind in (PINNED, MLOCKED, NOTIFIER))
    monkeypatch.setattr(run, "load", {"moving": small("moving", *points)}.__getitem__)


def test_one_claim_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each point in a process, as the command has it by default."""
    assert cli.run(["claims", "--only", "moving", "--out", str(tmp_path), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "claims" / "claims.json").read_text())
    assert printed["seed"] == 1 and printed["claims"]["moving"]["outcome"] == "holds"
    assert {path.name for path in (tmp_path / "claims").iterdir()} == {"moving.png", "claims.json"}
    assert "![" in (tmp_path / "claims.md").read_text()


def test_what_a_person_reads(little: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["claims", "--only", "moving", "--out", str(tmp_path), "--jobs", "1", "--seed", "3"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("moving: holds\n") and str(tmp_path / "claims.md") in captured.out
    assert "seed 3: 1 claims" in captured.out and "Traceback" not in captured.err


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["claims", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(NAMES)
    assert cli.run(["claims", "--list", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == list(NAMES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "livelok"], "try livelock"),
        (["--jobs", "0"], "--jobs 0"),
        (["--seed", "-1"], "--seed -1"),
        (["--docs", "--only", "moving"], "--docs"),
        (["--out", "/proc/nowhere"], "cannot write there"),
        (["--check", "--out", "/proc/nowhere"], "no such file"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["claims", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1 and said in captured.err


def test_the_page_in_docs_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["claims", "--check"]) == 0 and capsys.readouterr().out == ""


def test_a_page_that_lacks_claims_does_not(little: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["claims", "--only", "moving", "--out", str(tmp_path), "--jobs", "1"]) == 0
    capsys.readouterr()
    assert cli.run(["claims", "--check", "--out", str(tmp_path)]) == 1
    assert "lacks livelock" in capsys.readouterr().out


def test_a_broken_rule_is_status_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(name: str, index: int, seed: int) -> object:
        error = RuleBrokenError("SD-1", "a read through a dead translation")
        return run.Break(f"{name} {index} {seed}", error.rule, error.what)

    monkeypatch.setattr(run, "_measure", broken)
    assert cli.run(["claims", "--only", "moving", "--out", str(tmp_path), "--jobs", "1"]) == 1
    out = capsys.readouterr().out
    assert "moving: no verdict" in out and "SD-1: a read through a dead translation" in out


def test_an_interrupt_writes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(name: str, index: int, seed: int) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_measure", interrupted)
    assert cli.run(["claims", "--only", "moving", "--out", str(tmp_path), "--jobs", "1"]) == 130
    assert not (tmp_path / "claims.md").exists()


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["claims", "--help"]) == 0
    assert "shootdown claims --only livelock" in " ".join(capsys.readouterr().out.split())
