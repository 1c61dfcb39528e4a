"""`bench.speed`: every way of playing the run works, and a way that did something else is no measurement."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bench import speed
from shootdown.commands import bench_speed
from shootdown.commands.cosim import DEFAULT_TRACE
from shootdown.errors import InputError
from shootdown.result import CosimConfig, ProgressUpdate
from tb.hil.bare import BareError, run_bare

LIMIT = 80


def test_the_ratios_are_those_with_a_bound_to_reach() -> None:
    assert list(speed.RATIOS) == list(bench_speed.REACH)


def test_every_host_plays_the_same_run() -> None:
    keys = ["native_over_bare_no_skip", "native_over_cocotb", "oracle_overhead", "native_over_conventional"]
    seen: list[ProgressUpdate] = []
    numbers = speed.measure(keys, seen.append, limit=LIMIT, part=LIMIT, rounds=1)
    assert list(numbers)[: len(keys)] == keys
    assert set(numbers["seconds"]) == {
        "native",
        "native_part",
        "conventional",
        "bare",
        "native_no_skip",
        "cocotb",
        "native_no_oracle",
    }
    assert all(taken > 0 for taken in numbers["seconds"].values())
    assert all(numbers["rates"][name]["vm_events_per_s"] > 0 for name in numbers["seconds"])
    assert numbers["run"]["limit"] == LIMIT
    steps = [update for update in seen if update.phase == "measuring"]
    assert [update.done for update in steps] == list(range(7))


def test_one_key_runs_its_own_ways_only() -> None:
    numbers = speed.measure(["oracle_overhead"], limit=LIMIT, rounds=2)
    assert set(numbers["seconds"]) == {"native", "native_no_oracle"}


def test_a_run_with_another_digest_is_no_measurement() -> None:
    one = speed.Sample(1.0, 1.0, digest="a")
    with pytest.raises(speed.MeasureError, match="different digests"):
        speed._same({"native": [one], "cocotb": [dataclasses.replace(one, digest="b")]})


def test_a_bare_loop_that_did_something_else_is_no_measurement(tmp_path: Path) -> None:
    runs = speed.Runs(CosimConfig(trace=DEFAULT_TRACE, seed=1, out=tmp_path, limit=LIMIT), tmp_path)
    runs._record()
    recorded = runs._recorded
    assert recorded is not None
    same = run_bare(tmp_path / "requests.bin", runs._frames, recorded.statistics, recorded.cycles)
    assert same.cycles == recorded.cycles == same.counters["evaluated_cycles"]
    wrong = dict(recorded.statistics) | {"faults": recorded.statistics["faults"] + 1}
    with pytest.raises(BareError, match="faults"):
        run_bare(tmp_path / "requests.bin", runs._frames, wrong, recorded.cycles)


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    fast, slow = ([speed.Sample(seconds, seconds) for seconds in row] for row in ((1.0, 1.0, 1.0), (2.0, 9.0, 3.0)))
    samples = {"cocotb": slow, "native": fast}
    assert speed._ratio(speed.RATIOS["native_over_cocotb"], samples) == 3.0
    fewer = {"cocotb": slow[:1], "native": [speed.Sample(4.0, 4.0), *fast[:2]]}
    assert speed._ratio(speed.RATIOS["native_over_cocotb"], fewer) == 2.0


def test_keys_are_chosen_by_name() -> None:
    assert bench_speed.chosen("oracle_overhead, native_over_bare") == ["oracle_overhead", "native_over_bare"]
    with pytest.raises(InputError, match="try native_over_bare"):
        bench_speed.chosen("native_over_bar")
    with pytest.raises(InputError, match="no key"):
        bench_speed.chosen(",")
