"""The hypervisor alone: memory slots, guest faults, what each callback does to sptes and guest TLBs; and each way to break it."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mm_rig import PAGE, NoChoice, Rig, register

from hwif.gen import timing
from sw_stack.drivers.kvm import MUTANT_TEXT, GuestFaultError, Kvm, KvmError, KvmPolicy, Mutant, Style, Vcpu
from sw_stack.mm import Mm, MmError, filemap
from sw_stack.mm.check import audit
from sw_stack.mm.frames import FrameError
from sw_stack.mm.historical import Historical
from sw_stack.mm.oom import oom_reap
from sw_stack.mm.secondary import DeadTranslationError

AREA = 0x10_0000_0000
PAGES = 8
RW = 3
STYLES: tuple[Style, ...] = ("2008", "modern")
POLICIES = [KvmPolicy(style, accessed_bit) for style in STYLES for accessed_bit in (True, False)]
IDS = [f"{policy.style}-{'A' if policy.accessed_bit else 'noA'}" for policy in POLICIES]

every_policy = pytest.mark.parametrize("policy", POLICIES, ids=IDS)
every_style = pytest.mark.parametrize("style", STYLES)


class Slow(NoChoice):
    """Delays the tasks named in `tasks` at every preemption point, by the longest step."""

    def __init__(self) -> None:
        self.rig: Rig | None = None
        self.tasks: set[str] = set()

    def choose(self, kind: str, n: int) -> int:
        current = self.rig.sched.current if self.rig is not None else None
        return n - 1 if kind == "preempt" and current is not None and current.name in self.tasks else 0


class Scene:
    """A virtual machine whose guest frames 0..PAGES-1 are the pages at AREA, each with its number in it, and one vcpu."""

    def __init__(self, rig: Rig, mm: Mm, kvm: Kvm, slow: Slow) -> None:
        self.rig, self.mm, self.kvm, self.slow = rig, mm, kvm, slow
        self.machine, self.sched = rig.machine, rig.sched
        self.vcpu = kvm.create_vcpu()

    async def warm(self, pages: int = PAGES) -> None:
        """Let the guest use its first pages, writing: sptes and TLB entries are writable."""
        for page in range(pages):
            await self.vcpu.write(page * PAGE + 8, b"guest")

    def spawn(self, body: Any, name: str) -> Any:
        return self.sched.spawn(body, name, 3)

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(100_000):
            if condition():
                return
            await self.sched.charge(1)
        raise AssertionError("it never came to that")


def stage(
    body: Callable[[Scene], Awaitable[None]],
    policy: KvmPolicy | None = None,
    *,
    frames: int = 40,
    historical: Historical | None = None,
    **area: Any,
) -> Scene:
    slow = Slow()
    rig = slow.rig = Rig(frames, chooser=slow, historical=historical)
    scenes: list[Scene] = []

    async def play() -> None:
        mm = rig.machine.new_mm("vm")
        await mm.mmap(AREA, PAGES * PAGE, RW, fixed=True, **area)
        for page in range(PAGES):
            await mm.store(at(page), bytes([page + 1]) * 8)
        kvm = await Kvm.create(mm, policy)
        await kvm.add_slot(0, 0, PAGES * PAGE, AREA)
        scenes.append(Scene(rig, mm, kvm, slow))
        await body(scenes[0])
        if mm.alive:
            await mm.exit()
        for page in sorted(area["file"].pages) if area.get("file") else ():
            await filemap.punch(area["file"], page, page + 1)

    rig.run(play())
    scene = scenes[0]
    audit(rig.machine, quiet=True)
    assert rig.machine.frames.free == rig.machine.frames.count and rig.machine.swap.used == 0
    assert not rig.shadow.words.any()
    assert scene.kvm.stats.references == 0 and len(scene.kvm.sptes) == 0
    assert scene.kvm.stats.sptes_made == scene.kvm.stats.sptes_dropped
    assert scene.kvm.mn_active_invalidate_count == 0
    return scene


def at(page: int) -> int:
    return AREA + page * PAGE


def number(page: int) -> bytes:
    return bytes([page + 1]) * 8


async def refused(code: int, call: Awaitable[object], match: str | None = None) -> None:
    with pytest.raises(MmError, match=match) as caught:
        await call
    assert caught.value.errno == code


# ---- policy and memory slots ---------------------------------------------------------------------------------------------


def test_a_policy_that_is_impossible_is_refused_in_one_line() -> None:
    for wrong in (
        {"style": "2015"},
        {"tlb_entries": -1},
        {"mutant": "none"},
        {"mutant": "reference_leak"},
        {"mutant": "union_shrinks", "style": "2008"},
        {"mutant": "slots_no_wait", "style": "2008"},
        {"mutant": "age_no_flush", "accessed_bit": False},
    ):
        with pytest.raises(ValueError, match=r"^kvm policy: .*$"):
            KvmPolicy(**wrong)  # type: ignore[arg-type]
    assert set(MUTANT_TEXT) == set(Mutant.__args__)  # type: ignore[attr-defined]


def test_slots_that_make_no_sense_are_refused() -> None:
    async def body(s: Scene) -> None:
        for gpa, length, hva in (
            (0x10_0000, 0, AREA), (0x10_0000, -PAGE, AREA), (0x10_0001, PAGE, AREA), (0x10_0000, PAGE + 1, AREA),
            (0x10_0000, PAGE, AREA + 8), (-PAGE, PAGE, AREA), ((1 << 64) - PAGE, 2 * PAGE, AREA), (0, PAGE, (1 << 64)),
        ):  # fmt: skip
            await refused(errno.EINVAL, s.kvm.add_slot(1, gpa, length, hva))
        await refused(errno.EINVAL, s.kvm.add_slot(-1, 0x10_0000, PAGE, AREA))
        await refused(errno.EEXIST, s.kvm.add_slot(0, 0x10_0000, PAGE, AREA), "slot 0 exists")
        for gpa, length in ((0, PAGE), ((PAGES - 1) * PAGE, 2 * PAGE), (3 * PAGE, PAGE)):
            await refused(errno.EEXIST, s.kvm.add_slot(1, gpa, length, AREA), "overlaps slot 0")
        await refused(errno.EINVAL, s.kvm.remove_slot(7))
        await s.kvm.add_slot(1, PAGES * PAGE, PAGE, AREA)  # next to it: no overlap
        assert len(s.kvm.slots) == 2

    stage(body)


@every_style
def test_the_last_page_of_the_guest_is_a_page(style: Style) -> None:
    async def body(s: Scene) -> None:
        last = (1 << 64) - PAGE
        await s.mm.mmap(last, PAGE, RW, fixed=True)
        await s.kvm.add_slot(1, last, PAGE, last)
        await s.vcpu.write((1 << 64) - 4, b"edge")
        assert await s.mm.load((1 << 64) - 4, 4) == b"edge"
        await s.mm.munmap(last, PAGE)
        await refused(errno.EFAULT, s.vcpu.read(last, 1))

    stage(body, KvmPolicy(style))


@every_style
def test_two_slots_may_show_the_same_bytes_and_lose_them_together(style: Style) -> None:
    async def body(s: Scene) -> None:
        await s.kvm.add_slot(1, 0x10_0000, 2 * PAGE, at(3))
        await s.vcpu.write(3 * PAGE, b"twice")
        assert await s.vcpu.read(0x10_0000, 5) == b"twice"
        assert len(s.kvm.sptes) == 2 and s.kvm.stats.references == (2 if style == "2008" else 0)
        await s.mm.madvise_dontneed(at(3), PAGE)
        assert len(s.kvm.sptes) == 0
        assert await s.vcpu.read(0x10_0000, 5) == bytes(5) == await s.vcpu.read(3 * PAGE, 5)

    stage(body, KvmPolicy(style))


@every_policy
def test_guest_and_process_see_the_same_bytes(policy: KvmPolicy) -> None:
    async def body(s: Scene) -> None:
        assert await s.vcpu.read(2 * PAGE, 8) == number(2)
        await s.vcpu.write(PAGE - 4, b"across the edge")
        assert await s.mm.load(at(0) + PAGE - 4, 15) == b"across the edge"
        await s.mm.store(at(1), b"process")
        assert await s.vcpu.read(PAGE, 7) == b"process" == await s.kvm.guest_read(PAGE, 7)
        await s.kvm.guest_write(2 * PAGE - 2, b"both")
        assert await s.vcpu.read(2 * PAGE - 2, 4) == b"both"
        assert s.kvm.stats.faults == 3 and s.kvm.stats.retries == 0

    stage(body, policy)


def test_the_tlb_is_small_and_hits() -> None:
    async def body(s: Scene) -> None:
        vcpu = s.kvm.create_vcpu(tlb_entries=2)
        for page in (0, 1, 2, 2, 1, 0):
            await vcpu.read(page * PAGE, 8)
        assert list(vcpu.tlb()) == [2, 0]
        assert (s.kvm.stats.tlb_hits, s.kvm.stats.tlb_fills, s.kvm.stats.faults) == (2, 4, 3)

    stage(body)


@every_style
def test_errors_reach_the_guest(style: Style) -> None:
    async def body(s: Scene) -> None:
        for gpa, write in ((PAGES * PAGE, False), (1 << 40, True)):
            await refused(errno.EFAULT, s.vcpu.write(gpa, b"x") if write else s.vcpu.read(gpa, 1), "no memory slot")
        await s.kvm.add_slot(1, 0x10_0000, PAGE, 0x5000)
        await refused(errno.EFAULT, s.vcpu.read(0x10_0000, 1), "no mapping")
        await s.mm.mprotect(at(0), PAGE, 1)
        await refused(errno.EFAULT, s.vcpu.write(0, b"x"), "protection")
        assert await s.vcpu.read(0, 8) == number(0)
        await s.mm.mprotect(at(1), PAGE, 0)
        await refused(errno.EFAULT, s.vcpu.read(PAGE, 1), "protection")
        with pytest.raises(GuestFaultError):
            await s.vcpu.read(PAGE - 1, 2)
        assert s.kvm.stats.errors == 6 and s.kvm.stats.references == len(s.kvm.sptes) * (style == "2008") == (style == "2008")

    stage(body, KvmPolicy(style))


def test_a_guest_that_finds_no_memory_gets_enomem() -> None:
    async def body(s: Scene) -> None:
        held = s.machine.alloc_kernel_frames(PAGES)
        await s.mm.mlock(AREA, PAGES * PAGE)
        room = await s.mm.mmap(None, PAGE, RW)
        await s.kvm.add_slot(1, 0x10_0000, PAGE, room)
        await refused(errno.ENOMEM, s.vcpu.write(0x10_0000, b"x"), "out of memory")
        s.machine.free_kernel_frames(held)
        await s.vcpu.write(0x10_0000, b"x")

    stage(body, frames=2 * PAGES)


@every_style
def test_a_read_only_slot_is_read_only_though_the_process_may_write(style: Style) -> None:
    async def body(s: Scene) -> None:
        await s.kvm.add_slot(1, 0x10_0000, PAGE, at(0), readonly=True)
        assert await s.vcpu.read(0x10_0000, 8) == number(0)
        await refused(errno.EFAULT, s.vcpu.write(0x10_0000, b"x"), "slot 1 is read-only")
        spte = s.kvm.sptes.get(0x100)
        assert spte is not None and not spte.writable
        await s.vcpu.write(0, b"written")
        assert await s.vcpu.read(0x10_0000, 7) == b"written"

    stage(body, KvmPolicy(style))


@every_style
def test_a_large_page_of_the_process_has_small_sptes(style: Style) -> None:
    async def body(s: Scene) -> None:
        place = await s.mm.mmap(None, 2 << 21, RW, huge=21)
        await s.kvm.add_slot(1, 1 << 30, 2 << 21, place)
        for page in (0, 1, 511, 512):
            await s.vcpu.write((1 << 30) + page * PAGE, b"large")
            assert await s.mm.load(place + page * PAGE, 5) == b"large"
        assert len(s.kvm.sptes) == 4
        child = await s.mm.fork("child")
        assert len(s.kvm.sptes) == 0
        assert await s.vcpu.read((1 << 30) + PAGE, 5) == b"large"
        await s.vcpu.write((1 << 30) + 511 * PAGE, b"again")
        assert await child.load(place + 511 * PAGE, 5) == b"large" and await s.mm.load(place + 511 * PAGE, 5) == b"again"
        await s.mm.munmap(place, 1 << 21)
        await refused(errno.EFAULT, s.vcpu.read(1 << 30, 1))
        assert await s.vcpu.read((1 << 30) + 512 * PAGE, 5) == b"large"
        await child.exit()

    stage(body, KvmPolicy(style), frames=4096)


# ---- permissions ---------------------------------------------------------------------------------------------------------


async def livelock_bound(s: Scene, done: Callable[[], bool], faults: int) -> None:
    """Every fault of the guest's is counted: with so many for one store it makes no progress."""
    while not done():
        assert s.kvm.stats.faults < faults, "livelock: the write fault comes again and again"
        await s.sched.sleep(timing.SW_MINOR_FAULT)


