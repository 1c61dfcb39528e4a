"""Which runs a request means, and what it is told when it means none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.regress_jobs import TESTS

from shootdown import cli
from shootdown.commands import regress as command
from shootdown.errors import InputError
from shootdown.regress import plan
from shootdown.regress.farm import BATCH, Place
from shootdown.regress.run import BUILD_SECONDS, Run, device, mutants
from shootdown.regress.select import Request, runs
from shootdown.regress.store import opened
from tb.plan.test import Kind, Test, Tier


def made(name: str, block: str, tier: Tier = Tier.DEFAULT, kind: Kind = Kind.BLOCK, **more: object) -> Test:
    return Test(name, "", kind, "m:f", block, tier=tier, **more)  # type: ignore[arg-type]


KNOWN = {
    test.name: test
    for test in (
        made("tlb_one", "gru_tlb", seeds=2, rules=("SD-1",)),
        made("tlb_two", "gru_tlb", Tier.SMOKE, rules=("SD-2",)),
        made("tlb_all", "gru_tlb", Tier.FULL, rules=("SD-1", "SD-2")),
        made("walk", "hca_mmu", seeds=3),
        made("directed", "hca_mmu", kind=Kind.PYTEST, seeds=5),
        made("chip", "hca", rules=("FQ-1",)),
    )
}


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "tests", lambda: KNOWN)


def names(**asked: object) -> list[str]:
    return [run.name for run in runs(Request(**asked))]  # type: ignore[arg-type]


def test_sets_hold_each_other() -> None:
    default = ["tlb_one.1", "tlb_one.2", "tlb_two.1", "walk.1", "walk.2", "walk.3", "directed.1", "chip.1"]
    assert names() == default
    assert names(tier=Tier.FULL) == [*default[:3], "tlb_all.1", *default[3:]]
    assert names(tier=Tier.SMOKE) == ["tlb_two.1", "walk.1", "directed.1", "chip.1"], "a block without a smoke test: its first"
    scales = {run.test.name: run.scale for run in runs(Request(tier=Tier.SMOKE))}
    assert scales == {"tlb_two": 1.0, "walk": 0.25, "directed": 1.0, "chip": 0.25}


def test_filters_leave_what_all_of_them_leave() -> None:
    assert names(tests=["tlb_*"]) == ["tlb_one.1", "tlb_one.2", "tlb_two.1"]
    assert names(tests=["tlb_all"]) == ["tlb_all.1"], "named in full, whatever its set"
    assert names(blocks=["hca"]) == ["walk.1", "walk.2", "walk.3", "directed.1", "chip.1"]
    assert names(blocks=["hca_m*"], seeds=1) == ["walk.1", "directed.1"]
    assert names(rules=["SD-1", "FQ-1"], blocks=["gru"]) == ["tlb_one.1", "tlb_one.2"]


def test_seeds() -> None:
    assert names(tests=["walk"], seeds=2) == ["walk.1", "walk.2"]
    assert names(tests=["walk", "directed"], seed=9) == ["walk.9", "directed.9"]
    drawn = [runs(Request(tests=["walk"], reseed=3)) for _ in range(2)]
    assert [len({run.seed for run in one}) for one in drawn] == [3, 3] and drawn[0] != drawn[1]
    assert names(tests=["directed"], reseed=3) == ["directed.1"], "pytest has no use for seeds"


def test_a_mutant_is_shown_to_tests_of_its_device() -> None:
    both = next(name for name in mutants("gru") if name in mutants("hca"))
    only = next(name for name in mutants("hca") if name not in mutants("gru"))
    assert {run.test.name for run in runs(Request(mutant=both))} == {"tlb_one", "tlb_two", "walk", "chip"}
    chosen = runs(Request(mutant=only, seeds=1))
    assert [run.name for run in chosen] == ["walk.1", "chip.1"]
    assert chosen[0].config(Path("/x")).mutant == mutants("hca")[only]
    assert [device(test) for test in KNOWN.values()] == ["gru", "gru", "gru", "hca", "hca", "hca"]


def test_goals_are_for_whole_sets() -> None:
    assert Request().complete and Request(tier=Tier.FULL, seeds=2).complete
    parts = ({"tests": ["x"]}, {"blocks": ["gru"]}, {"rules": ["SD-1"]}, {"mutant": "x"}, {"seed": 1}, {"scale": 0.5})
    assert not any(Request(**part).complete for part in (*parts, {"tier": Tier.SMOKE}))  # type: ignore[arg-type]


def test_limits() -> None:
    walk = KNOWN["walk"]
    assert Run(walk, 1).limit == walk.seconds + BUILD_SECONDS and Run(walk, 1, seconds=3).limit == 3
    assert Run(made("u", "gru_tlb", kind=Kind.UVM), 1).limit == 120


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (Run(KNOWN["walk"], 3), "make regress TEST=walk SEED=3"),
        (Run(KNOWN["walk"], 3, "range_short", 1 / 3), "make regress TEST=walk SEED=3 MUTANT=range_short SCALE=0.3333333333333333"),
    ],
)
def test_the_line_that_plays_it_again(run: Run, line: str) -> None:
    assert run.again == line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--test", "wlak"], "--test wlak: there is no such test; try walk"),
        (["--test", "x*"], "--test x*: there is no such test"),
        (["--block", "gru_tbl"], "--block gru_tbl: there is no such block; try gru_tlb"),
        (["--rule", "SD-99"], "--rule SD-99: there is no such rule; try SD-"),
        (["--set", "all"], "--set all: there is no such set; try"),
        (["--mutant", "range_shrt"], "--mutant range_shrt: there is no such broken variant; try range_short"),
        (["--test", "directed", "--mutant", "range_short"], "no test is left by what was asked for; see --list"),
        (["--test", "walk", "--rule", "SD-1"], "no test is left"),
        (["--seeds", "0"], "--seeds 0: must be positive"),
        (["--seeds", "many"], "Invalid value for '--seeds'"),
        (["--seed", "-1"], "--seed -1: must be from 0"),
        (["--seed", "1", "--reseed", "2"], "--seed and --reseed do not go together"),
        (["--scale", "-1"], "--scale -1: must be positive"),
        (["--timeout", "0"], "--timeout 0: must be positive"),
        (["--jobs", "0"], "--jobs 0: must be at least 1"),
        (["--farm", "slrum"], "--farm slrum: there is no such farm; try slurm"),
        (["--farm", "slurm", "--farm-option", "short"], "--farm-option short: must be key=value"),
        (["--farm-option", "queue=short"], "--farm-option queue=short: --farm local has no options"),
        (["--fast"], "No such option"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["regress", "--out", str(tmp_path), *options]) == 2
    shown = capsys.readouterr()
    assert said in shown.err and len(shown.err.splitlines()) == 1 and shown.out == ""
    assert not list(tmp_path.iterdir()), "nothing was begun"


def test_a_folder_that_cannot_be_had(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert cli.run(["regress", "--out", str(tmp_path / "file" / "below")]) == 2
    assert "Not a directory; give another folder" in capsys.readouterr().err
    with opened(tmp_path):
        assert cli.run(["regress", "--out", str(tmp_path)]) == 2
    assert "another regression is writing to" in capsys.readouterr().err


def test_a_scheduler_that_is_not_there_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shootdown.regress import farm  # noqa: PLC0415

    monkeypatch.setattr(farm, "START_SECONDS", 1)
    with pytest.raises(InputError, match=r"--farm tcp://127\.0\.0\.1:1: "), farm.Farm(Place(kind="tcp://127.0.0.1:1")):
        pass


def test_places() -> None:
    assert command.place("local", 3, ()) == Place(3)
    assert command.place("lsf", 3, ["queue=a=b"]) == Place(3, "lsf", {"queue": "a=b"}) and "lsf" in BATCH


def test_the_list(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli.run(["regress", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(KNOWN)
    monkeypatch.setattr(plan, "tests", lambda: TESTS)
    assert cli.run(["regress", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["set"]) for row in listed][:2] == [("passes", "smoke"), ("objects", "default")]
