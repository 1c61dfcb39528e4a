"""Calls out of context and impossible arguments: the checker names the rule, the call chain and both parties; the simulated kernel
returns the error the real one would, and nothing is lost."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable

import pytest
from mm_context import AREA, RW, Scene, at, stage
from mm_rig import PAGE, register

from sw_stack.mm import Mm, MmError
from sw_stack.mm.filemap import punch, truncate
from sw_stack.mm.pinning import pin_user_pages, unpin_user_pages
from sw_stack.notifier import MmuNotifier, MmuRmapNotifier, NotifierError
from sw_stack.sched import LockdepError

Act = Callable[[Scene], Awaitable[object]]


class Sleeper(MmuNotifier):
    """A client that sleeps wherever it is called."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    async def invalidate_page(self, mm: Mm, address: int) -> None:
        await self.scene.rig.sched.sleep(10)

    async def age_page(self, mm: Mm, address: int) -> bool:
        await self.scene.rig.sched.sleep(10)
        return False

    async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        await self.scene.rig.sched.sleep(10)


# ---- callbacks out of context --------------------------------------------------------------------------------------------


async def _migrate(s: Scene) -> None:
    await s.machine.migrate_page(s.mm, at(0))


async def _truncate(s: Scene) -> None:
    file = s.machine.new_file("file", 2)
    await s.mm.mmap(at(8), 2 * PAGE, RW, fixed=True, file=file, shared=True)
    await truncate(file, 0)


async def _reclaim(s: Scene) -> None:
    await s.machine.reclaim(1)


@pytest.mark.parametrize(
    ("act", "callback", "locks", "chain"),
    [
        (_migrate, "invalidate_page", r"page_lock\[\d+\], pte_lock\[a\]", "try_to_unmap .* < migrate_page"),
        (_reclaim, "age_page", r"page_lock\[\d+\], pte_lock\[a\]", "page_referenced .* < reclaim"),
        (_truncate, "invalidate_range_begin", r"i_mmap_lock\[file\]", "unmap_mapping_range .* < truncate"),
    ],
)
def test_a_client_that_sleeps_where_none_may(act: Act, callback: str, locks: str, chain: str) -> None:
    """Rule, client, operation, the task and its processor, what it slept for, under which locks, and who called."""

    async def body(s: Scene) -> None:
        await register(s.mm, Sleeper(s))
        pattern = (
            rf"^task 0 \(CPU 0\): MN-2: in {callback} of <Sleeper>: sleeping while atomic: sleep\(10\), under {locks}; "
            rf"called by {callback} \(test_mm_bad_input.py:\d+\) < .*{chain} \("
        )
        with pytest.raises(LockdepError, match=pattern):
            await act(s)
        # The task is over for a kernel that would have stopped here; what it held unwound, the accounts are whole.
        assert not s.rig.sched.task().held

    stage(body, quiet=False)


def test_an_end_without_its_begin() -> None:
    async def body(s: Scene) -> None:
        active = await s.mm.notifiers.range_begin(at(0), at(1), False)
        await s.mm.notifiers.range_end(active)
        pattern = (
            r"^MN-1: end of \[0x1000000000, 0x1000001000\) on mm 1 without its begin by task 0 \(CPU 0\), before <ContextLog>; "
            r"called by range_end \(chain.py:\d+\) < body \(test_mm_bad_input.py:\d+\)"
        )
        with pytest.raises(NotifierError, match=pattern):
            await s.mm.notifiers.range_end(active)

    stage(body)


def test_register_without_the_lock_names_who_has_it() -> None:
    async def body(s: Scene) -> None:
        holding = s.rig.sched

        async def writer() -> None:
            async with s.mm.mmap_lock.writing():
                await holding.sleep(1000)

        task = holding.spawn(writer(), "writer", 1)
        await holding.sleep(10)
        pattern = (
            r"task 0 \(CPU 0\): MN-5: mmu_notifier register without mmap_lock\[a\] held for writing, which writer holds; "
            r"called by register"
        )
        with pytest.raises(LockdepError, match=pattern):
            s.mm.notifiers.register(Sleeper(s))
        await holding.join(task)
        with pytest.raises(LockdepError, match="which nobody holds; called by register"):
            s.mm.notifiers.register(Sleeper(s))
        async with s.mm.mmap_lock.reading():
            with pytest.raises(LockdepError, match="held for reading by task 0; called by"):
                s.mm.notifiers.register(Sleeper(s))

    stage(body)


