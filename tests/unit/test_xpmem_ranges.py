"""XPMEM as a client of the notifiers: what a range takes back, who waits for whom, and what the styles differ in."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from support.xpmem_rig import AREA, PAGE, RW, WHERE, Nodes, Share, Where, at, content, play, refused
from xpmem_users import TODAY, touch

from hwif.gen import timing
from sw_stack.drivers.xpmem import XpmemPolicy
from sw_stack.mm import Mm
from sw_stack.mm.filemap import truncate
from sw_stack.mm.oom import oom_reap
from sw_stack.sched import LockdepError


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