def upgrade(policy: KvmPolicy) -> None:
    async def body(s: Scene) -> None:
        await s.machine.reclaim(PAGES)
        assert await s.vcpu.read(0, 8) == number(0)  # swapped in to be read: the pte is clean, the swap copy good
        spte = s.kvm.sptes.get(0)
        assert spte is not None and not spte.writable and not s.vcpu.tlb()[0].writable
        task = s.spawn(s.vcpu.write(0, b"upgrade"), "store")
        await livelock_bound(s, lambda: task.finished, 10)
        spte = s.kvm.sptes.get(0)
        assert spte is not None and spte.writable and s.vcpu.tlb()[0].writable
        assert s.kvm.stats.upgrades == 1 and s.kvm.stats.faults == 2
        assert await s.mm.load(at(0), 7) == b"upgrade"

    stage(body, policy)


@every_policy
def test_a_write_fault_replaces_a_read_only_spte(policy: KvmPolicy) -> None:
    upgrade(policy)


@every_style
def test_without_the_upgrade_a_write_faults_forever(style: Style) -> None:
    with pytest.raises(AssertionError, match="livelock"):
        upgrade(KvmPolicy(style, mutant="no_upgrade"))


def shared_with_a_child(policy: KvmPolicy) -> None:
    async def body(s: Scene) -> None:
        await s.warm(2)
        child = await s.mm.fork("child")
        assert await s.vcpu.read(0, 8) == number(0)
        writable = s.vcpu.tlb()[0].writable
        await s.vcpu.write(0, b"parent")
        assert not writable
        assert await child.load(at(0), 8) == number(0)
        assert s.kvm.stats.retries == 1  # copy-on-write invalidates the page under the fault that asked for it
        await child.exit()

    stage(body, policy)


