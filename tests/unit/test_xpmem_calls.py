"""XPMEM's calls: what they do, and the module's errors."""

from __future__ import annotations

import errno

import pytest
from support.xpmem_rig import AREA, PAGE, RW, WHERE, Nodes, Share, Where, at, content, play, refused
from xpmem_users import ELSEWHERE

from sw_stack.drivers.xpmem import MAXADDR_SIZE, PERMIT_MODE, RDONLY, RDWR, XpmemId, XpmemPolicy

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


# ---- open ---------------------------------------------------------------------------------------------------------------


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
