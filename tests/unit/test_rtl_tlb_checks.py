"""What watches the TLB: the model beside it and its assertions are silent on sound RTL and notice every broken variant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.tlb_rig import checked, fill, idle, page

from hwif.gen.gru import LAST_TLB_MUTANT, RtlMutant
from tb.tlb.bench import LABELS
from tb.tlb.checked import CheckedTlb, Fill, Lookup, MismatchError, Shoot
from tb.tlb.traffic import STYLES, Traffic

# ---- random ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("style", STYLES)
def test_random_traffic_agrees_with_the_model(style: str, seed: int) -> None:
    chosen = STYLES[style]
    with checked(exact=not chosen.crowded, seed=seed + 1) as tlb:
        traffic = Traffic(tlb, seed, chosen)
        traffic.run(3000)
        traffic.finish()


# ---- broken variants --------------------------------------------------------------------------------------------------------

# Which assertion notices which broken variant. Every assertion stands here at least once.
CAUGHT = {
    RtlMutant.ACK_BEFORE_DRAIN: "sd_2_ack_after_last_use",
    RtlMutant.FILL_NOT_DROPPED: "sd_3_covered_is_dropped",
    RtlMutant.RANGE_SHORT: "sd_1_no_hit_after_ack",
    RtlMutant.LARGE_SURVIVES: "sd_5_every_page_size",
    RtlMutant.ASID_IGNORED: "hit_is_the_entry",
    RtlMutant.RACE_LOOKUP: "sd_2_ack_after_last_use",
    RtlMutant.DUP_UPGRADE: "sd_7_one_match",
    RtlMutant.DUP_SIZES: "sd_7_one_match",
    RtlMutant.RACE_FILL: "sd_3_covered_is_dropped",
    RtlMutant.SLOT_LATE: "sd_8_dead_at_once",
    RtlMutant.FILL_HIDES: "sd_1_no_hit_after_ack",
    RtlMutant.NO_BYPASS: "answer_is_the_entry",
    RtlMutant.LOG_LAP: "sd_3_covered_is_dropped",
    RtlMutant.CTX_DRAIN: "sd_2_ack_after_last_use",
    RtlMutant.DRAIN_ALL: "sd_2_waits_for_covered_only",
    RtlMutant.SWEEP_STALLS: "sd_4_port_stays_open",
    RtlMutant.MOD_LOST: "write_needs_dirty",
    RtlMutant.SLOT_SHORT: "sd_8_dead_at_once",
    RtlMutant.ASID_ZERO: "sd_6_scope_is_explicit",
    RtlMutant.DROP_ANY: "sd_3_only_covered",
    RtlMutant.SLOT_LEAK: "sd_8_no_starvation",
    RtlMutant.PAGE_OFFSET: "answer_is_the_entry",
    RtlMutant.WRONG_REPORT: "sd_3_reported",
    RtlMutant.ACK_TWICE: "sd_2_ack_once",
    RtlMutant.LOST_ANSWER: "sd_4_latency",
    RtlMutant.EDGE_OVERLAP: "sd_5_every_page_size",
    RtlMutant.SIZE_LEVEL: "sd_5_every_page_size",
    RtlMutant.TRAFFIC_SAVES: "sd_8_dead_at_once",
}
# Too many entries die: that is counted (economy), not asserted.
COUNTED = {RtlMutant.ZERO_IS_ALL, RtlMutant.RANGE_LONG, RtlMutant.STICKY_MATCH}
# What the tests do wrong themselves.
ILLEGAL = {"env_one_access_a_cbr", "env_use_was_in_flight", "env_handle_is_free"}


def test_every_variant_and_every_assertion_is_accounted_for() -> None:
    assert set(CAUGHT) | COUNTED == {mutant for mutant in RtlMutant if 0 < mutant <= LAST_TLB_MUTANT}
    assert set(CAUGHT.values()) | ILLEGAL == set(LABELS.values())


STYLES_HUNTED = ("aimed", "plain", "flood")


def runs(mutant: int, check: bool) -> Iterator[tuple[CheckedTlb, Traffic]]:
    for seed in range(6):
        for style in STYLES_HUNTED:
            tlb = CheckedTlb(mutant, check=check, seed=seed + 1)
            yield tlb, Traffic(tlb, seed, STYLES[style])
            tlb.dut.close()


@pytest.mark.parametrize("mutant", CAUGHT, ids=lambda mutant: mutant.name)
def test_assertions_notice(mutant: RtlMutant) -> None:
    for tlb, traffic in runs(mutant, check=False):
        for _ in range(15):
            traffic.run(200)
            if CAUGHT[mutant] in tlb.dut.failed:
                return
    pytest.fail(f"{CAUGHT[mutant]} did not fail")


@pytest.mark.parametrize("mutant", [*CAUGHT, *COUNTED], ids=lambda mutant: mutant.name)
def test_model_notices(mutant: RtlMutant) -> None:
    """The model alone, without the assertions, objects to every variant too."""
    for _tlb, traffic in runs(mutant, check=True):
        try:
            traffic.run(3000)
            traffic.finish()
        except (MismatchError, AssertionError):
            return
    pytest.fail("the model saw nothing wrong")


@pytest.mark.parametrize("seed", range(3))
def test_aimed_shootdowns_meet_an_access_through_anothers_entry(seed: int) -> None:
    """What hardly ever happens by chance does under this style: a run as short as any meets it."""
    tlb = CheckedTlb(RtlMutant.CTX_DRAIN, seed=seed + 1)
    with pytest.raises(MismatchError, match="shoot_done_o"):
        Traffic(tlb, seed, STYLES["aimed"]).run(3000)
    tlb.dut.close()


def test_illegal_use_is_noticed() -> None:
    tlb = CheckedTlb(check=False)
    fill(tlb, Fill(0, page(1), 1))
    tlb.cycle(Lookup(1, page(1)))
    idle(tlb, 3)
    tlb.cycle(Lookup(1, page(1)))  # a second access of the control block
    tlb.cycle(uses=[2])  # an access that never was
    tlb.cycle(shoot=replace(Shoot(4), first=1, last=1))
    tlb.cycle(shoot=Shoot(4, 5, 5))  # the handle waits for control block 1
    idle(tlb, 3)
    assert tlb.dut.failed == ILLEGAL
    tlb.dut.close()
