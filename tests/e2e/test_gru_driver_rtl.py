"""The driver's scenes on the RTL: the same software, the same oracle, the real external TLB."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.gru_rig import Rig
from support.gru_scenes import (
    asid_kept_over_a_flush,
    drop_in_inside_a_range,
    exit_against_reclaim,
    huge_pages,
    migration_during_a_drop_in,
    preloaded_copy,
    storm,
    theft,
    unload_during_a_copy,
)

from hwif.memory import HostMemory
from hwif.port import Device, ViolationReason
from hwif.shadow import Shadow
from sw_stack.drivers.gru.policy import DriverPolicy, Dropin, Mutant
from tb.hil.native import NativeDevice


class Rtl:
    """Makes devices, and closes them when the test is over."""

    def __init__(self) -> None:
        self.made: list[NativeDevice] = []

    def __call__(self, memory: HostMemory, shadow: Shadow) -> Device:
        self.made.append(NativeDevice(memory, shadow))
        return self.made[-1]


@pytest.fixture
def rtl() -> Iterator[Rtl]:
    devices = Rtl()
    yield devices
    for device in devices.made:
        device.close()


def _clean(rig: Rig) -> None:
    assert tuple(rig.device.violations()) == ()


@pytest.mark.parametrize("dropin", ["interrupt", "user"])
@pytest.mark.parametrize("seed", range(3))
def test_the_storm(rtl: Rtl, dropin: Dropin, seed: int) -> None:
    rig = storm(DriverPolicy(dropin=dropin, preload_pages=2), seed, rtl)
    _clean(rig)
    assert rig.device.statistics()["checked_beats"] > 1000


@pytest.mark.parametrize("offset", range(0, 14_000, 1400))
def test_unload_during_a_copy(rtl: Rtl, offset: int) -> None:
    _clean(unload_during_a_copy(offset, rtl))
    _clean(unload_during_a_copy(offset + 700, rtl))


def test_theft(rtl: Rtl) -> None:
    rig = theft(3, rtl)
    _clean(rig)
    assert rig.stats["steal_user_context"] > 5


@pytest.mark.parametrize("dropin", ["interrupt", "user"])
def test_huge_pages(rtl: Rtl, dropin: Dropin) -> None:
    _clean(huge_pages(dropin, rtl))


def test_preload(rtl: Rtl) -> None:
    misses = {preload: preloaded_copy(preload, rtl).device.statistics()["faults"] for preload in (0, 8)}
    assert misses == {0: 12, 8: 3}


def test_migration_during_a_drop_in(rtl: Rtl) -> None:
    rigs = [migration_during_a_drop_in(offset, rtl) for offset in range(0, 12_000, 500)]
    for rig in rigs:
        _clean(rig)
    assert any(rig.device.statistics()["dropins_dropped"] for rig in rigs)


def test_exit_against_reclaim(rtl: Rtl) -> None:
    for offset in range(0, 6000, 1000):
        _clean(exit_against_reclaim(offset, rtl))


@pytest.mark.parametrize("mutant", ["free_before_ack", "no_flush", "flush_short"])
def test_a_driver_that_flushes_wrongly_is_caught(rtl: Rtl, mutant: Mutant) -> None:
    for seed in range(12):
        violations = storm(DriverPolicy(mutant=mutant), seed, rtl).device.violations()
        if violations:
            assert violations[0].reason in (ViolationReason.REVOKED, ViolationReason.READ_ONLY)
            return
    pytest.fail(f"{mutant}: no violation in any seed")


def test_a_driver_that_drops_in_wrongly_is_caught(rtl: Rtl) -> None:
    _clean(asid_kept_over_a_flush(None, rtl))
    _clean(drop_in_inside_a_range(None, rtl))
    assert asid_kept_over_a_flush("stale_asid", rtl).device.violations()[0].reason == ViolationReason.REVOKED
    assert drop_in_inside_a_range("ignore_range_active", rtl).device.violations()[0].reason == ViolationReason.REVOKED


def test_one_seed_gives_one_digest(rtl: Rtl) -> None:
    assert len({storm(DriverPolicy(), 5, rtl).digest for _ in range(2)}) == 1
