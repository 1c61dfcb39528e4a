"""Misses: from the interrupt, through user polling, to the exception; page sizes and preload."""

from __future__ import annotations

import pytest
from support.gru_rig import BASE, PAGE, RW, Rig, open_user
from support.gru_scenes import huge_pages, mapped, preloaded_copy
from support.gru_view import translations

from hwif.gen.events import TraceEvent
from hwif.gen.gru import CbEcause, CbIstatus, CbXtype, ExopEr
from sw_stack.drivers.gru.policy import DriverPolicy, Dropin
from sw_stack.drivers.gru.user import (
    GruError,
    Instruction,
    gru_bcopy,
    gru_gamer,
    gru_ivload,
    gru_nop,
    gru_vload,
    gru_vset,
    gru_vstore,
)
from sw_stack.mm import PROT_READ, Mm
from sw_stack.notifier import ActiveRange


@pytest.mark.parametrize("dropin", ["interrupt", "user"])
def test_a_copy_between_pages_faults_and_moves_the_bytes(dropin: Dropin) -> None:
    rig = Rig(DriverPolicy(dropin=dropin))

    async def body() -> bytes:
        mm = await mapped(rig, 4)
        user = await open_user(rig, mm)
        result = await user.execute(1, gru_bcopy(BASE, BASE + 2 * PAGE, 0, CbXtype.CL, 64, 4))
        assert result.istatus == CbIstatus.IDLE
        found = await mm.load(BASE + 2 * PAGE, PAGE)
        await rig.driver.close(user.gts)
        await mm.exit()
        return found

    assert rig.run(body()) == [bytes([1]) * PAGE]
    assert not rig.device.violations()
    stats = rig.stats
    # A read miss, then the target: once for the translation, once to make it dirty.
    assert stats["tlb_dropin"] == 3
    assert stats["intr_tfh"] == stats["intr_fmm"] == 3
    assert stats["call_os"] == (3 if dropin == "user" else 0)
    assert stats["intr_mm_lock_failed"] == stats["intr_spurious"] == 0
    assert stats["gts_free"] == stats["gms_free"] == 1
    assert len(rig.seen(TraceEvent.DRV_DROPIN)) == 3


def test_a_page_not_present_goes_through_user_polling_to_the_sleeping_lookup() -> None:
    rig = Rig()

    async def body() -> None:
        mm = rig.machine.new_mm("program")
        await mm.mmap(BASE, PAGE, RW, fixed=True)
        user = await open_user(rig, mm)
        await user.write_dsr(0, b"device bytes....")
        result = await user.execute(0, gru_vstore(BASE + 64, 0, CbXtype.DW, 2))
        assert result.istatus == CbIstatus.IDLE
        assert await mm.load(BASE + 64, 16) == b"device bytes...."

    rig.run(body())
    assert rig.stats["tlb_dropin_fail_upm"] == 1
    assert rig.stats["call_os"] == 1
    assert rig.stats["tlb_dropin"] == 2
    assert len(rig.seen(TraceEvent.DRV_UPM)) == 1


def test_no_mapping_and_no_right_end_in_the_exception() -> None:
    rig = Rig()

    async def body() -> None:
        mm = await mapped(rig, 1)
        await mm.mprotect(BASE, PAGE, PROT_READ)
        user = await open_user(rig, mm)
        for address, instruction in (
            (BASE + 16 * PAGE, gru_vload(BASE + 16 * PAGE, 0, CbXtype.DW, 1)),
            (BASE, gru_vset(BASE, 7, CbXtype.DW, 1)),
        ):
            result = await user.execute(0, instruction)
            assert (result.istatus, result.ecause) == (CbIstatus.EXCEPTION, 1 << CbEcause.OS_FATAL_TLB_FAULT), hex(address)
        # The control block is as good as new.
        assert (await user.execute(0, gru_vload(BASE, 0, CbXtype.DW, 1))).istatus == CbIstatus.IDLE
        assert await user.read_dsr(0, 8) == bytes([1]) * 8

    rig.run(body())
    assert rig.stats["tlb_dropin_fail_invalid"] == 2
    assert rig.stats["user_exception"] == 2
    assert len(rig.seen(TraceEvent.DRV_EXCEPTION)) == 2


def test_a_wrong_opcode_is_reported_not_retried() -> None:
    rig = Rig()

    async def body() -> None:
        user = await open_user(rig, await mapped(rig, 1))
        result = await user.execute(0, Instruction(opc=0xF0))
        assert (result.istatus, result.ecause) == (CbIstatus.EXCEPTION, 1 << CbEcause.INVALID_INSTRUCTION)

    rig.run(body())
    assert len(rig.seen(TraceEvent.USR_DONE)) == 1