def test_export_without_the_page_lock() -> None:
    async def body(s: Scene) -> None:
        with pytest.raises(LockdepError, match=r"MN-5: page \d+ exported without its lock; called by export"):
            s.machine.rmap_notifiers.export(s.frame(0))
        client = MmuRmapNotifier()
        with pytest.raises(NotifierError, match="MN-5: rmap client <MmuRmapNotifier> is not registered"):
            await s.machine.rmap_notifiers.unregister(client)
        s.machine.rmap_notifiers.register(client)
        with pytest.raises(NotifierError, match="MN-5: rmap client <MmuRmapNotifier> is already registered"):
            s.machine.rmap_notifiers.register(client)

    stage(body)


@pytest.mark.parametrize(
    ("start", "end", "what"),
    [
        (AREA, AREA, "empty range"),
        (AREA + PAGE, AREA, "wrapping range"),
        (-PAGE, AREA, "range past the end of the address space"),
        (AREA, (1 << 64) + PAGE, "range past the end of the address space"),
    ],
)
@pytest.mark.parametrize("blockable", [True, False])
def test_impossible_ranges(start: int, end: int, what: str, blockable: bool) -> None:
    async def body(s: Scene) -> None:
        pattern = rf"^MN-1: {what} \[.*\) on mm 1 by task 0 \(CPU 0\), before <ContextLog>; called by"
        with pytest.raises(NotifierError, match=pattern):
            if blockable:
                await s.mm.notifiers.range_begin(start, end, False)
            else:
                await s.mm.notifiers.try_range(start, end)
        assert s.mm.notifiers.active_ranges() == ()

    stage(body)


