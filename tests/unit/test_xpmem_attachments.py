"""What becomes of XPMEM's attachments by fork, exit and unmapping, of either side and of both at once."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.xpmem_rig import AREA, PAGE, RW, WHERE, Nodes, Share, Where, at, content, play, refused
from xpmem_users import ELSEWHERE

from hwif.gen import timing
from sw_stack.drivers.xpmem import RDWR, ThreadGroup, XpmemId, XpmemPolicy
from sw_stack.mm import MmError


@pytest.mark.parametrize("where", WHERE)
def test_both_sides_see_one_memory(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await share.user(where)
        assert await user.load(attachment.vaddr + PAGE - 4, 8) == bytes(4) + content(1)[:4]
        await user.store(attachment.vaddr + 2 * PAGE - 4, b"straddle")
        assert await share.source.load(at(2) - 4, 8) == b"straddle"
        await share.source.store(at(3), b"back")
        assert await user.load(attachment.vaddr + 3 * PAGE, 4) == b"back"
        await user.mm.mmap(ELSEWHERE, PAGE, RW, fixed=True)
        await user.store(ELSEWHERE, b"own")
        assert await user.load(ELSEWHERE, 3) == b"own"

    nodes = play(body)
    assert nodes.part(where).stats.faults_remote == (nodes.part(where).stats.faults if where == "remote" else 0)


@pytest.mark.parametrize("where", WHERE)
def test_a_child_inherits_no_attachment(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await share.user(where)
        assert await user.load(attachment.vaddr, 4) == content(0)[:4]
        child = await user.mm.fork("child")
        await refused(child.load(attachment.vaddr, 4), errno.EFAULT)
        await refused(child.store(attachment.vaddr, b"x"), errno.EFAULT)
        group = await user.partition.open(child)
        await refused(group.load(attachment.vaddr, 4), errno.EFAULT)
        assert await user.load(attachment.vaddr, 4) == content(0)[:4]

    play(body)


@pytest.mark.parametrize("where", WHERE)
def test_a_removed_segment_gives_its_pages_back_and_its_attachments_fault(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await share.user(where)
        await user.load(attachment.vaddr, 4)
        await share.source.remove(share.segid)
        assert not attachment.table() and nodes.home.stats.pages_released == 1
        assert "removed" in await refused(user.load(attachment.vaddr, 4), errno.EFAULT)
        await user.detach(attachment.vaddr)

    play(body)


@pytest.mark.parametrize("where", WHERE)
def test_the_source_may_exit_first(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await share.user(where)
        await user.store(attachment.vaddr, b"x")
        await share.source.mm.exit()
        assert nodes.home.machine.frames.free == nodes.home.machine.frames.count
        await refused(user.load(attachment.vaddr, 4), errno.EFAULT)
        await user.mm.exit()

    play(body)


@pytest.mark.parametrize("where", WHERE)
def test_the_user_may_exit_or_close_first(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        for leave in ("exit", "close"):
            user, attachment = await share.user(where)
            await user.store(attachment.vaddr, b"x")
            assert nodes.home.exports
            await (user.mm.exit() if leave == "exit" else user.close())
            assert not nodes.home.exports
            await refused(user.make(AREA, PAGE), errno.ESRCH)
            await user.close()
        assert await share.source.load(AREA, 1) == b"x"

    play(body)


async def _unmap_all(user: ThreadGroup, where: int) -> None:
    await user.mm.munmap(where, 4 * PAGE)


async def _unmap_part(user: ThreadGroup, where: int) -> None:
    await user.mm.munmap(where + PAGE, PAGE)


async def _map_over(user: ThreadGroup, where: int) -> None:
    await user.mm.mmap(where + 3 * PAGE, 4 * PAGE, RW, fixed=True)


async def _protect(user: ThreadGroup, where: int) -> None:
    await user.mm.mprotect(where, PAGE, RW)


async def _move(user: ThreadGroup, where: int) -> None:
    await user.mm.mremap(where, PAGE, PAGE, new=ELSEWHERE)


@pytest.mark.parametrize("style", ["v6", "today"])
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("unmap", [_unmap_all, _unmap_part, _map_over, _protect, _move])
def test_unmapping_an_attachment_kills(where: Where, unmap: Callable[[ThreadGroup, int], Awaitable[None]], style: Any) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await share.user(where)
        await user.store(attachment.vaddr, b"x")
        await user.mm.madvise_dontneed(attachment.vaddr, PAGE)  # drops nothing: the area is empty
        assert await user.load(attachment.vaddr, 1) == b"x" and not user.killed
        await unmap(user, attachment.vaddr)
        assert "SIGKILL" in await refused(user.load(attachment.vaddr, 1), errno.EFAULT)
        await refused(user.make(AREA, PAGE), errno.EFAULT)
        await user.mm.exit()
        assert user.partition.stats.killed == 1 and not nodes.home.exports
        assert await share.source.load(AREA, 1) == b"x"

    play(body, XpmemPolicy(style=style))


@pytest.mark.parametrize("where", WHERE)
def test_a_hole_in_the_source_is_a_signal_in_the_user(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await share.user(where)
        await user.load(attachment.vaddr + PAGE, 1)
        await share.source.mm.munmap(at(1), PAGE)
        await refused(user.load(attachment.vaddr + PAGE, 1), errno.EFAULT)
        await share.source.mm.mmap(at(1), PAGE, RW, fixed=True)  # the segment is of addresses, not of what was mapped there
        assert await user.load(attachment.vaddr + PAGE, 4) == bytes(4)

    play(body)


@pytest.mark.parametrize("where", WHERE)
def test_unmapping_an_attachment_of_ones_own_memory_kills_and_waits_for_nothing(where: Where) -> None:
    """munmap holds the mmap_lock for which a fault of the attachment waits."""

    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        alias = await share.attach(share.source)
        if where == "remote":  # the fault takes the lock of a process that munmap of another machine's has nothing to do with
            _user, alias = await share.user("remote")
        owner = alias.tg
        faults = [nodes.sched.spawn(_until_killed(owner, alias.vaddr + page * PAGE), "fault", page) for page in range(4)]
        await owner.mm.munmap(alias.vaddr + PAGE, PAGE)
        for fault in faults:
            await nodes.sched.join(fault)
        assert owner.killed
        await owner.mm.exit()

    play(body)


async def _until_killed(tg: ThreadGroup, address: int) -> None:
    with pytest.raises(MmError):
        while True:
            await tg.load(address, 1)


@pytest.mark.parametrize("where", WHERE)
def test_release_while_an_attachment_is_being_made(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user = await nodes.process(nodes.part(where), "user")
        apid = await user.get(share.segid, RDWR)
        await user.mm.mmap_lock.down_read()  # attach comes as far as its mmap
        attach = nodes.sched.spawn(_refuse_attach(user, apid), "attach", 3)
        await nodes.sched.sleep(10 * timing.LINK_LATENCY)
        await user.release(apid)
        user.mm.mmap_lock.up_read()
        await nodes.sched.join(attach)
        assert not user.attachments and not len(user.mm.vmas) and not nodes.home.exports

    play(body)


async def _refuse_attach(user: ThreadGroup, apid: XpmemId) -> None:
    await refused(user.attach(apid, 0, PAGE), errno.ENOENT)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("seed", range(8))
def test_everybody_leaves_at_once(where: Where, seed: int) -> None:
    """Detach twice, release, remove, close and exit of both sides, in whatever order."""

    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await share.user(where)
        for page in range(4):
            await user.store(attachment.vaddr + page * PAGE, b"user")
        calls = [
            user.detach(attachment.vaddr),
            user.detach(attachment.vaddr + PAGE),
            user.release(attachment.apid),
            share.source.remove(share.segid),
            user.close(),
            share.source.close(),
            user.mm.exit(),
            share.source.mm.exit(),
        ]
        tasks = [nodes.sched.spawn(_tolerant(call), f"leave {n}", n) for n, call in enumerate(calls)]
        for task in tasks:
            await nodes.sched.join(task)
        assert not nodes.home.exports and not attachment.table()

    play(body, seed=seed)


async def _tolerant(call: Awaitable[Any]) -> None:
    try:
        await call
    except MmError as error:
        assert error.errno in (errno.ENOENT, errno.ESRCH), error
