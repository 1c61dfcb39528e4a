"""XPMEM as a client of the notifiers: how reclaim, migration, writeback and exit take pages back from attachments."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from support.xpmem_rig import AREA, PAGE, RW, WHERE, Nodes, Share, Where, at, content, play
from unit.mm_rig import register
from xpmem_users import TODAY, touch

from hwif.gen import timing
from sw_stack.drivers.xpmem import RDWR, XpmemPolicy
from sw_stack.mm import Mm, MmError
from sw_stack.mm.filemap import truncate, writeback
from sw_stack.mm.frames import Frame
from sw_stack.notifier import MmuNotifier, MmuRmapNotifier

# ---- reclaim, migration, writeback --------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", WHERE)
def test_reclaim_takes_exported_pages_back(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await touch(share, where)
        free = nodes.home.machine.frames.free
        assert await nodes.home.machine.reclaim(4) == 4
        assert nodes.home.machine.frames.free == free + 4 and not attachment.table()
        for page in range(4):
            assert await user.load(attachment.vaddr + page * PAGE, 16) == b"user" + content(page)[4:]
            assert await share.source.load(at(page), 4) == b"user"
        assert nodes.home.stats.rmap_recalls == 4 and nodes.home.machine.statistic("swapped_out") == 4
        assert nodes.home.stats.invalidates_sent == (4 if where == "remote" else 0)

    play(body)


@pytest.mark.parametrize("where", WHERE)
def test_a_page_in_use_everywhere_is_taken_back_from_everybody(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes, pages=1)
        users = [await touch(share, place, 1) for place in (*WHERE, where)]
        assert await nodes.home.machine.migrate_page(share.source.mm, AREA)
        assert not any(attachment.table() for _user, attachment in users)
        assert nodes.home.stats.rmap_recalls == 1 and nodes.home.stats.pages_recalled == 3
        assert nodes.home.machine.statistic("migrated") == 1
        for user, attachment in users:
            assert await user.load(attachment.vaddr, 4) == b"user"

    play(body)


@pytest.mark.parametrize("where", WHERE)
def test_today_reclaim_and_migration_meet_the_reference_in_vain(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        machine = nodes.home.machine
        share = await Share.make(nodes)
        user, attachment = await touch(share, where)
        held = attachment.table()
        for _ in range(3):
            pinned = machine.reclaimer.scan.pinned
            assert await machine.reclaim(4) == 0
            assert machine.reclaimer.scan.pinned > pinned
        assert attachment.table() == held
        assert await share.source.load(at(1), 4) == b"user"  # unmapped in vain, faulted in again: the same frame
        assert not await machine.migrate_page(share.source.mm, at(1)) and machine.statistic("migrate_pinned") == 1
        await user.detach(attachment.vaddr)
        assert await machine.reclaim(4) == 4

    play(body, TODAY)


@pytest.mark.parametrize("style", ["v6", "today"])
def test_memory_full_of_attached_pages(style: Any) -> None:
    """The thread's complaint: pages pinned by XPMEM, and the allocator out of memory with nothing but reclaimable pages in
    sight."""

    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes, pages=24)
        _user, attachment = await touch(share, "remote", 24)
        hungry = nodes.home.machine.new_mm("hungry")
        await hungry.mmap(AREA, 20 * PAGE, RW, fixed=True)
        if style == "v6":
            for page in range(20):
                await hungry.store(at(page), b"x")
            assert len(attachment.table()) < 24
        else:
            with pytest.raises(MmError, match=r"out of memory.*, [0-9]+ pinned") as caught:
                for page in range(20):
                    await hungry.store(at(page), b"x")
            assert caught.value.errno == errno.ENOMEM

    play(body, XpmemPolicy(style=style), frames=32, swap=26)


class _Probe(MmuRmapNotifier):
    """Told of a page before XPMEM is: what an attachment may still do then."""

    def __init__(self, share: Share, user: Any, attachment: Any) -> None:
        self.share, self.user, self.attachment = share, user, attachment
        self.stored = 0

    async def invalidate_page(self, page: Frame) -> None:
        mm = self.share.source.mm
        assert not mm.shadow.records(), "the VM's own record ended with invalidate_page"
        assert self.share.nodes.shadows[0].words.any(), "the export's own has not"
        await self.user.store(self.attachment.vaddr, b"between")
        self.stored += 1


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("how", ["reclaim", "migrate"])
def test_a_store_between_the_unmapping_and_the_rmap_notifier_is_not_lost(where: Where, how: str) -> None:
    async def body(nodes: Nodes) -> None:
        machine = nodes.home.machine
        share = await Share.make(nodes, pages=1)
        user, attachment = await touch(share, where, 1)
        probe = _Probe(share, user, attachment)
        machine.rmap_notifiers.register(probe)  # the last to register is called first
        if how == "reclaim":
            assert await machine.reclaim(1) == 1
        else:
            assert await machine.migrate_page(share.source.mm, AREA)
        assert probe.stored == 1 and not attachment.table()
        assert await share.source.load(AREA, 7) == await user.load(attachment.vaddr, 7) == b"between"
        await machine.rmap_notifiers.unregister(probe)

    play(body)


class _Touch(MmuNotifier):
    """Another process uses the page in the moment this one's entry goes."""

    def __init__(self, other: Mm) -> None:
        self.other = other

    async def invalidate_page(self, mm: Mm, address: int) -> None:
        self.other.touch_fast(AREA >> 12, False)


