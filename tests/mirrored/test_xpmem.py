"""XPMEM's own tests (hpc/xpmem test/), each under its original name: process 1 offers memory, process 2 attaches it and adds one to
every integer, process 1 looks.

Each is played with both processes on one machine and with process 2 in another partition, in both styles; and in style "v6" under
memory pressure: the machine whose memory it is reclaims and migrates all the while and has few frames to spare.

What differs: a share is of 8 pages, not 4 MiB; one integer in every 64 bytes is looked at, for an access is a step of the
scheduler; the two processes wait for each other by an event, not by a file lock and by polling.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import pytest
from support.xpmem_rig import PAGE, RW, WHERE, Nodes, Where

from sw_stack.drivers.xpmem import RDWR, Attachment, ThreadGroup, XpmemId, XpmemPolicy
from sw_stack.mm.secondary import DeadTranslationError
from sw_stack.sched import WaitQueue

SHARE_PAGES = 8
SHARE_SIZE = SHARE_PAGES * PAGE
STRIDE = 64  # bytes from one integer to the next
SHARE_INTS = SHARE_SIZE // STRIDE
PAGE_INTS = PAGE // STRIDE

Style = Literal["v6", "today"]


class Stage:
    """Two processes, and where each has come to."""

    def __init__(self, nodes: Nodes, where: Where) -> None:
        self.nodes = nodes
        self._where = where
        self._marks: set[str] = set()
        self._queue = WaitQueue(nodes.sched, "the other process")
        self.segids: list[XpmemId] = []
        self.proc1: ThreadGroup
        self.proc2: ThreadGroup

    async def open(self) -> None:
        self.proc1 = await self.nodes.process(self.nodes.home, "proc1")
        self.proc2 = await self.nodes.process(self.nodes.part(self._where), "proc2")

    def mark(self, what: str) -> None:
        self._marks.add(what)
        self._queue.wake_all()

    async def wait(self, what: str) -> None:
        await self._queue.wait_event(lambda: what in self._marks)

    # ---- process 1 -------------------------------------------------------------------------------------------------

    async def make_share(self) -> int:
        """Memory whose integers count up from zero, offered; where it is."""
        data = await self.proc1.mm.mmap(None, SHARE_SIZE, RW)
        for i in range(SHARE_INTS):
            await put(self.proc1, data, i, i)
        self.segids.append(await self.proc1.make(data, SHARE_SIZE, 0o666))
        return data

    async def unmake_share(self, number: int, data: int) -> None:
        await self.proc1.remove(self.segids[number])
        await self.proc1.mm.munmap(data, SHARE_SIZE)

    async def verify(self, data: int, added: Callable[[int], int]) -> None:
        for i in range(SHARE_INTS):
            assert await get(self.proc1, data, i) == i + added(i), f"integer {i}"

    # ---- process 2 -------------------------------------------------------------------------------------------------

    async def attach_segid(self, number: int) -> Attachment:
        apid = await self.proc2.get(self.segids[number], RDWR)
        return await self.proc2.attach(apid, 0, SHARE_SIZE)

    async def leave(self, *attachments: Attachment) -> None:
        for attachment in attachments:
            await self.proc2.detach(attachment.vaddr)
        for apid in {attachment.apid: None for attachment in attachments}:
            await self.proc2.release(apid)


async def get(tg: ThreadGroup, base: int, i: int) -> int:
    return int.from_bytes(await tg.load(base + i * STRIDE, 4), "little")


async def put(tg: ThreadGroup, base: int, i: int, value: int) -> None:
    await tg.store(base + i * STRIDE, value.to_bytes(4, "little"))


async def add(tg: ThreadGroup, base: int, i: int) -> None:
    await put(tg, base, i, await get(tg, base, i) + 1)


# ---- the four -----------------------------------------------------------------------------------------------------------


async def base_1(s: Stage, added: int = 1) -> None:
    data = await s.make_share()
    s.mark("shared")
    await s.wait("proc2 done")
    await s.verify(data, lambda _i: added)
    await s.unmake_share(0, data)


async def base_2(s: Stage) -> None:
    await s.wait("shared")
    data = await s.attach_segid(0)
    for i in range(SHARE_INTS):
        assert await get(s.proc2, data.vaddr, i) == i
        await add(s.proc2, data.vaddr, i)
    await s.leave(data)


async def two_attach_1(s: Stage) -> None:
    await base_1(s, added=2)


async def two_attach_2(s: Stage) -> None:
    await s.wait("shared")
    data = [await s.attach_segid(0), await s.attach_segid(0)]
    for i in range(SHARE_INTS):
        assert await get(s.proc2, data[0].vaddr, i) == i
        await add(s.proc2, data[0].vaddr, i)
        await add(s.proc2, data[1].vaddr, i)
    await s.leave(*data)


async def two_shares_1(s: Stage) -> None:
    data = [await s.make_share(), await s.make_share()]
    s.mark("shared")
    await s.wait("proc2 done")
    for number in (0, 1):
        await s.verify(data[number], lambda _i: 1)
        await s.unmake_share(number, data[number])


async def two_shares_2(s: Stage) -> None:
    await s.wait("shared")
    data = [await s.attach_segid(0), await s.attach_segid(1)]
    for i in range(SHARE_INTS):
        for attachment in data:
            assert await get(s.proc2, attachment.vaddr, i) == i
        for attachment in data:
            await add(s.proc2, attachment.vaddr, i)
    await s.leave(*data)


async def fork_1(s: Stage) -> None:
    data = await s.make_share()
    s.mark("shared")
    await s.wait("proc2 pinned")
    child = await s.proc1.mm.fork("child")
    for i in range(SHARE_INTS):
        await add(s.proc1, data, i)  # copy on write: the page process 2 has seen stays the child's
    s.mark("cow")
    await s.wait("proc2 done")
    await s.verify(data, lambda i: 2 if PAGE_INTS <= i < 2 * PAGE_INTS else 1)
    for i in range(SHARE_INTS):
        assert int.from_bytes(await child.load(data + i * STRIDE, 4), "little") == i
    await s.unmake_share(0, data)


async def fork_2(s: Stage) -> None:
    await s.wait("shared")
    apid = await s.proc2.get(s.segids[0], RDWR)
    data = await s.proc2.attach(apid, PAGE, PAGE)
    for i in range(PAGE_INTS):
        assert await get(s.proc2, data.vaddr, i) == PAGE_INTS + i
    s.mark("proc2 pinned")
    await s.wait("cow")
    for i in range(PAGE_INTS):
        await add(s.proc2, data.vaddr, i)
    await s.leave(data)


Half = Callable[[Stage], Coroutine[Any, Any, None]]


def run(one: Half, two: Half, where: Where, policy: XpmemPolicy, pressure: int | None = None) -> Nodes:
    """Both halves, on their own or under pressure of this seed."""
    nodes = Nodes(128 if pressure is None else 28, policy=policy, seed=pressure)
    stage = Stage(nodes, where)
    rng = random.Random(pressure)
    nodes.run(stage.open())

    async def second() -> None:
        await two(stage)
        stage.mark("proc2 done")

    async def first() -> None:
        await one(stage)
        stage.mark("over")

    async def press() -> None:
        """Reclaim and migration, without end."""
        machine = nodes.home.machine
        while "over" not in stage._marks:
            await nodes.sched.sleep(rng.randrange(8000))
            mms = [mm for mm in machine.mms.values() if mm.alive]
            pages = [entry.vpn for mm in mms for entry in mm.page_table.entries(0, 1 << 52)]
            if pages and rng.random() < 0.5:
                await machine.migrate_page(rng.choice(mms), rng.choice(pages) * PAGE)
            else:
                await machine.reclaim(rng.randrange(1, 5))

    bodies = [first(), second()]
    if pressure is not None:
        nodes.home.machine.start_kswapd(2)
        bodies.append(press())
    nodes.run(*bodies)
    nodes.finish()
    return nodes


@pytest.mark.parametrize("style", ["v6", "today"])
@pytest.mark.parametrize("where", WHERE)
def test_base(where: Where, style: Style) -> None:
    nodes = run(base_1, base_2, where, XpmemPolicy(style=style))
    assert nodes.home.stats.pages_entered == SHARE_PAGES


@pytest.mark.parametrize("style", ["v6", "today"])
@pytest.mark.parametrize("where", WHERE)
def test_two_attach(where: Where, style: Style) -> None:
    nodes = run(two_attach_1, two_attach_2, where, XpmemPolicy(style=style))
    assert nodes.home.stats.pages_entered == 2 * SHARE_PAGES


@pytest.mark.parametrize("style", ["v6", "today"])
@pytest.mark.parametrize("where", WHERE)
def test_two_shares(where: Where, style: Style) -> None:
    nodes = run(two_shares_1, two_shares_2, where, XpmemPolicy(style=style))
    assert nodes.home.stats.pages_entered == 2 * SHARE_PAGES


@pytest.mark.parametrize("style", ["v6", "today"])
@pytest.mark.parametrize("where", WHERE)
def test_fork(where: Where, style: Style) -> None:
    nodes = run(fork_1, fork_2, where, XpmemPolicy(style=style))
    assert nodes.home.stats.pages_entered == 2  # the page before the copy, and the copy
    assert nodes.home.machine.statistic("fault_cow") == SHARE_PAGES


ALL: dict[str, tuple[Half, Half]] = {
    "base": (base_1, base_2),
    "two_attach": (two_attach_1, two_attach_2),
    "two_shares": (two_shares_1, two_shares_2),
    "fork": (fork_1, fork_2),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("where", WHERE)
def test_under_memory_pressure(name: str, where: Where) -> None:
    total = dict.fromkeys(("rmap_recalls", "swapped_out", "migrated"), 0)
    for seed in range(4):
        nodes = run(*ALL[name], where, XpmemPolicy(), pressure=seed)
        total["rmap_recalls"] += nodes.home.stats.rmap_recalls
        for what in ("swapped_out", "migrated"):
            total[what] += nodes.home.machine.statistic(what)
    assert all(total.values()), total


@pytest.mark.parametrize("name", ["base", "two_shares"])
def test_without_acknowledgements_the_suite_does_not_pass(name: str) -> None:
    with pytest.raises((DeadTranslationError, AssertionError)):
        for seed in range(10):
            run(*ALL[name], "remote", XpmemPolicy(mutant="no_remote_ack"), pressure=seed)
