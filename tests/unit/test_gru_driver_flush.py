"""Shootdowns: the notifier callbacks, what they cover, ASIDs, and the broken variants that the oracle must catch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.gru_rig import BASE, PAGE, RW, Rig, open_user
from support.gru_scenes import (
    asid_kept_over_a_flush,
    drop_in_inside_a_range,
    exit_against_reclaim,
    mapped,
    migration_during_a_drop_in,
    storm,
)
from support.gru_view import translations

from hwif.gen.events import TraceEvent
from hwif.gen.gru import INVAL_ALL_N, CbEcause, CbIstatus, CbXtype, RtlMutant
from hwif.memory import HostMemory
from hwif.port import ViolationReason
from hwif.shadow import Shadow
from sw_stack.drivers.gru.policy import DriverPolicy, Dropin, Mutant
from sw_stack.drivers.gru.tlbpurge import REGION, gru_flush_tlb_range
from sw_stack.drivers.gru.user import gru_bcopy, gru_nop, gru_vload, gru_vset
from sw_stack.mm import PROT_READ, Mm
from sw_stack.sched import LockdepError
from tb.hil.abi import HarnessOptions
from tb.hil.native import NativeDevice


def test_munmap_takes_the_translation_and_the_next_access_faults() -> None:
    rig = Rig()

    async def body() -> None:
        mm = await mapped(rig, 3)
        user = await open_user(rig, mm)
        for page in range(3):
            await user.execute(0, gru_vload(BASE + page * PAGE, 0, CbXtype.DW, 1))
        await mm.munmap(BASE + PAGE, PAGE)
        assert {first for first, _size in translations(rig.device)} == {BASE, BASE + 2 * PAGE}
        result = await user.execute(0, gru_vload(BASE + PAGE, 0, CbXtype.DW, 1))
        assert result.ecause == 1 << CbEcause.OS_FATAL_TLB_FAULT

    rig.run(body())
    stats = rig.stats
    assert stats["mmu_invalidate_range"] == stats["flush_tlb"] == stats["flush_tlb_gru"] == stats["flush_tlb_gru_tgh"] == 1
    assert [event[3:6] for event in rig.seen(TraceEvent.DRV_SHOOTDOWN)] == [(BASE + PAGE, 8, 0)]
    assert len(rig.seen(TraceEvent.DRV_SHOOTDOWN_DONE)) == 1


def test_copy_on_write_and_write_protection_reach_the_device() -> None:
    rig = Rig()

    async def body() -> None:
        mm = await mapped(rig, 2)
        user = await open_user(rig, mm)
        await user.execute(0, gru_vset(BASE, 0x11, CbXtype.DW, 1))
        child = await mm.fork("child")
        # The device's store must not reach the page the child sees.
        await user.execute(0, gru_vset(BASE, 0x22, CbXtype.DW, 1))
        assert await child.load(BASE, 1) == b"\x11"
        assert await mm.load(BASE, 1) == b"\x22"
        # The program's store copies; the device must read the copy.
        await user.execute(0, gru_vload(BASE + PAGE, 0, CbXtype.DW, 1))
        await mm.store(BASE + PAGE, b"\x99" * 8)
        await user.execute(0, gru_vload(BASE + PAGE, 0, CbXtype.DW, 1))
        assert await user.read_dsr(0, 8) == b"\x99" * 8
        await mm.mprotect(BASE, PAGE, PROT_READ)
        assert (await user.execute(0, gru_vset(BASE, 1, CbXtype.DW, 1))).istatus == CbIstatus.EXCEPTION
        await child.exit()

    rig.run(body())
    assert not rig.device.violations()


def test_reclaim_and_migration_go_through_invalidate_page() -> None:
    rig = Rig(frames=48)

    async def body() -> None:
        mm = await mapped(rig, 16)
        user = await open_user(rig, mm)
        for page in range(16):
            await user.execute(0, gru_vload(BASE + page * PAGE, 0, CbXtype.DW, 1))
        assert await rig.machine.migrate_page(mm, BASE)
        await mm.mmap(BASE + 64 * PAGE, 48 * PAGE, RW, fixed=True)
        for page in range(48):
            await mm.store(BASE + (64 + page) * PAGE, b"x")
        for page in range(16):
            await user.execute(0, gru_vload(BASE + page * PAGE, 0, CbXtype.DW, 1))
            assert await user.read_dsr(0, 8) == bytes([page + 1]) * 8

    rig.run(body())
    assert not rig.device.violations()
    assert rig.stats["mmu_invalidate_page"] > 8
    assert rig.machine.statistics()["swapped_out"] > 0


def test_a_flush_of_an_address_space_that_runs_nowhere_drops_its_asid() -> None:
    rig = Rig()

    async def body() -> None:
        mm = await mapped(rig, 2)
        user = await open_user(rig, mm)
        await user.execute(0, gru_vload(BASE, 0, CbXtype.DW, 1))
        await rig.driver.gru_user_unload_context(user.gts)
        assert rig.shadow.ctx_mm[0] == 0
        await user.execute(0, gru_vload(BASE, 0, CbXtype.DW, 1))
        assert rig.stats["asid_reuse"] == 1
        await rig.driver.gru_user_unload_context(user.gts)
        await mm.munmap(BASE, PAGE)
        result = await user.execute(0, gru_vload(BASE, 0, CbXtype.DW, 1))
        assert result.istatus == CbIstatus.EXCEPTION

    rig.run(body())
    assert not rig.device.violations()
    assert rig.stats["flush_tlb_gru_zero_asid"] == 1
    assert rig.stats["flush_tlb_gru_tgh"] == 0
    assert rig.stats["asid_new"] == 2


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, 1, [(0, 0, 0)]),
        (PAGE + 1, PAGE, [(PAGE, 0, 1)]),
        (0, 1023 * PAGE, [(0, 0, 1022)]),
        (0, 1024 * PAGE, [(0, 0, INVAL_ALL_N)]),
        (0, 5000 * PAGE, [(0, 0, INVAL_ALL_N)]),
        (8 * PAGE, 0, [(8 * PAGE, 0, INVAL_ALL_N)]),
        (REGION - PAGE, 3 * PAGE, [(REGION - PAGE, 0, 0), (REGION, 1, 1)]),
        ((1 << 64) - PAGE, PAGE, [((1 << 64) - PAGE, 7, 0)]),
        ((1 << 64) - PAGE, 9 * PAGE, [((1 << 64) - PAGE, 7, 0)]),
    ],
)
def test_what_a_range_becomes(start: int, length: int, expected: list[tuple[int, int, int]]) -> None:
    """Each piece: first address, region added to the ASID, n."""
    rig = Rig()

    async def body() -> None:
        user = await open_user(rig, await mapped(rig, 1))
        await user.execute(0, gru_nop())
        await gru_flush_tlb_range(rig.driver, user.gts.ts_gms, start, length)

    rig.run(body())
    assert [(event[3], event[4] - 8, event[5]) for event in rig.seen(TraceEvent.DRV_SHOOTDOWN)] == expected


def test_callbacks_are_legal_in_atomic_context() -> None:
    rig = Rig()

    async def body() -> None:
        mm = await mapped(rig, 2)
        user = await open_user(rig, mm)
        await user.execute(0, gru_vload(BASE, 0, CbXtype.DW, 1))
        async with mm.notifiers.range(BASE, BASE + PAGE, True):
            assert user.gts.ts_gms.ms_range_active == 1
        assert not await mm.notifiers.age_page(BASE)

    rig.run(body())


def test_sixteen_asids_wrap_without_sharing() -> None:
    rig = Rig(DriverPolicy(max_asid=0x40))

    async def body() -> None:
        keeper_mm = await mapped(rig, 1, "keeper")
        keeper = await open_user(rig, keeper_mm, cbrs=2, dsr_bytes=1024)
        await keeper.execute(0, gru_vset(BASE, 0xAA, CbXtype.DW, 1))
        for turn in range(20):
            mm = await mapped(rig, 1, f"guest {turn}")
            user = await open_user(rig, mm, cbrs=2, dsr_bytes=1024)
            await user.execute(0, gru_vset(BASE, turn, CbXtype.DW, 1))
            await keeper.execute(0, gru_vload(BASE, 0, CbXtype.DW, 1))
            assert await keeper.read_dsr(0, 8) == b"\xaa" + bytes(7)
            assert await mm.load(BASE, 1) == bytes([turn])
            await mm.exit()

    rig.run(body())
    assert not rig.device.violations()
    stats = rig.stats
    assert stats["asid_wrap"] >= 2
    assert stats["asid_next"] >= stats["asid_wrap"]
    assert stats["asid_new"] == 21
    assert stats["gms_alloc"] == 21
    assert stats["gms_free"] == 20


def test_all_asids_in_use_is_said() -> None:
    rig = Rig(DriverPolicy(max_asid=0x10))

    async def body() -> None:
        for name in ("one", "two"):
            user = await open_user(rig, await mapped(rig, 1, name), cbrs=2, dsr_bytes=1024)
            await user.execute(0, gru_nop())

    with pytest.raises(Exception, match="all ASIDs below 0x10 are in use"):
        rig.run(body())


def test_exit_under_a_running_copy_stops_it() -> None:
    rig = Rig()

    async def worker(mm: Mm) -> str:
        user = await open_user(rig, mm)
        mm_ready.append(user)
        try:
            for _ in range(1000):
                await user.execute(0, gru_bcopy(BASE, BASE + PAGE, 0, CbXtype.CL, 64, 4))
        except Exception as error:
            return str(error)
        return "never stopped"

    async def killer() -> None:
        mm = await mapped(rig, 2)
        task = rig.sched.spawn(worker(mm), "worker", 1)
        await rig.sched.sleep(50_000)
        await mm.exit()
        reasons.append(await rig.sched.join(task))

    mm_ready: list[object] = []
    reasons: list[str] = []
    rig.run(killer())
    assert "gone" in reasons[0]
    assert not rig.device.violations()
    assert not rig.shadow.ctx_mm.any()


def test_reclaim_still_reaches_a_device_whose_program_is_exiting() -> None:
    reached = 0
    for offset in range(0, 6000, 1000):
        rig = exit_against_reclaim(offset)
        assert not rig.device.violations(), offset
        reached += rig.stats["mmu_invalidate_page"]
    assert reached


# ---- broken variants ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dropin", ["interrupt", "user"])
@pytest.mark.parametrize("seed", range(4))
def test_the_whole_driver_survives_the_storm(dropin: Dropin, seed: int) -> None:
    rig = storm(DriverPolicy(dropin=dropin, preload_pages=2), seed)
    assert rig.device.violations() == []
    assert rig.stats["tlb_dropin"] > 50
    assert rig.device.statistics()["checked_beats"] > 1000


@pytest.mark.parametrize("mutant", ["free_before_ack", "no_flush", "flush_short"])
def test_a_flush_that_fails_is_caught_in_the_storm(mutant: Mutant) -> None:
    for seed in range(12):
        violations = storm(DriverPolicy(mutant=mutant), seed).device.violations()
        if violations:
            assert violations[0].reason in (ViolationReason.REVOKED, ViolationReason.READ_ONLY)
            return
    pytest.fail(f"{mutant}: no violation in any seed")


@pytest.mark.parametrize(
    ("mutant", "scene"), [("stale_asid", asid_kept_over_a_flush), ("ignore_range_active", drop_in_inside_a_range)]
)
def test_a_drop_in_that_should_not_be_is_caught(mutant: Mutant, scene: Callable[[Mutant | None], Rig]) -> None:
    assert scene(None).device.violations() == []
    assert scene(mutant).device.violations()[0].reason == ViolationReason.REVOKED


def test_the_driver_leans_on_the_drop_of_racing_drop_ins() -> None:
    def undropped(memory: HostMemory, shadow: Shadow) -> NativeDevice:
        return NativeDevice(memory, shadow, HarnessOptions(mutant=RtlMutant.FILL_NOT_DROPPED, asserts=0))

    offsets = range(0, 12_000, 500)
    with_magic = [migration_during_a_drop_in(offset) for offset in offsets]
    assert not any(rig.device.violations() for rig in with_magic)
    assert any(rig.device.statistics()["dropins_dropped"] for rig in with_magic)
    assert any(migration_during_a_drop_in(offset, undropped).device.violations() for offset in offsets)


def test_one_seed_gives_one_trace() -> None:
    digests = {storm(DriverPolicy(), 5).digest for _ in range(2)}
    assert len(digests) == 1


def test_a_handler_that_sleeps_would_be_noticed() -> None:
    """The check behind 'callbacks are legal in atomic context' can fail."""
    rig = Rig()

    async def body() -> None:
        rig.sched.task().atomic += 1
        await rig.sched.sleep(1)

    with pytest.raises(LockdepError):
        rig.run(body())
