"""Reclaim and migration: which pages they take, whom they tell of each, and when the oracle's records change."""

from __future__ import annotations

from mm_events_rig import Scene, at, record, stage
from mm_rig import Log, register

from hwif.gen.events import TraceEvent
from hwif.shadow import READ, WRITE
from sw_stack.mm.check import audit


def test_reclaim_ages_then_invalidates_and_swap_in_is_silent() -> None:
    async def body(s: Scene) -> None:
        freed = await s.rig.machine.reclaim(4)
        assert freed == 4
        calls = s.log.take()
        pages = [call[1] for call in calls if call[0] == "page"]
        assert sorted(pages) == [at(page) for page in range(4)]
        for page in range(4):
            mine = [call[0] for call in calls if call[1] == at(page)]
            assert mine[-1] == "page" and set(mine[:-1]) == {"age"} and len(mine) >= 3
        assert s.mm.shadow.records() == {}
        assert await s.mm.load(at(2), 16) == b"\x03" * 16
        assert s.log.take() == [] and s.rig.machine.statistics()["fault_swapin"] == 1
        assert (record(s.mm, 2) or (0, 0))[1] == READ  # clean: the swap copy is still good
        written = s.rig.machine.statistics()["swapped_out"]
        assert await s.rig.machine.reclaim(1) == 1
        assert s.rig.machine.statistics()["swapped_out"] == written
        await s.mm.store(at(2), b"dirty")  # one step: exclusive, so swapped in writable
        assert (record(s.mm, 2) or (0, 0))[1] == READ | WRITE and s.rig.machine.swap.used == 3

    stage(body)


def test_a_page_the_device_uses_stays() -> None:
    async def body(s: Scene) -> None:
        s.log.young = True
        assert await s.rig.machine.reclaim(4) == 0
        assert {call[0] for call in s.log.take()} == {"age"}
        s.log.young = False
        assert await s.rig.machine.reclaim(1) == 1

    stage(body)


def test_a_page_the_program_uses_gets_a_second_chance() -> None:
    async def body(s: Scene) -> None:
        await s.rig.machine.reclaim(1)
        survivors = [page for page in range(4) if record(s.mm, page)]
        await s.mm.touch(at(survivors[0]), False)
        await s.rig.machine.reclaim(2)
        assert record(s.mm, survivors[0]) and not record(s.mm, survivors[1]) and not record(s.mm, survivors[2])

    stage(body)


def test_shared_pages_are_unmapped_from_everybody() -> None:
    async def body(s: Scene) -> None:
        child = await s.mm.fork("child")
        log = Log(s.rig.sched)
        await register(child, log)
        s.log.take()
        assert await s.rig.machine.reclaim(4) == 4
        for calls in (s.log.take(), log.take()):
            assert sorted(call[1] for call in calls if call[0] == "page") == [at(page) for page in range(4)]
        assert {slot.entries for slot in s.rig.machine.swap.in_use()} == {2}
        await child.store(at(0), b"child")
        assert await s.mm.load(at(0), 5) == b"\x01" * 5 and await child.load(at(0), 6) == b"child\x01"
        await child.exit()

    stage(body)


def test_migration_invalidates_once_and_moves_the_bytes() -> None:
    async def body(s: Scene) -> None:
        child = await s.mm.fork("child")
        s.log.take()
        before = record(s.mm, 1)
        assert await s.rig.machine.migrate_page(s.mm, at(1) + 77)
        assert s.log.take() == [("page", at(1))]
        after = record(s.mm, 1)
        assert before and after and after[0] != before[0] and after == record(child, 1)
        assert await s.mm.load(at(1), 16) == b"\x02" * 16 == await child.load(at(1), 16)
        s.rig.trace.flush()
        assert s.rig.seen(TraceEvent.VM_MIGRATE)[0][1:3] == (before[0], after[0])
        await child.exit()
        assert not await s.rig.machine.migrate_page(s.mm, 0x5000)

    stage(body)


def test_migration_keeps_the_right_to_write_and_the_swap_copy() -> None:
    async def body(s: Scene) -> None:
        assert await s.rig.machine.migrate_page(s.mm, at(0))
        assert (record(s.mm, 0) or (0, 0))[1] == READ | WRITE
        await s.rig.machine.reclaim(4)
        await s.mm.touch(at(1), False)
        assert await s.rig.machine.migrate_page(s.mm, at(1))
        audit(s.rig.machine)
        assert (record(s.mm, 1) or (0, 0))[1] == READ
        assert await s.rig.machine.reclaim(1) == 1 and s.rig.machine.statistics()["swapped_out"] == 4

    stage(body)
