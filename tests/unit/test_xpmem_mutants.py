"""Each check the XPMEM driver rests on, with a driver that lacks it: the scene is played as it should be, then broken.

The mistakes of row 26 of the pain points, which the module itself has made, are among them: the pte that vanished after the lookup,
hold and wait between detach and recall, the wrong address space at detach, what a close leaves behind.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Coroutine
from typing import Any, get_args

import pytest
from support.xpmem_rig import AREA, PAGE, RW, WHERE, Nodes, Share, at, content, play
from unit.mm_rig import register

from hwif.gen import timing
from sw_stack.drivers.xpmem import ThreadGroup, XpmemPolicy
from sw_stack.drivers.xpmem.policy import MUTANT_TEXT, Mutant
from sw_stack.mm import MmError
from sw_stack.mm.filemap import truncate, writeback
from sw_stack.mm.secondary import DeadTranslationError
from sw_stack.mm.types import PAGE_SHIFT
from sw_stack.notifier import MmuNotifier
from sw_stack.sched import SeededChooser, WaitQueue

Scene = Callable[[Nodes], Coroutine[Any, Any, None]]
SEEDS = range(60)


class Door:
    """Where one task waits until the test lets it go on."""

    def __init__(self, nodes: Nodes) -> None:
        self._queue = WaitQueue(nodes.sched, "door")
        self._here = self._open = False

    async def hold(self) -> None:
        """The task's: say that it is here, and wait."""
        self._here = True
        self._queue.wake_all()
        await self._queue.wait_event(lambda: self._open)

    async def reached(self) -> None:
        """The test's: until the task is here."""
        await self._queue.wait_event(lambda: self._here)

    def open(self) -> None:
        """Let it go on, now and for ever."""
        self._open = True
        self._queue.wake_all()


