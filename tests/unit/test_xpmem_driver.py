"""XPMEM as a client of the notifiers: what takes pages back from attachments, who waits for whom, and what the styles differ in."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from support.xpmem_rig import AREA, PAGE, RW, WHERE, Nodes, Share, Where, at, content, play, refused
from unit.mm_rig import register

from hwif.gen import timing
from sw_stack.drivers.xpmem import RDWR, XpmemPolicy
from sw_stack.mm import Mm, MmError
from sw_stack.mm.filemap import truncate, writeback
from sw_stack.mm.frames import Frame
from sw_stack.mm.oom import oom_reap
from sw_stack.notifier import MmuNotifier, MmuRmapNotifier
from sw_stack.sched import LockdepError

TODAY = XpmemPolicy(style="today")


async def touch(share: Share, where: Where, pages: int = 4) -> Any:
    """A user that has stored to every page."""
    user, attachment = await share.user(where)
    for page in range(pages):
        await user.store(attachment.vaddr + page * PAGE, b"user")
    return user, attachment


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


# ---- ranges -------------------------------------------------------------------------------------------------------------


async def munmap(mm: Mm) -> None:
    await mm.munmap(at(1), 2 * PAGE)


async def madvise(mm: Mm) -> None:
    await mm.madvise_dontneed(at(1), 2 * PAGE)


async def mprotect(mm: Mm) -> None:
    await mm.mprotect(at(1), 2 * PAGE, 1)


async def mremap(mm: Mm) -> None:
    await mm.mremap(at(1), 2 * PAGE, 2 * PAGE, new=at(100))


@pytest.mark.parametrize("style", ["v6", "today"])
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("change", [munmap, madvise, mprotect, mremap])
def test_a_range_takes_back_what_it_covers_and_no_more(where: Where, change: Any, style: Any) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await touch(share, where)
        await change(share.source.mm)
        assert sorted(attachment.table()) == [0, 3] and nodes.home.stats.pages_recalled == 2
        assert await user.load(attachment.vaddr + 3 * PAGE, 4) == b"user"
        match change:
            case _ if change is madvise:
                assert await user.load(attachment.vaddr + PAGE, 4) == bytes(4)
            case _ if change is mprotect:
                assert await user.load(attachment.vaddr + PAGE, 4) == b"user"
                await refused(user.store(attachment.vaddr + PAGE, b"x"), errno.EFAULT)
                await share.source.mm.mprotect(at(1), 2 * PAGE, RW)
                await user.store(attachment.vaddr + PAGE, b"x")  # the right comes back by a fault (row 12)
            case _:
                await refused(user.load(attachment.vaddr + PAGE, 4), errno.EFAULT)

    play(body, XpmemPolicy(style=style))


@pytest.mark.parametrize("where", WHERE)
def test_a_fault_waits_until_the_range_has_ended(where: Where) -> None:
    """The begin has let go of the page, the page table still has it: nobody may enter it again."""

    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await touch(share, where)
        mm = share.source.mm
        async with mm.notifiers.range(at(0), at(1)):
            assert sorted(attachment.table()) == [1, 2, 3] and share.source.gate.n_recall_pfns == 1
            early = nodes.sched.spawn(user.load(attachment.vaddr, 4), "early", 3)
            await nodes.sched.sleep(20 * timing.SW_MINOR_FAULT)
            assert not early.finished and nodes.home.stats.fault_blocked == 1
            async with mm.notifiers.range(at(2), at(3)):  # nested, and concurrent ones, count
                assert share.source.gate.n_recall_pfns == 2
            await nodes.sched.sleep(timing.SW_MINOR_FAULT)
            assert not early.finished
        assert await nodes.sched.join(early) == b"user"

    play(body)


def test_begin_returns_when_every_partition_has_acknowledged() -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes, pages=2)
        await touch(share, "remote", 2)
        await touch(share, "local", 2)
        begun = nodes.sched.now
        await share.source.mm.munmap(AREA, 2 * PAGE)
        assert nodes.sched.now - begun > 2 * timing.LINK_LATENCY + timing.SW_CPU_TLB_FLUSH

    nodes = play(body)
    assert nodes.fabric.statistics()["Invalidate"] == 1 and nodes.parts[1].stats.invalidates_taken == 1


@pytest.mark.parametrize("where", WHERE)
def test_truncate_may_not_sleep_and_spins_for_the_acknowledgement(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        file = nodes.home.machine.new_file("data", 4)
        share = await Share.make(nodes, file=file, shared=True)
        user, attachment = await touch(share, where)
        await truncate(file, 2)
        assert sorted(attachment.table()) == [0, 1]
        await refused(user.load(attachment.vaddr + 2 * PAGE, 1), errno.EFAULT)
        await truncate(file, 0)

    nodes = play(body)
    assert nodes.home.stats.acks_spun == (2 if where == "remote" else 0)


@pytest.mark.parametrize("style", ["v6", "today"])
def test_sleeping_in_a_range_that_may_not_is_a_broken_rule(style: Any) -> None:
    """V6 gives XPMEM no way out: it must sleep for acknowledgements, and truncate holds a spinlock."""

    async def body(nodes: Nodes) -> None:
        file = nodes.home.machine.new_file("data", 4)
        share = await Share.make(nodes, file=file, shared=True)
        await touch(share, "remote")
        await truncate(file, 2)

    operation, client = ("invalidate_range_begin", "V6Notifier") if style == "v6" else ("invalidate_range_end", "OwnerNotifier")
    with pytest.raises(LockdepError) as caught:
        play(body, XpmemPolicy(style=style, atomic_range="sleep"))
    text = str(caught.value)
    assert f"MN-2: in {operation} of <{client} of source>: sleeping while atomic: allow_recall_PFNs[source]" in text
    assert "under i_mmap_lock[data]" in text and "truncate (filemap.py" in text


@pytest.mark.parametrize("where", WHERE)
def test_the_oom_reaper_goes_without_what_it_would_have_to_wait_for(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        _user, attachment = await touch(share, where)
        skipped = await oom_reap(share.source.mm)
        assert skipped == (1 if where == "remote" else 0)
        assert len(attachment.table()) == (4 if where == "remote" else 0)
        assert share.source.gate.open

    nodes = play(body)
    assert nodes.home.stats.ranges_refused == (1 if where == "remote" else 0)


@pytest.mark.parametrize("where", WHERE)
def test_today_a_range_of_somebody_else_takes_nothing_back(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await touch(share, where)
        held = attachment.table()
        stranger = nodes.sched.spawn(share.source.mm.madvise_dontneed(at(0), 2 * PAGE), "process_madvise", 5)
        await nodes.sched.join(stranger)
        assert attachment.table() == held and nodes.home.stats.ranges_ignored == 1
        assert await share.source.load(at(0), 4) == bytes(4)
        assert await user.load(attachment.vaddr, 4) == b"user", "two pages where the source has one"
        await share.source.mm.madvise_dontneed(at(0), 2 * PAGE)
        assert await user.load(attachment.vaddr, 4) == bytes(4)

    play(body, TODAY)


@pytest.mark.parametrize("where", WHERE)
def test_today_a_write_fault_replaces_the_page_nobody_told_of(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes, pages=1)
        user, attachment = await share.user(where)
        await share.source.mm.mprotect(AREA, PAGE, 1)
        assert await user.load(attachment.vaddr, 16) == content(0)

        async def strange() -> None:
            await share.source.mm.madvise_dontneed(AREA, PAGE)
            await share.source.mm.mprotect(AREA, PAGE, RW)
            await share.source.mm.store(AREA, b"new")

        await nodes.sched.join(nodes.sched.spawn(strange(), "stranger", 5))
        assert await user.load(attachment.vaddr, 16) == content(0)
        await user.store(attachment.vaddr + 8, b"w")
        assert await user.load(attachment.vaddr, 9) == await share.source.load(AREA, 9) == b"new\0\0\0\0\0w"

    play(body, TODAY)


def test_who_belongs_can_be_said() -> None:
    async def body(nodes: Nodes) -> None:
        source = await nodes.process(nodes.home, "source", belongs=lambda task: task.name.startswith("thread"))
        await source.mm.mmap(AREA, PAGE, RW, fixed=True)
        share = Share(nodes, source, await source.make(AREA, PAGE))
        _user, attachment = await touch(share, "local", 1)
        await source.mm.madvise_dontneed(AREA, PAGE)
        assert attachment.table()
        await nodes.sched.join(nodes.sched.spawn(source.mm.madvise_dontneed(AREA, PAGE), "thread 2", 5))
        assert not attachment.table()

    play(body, TODAY)


def test_copy_on_write_after_fork_moves_the_attachment_along() -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        users = [await touch(share, where) for where in WHERE]
        child = await share.source.mm.fork("child")
        for user, attachment in users:
            assert not attachment.table()
            assert await user.load(attachment.vaddr, 4) == b"user" and attachment.table()[0][1] is False
        await users[1][0].store(users[1][1].vaddr, b"mine")
        assert not users[0][1].table()  # the copy was a range: the other's read-only translation went
        assert await users[0][0].load(users[0][1].vaddr, 4) == await share.source.load(AREA, 4) == b"mine"
        assert await child.load(AREA, 4) == b"user"

    play(body)


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