def test_user_polling_contexts_need_no_interrupt() -> None:
    rig = Rig()

    async def body() -> None:
        user = await open_user(rig, await mapped(rig, 1), user_option="USER_POLL")
        assert (await user.execute(3, gru_gamer(ExopEr.ADD, BASE, CbXtype.DW, 5, 0))).avalue == 0x0101010101010101
        assert (await user.execute(3, gru_gamer(ExopEr.ADD, BASE, CbXtype.DW, 5, 0))).avalue == 0x0101010101010106
        await user.execute(2, gru_nop())

    rig.run(body())
    assert rig.stats["intr"] == 0
    assert rig.stats["call_os"] == 2


def test_a_writer_who_holds_the_mmap_lock_sends_the_interrupt_to_user_polling() -> None:
    rig = Rig()

    async def body() -> None:
        mm = await mapped(rig, 1)
        user = await open_user(rig, mm)
        await user.execute(0, gru_nop())
        async with mm.mmap_lock.writing():
            await user.issue(0, gru_vload(BASE, 0, CbXtype.DW, 1))
            await rig.sched.sleep(10_000)
        assert (await user.wait(0)).istatus == CbIstatus.IDLE

    rig.run(body())
    assert rig.stats["intr_mm_lock_failed"] == 1
    assert rig.stats["call_os"] == 1


@pytest.mark.parametrize("dropin", ["interrupt", "user"])
def test_a_range_in_progress_holds_drop_ins_off(dropin: Dropin) -> None:
    rig = Rig(DriverPolicy(dropin=dropin))
    ended = []

    async def body() -> int:
        mm = await mapped(rig, 2)
        user = await open_user(rig, mm)
        await user.execute(0, gru_nop())
        async with mm.mmap_lock.reading():
            active = await mm.notifiers.range_begin(BASE, BASE + PAGE, False)
        rig.sched.spawn(end_later(mm, active), "ender", 1)
        result = await user.execute(0, gru_vload(BASE + PAGE, 0, CbXtype.DW, 1))
        assert result.istatus == CbIstatus.IDLE
        return rig.sched.now

    async def end_later(mm: Mm, active: ActiveRange) -> None:
        await rig.sched.sleep(40_000)
        ended.append(rig.sched.now)
        await mm.notifiers.range_end(active)

    (done,) = rig.run(body())
    assert done > ended[0]
    assert rig.stats["tlb_dropin"] == 1
    assert rig.stats["tlb_dropin_fail_range_active"] == (1 if dropin == "interrupt" else 0)
    assert rig.stats["mmu_invalidate_range"] == 1


@pytest.mark.parametrize("dropin", ["interrupt", "user"])
def test_a_huge_page_adds_its_size_and_restarts_the_context(dropin: Dropin) -> None:
    rig = huge_pages(dropin)
    assert not rig.device.violations()
    assert any(size == PAGE for _first, size in translations(rig.device))
    assert rig.device.statistics()["dropins"] == 2


def test_preload_brings_the_pages_of_a_copy_ahead_of_it() -> None:
    misses = {}
    for preload in (0, 8):
        rig = preloaded_copy(preload)
        assert not rig.device.violations()
        misses[preload] = rig.device.statistics()["faults"]
        assert (rig.stats["tlb_preload_page"] > 0) == (preload > 0)
    # Without: each source page once, each target page twice. With: the first of each kind only.
    assert misses == {0: 12, 8: 3}


def test_gather_and_the_data_segment_at_odd_offsets() -> None:
    rig = Rig()

    async def body() -> None:
        mm = await mapped(rig, 3)
        user = await open_user(rig, mm, dsr_bytes=2048)
        await user.write_dsr(1000, b"".join(index.to_bytes(8, "little") for index in (0, 512, 1024)))
        await user.execute(0, gru_ivload(BASE, 1024, 1000, CbXtype.DW, 3))
        assert await user.read_dsr(1024, 24) == bytes([1] * 8 + [2] * 8 + [3] * 8)
        await user.write_dsr(61, bytes(range(70)))
        assert await user.read_dsr(61, 70) == bytes(range(70))
        assert await user.read_dsr(56, 5) + await user.read_dsr(131, 5) == bytes(10)
        await user.write_dsr(5, b"")
        with pytest.raises(GruError, match="outside the data segment"):
            await user.write_dsr(2040, bytes(9))
        with pytest.raises(GruError, match="outside the context's"):
            await user.issue(4, gru_nop())

    rig.run(body())