@every_policy
def test_a_page_shared_copy_on_write_is_copied_before_the_guest_stores(policy: KvmPolicy) -> None:
    shared_with_a_child(policy)


@every_style
def test_an_spte_with_more_rights_than_the_pte_is_caught(style: Style) -> None:
    with pytest.raises(DeadTranslationError, match="may only be read"):
        shared_with_a_child(KvmPolicy(style, mutant="map_writable"))


@every_policy
def test_what_the_guest_stored_survives_swap_and_migration(policy: KvmPolicy) -> None:
    async def body(s: Scene) -> None:
        await s.warm()
        for round_ in range(3):
            assert await s.machine.reclaim(PAGES) == PAGES
            assert len(s.kvm.sptes) == 0 and s.kvm.stats.references == 0
            for page in range(PAGES):
                assert await s.vcpu.read(page * PAGE, 13) == number(page) + b"guest"
                await s.vcpu.write(page * PAGE + 8, b"guest")
                await s.vcpu.write(page * PAGE + 16, bytes([round_]))
            for page in range(PAGES):
                assert await s.machine.migrate_page(s.mm, at(page))
                assert await s.vcpu.read(page * PAGE + 16, 1) == bytes([round_])
        assert s.machine.statistic("migrate_pinned") == 0

    stage(body, policy)


