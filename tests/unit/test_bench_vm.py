"""`bench.vm`: every key is measured, on a small scale; times are a benchmark's affair."""

from __future__ import annotations

import json

import pytest

from bench import vm
from shootdown.commands import bench_vm
from shootdown.commands.bench import flatten


def test_every_key_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ROUNDS", 1), ("LIVES", 1), ("COUNT", 20), ("CALLS", 50)):
        monkeypatch.setattr(vm, name, value)
    small = vm.large(4000, 10)
    monkeypatch.setattr(vm, "large", lambda: small)
    numbers = vm.measure()
    assert set(flatten(numbers)) == set(bench_vm.REACH)
    assert all(value > 0 for key, value in flatten(numbers).items() if key != "further_client_us")
    assert numbers["large"] == {"frames": 4000, "address_spaces": 10}
    assert json.loads(json.dumps(numbers)) == numbers


def test_a_frame_in_use_weighs_little() -> None:
    """What two sizes differ by is what the pages cost: page table entry, frame, list, record. A gibibyte is for a million of
    them."""
    few, many = vm.large(20_000, 10), vm.large(60_000, 10)
    per_frame = (many["resident_mib"] - few["resident_mib"]) * (1 << 20) / 40_000
    assert per_frame < 1024


def test_the_life_is_mixed_as_the_shipped_program() -> None:
    on = vm.machine(4096)
    mm = on.new_mm("program")

    async def lives() -> None:
        for number in range(vm.FORK_EVERY):
            await vm._life(mm, forks=number == 0)

    vm.play(on, lives())
    counts = on.statistics()
    total = sum(counts[name] for name in vm.OPERATIONS)
    faults = sum(counts[name] for name in vm.OPERATIONS if name.startswith("fault"))
    assert 0.65 < faults / total < 0.78
    assert 0.02 < counts["fault_cow"] / total < 0.04 and counts["fork"] == 1 and on.frames.free > 4000
