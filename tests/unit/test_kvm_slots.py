"""Memory slots: which are refused, what the guest sees through them, how they change under faults, accesses and invalidations."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from kvm_rig import AREA, PAGES, RW, Scene, at, every_policy, every_style, number, refused, stage
from mm_rig import PAGE

from sw_stack.drivers.kvm import KvmError, KvmPolicy, Mutant, Style
from sw_stack.mm.secondary import DeadTranslationError

# ---- slots that stay -----------------------------------------------------------------------------------------------------


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