# ---- events of the VM ----------------------------------------------------------------------------------------------------


async def unmaps(s: Scene) -> None:
    await s.mm.munmap(at(0), PAGE)


async def protects(s: Scene) -> None:
    await s.mm.mprotect(at(0), PAGE, 0)


async def drops(s: Scene) -> None:
    await s.mm.madvise_dontneed(at(0), PAGE)


async def moves(s: Scene) -> None:
    await s.mm.mremap(at(0), PAGE, PAGE, new=at(64))


async def forks(s: Scene) -> None:
    child = await s.mm.fork("child")
    await s.mm.store(at(0), b"copied")
    await child.exit()


async def reclaims(s: Scene) -> None:
    await s.machine.reclaim(PAGES)


async def replaces(s: Scene) -> None:
    await s.mm.munmap(at(0), PAGE)
    await s.mm.mmap(at(0), PAGE, RW, fixed=True)


async def migrates(s: Scene) -> None:
    await s.machine.migrate_page(s.mm, at(0))


async def takes_for_a_device(s: Scene) -> None:
    async with s.mm.mmap_lock.reading():
        await s.mm.make_device_exclusive(at(0))


async def merges(s: Scene) -> None:
    for page in (0, 1):
        await s.mm.store(at(page), bytes(16))
    await s.mm.madvise_mergeable(AREA, PAGES * PAGE)
    await s.machine.ksm_scan()
    assert s.machine.statistic("ksm_merged") == 1


ANON = [unmaps, protects, drops, moves, forks, reclaims, migrates, takes_for_a_device]


async def truncates(s: Scene) -> None:
    await filemap.truncate(s.file, 0)  # type: ignore[attr-defined]


async def punches(s: Scene) -> None:
    await filemap.punch(s.file, 0, 1)  # type: ignore[attr-defined]


async def writes_back(s: Scene) -> None:
    await filemap.writeback(s.file)  # type: ignore[attr-defined]


async def reorders(s: Scene) -> None:
    await s.mm.remap_file_pages(at(0), PAGE, 5)


FILE = [truncates, punches, writes_back, reorders, *ANON[:4], reclaims, migrates]


