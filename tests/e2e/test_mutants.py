"""Every mutant of either device must be caught; a survivor is a defect of the checks. The command says both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import shootdown.mutants as module
from shootdown import hunts_hca
from shootdown.cli import run as shootdown
from shootdown.commands.cosim import DEFAULT_TRACE
from shootdown.hca_alone import GROUNDS
from shootdown.mutants import AIMED, NARROW, PROGRAM, UVM, Caught, Control, Hunt, Mutant, catalogue, hunt_one, hunts_for
from shootdown.result import CosimConfig, RunResult, ViolationReport
from shootdown.uvm_hunt import uvm_tests
from sw_stack.workloads.hca_scenarios import names as hca_names
from sw_stack.workloads.scenarios import names

ALL = catalogue()
HCA = catalogue("hca")


def of(name: str) -> Mutant:
    return next(mutant for mutant in ALL if mutant.name == name)


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_every_broken_variant_is_caught(mutant: Mutant) -> None:
    caught(mutant, "native")


@pytest.mark.parametrize("mutant", HCA, ids=lambda mutant: f"{mutant.layer}-{mutant.name}")
def test_every_broken_variant_of_the_hca_is_caught(mutant: Mutant) -> None:
    caught(mutant, "native")


@pytest.mark.parametrize("mutant", [*catalogue("gru", "model"), *catalogue("hca", "model")], ids=lambda m: f"{m.device}-{m.name}")
def test_every_broken_driver_is_caught_on_the_model(mutant: Mutant) -> None:
    caught(mutant, "model")


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [*ALL, *HCA], ids=lambda mutant: f"{mutant.device}-{mutant.layer}-{mutant.name}")
def test_every_broken_variant_is_caught_under_cocotb(mutant: Mutant) -> None:
    caught(mutant, "cocotb")


@pytest.mark.parametrize("name", ["dup_executed", "nak_lost", "free_before_fence"])
def test_native_and_cocotb_catch_in_the_same_cycle(name: str) -> None:
    """Without driver and system (the RTL's) and with them (the driver's)."""
    mutant = next(mutant for mutant in HCA if mutant.name == name)
    native, cocotb = caught(mutant, "native"), caught(mutant, "cocotb")
    assert native == replace(cocotb, hunt=replace(cocotb.hunt, backend="native"))


def caught(mutant: Mutant, backend: str) -> Caught:
    """Hunt it; who caught it."""
    again = f"shootdown mutants --device {mutant.device} --only {mutant.name} --backend {backend}"
    print(again)
    report = hunt_one(mutant, DEFAULT_TRACE, 1, True, backend)
    assert all(entry.clean for entry in report.controls), report.controls
    assert report.caught is not None, f"{mutant.name} survived {report.hunts} hunts: {again}"
    return report.caught


def test_what_is_not_broken_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hunt itself: without a defect nothing objects, so a catch is the defect's."""
    monkeypatch.setattr(module, "hunts_for", lambda _mutant, seed, _backend: iter([Hunt("write_clean_entry", seed)]))
    sound = module._config
    monkeypatch.setattr(module, "_config", lambda hunt, trace, _mutant, asserts: sound(hunt, trace, None, asserts))
    report = hunt_one(Mutant("nothing", "rtl", "nothing is broken"), DEFAULT_TRACE, 1, True)
    assert report.caught is None
    assert report.hunts == 1


def test_a_control_that_is_not_clean_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hunt = Hunt("write_clean_entry", 1)
    broken = Control(hunt, False, 0, "fails by itself")
    monkeypatch.setattr(module, "control", lambda *_arguments: broken)
    monkeypatch.setattr(module, "hunts_for", lambda _mutant, _seed, _backend: iter([hunt]))
    report = hunt_one(of("mod_lost"), DEFAULT_TRACE, 1, True)
    assert report.caught is None
    assert report.controls == (broken,)


def test_a_missed_race_is_no_catch() -> None:
    """A mutant may keep a scenario from its subject. Then nobody has seen anything wrong."""
    quiet = RunResult(CosimConfig(None, 1, Path()), "fork_cow")
    clean = Control(Hunt("fork_cow", 1), True, 0)
    for rule, by in (("NOT_MET", None), ("DATA", "DATA")):
        found = module._objection(replace(quiet, data_failures=(ViolationReport(9, rule, "race 'during' not met"),)), clean)
        assert (found and found[0]) == by


def test_hunts_begin_where_a_mutant_is_likely_and_leave_nothing_out() -> None:
    assert set(AIMED) <= {mutant.name for mutant in ALL}
    grounds = {*names(), NARROW, *(UVM + name for name in uvm_tests())}
    assert {name for aimed in AIMED.values() for name in aimed} <= grounds
    for mutant in ALL:
        hunts = list(hunts_for(mutant, 5))
        assert [hunt.ground for hunt in hunts[: len(AIMED.get(mutant.name, ()))]] == list(AIMED.get(mutant.name, ()))
        assert {hunt.ground for hunt in hunts} >= {*names(), NARROW, PROGRAM}
        assert len(set(hunts)) == len(hunts)


@pytest.mark.parametrize("device", ["gru", "hca"])
def test_a_name_breaks_one_thing(device: str) -> None:
    """--mutant has the name alone."""
    known = [mutant.name for mutant in catalogue(device)]
    assert len(set(known)) == len(known)


def test_hunts_of_the_hca_do_so_too() -> None:
    assert set(hunts_hca.AIMED) <= {mutant.name for mutant in HCA}
    alone = {hunts_hca.ALONE + name for name in GROUNDS}
    narrow = {hunts_hca.NARROW + name for name in hunts_hca.NARROWED}
    systems = {*hca_names(), *narrow, hunts_hca.PROGRAM}
    assert {name for aimed in hunts_hca.AIMED.values() for name in aimed} <= systems | alone
    for mutant in HCA:
        hunts = list(hunts_for(mutant, 5))
        aimed = [name for name in hunts_hca.AIMED.get(mutant.name, ()) if mutant.layer == "rtl" or name not in alone]
        assert [hunt.ground for hunt in hunts[: len(aimed)]] == aimed
        assert {hunt.ground for hunt in hunts} == systems | (alone if mutant.layer == "rtl" else set())
        assert len(set(hunts)) == len(hunts)


def test_the_model_has_no_rtl_to_break(capsys: pytest.CaptureFixture[str]) -> None:
    assert shootdown(["mutants", "--backend", "model", "--only", "nak_lost"]) == 2
    assert "the model has none" in capsys.readouterr().err
    assert {mutant.layer for device in ("gru", "hca") for mutant in catalogue(device, "model")} == {"driver"}
    assert shootdown(["mutants", "--backend", "verilog"]) == 2
    assert "choose native or cocotb or model" in capsys.readouterr().err


def test_the_command_reports_what_was_caught(capsys: pytest.CaptureFixture[str]) -> None:
    assert shootdown(["mutants", "--device", "gru", "--only", "mod_lost", "--only", "lost_wakeup", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["caught"], answer["total"], answer["survivors"]) == (2, 2, [])
    rows = {row["name"]: row for row in answer["mutants"]}
    assert rows["lost_wakeup"]["by"] == "LIVENESS"
    assert rows["mod_lost"]["layer"] == "rtl"
    assert all(answer["controls"].values())


def test_a_mutant_that_does_not_exist_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert shootdown(["mutants", "--only", "ack_before_drian"]) == 2
    assert "ack_before_drain" in capsys.readouterr().err
