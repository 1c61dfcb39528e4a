"""That the mirrored hmm-tests would notice: each fails with a device that is broken on purpose, and names what is wrong."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from mirrored import test_hmm as t
from mirrored import test_hmm_races as races
from mirrored import test_hmm_table as table
from mirrored.hmm_bench import LARGE_FRAMES, Broken
from mirrored.hmm_hosts import run

from sw_stack.drivers.gru.policy import DriverPolicy
from sw_stack.drivers.gru.policy import Mutant as DriverMutant
from sw_stack.drivers.hmm import MUTANT_TEXT, Mutant
from sw_stack.mm.secondary import DeadTranslationError

SEEDS = range(120)
REVOKED, BEYOND = "the translation is revoked", "the translation may only be read"
# A buffer unmapped and mapped again has the frames it had: the oracle has nothing against an old translation, the count has.
FAULTS = "faults="

MIRROR: list[tuple[Mutant, Any, type[BaseException], str]] = [
    ("no_retry", races.test_read_while_pages_move, DeadTranslationError, REVOKED),
    ("no_invalidate", t.test_anon_read_multiple, AssertionError, FAULTS),
    ("no_invalidate", table.test_double_map, DeadTranslationError, REVOKED),
    ("no_invalidate", t.test_partial_unmap_fault, DeadTranslationError, REVOKED),
    ("no_invalidate", t.test_remap_fault, DeadTranslationError, REVOKED),
    ("no_invalidate", table.test_exclusive, AssertionError, "exclusive_pages"),
    ("no_lock", races.test_read_while_pages_move, DeadTranslationError, REVOKED),
    ("no_lock", t.test_anon_teardown, DeadTranslationError, REVOKED),
    ("map_writable", t.test_anon_write_prot, DeadTranslationError, BEYOND),
    ("map_writable", t.test_mixedmap, DeadTranslationError, BEYOND),
    ("shared_atomic", races.test_count_against_another_device, AssertionError, "counts are lost"),
    ("exclusive_unseen", races.test_count_while_contents_are_dropped, DeadTranslationError, REVOKED),
    ("exclusive_in_range", races.test_count_while_contents_are_dropped, DeadTranslationError, REVOKED),
]
DRIVER: list[tuple[DriverMutant, Any, str]] = [
    ("no_flush", t.test_anon_read_multiple, FAULTS),
    ("no_flush", table.test_double_map, "REVOKED"),
    ("no_flush", t.test_partial_unmap_fault, "REVOKED"),
    ("no_flush", t.test_remap_fault, "REVOKED"),
    ("no_flush", races.test_count_against_another_device, "REVOKED"),
    ("flush_short", t.test_anon_read_multiple, FAULTS),
    ("free_before_ack", t.test_anon_teardown, "REVOKED"),
    ("dropin_writable", t.test_anon_write_prot, "READ_ONLY"),
    ("dropin_writable", t.test_mixedmap, "READ_ONLY"),
]


@pytest.mark.parametrize(("mutant", "test", "error", "words"), MIRROR)
def test_a_broken_mirror_is_noticed(mutant: Mutant, test: Any, error: type[BaseException], words: str) -> None:
    _noticed(test, "mirror", Broken(mirror=mutant), error, words)


@pytest.mark.parametrize(("mutant", "test", "reason"), DRIVER)
def test_a_broken_driver_is_noticed(mutant: DriverMutant, test: Any, reason: str) -> None:
    _noticed(test, "model", Broken(driver=DriverPolicy(mutant=mutant)), AssertionError, reason)


def _noticed(test: Any, host: Any, broken: Broken, error: type[BaseException], words: str) -> None:
    """With one of the seeds the test fails so."""
    for seed in SEEDS:
        try:
            run(host, test.body, LARGE_FRAMES, seed=seed, broken=broken)
        except error as found:
            assert words in str(found)
            return
    pytest.fail(f"{broken}: the test passes with every seed")


def test_every_mutant_of_the_mirror_is_tried() -> None:
    tried = {mutant for mutant, *_ in MIRROR} | {"gone_is_done"}  # its test would have no end: the play hmm_gone tries it
    assert tried == set(get_args(Mutant)) == set(MUTANT_TEXT)
