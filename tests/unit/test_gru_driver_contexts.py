"""Contexts: resources, load, unload with state, theft under a waiting user, interrupt targets, open and close."""

from __future__ import annotations

import pytest
from support.gru_rig import BASE, PAGE, RW, Rig, open_user
from support.gru_scenes import mapped, theft, unload_during_a_copy
from support.gru_view import read_line

from hwif.gen.events import TraceEvent
from hwif.gen.gru import CCH_BASE, NUM_CTX, CbXtype, Cch, CchState
from sw_stack.drivers.gru.contexts import _next_ctxnum, _reserve
from sw_stack.drivers.gru.policy import DriverPolicy
from sw_stack.drivers.gru.user import GruError, GruUser, gru_nop, gru_vload


def test_reservation_takes_the_lowest_units() -> None:
    assert _reserve(0b1101_0110, 3) == (0b0001_0110, [1, 2, 4])
    assert _reserve(0b1, 0) == (0, [])


def test_the_search_for_a_victim_never_begins_at_the_last_context() -> None:
    place, seen = 0, set()
    for _ in range(40):
        place = _next_ctxnum(place)
        seen.add(place)
    assert seen == set(range(NUM_CTX - 1))


def test_nothing_is_loaded_before_the_first_touch() -> None:
    rig = Rig()

    async def body() -> None:
        mm = await mapped(rig, 1)
        user = await open_user(rig, mm, cbrs=3, dsr_bytes=1500)
        assert user.gts.ts_gru is None
        assert rig.stats["assign_context"] == 0
        await user.execute(2, gru_nop())
        gts = user.gts
        assert (gts.ts_ctxnum, gts.ts_cbr_map, gts.ts_dsr_map, gts.cbrs()) == (0, 0b11, 0b11, [0, 1, 2, 3])
        assert rig.shadow.ctx_mm[0] == mm.id
        second = await open_user(rig, mm, cbrs=2, dsr_bytes=1024)
        await second.execute(0, gru_nop())
        assert (second.gts.ts_ctxnum, second.gts.cbrs()) == (1, [4, 5])
        tracker = gts.ts_gms.ms_asids[0]
        assert (tracker.mt_ctxbitmap, tracker.mt_asid) == (0b11, 8)
        await rig.driver.close(gts)
        assert tracker.mt_ctxbitmap == 0b10
        assert rig.shadow.ctx_mm[0] == 0
        await rig.driver.close(gts)
        await rig.driver.close(second.gts)
        with pytest.raises(GruError, match="closed"):
            await second.execute(0, gru_nop())

    rig.run(body())
    gru = rig.driver.grus[0]
    assert gru.gs_active_contexts == 0
    assert gru.gs_cbr_map.bit_count() == 64
    assert gru.gs_dsr_map.bit_count() == 32
    assert rig.stats["gts_free"] == 2
    assert rig.stats["gms_free"] == 1
    assert rig.stats["load_user_context"] == 2
    assert rig.stats["nopfn"] == 3  # the last one was refused


def test_impossible_contexts_and_policies_are_refused() -> None:
    rig = Rig()

    async def body() -> None:
        mm = await mapped(rig, 1)
        for cbrs, dsr_bytes in ((0, 1024), (129, 1024), (2, 0), (2, 32769)):
            with pytest.raises(GruError, match="a context has"):
                await rig.driver.open(mm, cbrs=cbrs, dsr_bytes=dsr_bytes)
        await mm.exit()
        with pytest.raises(GruError, match="gone"):
            await rig.driver.open(mm, cbrs=2, dsr_bytes=1024)

    rig.run(body())
    for wrong in ({"dropin": "never"}, {"mutant": "nice"}, {"max_asid": 12}, {"preload_pages": -1}):
        with pytest.raises(ValueError, match="driver policy"):
            DriverPolicy(**wrong)  # type: ignore[arg-type]


def test_a_context_unloaded_in_the_middle_of_a_copy_goes_on() -> None:
    for offset in range(0, 14_000, 700):
        rig = unload_during_a_copy(offset)
        assert not rig.device.violations(), offset
        assert rig.stats["user_unload_context"] == 1