class Slow(MmuNotifier):
    """A client that stops in its begin."""

    def __init__(self, nodes: Nodes) -> None:
        self.door = Door(nodes)

    async def invalidate_range_begin(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        await self.door.hold()


async def until_refused(user: ThreadGroup, address: int) -> None:
    """Store until the process gets a signal."""
    while True:
        try:
            await user.store(address, b"again")
        except MmError as error:
            assert error.errno == errno.EFAULT, error
            return


# ---- the scenes ---------------------------------------------------------------------------------------------------------


async def accesses_against_munmap(nodes: Nodes) -> None:
    """Users on both machines store to a page that the source unmaps."""
    share = await Share.make(nodes)
    tasks = []
    for number, where in enumerate((*WHERE, *WHERE)):
        user, attachment = await share.user(where, f"user {number}")
        tasks.append(nodes.sched.spawn(until_refused(user, attachment.vaddr), f"user {number}", number))
    await nodes.sched.sleep(9000)
    await share.source.mm.munmap(AREA, PAGE)
    for task in tasks:
        await nodes.sched.join(task)


async def accesses_against_madvise(nodes: Nodes) -> None:
    """The source drops a page over and over; the fill of a fault and the next invalidation follow each other closely."""
    share = await Share.make(nodes)
    tasks = []
    for number in range(3):
        user, attachment = await share.user("remote", f"user {number}")
        tasks.append(nodes.sched.spawn(until_refused(user, attachment.vaddr), f"user {number}", number))
    for _ in range(20):
        await nodes.sched.sleep(1500)
        await share.source.mm.madvise_dontneed(AREA, PAGE)
    await share.source.mm.munmap(AREA, PAGE)
    for task in tasks:
        await nodes.sched.join(task)


async def detach_against_recall(nodes: Nodes) -> None:
    """A process detaches with accesses under way while the source unmaps."""
    share = await Share.make(nodes)
    user, attachment = await share.user("remote")
    for page in range(4):
        await user.store(attachment.vaddr + page * PAGE, b"user")
    tasks = [nodes.sched.spawn(until_refused(user, attachment.vaddr + page % 4 * PAGE), f"store {page}", page) for page in range(8)]
    await nodes.sched.sleep(3000)
    tasks.append(nodes.sched.spawn(user.detach(attachment.vaddr), "detach", 9))
    for page in range(4):
        await nodes.sched.sleep(600)
        await share.source.mm.madvise_dontneed(at(page), PAGE)
    for task in tasks:
        await nodes.sched.join(task)


async def reclaim_of_attached_pages(nodes: Nodes) -> None:
    """Everything the source has is attached in both partitions, and reclaimed."""
    share = await Share.make(nodes)
    for where in WHERE:
        user, attachment = await share.user(where)
        for page in range(4):
            await user.store(attachment.vaddr + page * PAGE, b"user")
    for _ in range(4):
        await nodes.home.machine.reclaim(4)
    assert not nodes.home.machine.reclaimer.scan.pinned
    assert not nodes.home.machine.shadow_feed.shadow.words.any(), "pages stay that reclaim was to have"


async def the_page_goes_between_lookup_and_lock(nodes: Nodes) -> None:
    """A fault waits for the page lock while the process drops the page and gets another."""
    share = await Share.make(nodes, pages=1)
    user, attachment = await share.user("remote")
    machine, mm = nodes.home.machine, share.source.mm
    frame = machine.frames[mm.shadow.records()[AREA >> PAGE_SHIFT][0]]
    door = Door(nodes)

    async def lock() -> None:
        frame.pins += 1
        async with frame.lock:
            await door.hold()
        machine.unpin(frame)

    locker = nodes.sched.spawn(lock(), "locker", 5)
    await door.reached()
    fault = nodes.sched.spawn(user.load(attachment.vaddr, 16), "fault", 3)
    await nodes.sched.sleep(20 * timing.SW_MINOR_FAULT)
    await mm.madvise_dontneed(AREA, PAGE)
    await mm.store(AREA, b"new")
    door.open()
    await nodes.sched.join(locker)
    assert await nodes.sched.join(fault) == b"new" + bytes(13)
    await user.store(attachment.vaddr, b"NEW")
    assert await mm.load(AREA, 3) == b"NEW"


async def a_fault_inside_a_range(nodes: Nodes) -> None:
    """Another client takes its time over the begin: the page table has the page still, XPMEM has given it up already."""
    mm = nodes.home.machine.new_mm("source")
    slow = Slow(nodes)
    await register(mm, slow)
    source = await nodes.home.open(mm)  # called before the other
    await mm.mmap(AREA, PAGE, RW, fixed=True)
    await mm.store(AREA, content(0))
    share = Share(nodes, source, await source.make(AREA, PAGE))
    user, attachment = await share.user("local")
    assert await user.load(attachment.vaddr, 16) == content(0)
    dropping = nodes.sched.spawn(mm.madvise_dontneed(AREA, PAGE), "madvise", 4)
    await slow.door.reached()
    assert not attachment.table()
    early = nodes.sched.spawn(user.load(attachment.vaddr, 16), "early", 3)
    await nodes.sched.sleep(20 * timing.SW_MINOR_FAULT)
    slow.door.open()
    await nodes.sched.join(dropping)
    assert await nodes.sched.join(early) == await mm.load(AREA, 16) == await user.load(attachment.vaddr, 16) == bytes(16)


async def a_page_shared_with_a_child(nodes: Nodes) -> None:
    """The source's page is its child's too: an attachment reads it, then writes."""
    share = await Share.make(nodes, pages=1)
    user, attachment = await share.user("remote")
    child = await share.source.mm.fork("child")
    assert await user.load(attachment.vaddr, 16) == content(0)
    await user.store(attachment.vaddr, b"user")
    assert await child.load(AREA, 16) == content(0)
    assert await share.source.mm.load(AREA, 4) == b"user"


async def a_store_the_page_table_does_not_know_of(nodes: Nodes) -> None:
    """Style "today": writeback cleans the entry, the attachment goes on writing."""
    file = nodes.home.machine.new_file("data", 1)
    share = await Share.make(nodes, pages=1, file=file, shared=True)
    user, attachment = await share.user("local")
    await user.store(attachment.vaddr, b"soon")
    await writeback(file)
    await user.store(attachment.vaddr, b"late")
    await user.detach(attachment.vaddr)
    await writeback(file)
    stored = file.store[0][:4]
    await truncate(file, 0)
    assert stored == b"late"


async def the_same_address_in_both_processes(nodes: Nodes) -> None:
    """Where one has its attachment the other has memory of its own."""
    share = await Share.make(nodes)
    user, attachment = await share.user("local")
    await share.source.mm.mmap(attachment.vaddr, PAGE, RW, fixed=True)
    await share.source.mm.store(attachment.vaddr, b"own")
    await user.detach(attachment.vaddr)
    assert await share.source.mm.load(attachment.vaddr, 3) == b"own"
    assert user.mm.vmas.find(attachment.vaddr) is None


async def a_process_goes_away(nodes: Nodes) -> None:
    """A user exits with its attachments in place."""
    share = await Share.make(nodes)
    for where in WHERE:
        user, attachment = await share.user(where)
        await user.store(attachment.vaddr, b"user")
        await user.mm.exit()
    assert not nodes.home.exports and nodes.home.stats.pages_released == 2


async def faults_that_need_memory(nodes: Nodes) -> None:
    """Serving a fault takes back a page of the partition that asked."""
    share = await Share.make(nodes, pages=30)
    user, attachment = await share.user("remote")
    for page in range(30):
        await user.store(attachment.vaddr + page * PAGE, b"user")


SCENES: dict[Mutant, tuple[Scene, type[BaseException], str]] = {
    "no_remote_ack": (accesses_against_munmap, DeadTranslationError, "SD-1: <Attachment .* in user .*is revoked"),
    "ack_before_drain": (accesses_against_munmap, DeadTranslationError, "SD-1: <Attachment .* in user .*is revoked"),
    "drop_blind": (detach_against_recall, DeadTranslationError, "SD-1: <Attachment .* in user.*is revoked"),
    "drop_late": (reclaim_of_attached_pages, AssertionError, "Scan.*pinned=[1-9]"),
    "no_export": (reclaim_of_attached_pages, AssertionError, "Scan.*pinned=[1-9]"),
    "pte_vanished": (the_page_goes_between_lookup_and_lock, AssertionError, "new"),
    "ignore_recall": (a_fault_inside_a_range, AssertionError, "x01"),
    "late_fill": (accesses_against_madvise, DeadTranslationError, "SD-1: <Attachment .* in user .*is revoked"),
    "map_writable": (a_page_shared_with_a_child, AssertionError, "user"),
    "forget_dirty": (a_store_the_page_table_does_not_know_of, AssertionError, "soon"),
    "wrong_mm": (the_same_address_in_both_processes, MmError, "no mapping"),
    "leak_on_close": (a_process_goes_away, AssertionError, "exports"),
    "detach_hold_and_wait": (
        detach_against_recall,
        AssertionError,
        "(?s)task 0: waits for allow_recall_PFNs.*serve.*waits for xpmem pages to go",
    ),
    "fault_in_receiver": (faults_that_need_memory, AssertionError, "xpmem_recv10: waits for answers to partition 0"),
}
STYLE: dict[Mutant, Any] = {"forget_dirty": "today"}


def play_scene(mutant: Mutant, seed: int | None, *, broken: bool) -> None:
    policy = XpmemPolicy(style=STYLE.get(mutant, "v6"), mutant=mutant if broken else None)
    chooser = None if seed is None else SeededChooser(seed, preempt_odds=3)
    play(SCENES[mutant][0], policy, frames=24, chooser=chooser)


def test_every_mutant_is_described_and_has_a_scene() -> None:
    assert set(SCENES) == set(MUTANT_TEXT) == set(get_args(Mutant))


@pytest.mark.parametrize("mutant", SCENES)
def test_the_scene_as_it_should_be(mutant: Mutant) -> None:
    play_scene(mutant, None, broken=False)
    for seed in range(6):
        play_scene(mutant, seed, broken=False)


@pytest.mark.parametrize("mutant", SCENES)
def test_the_mutant_is_caught(mutant: Mutant) -> None:
    _scene, kind, text = SCENES[mutant]
    for seed in (None, *SEEDS):
        try:
            play_scene(mutant, seed, broken=True)
        except (AssertionError, MmError, DeadTranslationError) as error:
            with pytest.raises(kind, match=text):
                raise error from None
            return
    pytest.fail("no seed caught it")