@pytest.mark.parametrize("where", WHERE)
def test_reclaim_that_gives_up_half_way_has_told_of_what_it_unmapped(where: Where) -> None:
    """A page of a file, private to two processes. Reclaim takes it from the source, finds it in use by the other, and leaves. The
    source's next store makes a copy without a notifier call: nobody can have seen the page there."""

    async def body(nodes: Nodes) -> None:
        file = nodes.home.machine.new_file("data", 1)
        share = await Share.make(nodes, pages=1, prot=1, file=file)
        mm, other = share.source.mm, nodes.home.machine.new_mm("other")
        await mm.mprotect(AREA, PAGE, RW)
        await other.mmap(AREA, PAGE, 1, fixed=True, file=file)
        await mm.load(AREA, 1)
        await other.load(AREA, 1)
        user, attachment = await share.user(where)
        assert await user.load(attachment.vaddr, 4) == bytes(4)
        await register(mm, _Touch(other))
        assert await nodes.home.machine.reclaim(1) == 0 and not mm.page_table.get(AREA >> 12)
        await mm.store(AREA, b"new")
        assert await user.load(attachment.vaddr, 3) == b"new"
        await mm.exit()
        await other.exit()
        await truncate(file, 0)

    play(body)


@pytest.mark.parametrize("where", WHERE)
def test_writeback_write_protects_attachments_too(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        file = nodes.home.machine.new_file("data", 4)
        share = await Share.make(nodes, file=file, shared=True)
        user, attachment = await touch(share, where)
        assert await writeback(file) == 4 and not attachment.table()
        assert file.store[1][:4] == b"user"
        await user.load(attachment.vaddr, 1)
        assert attachment.table()[0][1] is False
        await user.store(attachment.vaddr, b"more")
        assert await writeback(file) == 1 and file.store[0][:4] == b"more"
        await truncate(file, 0)

    play(body)


@pytest.mark.parametrize("where", WHERE)
def test_today_writeback_leaves_writable_attachments_and_detach_says_dirty(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        await _dirty_by_detach(nodes, where)

    play(body, TODAY)


async def _dirty_by_detach(nodes: Nodes, where: Where) -> None:
    file = nodes.home.machine.new_file("data", 1)
    share = await Share.make(nodes, pages=1, file=file, shared=True)
    user, attachment = await touch(share, where, 1)
    assert await writeback(file) == 1 and attachment.table()[0][1]
    await user.store(attachment.vaddr, b"late")  # behind the VM's back: the entry is clean
    await user.detach(attachment.vaddr)
    await writeback(file)
    stored = file.store[0][:4]
    await truncate(file, 0)
    assert stored == b"late"


@pytest.mark.parametrize("where", WHERE)
def test_use_by_an_attachment_keeps_a_page_young(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes, pages=1)
        user, attachment = await share.user(where)
        notifier = share.source.notifier
        await user.load(attachment.vaddr, 1)

        async def age() -> bool:
            young = await share.source.mm.notifiers.age_page(AREA)
            await nodes.sched.sleep(4 * timing.LINK_LATENCY)
            return young

        assert await age()  # the fill
        if where == "remote":
            assert await age()  # the access, of which the last question has heard
        assert not await age() and not await age()
        await user.load(attachment.vaddr, 1)
        # Another partition answers for the next question.
        assert [await age(), await age(), await age()] == ([False, True, False] if where == "remote" else [True, False, False])
        assert notifier.part.stats.age_sent == (7 if where == "remote" else 0)

    play(body)


# ---- with faults and accesses under way ---------------------------------------------------------------------------------


def test_exit_of_a_source_with_accesses_under_way() -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        users = [await touch(share, where) for where in WHERE]

        async def hammer(user: Any, attachment: Any) -> int:
            for count in range(10_000):
                try:
                    await user.store(attachment.vaddr + count % 4 * PAGE, b"x")
                except MmError as error:
                    assert error.errno == errno.EFAULT
                    return count
            raise AssertionError("nobody stopped it")

        tasks = [nodes.sched.spawn(hammer(*pair), "hammer", 2 + n) for n, pair in enumerate(users)]
        await nodes.sched.sleep(5000)
        await share.source.mm.exit()
        assert all([await nodes.sched.join(task) > 2 for task in tasks])

    play(body)


def test_get_user_pages_of_a_fault_may_reclaim_what_is_attached() -> None:
    """Faults of another partition take memory, memory is taken back from that partition, and its acknowledgement comes by the
    channel that brought the fault."""

    async def body(nodes: Nodes) -> None:
        source = await nodes.process(nodes.home, "source")
        await source.mm.mmap(AREA, 40 * PAGE, RW, fixed=True)
        share = Share(nodes, source, await source.make(AREA, 40 * PAGE))
        user, attachment = await share.user("remote")
        for page in range(40):
            await user.store(attachment.vaddr + page * PAGE, content(page))
        for page in range(40):
            assert await user.load(attachment.vaddr + page * PAGE, 16) == content(page)

    nodes = play(body, frames=24)
    assert nodes.home.stats.rmap_recalls > 20


def test_everything_may_be_attached_both_ways() -> None:
    async def body(nodes: Nodes) -> None:
        pairs = []
        for part, other in (nodes.parts, reversed(nodes.parts)):
            source = await nodes.process(part, "source")
            await source.mm.mmap(AREA, 20 * PAGE, RW, fixed=True)
            segid = await source.make(AREA, 20 * PAGE)
            user = await nodes.process(other, "user")
            pairs.append((user, await user.attach(await user.get(segid, RDWR), 0, 20 * PAGE)))

        async def work(user: Any, attachment: Any) -> None:
            for page in range(60):
                await user.store(attachment.vaddr + page % 20 * PAGE, content(page))

        tasks = [nodes.sched.spawn(work(*pair), "work", 2 + n) for n, pair in enumerate(pairs)]
        for task in tasks:
            await nodes.sched.join(task)

    nodes = play(body, frames=16)
    assert all(part.stats.rmap_recalls > 20 for part in nodes.parts)