def test_more_users_than_contexts_steal_and_all_finish() -> None:
    rig = theft(seed=3)
    assert not rig.device.violations()
    stats = rig.stats
    assert stats["steal_user_context"] > 5
    assert stats["load_user_context"] == stats["unload_user_context"] == stats["assign_context"] == stats["free_context"]
    assert stats["assign_context_failed"] > 0
    assert len(rig.seen(TraceEvent.DRV_STEAL)) == stats["steal_user_context"]
    assert rig.driver.grus[0].gs_active_contexts == 0


def test_a_user_who_was_just_robbed_waits_before_robbing() -> None:
    rig = Rig(DriverPolicy(assign_delay=1000, steal_delay=60_000))
    held: list[GruUser] = []

    async def body() -> None:
        one = await open_user(rig, await mapped(rig, 1, "one"), cbrs=128, dsr_bytes=1024)
        two = await open_user(rig, await mapped(rig, 1, "two"), cbrs=128, dsr_bytes=1024)
        held.extend((one, two))
        await one.execute(0, gru_nop())
        await two.execute(0, gru_nop())  # steals at once: nobody robbed it
        assert one.gts.ts_gru is None
        stolen = rig.sched.now
        await one.execute(0, gru_nop())
        assert rig.sched.now - stolen > 55_000

    rig.run(body())
    assert rig.stats["steal_user_context"] == 2
    assert held[0].gts.ustats.context_stolen == 1


def test_misses_follow_the_user_to_its_processor() -> None:
    rig = Rig()

    async def on_the_other(user: GruUser) -> None:
        # A miss the handler cannot answer brings the user into the driver, which finds it on another processor.
        await user.execute(0, gru_vload(BASE + 8 * PAGE, 0, CbXtype.DW, 1))
        assert user.gts.ts_tlb_int_select == 1

    async def body() -> None:
        mm = await mapped(rig, 1)
        await mm.mmap(BASE + 8 * PAGE, PAGE, RW, fixed=True)
        user = await open_user(rig, mm)
        await user.execute(0, gru_nop())
        assert user.gts.ts_tlb_int_select == 0
        pinned = await open_user(rig, mm, cpu=1)
        await pinned.execute(0, gru_nop())
        assert pinned.gts.ts_tlb_int_select == 1
        await rig.sched.join(rig.sched.spawn(on_the_other(user), "moved", 1))
        await user.execute(0, gru_vload(BASE, 0, CbXtype.DW, 1))

    rig.run(body())
    assert rig.stats["check_context_retarget_intr"] == 1
    cch = read_line(rig.device, CCH_BASE)
    assert (Cch.tlb_int_select.get(cch), CchState(Cch.state.get(cch))) == (1, CchState.ACTIVE)


def test_options_reach_the_handle_at_the_next_load() -> None:
    rig = Rig()

    async def body() -> None:
        user = await open_user(rig, await mapped(rig, 1))
        await user.execute(0, gru_nop())
        await rig.driver.gru_set_context_option(user.gts, cch_req_slice=2)
        await rig.driver.gru_user_unload_context(user.gts)
        await user.execute(0, gru_nop())
        with pytest.raises(GruError, match="cch_req_slice"):
            await rig.driver.gru_set_context_option(user.gts, cch_req_slice=4)
        await rig.driver.gru_user_flush_tlb(user.gts, BASE, PAGE)

    rig.run(body())
    cch = read_line(rig.device, CCH_BASE)
    assert (Cch.req_slice_set_enable.get(cch), Cch.req_slice.get(cch)) == (1, 2)
    assert rig.stats["set_context_option"] == rig.stats["user_flush_tlb"] == 1


def test_every_counter_is_a_number_and_a_snapshot() -> None:
    rig = Rig()
    rig.run()
    before = rig.driver.statistics()
    rig.driver.stats.tlb_dropin += 1
    assert before["tlb_dropin"] == 0
    assert rig.driver.statistics()["tlb_dropin"] == 1
    assert {"intr", "mmu_invalidate_page", "flush_tlb_gru_zero_asid", "steal_context_failed"} <= set(before)
