"""XPMEM's calls: what they do, and the module's errors; what becomes of attachments by fork, exit and unmapping."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.xpmem_rig import AREA, PAGE, RW, WHERE, Nodes, Share, Where, at, content, play, refused

from hwif.gen import timing
from sw_stack.drivers.xpmem import MAXADDR_SIZE, PERMIT_MODE, RDONLY, RDWR, ThreadGroup, XpmemId, XpmemPolicy
from sw_stack.mm import MmError

ELSEWHERE = 0x20_0000_0000


# ---- make, remove -------------------------------------------------------------------------------------------------------


def test_make_takes_whole_pages_within_the_address_space() -> None:
    async def body(nodes: Nodes) -> None:
        tg = await nodes.process(nodes.home, "a")
        for vaddr, size in (
            (AREA, 0),
            (AREA + 1, PAGE),
            (AREA, PAGE + 1),
            (AREA, -PAGE),
            (-PAGE, PAGE),
            ((1 << 64) - PAGE, 2 * PAGE),
        ):
            await refused(tg.make(vaddr, size), errno.EINVAL)
        await refused(tg.make(AREA, PAGE, 0o1600), errno.EINVAL)
        await refused(tg.make(AREA, PAGE, permit_type=PERMIT_MODE + 1), errno.EINVAL)
        last = await tg.make((1 << 64) - PAGE, PAGE)
        assert tg.segments[last].vaddr + tg.segments[last].size == 1 << 64
        whole = await tg.make(AREA, MAXADDR_SIZE)
        assert tg.segments[whole].size == (1 << 64) - AREA

    play(body)


def test_ids_name_process_and_partition_and_are_never_given_out_again() -> None:
    async def body(nodes: Nodes) -> None:
        seen = set[XpmemId]()
        for part in nodes.parts:
            tg = await nodes.process(part, "a")
            for _ in range(3):
                segid = await tg.make(AREA, PAGE)
                assert (segid.tgid, segid.partid) == (tg.mm.id, part.partid) and segid.valid
                seen.add(segid)
                seen.add(await tg.get(segid, RDWR))
                await tg.remove(segid)
        assert len(seen) == 12

    play(body)


def test_remove_is_the_owners() -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        other = await nodes.process(nodes.home, "other")
        await refused(other.remove(share.segid), errno.EACCES)
        await refused(share.source.remove(XpmemId(0, 1, 0)), errno.EINVAL)
        await refused(share.source.remove(share.segid._replace(tgid=77)), errno.ENOENT)
        await share.source.remove(share.segid)
        await refused(share.source.remove(share.segid), errno.ENOENT)
        await refused(other.get(share.segid, RDWR), errno.ENOENT)

    play(body)


# ---- get, release -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", WHERE)
def test_get_checks_its_arguments_and_the_id(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user = await nodes.process(nodes.part(where), "user")
        await refused(user.get(share.segid, RDONLY | RDWR), errno.EINVAL)
        await refused(user.get(share.segid, 4), errno.EINVAL)
        await refused(user.get(share.segid, RDWR, PERMIT_MODE + 1), errno.EINVAL)
        await refused(user.get(share.segid, RDWR, PERMIT_MODE, 0o600), errno.EINVAL)
        await refused(user.get(XpmemId(1, 0, 0), RDWR), errno.EINVAL)
        await refused(user.get(share.segid._replace(uniq=99), RDWR), errno.ENOENT)
        await refused(user.get(share.segid._replace(partid=7), RDWR), errno.ENOENT)
        await share.source.mm.exit()
        await refused(user.get(share.segid, RDWR), errno.ENOENT)

    play(body)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(
    ("mode", "uid", "gid", "read", "write"),
    [
        (0o600, 1000, 1000, True, True),
        (0o600, 1001, 1000, False, False),
        (0o640, 1001, 1000, True, False),
        (0o666, 1001, 1001, True, True),
        (0o604, 1001, 1001, True, False),
        (0o066, 1000, 1000, False, False),  # the user's own bits count, not the others'
        (0o200, 1000, 1000, False, False),  # access includes reading
        (0o000, 0, 0, True, True),
    ],
)
def test_the_permit_decides_by_user_group_and_others(where: Where, mode: int, uid: int, gid: int, read: bool, write: bool) -> None:
    async def body(nodes: Nodes) -> None:
        source = await nodes.process(nodes.home, "source")
        user = await nodes.process(nodes.part(where), "user", uid=uid, gid=gid)
        segid = await source.make(AREA, PAGE, mode)
        for flags, allowed in ((RDONLY, read), (RDWR, write)):
            if allowed:
                await user.get(segid, flags)
            else:
                await refused(user.get(segid, flags), errno.EACCES)

    play(body)


def test_release_is_the_holders_and_detaches() -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await share.user("local")
        second = await user.attach(attachment.apid, 0, PAGE)
        assert await user.load(attachment.vaddr, 4) == await user.load(second.vaddr, 4) == content(0)[:4]
        await refused(share.source.release(attachment.apid), errno.EACCES)
        await refused(user.release(XpmemId(-1, 1, 0)), errno.EINVAL)
        await user.release(attachment.apid)
        assert not user.attachments and not nodes.home.exports
        await refused(user.load(attachment.vaddr, 4), errno.EFAULT)
        await refused(user.release(attachment.apid), errno.ENOENT)
        await refused(user.attach(attachment.apid, 0, PAGE), errno.ENOENT)

    play(body)


# ---- attach, detach -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", WHERE)
def test_attach_checks_its_arguments(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user = await nodes.process(nodes.part(where), "user")
        apid = await user.get(share.segid, RDWR)
        for offset, size, vaddr in ((1, PAGE, 0), (0, PAGE, 5), (0, 0, 0), (0, -1, 0), (-PAGE, PAGE, 0), (0, PAGE, 1 << 64)):
            await refused(user.attach(apid, offset, size, vaddr), errno.EINVAL)
        await refused(user.attach(apid, PAGE, 4 * PAGE), errno.EINVAL)
        await refused(user.attach(XpmemId(0, 0, 0), 0, PAGE), errno.EINVAL)
        await refused(user.attach(apid._replace(uniq=99), 0, PAGE), errno.ENOENT)
        await refused((await nodes.process(nodes.part(where), "other")).attach(apid, 0, PAGE), errno.EACCES)
        attachment = await user.attach(apid, PAGE, PAGE + 1)
        assert attachment.size == 2 * PAGE  # made whole
        assert await user.load(attachment.vaddr + PAGE, 16) == content(2)
        await share.source.remove(share.segid)
        await refused(user.attach(apid, 0, PAGE), errno.ENOENT)
        assert not [mm for mm in nodes.part(where).machine.mms.values() if mm is user.mm and len(mm.vmas) != 1]

    play(body)


@pytest.mark.parametrize("where", WHERE)
def test_a_place_can_be_asked_for(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user = await nodes.process(nodes.part(where), "user")
        await user.mm.mmap(ELSEWHERE, 4 * PAGE, RW, fixed=True)
        await user.store(ELSEWHERE + PAGE, b"gone")
        await user.store(ELSEWHERE + 3 * PAGE, b"kept")
        attachment = await share.attach(user, 0, 2 * PAGE, vaddr=ELSEWHERE + PAGE)
        assert attachment.vaddr == ELSEWHERE + PAGE
        assert await user.load(ELSEWHERE + 2 * PAGE - 8, 16) == bytes(8) + content(1)[:8]
        assert await user.load(ELSEWHERE + 3 * PAGE, 4) == b"kept"
        await refused(share.attach(user, 0, 2 * PAGE, vaddr=ELSEWHERE + 2 * PAGE), errno.EINVAL)
        await user.detach(ELSEWHERE + 2 * PAGE - 1)
        await share.attach(user, 0, 2 * PAGE, vaddr=ELSEWHERE + 2 * PAGE)

    play(body)


def test_memory_cannot_be_attached_on_itself() -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        apid = await share.source.get(share.segid, RDWR)
        await refused(share.source.attach(apid, 0, 2 * PAGE, at(1)), errno.EINVAL)
        await refused(share.source.attach(apid, 2 * PAGE, 2 * PAGE, at(1)), errno.EINVAL)
        alias = await share.source.attach(apid, 2 * PAGE, 2 * PAGE, at(0))  # the pages it shows are others
        assert await share.source.load(at(0), 16) == content(2)
        await share.source.store(at(0), b"alias")
        assert await share.source.load(at(2), 5) == b"alias"
        await share.source.detach(alias.vaddr)

    play(body)


def test_an_attachment_cannot_be_attached_through() -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await share.user("local")
        again = await user.make(attachment.vaddr, attachment.size)
        third = await nodes.process(nodes.home, "third")
        through = await third.attach(await third.get(again, RDWR), 0, PAGE)
        assert "attachment itself" in await refused(third.load(through.vaddr, 1), errno.EFAULT)

    play(body)


def test_detach_where_nothing_is_does_nothing_and_elsewhere_is_refused() -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user, attachment = await share.user("remote")
        await user.detach(ELSEWHERE)
        await user.mm.mmap(ELSEWHERE, PAGE, RW, fixed=True)
        await refused(user.detach(ELSEWHERE), errno.EINVAL)
        await user.load(attachment.vaddr, 1)
        await user.detach(attachment.end - 1)
        await user.detach(attachment.vaddr)
        assert user.mm.vmas.find(attachment.vaddr) is None and nodes.home.stats.pages_released == 1

    play(body)


@pytest.mark.parametrize("where", WHERE)
def test_read_only_access(where: Where) -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user = await nodes.process(nodes.part(where), "user")
        attachment = await share.attach(user, flags=RDONLY)
        assert await user.load(attachment.vaddr, 16) == content(0)
        assert attachment.table() == {0: (attachment.table()[0][0], False)}
        assert "read only" in await refused(user.store(attachment.vaddr, b"x"), errno.EFAULT)

    play(body)


def test_the_module_of_today_attaches_nothing_read_only() -> None:
    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes)
        user = await nodes.process(nodes.home, "user")
        await refused(share.attach(user, flags=RDONLY), errno.EACCES)

    play(body, XpmemPolicy(style="today"))


def test_a_source_that_may_only_be_read_is_read() -> None:
    """Row 26 of the pain points: a fault on a read-only large page looked for the right to write for ever (f0963a6)."""

    async def body(nodes: Nodes) -> None:
        share = await Share.make(nodes, pages=8, huge=14)
        for page in range(8):
            await share.source.mm.store(at(page), content(page))
        await share.source.mm.mprotect(AREA, 8 * PAGE, 1)
        for where in WHERE:
            user, attachment = await share.user(where, f"user {where}")
            for page in range(8):
                assert await user.load(attachment.vaddr + page * PAGE, 16) == content(page)
            assert not any(writable for _pfn, writable in attachment.table().values())
            await refused(user.store(attachment.vaddr, b"x"), errno.EFAULT)

    for policy in (XpmemPolicy(), XpmemPolicy(style="today")):
        play(body, policy)


# ---- what becomes of attachments ----------------------------------------------------------------------------------------


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


def test_a_process_opens_xpmem_once_and_while_it_lives() -> None:
    async def body(nodes: Nodes) -> None:
        tg = await nodes.process(nodes.home, "a")
        await refused(nodes.home.open(tg.mm), errno.EBUSY)
        await tg.close()
        await nodes.home.open(tg.mm)
        await tg.mm.exit()
        await refused(nodes.home.open(tg.mm), errno.ESRCH)
        assert not nodes.home.groups

    play(body)


@pytest.mark.parametrize("field", ["style", "atomic_range", "mutant"])
def test_an_impossible_policy_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} 'nonsense' is not one of"):
        XpmemPolicy(**{field: "nonsense"})  # type: ignore[arg-type]