def test_ranges_that_overlap_are_legal_and_pair_each_with_its_own() -> None:
    async def body(s: Scene) -> None:
        first = await s.mm.notifiers.range_begin(at(0), at(3), False)
        second = await s.mm.notifiers.range_begin(at(2), at(4), False)
        await s.mm.notifiers.range_end(first)
        assert not s.mm.shadow.records().get(at(2) // PAGE) and s.mm.shadow.records().get(at(0) // PAGE)
        await s.mm.notifiers.range_end(second)
        assert [call.what for call in s.log.take()] == ["begin", "begin", "end", "end"]

    stage(body)


# ---- operations the VM refuses -------------------------------------------------------------------------------------------

RANGES: dict[str, Callable[[Scene, int, int], Awaitable[object]]] = {
    "munmap": lambda s, a, n: s.mm.munmap(a, n),
    "mprotect": lambda s, a, n: s.mm.mprotect(a, n, 1),
    "madvise": lambda s, a, n: s.mm.madvise_dontneed(a, n),
    "mlock": lambda s, a, n: s.mm.mlock(a, n),
    "munlock": lambda s, a, n: s.mm.munlock(a, n),
    "mergeable": lambda s, a, n: s.mm.madvise_mergeable(a, n),
    "remap_file_pages": lambda s, a, n: s.mm.remap_file_pages(a, n, 0),
    "mremap": lambda s, a, n: s.mm.mremap(a, n, n),
    "mmap": lambda s, a, n: s.mm.mmap(a, n, RW, fixed=True),
}


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize(
    ("start", "length"), [(AREA, 0), (AREA, -PAGE), (AREA + 1, PAGE), ((1 << 64) - PAGE, 2 * PAGE), (-PAGE, PAGE)]
)
def test_ranges_no_system_call_takes(name: str, start: int, length: int) -> None:
    async def body(s: Scene) -> None:
        areas = list(s.mm.vmas)
        with pytest.raises(MmError) as caught:
            await RANGES[name](s, start, length)
        assert caught.value.errno == errno.EINVAL
        assert list(s.mm.vmas) == areas and s.log.take() == []

    stage(body)


@pytest.mark.parametrize("name", RANGES)
def test_operations_on_a_dead_address_space(name: str) -> None:
    async def body(s: Scene) -> None:
        await s.mm.exit()
        with pytest.raises(MmError, match="a has exited") as caught:
            await RANGES[name](s, AREA, PAGE)
        assert caught.value.errno == errno.ESRCH

    stage(body)


def test_accesses_to_a_dead_address_space() -> None:
    async def body(s: Scene) -> None:
        await s.mm.exit()
        for act in (s.mm.load(AREA, 1), s.mm.store(AREA, b"x"), pin_user_pages(s.mm, AREA, PAGE, write=True)):
            with pytest.raises(MmError, match="exited") as caught:
                await act
            assert caught.value.errno == errno.EFAULT
        with pytest.raises(NotifierError, match="MN-4: register on mm 1 after its release"):
            await register(s.mm, s.log)

    stage(body)


def test_file_arguments() -> None:
    async def body(s: Scene) -> None:
        file = s.machine.new_file("file", 2)
        with pytest.raises(MmError, match="cannot be mapped from page -1"):
            await s.mm.mmap(None, PAGE, RW, file=file, pgoff=-1)
        with pytest.raises(MmError, match=r"no pages \[1, 3\) in a file of 2"):
            await punch(file, 1, 3)
        with pytest.raises(MmError, match="a file of -1 pages"):
            await truncate(file, -1)
        await s.mm.mmap(at(8), 4 * PAGE, RW, fixed=True, file=file, shared=True)
        with pytest.raises(MmError, match=r"page 2 of file is past its end, 2 pages \(SIGBUS\)") as caught:
            await s.mm.load(at(10), 1)
        assert caught.value.errno == errno.EFAULT
        with pytest.raises(MmError, match="not within one shared mapping"):
            await s.mm.remap_file_pages(at(0), PAGE, 0)  # anonymous
        with pytest.raises(MmError, match="not small anonymous pages"):
            await s.mm.madvise_mergeable(at(8), PAGE)
        await s.mm.mlock(at(8), PAGE)
        with pytest.raises(MmError, match="mlocked"):
            await s.mm.madvise_dontneed(at(8), PAGE)

    stage(body)


def test_memlock_counts_locked_and_pinned_pages_together() -> None:
    async def body(s: Scene) -> None:
        s.mm.rlimit_memlock = 3
        await s.mm.mlock(at(0), 2 * PAGE)
        with pytest.raises(MmError, match=r"a: 2 \+ 2 pages are more than RLIMIT_MEMLOCK, 3") as caught:
            await pin_user_pages(s.mm, at(2), 2 * PAGE, write=True)
        assert caught.value.errno == errno.ENOMEM and s.machine.statistic("pinned") == 0
        pinned = await pin_user_pages(s.mm, at(2), PAGE, write=True)
        with pytest.raises(MmError, match="RLIMIT_MEMLOCK"):
            await s.mm.mlock(at(3), PAGE)
        unpin_user_pages(pinned)
        await s.mm.mlock(at(3), PAGE)
        await s.mm.munmap(at(0), 4 * PAGE)
        assert s.mm.locked_vm == 0

    stage(body)


# ---- want of frames and swap ---------------------------------------------------------------------------------------------


def test_out_of_memory_gives_the_verdict() -> None:
    """More pinned than there is: the allocation fails, and says why reclaim could not help."""

    async def body(s: Scene) -> None:
        await s.mm.mmap(at(8), 40 * PAGE, RW, fixed=True)
        pinned = await pin_user_pages(s.mm, at(8), 24 * PAGE, write=True)
        with pytest.raises(MmError) as caught:
            for number in range(24, 40):
                await s.mm.store(at(8 + number), b"x")
                await s.mm.mlock(at(8 + number), PAGE)
        text = str(caught.value)
        assert caught.value.errno == errno.ENOMEM
        assert "out of memory for 1 frames: 0 of 32 free" in text and "pinned" in text and "mlocked" in text
        assert s.machine.reclaimer.scan.pinned >= 24 and s.machine.statistic("alloc_failed") == 1
        unpin_user_pages(pinned)
        await s.mm.munmap(at(8), 40 * PAGE)

    stage(body, frames=32)


def test_swap_full() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mmap(at(8), 40 * PAGE, RW, fixed=True)
        with pytest.raises(MmError, match=r"swap 2 of 2; .* without swap") as caught:
            for number in range(40):
                await s.mm.store(at(8 + number), b"x")
        assert caught.value.errno == errno.ENOMEM
        await s.mm.munmap(at(8), 40 * PAGE)

    stage(body, frames=16, swap=2)


def test_hot_unplug_says_who_holds_on() -> None:
    async def body(s: Scene) -> None:
        pinned = await pin_user_pages(s.mm, at(1), PAGE, write=True)
        pfn = pinned.pfns[0]
        with pytest.raises(MmError, match=rf"stay in service: frame {pfn} \(1 references beside its mappings; a at page") as caught:
            await s.machine.offline(pfn, 1)
        assert caught.value.errno == errno.EBUSY
        unpin_user_pages(pinned)
        await s.machine.offline(pfn, 1)
        with pytest.raises(MmError, match="out of service already") as caught:
            await s.machine.offline(pfn, 1)
        assert caught.value.errno == errno.EINVAL
        with pytest.raises(MmError, match="no frames"):
            await s.machine.offline(60, 10)
        s.machine.online(pfn, 1)
        assert await s.mm.load(at(1), 1) == b"\2"

    stage(body)
