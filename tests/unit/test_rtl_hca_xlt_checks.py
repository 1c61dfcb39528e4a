"""What watches the HCA's translation: the reference beside it and its assertions notice every broken variant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwif.gen.hca import HcaMutant, Need, XltResult
from tb.hca_xlt.bench import LABELS
from tb.hca_xlt.checked import Ask, CheckedXlt, MismatchError, Shoot
from tb.hca_xlt.races import race_of_fill
from tb.hca_xlt.rig import INDEX, KEY, rig
from tb.hca_xlt.traffic import STYLES, Traffic
from tb.hca_xlt.world import PAGE, Inval

M = HcaMutant
MUTANTS: dict[HcaMutant, set[str]] = {
    M.WALK_NOT_DROPPED: {"sd_3_covered_is_dropped", "sd_3_no_old_answer", "sd_2_covered_reads_no_more"},
    M.RANGE_SHORT: {"sd_8_dead_at_once", "sd_1_no_hit_after_invalidation"},
    M.LARGE_SURVIVES: {"sd_5_every_page_size", "sd_1_held_is_taken", "sd_2_waits_for_last_use"},
    M.KEY_IGNORED: {"hit_is_the_entry", "sd_7_one_match"},
    M.HELD_SURVIVES: {"sd_1_held_is_taken"},
    M.DRAIN_ALL: {"sd_2_waits_for_covered_only"},
    M.PD_IGNORED: {"domain_is_equal"},
    M.LENGTH_OFF: {"access_is_inside"},
    M.UPGRADE_KEPT: {"sd_7_fault_is_walked"},
    M.SHOOT_FULL_ACK: {"sd_8_dead_at_once", "sd_6_scope_is_explicit"},
    M.KEY_KEPT: {"sd_1_key_is_sound"},
}
SILENT = {M.UPGRADE_KEPT}  # the reference of random traffic allows a fault of late


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutants_are_caught_by_the_assertions(mutant: HcaMutant) -> None:
    seen: set[str] = set()
    for seed, style in enumerate((STYLES["storms"], STYLES["crowded"])):
        xlt = CheckedXlt(mutant=mutant, seed=seed, check=False)
        Traffic(xlt, seed, replace(style, wrong=0.3)).run(2500)
        seen |= xlt.dut.failed
        xlt.dut.close()
    assert MUTANTS[mutant] <= seen


@pytest.mark.parametrize("mutant", sorted(set(MUTANTS) - SILENT), ids=lambda mutant: mutant.name)
def test_mutants_are_caught_by_the_reference(mutant: HcaMutant) -> None:
    with pytest.raises(MismatchError):
        for seed, style in enumerate((STYLES["storms"], STYLES["crowded"], STYLES["keys"])):
            xlt = CheckedXlt(mutant=mutant, seed=seed)
            Traffic(xlt, seed, replace(style, wrong=0.3)).run(2500)
            xlt.dut.close()


def test_walk_that_ends_in_the_accepting_cycle_is_caught_by_the_assertions() -> None:
    with rig(mutant=HcaMutant.RACE_WALK, check=False) as it:
        race_of_fill(it)
        assert {"sd_3_covered_is_dropped", "sd_3_no_old_answer"} <= it.dut.failed


def test_kept_read_only_leaf_faults_forever() -> None:
    with rig(mutant=HcaMutant.UPGRADE_KEPT, check=False) as it:
        it.map(3, write=False, pfn=0x7777)
        assert it.lookup(3 * PAGE, Need.REMOTE_WRITE) == XltResult.FAULT_READ_ONLY
        it.map(3, pfn=0x7777)
        assert [it.lookup(3 * PAGE, Need.REMOTE_WRITE) for _ in range(3)] == [XltResult.FAULT_READ_ONLY] * 3


def test_quiescence_with_a_walk_in_flight_is_caught() -> None:
    with rig(mutant=HcaMutant.QUIET_LIE) as it:
        it.lookup(0)
        assert it.dut.failed == {"quiet_means_quiet"}


def test_assertions_about_the_users_can_fail() -> None:
    with rig(check=False, mutant=HcaMutant.QUIET_LIE) as it:  # a mutant, so that the rig does not insist
        it.map(0)
        it.cycle(Ask(3, KEY, 0))
        it.cycle(Ask(3, KEY, 0))
        it.cycle(start=[5])
        it.cycle(done=[7])
        it.idle(400)
        it.lookup(0, use=9)
        it.cycle(start=[9])
        for _ in range(2):
            it.cycle(shoot=Shoot(0, Inval(INDEX, last=PAGE)))
        it.idle(2)
        assert {"env_one_lookup_a_use", "env_start_is_live", "env_done_is_flying", "env_tag_is_free"} <= it.dut.failed


def test_every_rule_has_an_assertion() -> None:
    rules = {label.split("_")[1] for label in LABELS.values() if label.startswith("sd_")}
    assert rules == {str(number) for number in range(1, 9)}
