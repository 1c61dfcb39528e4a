"""HCAs far on: the product passes, and what is broken there is caught."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hwif.gen import hca as h
from tb.hil import hca_far
from tb.hil.hca_bare import BareNode
from tb.hil.native import NativeHca
from tb.plan.run import RunConfig, RunResult


def played(program: Callable[[RunConfig], RunResult], folder: Path, scale: float, mutant: int = 0) -> RunResult:
    return program(RunConfig("hca_far", 1, str(folder / "result.json"), mutant, scale))


@pytest.mark.parametrize("program", [hca_far.commands, hca_far.time, hca_far.cable], ids=lambda program: program.__name__)
def test_the_product_passes_and_the_same_run_sees_the_same(program: Callable[[RunConfig], RunResult], tmp_path: Path) -> None:
    result = played(program, tmp_path, 0.1)
    assert result.objections == [] and result.items >= 4 and 0 < result.cycles < 1_000_000
    assert played(program, tmp_path, 0.1) == result


def test_a_command_too_few_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue's software has lost count: the device waits for what was never rung, or does what was never posted."""
    right = BareNode.jump_commands
    monkeypatch.setattr(BareNode, "jump_commands", lambda node, number: right(node, number + 1))
    assert "is 0x" in played(hca_far.commands, tmp_path, 0.5).objections[0]


def test_a_resume_that_is_forgotten_is_caught(tmp_path: Path) -> None:
    assert "FQ-5: an accepted resume" in played(hca_far.time, tmp_path, 0.1, h.HcaMutant.RESUME_FORGOTTEN).objections[0]


def test_an_interrupt_that_is_not_held_back_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hca_far, "DELAY", 100)
    assert "line at the instant is 0x1" in played(hca_far.time, tmp_path, 0.1).objections[0]


def test_a_cable_that_is_too_short_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NativeHca, "configure", lambda _device, _name, _value: None)
    assert "at least" in played(hca_far.cable, tmp_path, 1.0).objections[0]
