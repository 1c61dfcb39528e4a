"""Every client on one address space with a device below: the two scenarios notice when one of the clients is broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shootdown.result import CosimConfig, RunResult, Verdict
from shootdown.rig import run
from sw_stack.drivers.gpu import GpuPolicy
from sw_stack.drivers.xpmem import XpmemPolicy
from sw_stack.workloads import company

SCENES = {"gru": "all_clients_at_once", "hca": "all_clients_two_systems"}
SEEDS = range(1, 7)
HUNT = range(1, 17)


def play(device: str, seed: int) -> RunResult:
    config = CosimConfig(trace=None, scenario=SCENES[device], seed=seed, out=Path(), backend="model", device=device)
    return run(config, lambda _update: None, waves=False)


def forced(name: str, *more: Any, **options: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """Have the company make what `name` is with these arguments too."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        made = getattr(company, name)
        monkeypatch.setattr(company, name, lambda *args, **given: made(*args, *more, **{**given, **options}))

    return patch


BROKEN = {
    "guests keep their TLBs": forced("KvmPolicy", mutant="no_flush"),
    "guests in flight are not waited for": forced("KvmPolicy", mutant="no_wait"),
    "shadow entries are writable whatever the pte says": forced("KvmPolicy", mutant="map_writable"),
    "the GPU unpins before it is done": forced("Gpu", GpuPolicy(mutant="unpin_early")),
}
ELSEWHERE = {
    "the other partition's acknowledgement is not waited for": forced("Partition", policy=XpmemPolicy(mutant="no_remote_ack")),
    "attachments are writable whatever the pte says": forced("Partition", policy=XpmemPolicy(mutant="map_writable")),
}
"""Those that two systems show."""


@pytest.mark.parametrize("device", SCENES)
@pytest.mark.parametrize("seed", SEEDS)
def test_seeds(device: str, seed: int) -> None:
    result = play(device, seed)
    assert result.verdict is Verdict.CLEAN, (result.violations, result.data_failures, result.stalled)


@pytest.mark.parametrize(
    ("device", "what"), [*(("gru", what) for what in BROKEN), *(("hca", what) for what in (*BROKEN, *ELSEWHERE))]
)
def test_a_broken_client_is_noticed(device: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the oracle, by a count that is short, or by pages nobody gives back; with one seed of sixteen at least."""
    {**BROKEN, **ELSEWHERE}[what](monkeypatch)
    assert any(play(device, seed).verdict is not Verdict.CLEAN for seed in HUNT)