def event(act: Callable[[Scene], Awaitable[None]], policy: KvmPolicy, *, of_file: bool) -> None:
    """The guest uses a page, the VM does something to it, the guest uses it again."""

    async def body(s: Scene) -> None:
        base = 0
        if of_file:
            s.file = s.machine.new_file("data", PAGES)  # type: ignore[attr-defined]
            await s.kvm.remove_slot(0)
            await s.mm.mmap(AREA, PAGES * PAGE, RW, fixed=True, file=s.file, shared=True)  # type: ignore[attr-defined]
            for page in range(PAGES):
                await s.mm.store(at(page), number(page))
            await s.kvm.add_slot(1, 0x10_0000, PAGES * PAGE, AREA)
            base = 0x10_0000
        await s.vcpu.write(base + 8, b"guest")
        assert s.vcpu.tlb()[base // PAGE].writable
        await act(s)
        assert s.kvm.stats.sptes_dropped == 1 and len(s.kvm.sptes) == 0
        try:
            seen: bytes | None = await s.vcpu.read(base, 13)
        except GuestFaultError as error:
            assert error.errno == errno.EFAULT
            seen = None
        try:
            there: bytes | None = await s.mm.load(at(0), 13)
        except MmError:
            there = None
        assert seen == there
        if there is not None and act is not protects:
            await s.vcpu.write(base, b"stored again")
            assert await s.mm.load(at(0), 12) == b"stored again"
        if of_file:
            await s.mm.exit()
            await filemap.truncate(s.file, 0)  # type: ignore[attr-defined]

    stage(body, policy)


@every_policy
@pytest.mark.parametrize("act", ANON, ids=lambda act: act.__name__)
def test_what_the_vm_does_to_a_page_reaches_the_guest(act: Any, policy: KvmPolicy) -> None:
    event(act, policy, of_file=False)


@every_policy
@pytest.mark.parametrize("act", FILE, ids=lambda act: act.__name__)
def test_what_the_vm_does_to_a_page_of_a_file_reaches_the_guest(act: Any, policy: KvmPolicy) -> None:
    event(act, policy, of_file=True)


def test_merged_pages_reach_the_guest() -> None:
    """KSM passes over a page with a reference before it tells anybody, so in 2008 it finds none of the guest's in use."""
    event(merges, KvmPolicy("modern"), of_file=False)


@every_style
@pytest.mark.parametrize("act", [*ANON[:-1], truncates, punches, writes_back, reorders], ids=lambda act: act.__name__)
def test_a_guest_tlb_that_is_not_flushed_is_caught(act: Any, style: Style) -> None:
    """But for a page taken for a device: the oracle lets the address space's devices have it, and cannot tell which."""
    with pytest.raises(DeadTranslationError, match=r"SD-1: <vcpu 0 of vm>"):
        event(act, KvmPolicy(style, mutant="no_flush"), of_file=act in FILE[:4])


@every_style
def test_every_callback_is_legal_where_none_may_sleep(style: Style) -> None:
    async def body(s: Scene) -> None:
        for act in (drops, reclaims, migrates, forks, moves):
            await s.warm(PAGES)
            await act(s)
            await s.mm.mmap(at(0), PAGE, RW, fixed=True)

    stage(body, KvmPolicy(style), historical=Historical(dispatch_under_rcu=True))


# ---- accesses in flight --------------------------------------------------------------------------------------------------


def in_flight(policy: KvmPolicy, act: Callable[[Scene], Awaitable[None]] = drops) -> Scene:
    async def body(s: Scene) -> None:
        await s.warm(1)
        s.slow.tasks.add("guest")

        async def store() -> int:
            await s.vcpu.write(8, b"late")
            return s.sched.now

        task = s.spawn(store(), "guest")
        await s.until(lambda: s.vcpu.in_guest)
        start = s.sched.now
        await act(s)
        returned = s.sched.now
        ended = await s.sched.join(task)
        assert start + 2000 < ended <= returned and s.kvm.stats.kicks == 1

    return stage(body, policy)


@every_policy
@pytest.mark.parametrize("act", [drops, unmaps, migrates, forks], ids=lambda act: act.__name__)
def test_an_invalidation_waits_for_the_access_in_flight(act: Any, policy: KvmPolicy) -> None:
    in_flight(policy, act)


@every_policy
def test_an_access_in_flight_that_is_not_waited_for_is_caught(policy: KvmPolicy) -> None:
    with pytest.raises(DeadTranslationError, match="write of 0x1000000008"):
        in_flight(KvmPolicy(policy.style, policy.accessed_bit, mutant="no_wait"))


def second_invalidation(policy: KvmPolicy) -> None:
    """The spte has been torn down by ageing, and the access that used it is in flight, when the range begins."""

    async def body(s: Scene) -> None:
        await s.warm(1)
        s.slow.tasks.add("guest")
        task = s.spawn(s.vcpu.write(8, b"late"), "guest")
        await s.until(lambda: s.vcpu.in_guest)
        s.spawn(s.kvm.age_page(s.mm, at(0)), "reclaim")
        await s.until(lambda: len(s.kvm.sptes) == 0)
        await drops(s)
        in_guest = s.vcpu.in_guest
        await s.sched.join(task)
        assert not in_guest and s.kvm.stats.kicks == 1

    stage(body, policy)


@every_style
def test_a_second_invalidation_does_not_return_before_the_first_has_waited(style: Style) -> None:
    second_invalidation(KvmPolicy(style, accessed_bit=False))
    with pytest.raises(DeadTranslationError):
        second_invalidation(KvmPolicy(style, accessed_bit=False, mutant="flush_unlocked"))


def entering(policy: KvmPolicy) -> None:
    """The flush is asked for while the vcpu is on its way into the guest."""

    async def body(s: Scene) -> None:
        await s.warm(1)
        s.slow.tasks.add("guest")
        s.spawn(s.vcpu.read(8, 4), "guest")
        await s.sched.charge(1)
        await drops(s)

    stage(body, policy)


@every_style
def test_a_vcpu_looks_for_requests_after_it_has_entered(style: Style) -> None:
    entering(KvmPolicy(style))
    with pytest.raises(DeadTranslationError):
        entering(KvmPolicy(style, mutant="late_mode"))


def between_begin_and_end(policy: KvmPolicy) -> Scene:
    async def body(s: Scene) -> None:
        await s.warm(2)
        async with s.mm.notifiers.range(at(0), at(1)):
            task = s.spawn(s.vcpu.read(8, 5), "guest")
            await s.sched.sleep(20_000)
            assert not task.finished and s.kvm.stats.blocked == 1
        assert await s.sched.join(task) == b"guest"

    return stage(body, policy)


@every_policy
def test_no_spte_is_made_between_begin_and_end(policy: KvmPolicy) -> None:
    between_begin_and_end(policy)


@every_style
def test_sptes_zapped_at_the_end_of_the_range_are_caught(style: Style) -> None:
    with pytest.raises(DeadTranslationError):
        between_begin_and_end(KvmPolicy(style, mutant="zap_late"))


def test_an_active_range_holds_off_everybody_in_2008_and_today_those_inside_it() -> None:
    for style, blocked in (("2008", 1), ("modern", 0)):

        async def body(s: Scene, blocked: int = blocked) -> None:
            async with s.mm.notifiers.range(at(2), at(3)):
                task = s.spawn(s.vcpu.read(0, 8), "guest")
                await s.sched.sleep(20_000)
                assert task.finished == (not blocked) and s.kvm.stats.blocked == blocked
            assert await s.sched.join(task) == number(0)

        stage(body, KvmPolicy(style))  # type: ignore[arg-type]


def nested(policy: KvmPolicy) -> None:
    """A range ends inside another one."""

    async def body(s: Scene) -> None:
        await s.warm(1)
        async with s.mm.notifiers.range(at(0), at(6)):
            async with s.mm.notifiers.range(at(0), at(2)):
                pass
            task = s.spawn(s.vcpu.read(PAGE, 8), "guest")
            await s.sched.sleep(20_000)
            assert not task.finished
        assert await s.sched.join(task) == number(1)
        assert await s.vcpu.read(7 * PAGE, 8) == number(7)

    stage(body, policy)


@every_style
def test_the_end_of_a_range_opens_nothing_another_one_covers(style: Style) -> None:
    nested(KvmPolicy(style))


def test_a_union_that_shrinks_is_caught() -> None:
    with pytest.raises(DeadTranslationError):
        nested(KvmPolicy("modern", mutant="union_shrinks"))


def overtaken(act: Callable[[Scene], Awaitable[None]], policy: KvmPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The VM takes the page away between the lookup of a fault and its spte."""

    async def body(s: Scene) -> None:
        await s.mm.touch(at(0), True)
        look_up, lookups = s.mm.get_user_pages, [0]

        async def slowly(vaddr: int, write: bool) -> object:
            found = await look_up(vaddr, write)
            lookups[0] += 1
            return found

        monkeypatch.setattr(s.mm, "get_user_pages", slowly)
        s.slow.tasks.add("guest")
        task = s.spawn(s.vcpu.read(0, 8), "guest")
        await s.until(lambda: lookups[0] == 1)
        await act(s)
        assert await s.sched.join(task) == await s.mm.load(at(0), 8)
        assert s.kvm.stats.retries == 1 and lookups[0] == 2

    stage(body, policy)


@every_policy
@pytest.mark.parametrize("act", [drops, replaces], ids=lambda act: act.__name__)
def test_a_lookup_that_was_overtaken_is_made_again(act: Any, policy: KvmPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    overtaken(act, policy, monkeypatch)


def test_a_lookup_that_migration_overtook_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """In 2008 the reference of the lookup keeps the page where it is."""
    overtaken(migrates, KvmPolicy("modern"), monkeypatch)
    with pytest.raises(DeadTranslationError):
        overtaken(migrates, KvmPolicy("modern", mutant="ignore_seq"), monkeypatch)


@every_style
@pytest.mark.parametrize("act", [drops, replaces], ids=lambda act: act.__name__)
def test_an_spte_of_an_overtaken_lookup_is_caught(act: Any, style: Style, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeadTranslationError):
        overtaken(act, KvmPolicy(style, mutant="ignore_seq"), monkeypatch)


# ---- ageing and references -----------------------------------------------------------------------------------------------


@every_style
def test_a_page_the_guest_uses_is_young_once(style: Style) -> None:
    async def body(s: Scene) -> None:
        async def age() -> bool:
            return await s.mm.notifiers.age_page(at(0))

        assert not await age() and not s.kvm.test_young(at(0))
        await s.vcpu.read(0, 8)
        assert s.kvm.test_young(at(0)) and s.kvm.test_young(at(0) + 77)
        assert await age() and not s.kvm.test_young(at(0)) and not await age()
        await s.vcpu.read(0, 8)  # the TLB was flushed: the walk shows
        assert await age()
        assert len(s.kvm.sptes) == 1 and s.kvm.stats.faults == 1 and s.kvm.stats.aged == 2
        assert not await s.mm.notifiers.age_page(0x5000)

    stage(body, KvmPolicy(style))


@every_style
def test_without_an_accessed_bit_ageing_tears_the_spte_down(style: Style) -> None:
    async def body(s: Scene) -> None:
        await s.vcpu.read(0, 8)
        assert s.kvm.test_young(at(0))
        assert await s.mm.notifiers.age_page(at(0))
        assert len(s.kvm.sptes) == 0 and s.vcpu.flush_requested  # it is outside: its TLB goes when it comes back
        assert not s.kvm.test_young(at(0)) and not await s.mm.notifiers.age_page(at(0))
        await s.vcpu.read(0, 8)
        assert s.kvm.stats.faults == 2 and s.kvm.stats.aged == 1

    stage(body, KvmPolicy(style, accessed_bit=False))


def pressure(policy: KvmPolicy) -> None:
    """The guest uses one page all the time through its TLB while reclaim takes the rest."""

    async def body(s: Scene) -> None:
        await s.warm()
        stop = False

        async def use() -> None:
            while not stop:
                await s.vcpu.read(0, 8)
                await s.sched.sleep(20)

        s.spawn(use(), "guest")
        freed = await s.machine.reclaim(PAGES - 1)
        stop = True
        # Without an accessed bit the question itself costs a fault, and the page may be on its way out before the guest is back.
        used = at(0) // PAGE in s.mm.shadow.records() and (s.kvm.stats.faults == PAGES or not policy.accessed_bit)
        assert used and freed == PAGES - 1, "reclaim found nothing, or what is in use"

    stage(body, policy)


@every_policy
def test_reclaim_takes_what_the_guest_does_not_use(policy: KvmPolicy) -> None:
    pressure(policy)


@every_style
@pytest.mark.parametrize("mutant", ["age_always_young", "age_no_flush"])
def test_reclaim_that_is_told_wrong_is_seen(mutant: Mutant, style: Style) -> None:
    with pytest.raises(AssertionError, match="reclaim found nothing, or what is in use"):
        pressure(KvmPolicy(style, mutant=mutant))


@every_style
def test_a_page_said_to_be_always_young_is_never_reclaimed(style: Style) -> None:
    async def body(s: Scene) -> None:
        await s.warm()
        assert await s.machine.reclaim(PAGES) == 0 and s.machine.reclaimer.scan.reclaimed == 0
        assert s.machine.reclaimer.scan.aged + s.machine.reclaimer.scan.referenced >= PAGES

    stage(body, KvmPolicy(style, mutant="age_always_young"))


def test_in_2008_every_spte_holds_a_reference_that_goes_with_it() -> None:
    async def body(s: Scene) -> None:
        await s.warm()
        frames = s.machine.frames
        held = [s.kvm.sptes.get(gfn) for gfn in range(PAGES)]
        assert s.kvm.stats.references == PAGES and all(spte and frames[spte.pfn].pins == 1 for spte in held)
        assert await s.machine.migrate_page(s.mm, at(0))  # invalidate_page drops it before anybody looks
        assert await s.machine.reclaim(PAGES) == PAGES
        assert s.kvm.stats.references == 0 and s.machine.reclaimer.scan.pinned == 0

    stage(body, KvmPolicy("2008"))


def test_the_reference_of_a_lookup_keeps_the_page_where_it_is_for_a_moment() -> None:
    async def body(s: Scene) -> None:
        s.slow.tasks.add("guest")
        task = s.spawn(s.vcpu.read(0, 8), "guest")
        await s.until(lambda: s.kvm.stats.references == 1)
        assert not await s.machine.migrate_page(s.mm, at(0)) and s.machine.statistic("migrate_pinned") == 1
        assert await s.sched.join(task) == number(0)
        assert await s.machine.migrate_page(s.mm, at(0))

    stage(body, KvmPolicy("2008"))


def test_a_reference_that_leaks_keeps_the_page_for_ever() -> None:
    async def body(s: Scene) -> None:
        await s.warm()
        assert await s.machine.reclaim(PAGES) == 0 and s.machine.reclaimer.scan.pinned > 0
        assert not await s.machine.migrate_page(s.mm, at(0))

    with pytest.raises(FrameError, match="pins"):
        stage(body, KvmPolicy("2008", mutant="reference_leak"))


# ---- changing slots ------------------------------------------------------------------------------------------------------


def slots_change(policy: KvmPolicy) -> None:
    async def body(s: Scene) -> None:
        place = await s.mm.mmap(None, 2 * PAGE, RW)
        async with s.mm.notifiers.range(place, place + PAGE):
            added = s.spawn(s.kvm.add_slot(1, 0x10_0000, 2 * PAGE, place), "vmm")
            await s.sched.sleep(20_000)
            assert policy.mutant or not added.finished
        await s.sched.join(added)
        await s.vcpu.write(0x10_0000, b"new")
        async with s.mm.notifiers.range(place, place + PAGE):
            removed = s.spawn(s.kvm.remove_slot(1), "vmm")
            await s.sched.sleep(20_000)
            assert not removed.finished and s.kvm.sptes.get(0x100) is None
            await refused(errno.EFAULT, s.vcpu.read(0x10_1000, 1), "no memory slot")
        await s.sched.join(removed)
        assert s.kvm.stats.slot_waits == 2 and len(s.kvm.slots) == 1

    stage(body, policy)


@every_style
def test_slots_change_only_while_no_invalidation_is_under_way(style: Style) -> None:
    slots_change(KvmPolicy(style))


def test_a_slot_that_comes_between_begin_and_end_is_caught() -> None:
    with pytest.raises(KvmError, match=r"MN-1: end of .* with no range in progress: the slots changed"):
        slots_change(KvmPolicy("modern", mutant="slots_no_wait"))


def slot_moves(policy: KvmPolicy) -> None:
    async def body(s: Scene) -> None:
        await s.warm(2)
        s.slow.tasks.add("guest")
        task = s.spawn(s.vcpu.write(8, b"late"), "guest")
        await s.until(lambda: s.vcpu.in_guest)
        await s.kvm.remove_slot(0)
        in_guest, left = s.vcpu.in_guest, len(s.kvm.sptes)
        await s.sched.join(task)
        await refused(errno.EFAULT, s.vcpu.read(0, 8), "no memory slot")
        await s.kvm.add_slot(0, 0, PAGE, at(5))
        assert await s.vcpu.read(0, 8) == number(5)
        assert await s.mm.load(at(0) + 8, 4) == b"late"
        assert not in_guest and left == 0

    stage(body, policy)


@every_policy
def test_a_slot_that_goes_takes_its_sptes_along(policy: KvmPolicy) -> None:
    slot_moves(policy)


@every_style
@pytest.mark.parametrize("mutant", ["keep_sptes", "no_flush", "no_wait"])
def test_sptes_that_outlive_their_slot_are_caught(mutant: Mutant, style: Style) -> None:
    with pytest.raises(DeadTranslationError, match="no memory slot"):
        slot_moves(KvmPolicy(style, mutant=mutant))


def slot_goes_in_the_window(policy: KvmPolicy) -> None:
    """The guest uses a TLB entry while the slot is on its way out, and has not been zapped."""

    async def body(s: Scene) -> None:
        await s.warm(1)
        await s.kvm.mmu_lock.acquire()
        removed = s.spawn(s.kvm.remove_slot(0), "vmm")
        await s.sched.charge(1000)
        read = s.spawn(s.vcpu.read(8, 5), "guest")
        await s.sched.charge(1000)
        assert not removed.finished and read.result == b"guest"
        s.kvm.mmu_lock.release()
        await s.sched.join(removed)

    stage(body, policy)


@every_style
def test_a_slot_is_found_as_long_as_it_has_sptes(style: Style) -> None:
    slot_goes_in_the_window(KvmPolicy(style))
    with pytest.raises(DeadTranslationError, match="no memory slot"):
        slot_goes_in_the_window(KvmPolicy(style, mutant="slot_gone_early"))


def gone_under_a_fault(policy: KvmPolicy, act: Callable[[Scene], Awaitable[None]]) -> None:
    async def body(s: Scene) -> None:
        s.slow.tasks.add("guest")

        async def guest() -> None:
            await refused(errno.EFAULT, s.vcpu.read(0, 8), "no memory slot|has gone")

        task = s.spawn(guest(), "guest")
        await s.until(lambda: s.mm.mmap_lock.readers == [task])
        await act(s)
        await s.sched.join(task)
        assert s.kvm.stats.sptes_made == 0

    stage(body, policy)


async def removes_the_slot(s: Scene) -> None:
    await s.kvm.remove_slot(0)


async def exits(s: Scene) -> None:
    await s.mm.exit()


@every_style
@pytest.mark.parametrize("act", [removes_the_slot, exits], ids=lambda act: act.__name__)
def test_a_fault_under_way_when_its_slot_or_its_process_goes_makes_no_spte(act: Any, style: Style) -> None:
    gone_under_a_fault(KvmPolicy(style), act)
    with pytest.raises(DeadTranslationError):
        gone_under_a_fault(KvmPolicy(style, mutant="late_spte"), act)


# ---- the end -------------------------------------------------------------------------------------------------------------


@every_policy
def test_after_release_nothing_is_left(policy: KvmPolicy) -> None:
    async def body(s: Scene) -> None:
        await s.warm()
        s.slow.tasks.add("guest")
        late = s.spawn(s.vcpu.write(8, b"late"), "guest")
        await s.until(lambda: s.vcpu.in_guest)
        await s.mm.exit()
        assert late.finished and s.kvm.stats.released == 1 and s.kvm.gone
        await refused(errno.EFAULT, s.vcpu.read(0, 1), "the address space has gone")
        await s.kvm.destroy()
        await refused(errno.ESRCH, Kvm.create(s.mm))

    stage(body, policy)


@every_policy
def test_a_machine_that_is_destroyed_hears_nothing_more(policy: KvmPolicy) -> None:
    async def body(s: Scene) -> None:
        await s.warm()
        await s.kvm.destroy()
        await s.kvm.destroy()
        assert not s.mm.notifiers.has_clients and len(s.kvm.sptes) == 0
        calls = s.kvm.stats.snapshot()
        await s.mm.munmap(AREA, PAGES * PAGE)
        assert s.kvm.stats.snapshot() == calls
        await refused(errno.EFAULT, s.vcpu.read(0, 1))

    stage(body, policy)


def test_a_machine_is_destroyed_while_a_file_is_cut() -> None:
    """Truncate takes no mmap lock: the machine may be between begin and end when it wants to unregister."""
    for delay in range(0, 400, 5):

        async def body(s: Scene, delay: int = delay) -> None:
            file = s.machine.new_file("data", 4)
            await s.mm.mmap(at(16), 4 * PAGE, RW, fixed=True, file=file, shared=True)
            await s.kvm.add_slot(1, 0x10_0000, 4 * PAGE, at(16))
            for page in range(4):
                await s.vcpu.write(0x10_0000 + page * PAGE, b"file")
            cut = s.spawn(filemap.truncate(file, 0), "truncate")
            await s.sched.sleep(delay)
            await s.kvm.destroy()
            await s.sched.join(cut)

        stage(body)


@every_style
def test_the_reaper_is_never_refused(style: Style) -> None:
    async def body(s: Scene) -> None:
        await s.warm()
        s.mm.oom_victim = True
        assert await oom_reap(s.mm) == 0
        assert s.machine.statistic("oom_area_reaped") == 1 and s.machine.statistic("oom_area_skipped") == 0
        assert len(s.kvm.sptes) == 0 and s.mm.page_table.count() == 0
        await refused(errno.EFAULT, s.vcpu.read(0, 1), "killed, out of memory")

    stage(body, KvmPolicy(style))


def test_two_machines_and_another_client_share_an_address_space() -> None:
    async def body(s: Scene) -> None:
        other = await Kvm.create(s.mm, KvmPolicy("2008", accessed_bit=False))
        await other.add_slot(0, 0x4000, PAGES * PAGE, AREA)
        await register(s.mm, third := Kvm(s.mm, KvmPolicy()))
        vcpu: Vcpu = other.create_vcpu()
        await s.warm()
        for page in range(PAGES):
            await vcpu.write(0x4000 + page * PAGE, b"other")
            assert await s.vcpu.read(page * PAGE, 5) == b"other"
        assert await s.machine.reclaim(PAGES) == PAGES
        assert len(s.kvm.sptes) == len(other.sptes) == 0
        assert await vcpu.read(0x4000 + 8, 5) == b"guest"
        assert third.stats.invalidate_page == PAGES == third.stats.nothing_mapped

    stage(body)


def test_a_vcpu_is_run_by_one_task_at_a_time() -> None:
    async def body(s: Scene) -> None:
        await s.warm(1)
        s.spawn(s.vcpu.read(0, 8), "first")
        await s.until(lambda: s.vcpu.in_guest)
        with pytest.raises(KvmError, match="<vcpu 0 of vm> is run by two tasks"):
            await s.vcpu.read(0, 8)

    stage(body)
