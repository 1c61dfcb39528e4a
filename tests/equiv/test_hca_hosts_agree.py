"""HCAs: native and cocotb are one device, skipping changes nothing, a run repeats, and every byte is where it belongs."""

from __future__ import annotations

import dataclasses

import pytest
from support.hca_hosts import HcaCase, play
from support.hosts import Played

from hwif.gen.hca import HcaMutant
from tb.hil.abi import HcaOptions
from tb.hil.hca_bare import BareError

PROGRAM = "tb.hil.hca_mixed:mixed"
TIGHT = HcaOptions(
    read_latency=37, write_latency=11, bytes_per_cycle=16, max_outstanding=4, link_latency=20, link_cycles_per_flit=3
)
LOSSY = HcaOptions(link_loss=10_000, link_corrupt=10_000, link_truncate=5_000, link_seed=7)
SETTINGS = {"default": HcaOptions(), "tight": TIGHT, "lossy": LOSSY}


def everything(played: Played, *, clock: bool = True) -> dict[str, object]:
    """All that may be compared. How many cycles were evaluated is the one thing skipping changes."""
    seen = dataclasses.asdict(played)
    if not clock:
        seen["statistics"] = {k: v for k, v in seen["statistics"].items() if k not in ("evaluated_cycles", "skipped_cycles")}
    seen["trace"] = played.trace.tolist()
    return seen


@pytest.mark.parametrize("options", SETTINGS)
@pytest.mark.parametrize("nodes", [1, 2])
def test_native_and_cocotb_agree_in_everything(nodes: int, options: str) -> None:
    case = HcaCase(PROGRAM, {"seed": 1, "rounds": 2}, nodes=nodes, options=SETTINGS[options])
    native, cocotb = play(case, "native"), play(case, "cocotb")
    assert native.digest == cocotb.digest
    assert everything(native) == everything(cocotb)
    assert native.notes["faults"] > 2 and native.statistics["link_packets"] > 50, "the program must exercise something"


@pytest.mark.parametrize("options", SETTINGS)
@pytest.mark.parametrize("seed", range(3, 6))
def test_skipping_changes_nothing(seed: int, options: str) -> None:
    case = HcaCase(PROGRAM, {"seed": seed, "rounds": 2}, options=SETTINGS[options])
    skipping = play(case, "native")
    plain = play(dataclasses.replace(case, options=dataclasses.replace(case.options, skip=0)), "native")
    assert skipping.statistics["skipped_cycles"] > 0 == plain.statistics["skipped_cycles"]
    assert skipping.digest == plain.digest
    assert everything(skipping, clock=False) == everything(plain, clock=False)


def test_a_run_repeats_and_another_seed_is_another_trace() -> None:
    case = HcaCase(PROGRAM, {"seed": 10, "rounds": 2}, options=LOSSY)
    first = play(case, "native")
    assert everything(first) == everything(play(case, "native"))
    other = dataclasses.replace(case, options=dataclasses.replace(LOSSY, link_seed=8))
    assert play(other, "native").digest != first.digest


@pytest.mark.parametrize("host", ["native", "model"])
@pytest.mark.parametrize("nodes", [1, 2])
@pytest.mark.parametrize("seed", range(20, 24))
def test_every_byte_is_where_it_belongs(seed: int, nodes: int, host: str) -> None:
    played = play(HcaCase(PROGRAM, {"seed": seed, "rounds": 6}, nodes=nodes, frames=2048, options=LOSSY), host)
    assert not played.violations and played.notes["faults"] > 5
    assert min(played.statistics[name] for name in ("link_lost", "link_corrupted", "link_truncated")) > 0


@pytest.mark.parametrize(
    ("mutant", "objection"),
    [("RANGE_SHORT", "REVOKED"), ("HELD_SURVIVES", "REVOKED"), ("DUP_EXECUTED", "is wrong"), ("EARLY_CQE", "is wrong")],
)
def test_without_assertions_oracle_and_bytes_still_object(mutant: str, objection: str) -> None:
    """What stands outside the RTL sees these broken variants by itself, within a few seeds."""
    options = HcaOptions(mutant=HcaMutant[mutant], asserts=0, link_latency=10, read_latency=200)
    for seed in range(1, 13):
        try:
            play(HcaCase(PROGRAM, {"seed": seed, "rounds": 5, "pairs": 10, "moves": 24}, frames=4000, options=options), "native")
        except (AssertionError, BareError) as error:
            assert objection in str(error), error
            return
    raise AssertionError(f"nobody objects to {mutant}")
