"""The native and the cocotb host are one device: same program, same seed, same trace digest, with and without skipping."""

from __future__ import annotations

import dataclasses

import pytest
from support.hosts import Case, Played, play

from tb.hil.abi import HarnessOptions

PROGRAM = "tests.equiv.programs:mixed"
TIGHT = HarnessOptions(read_latency=37, write_latency=11, bytes_per_cycle=16, max_outstanding=4)


def everything(played: Played, *, clock: bool = True) -> dict[str, object]:
    """All that may be compared. How many cycles were evaluated is the one thing skipping changes."""
    seen = dataclasses.asdict(played)
    if not clock:
        seen["statistics"] = {k: v for k, v in seen["statistics"].items() if k not in ("evaluated_cycles", "skipped_cycles")}
    seen["trace"] = played.trace.tolist()
    return seen


@pytest.mark.parametrize("options", [HarnessOptions(), TIGHT], ids=["default", "tight"])
@pytest.mark.parametrize("seed", [1, 2])
def test_native_and_cocotb_agree_in_everything(seed: int, options: HarnessOptions) -> None:
    case = Case(PROGRAM, {"seed": seed}, options=options)
    native, cocotb = play(case, "native"), play(case, "cocotb")
    assert native.digest == cocotb.digest
    assert everything(native) == everything(cocotb)
    assert native.statistics["dropins"] > 10 and native.statistics["shootdowns"] > 2, "the program must exercise something"
    assert not native.violations


@pytest.mark.parametrize("options", [HarnessOptions(), TIGHT], ids=["default", "tight"])
@pytest.mark.parametrize("seed", range(3, 9))
def test_skipping_changes_nothing(seed: int, options: HarnessOptions) -> None:
    case = Case(PROGRAM, {"seed": seed}, options=options)
    skipping = play(case, "native")
    plain = play(dataclasses.replace(case, options=dataclasses.replace(options, skip=0)), "native")
    assert skipping.statistics["skipped_cycles"] > 0 == plain.statistics["skipped_cycles"]
    assert skipping.digest == plain.digest
    assert everything(skipping, clock=False) == everything(plain, clock=False)


def test_another_seed_is_another_trace() -> None:
    assert (
        play(Case(PROGRAM, {"seed": 1, "rounds": 3}), "native").digest
        != play(Case(PROGRAM, {"seed": 2, "rounds": 3}), "native").digest
    )


def test_a_run_repeats() -> None:
    case = Case(PROGRAM, {"seed": 10, "rounds": 4})
    assert everything(play(case, "native")) == everything(play(case, "native"))
