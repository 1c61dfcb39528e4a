"""What the VM does to a page, or asks about it, reaches sptes and guest TLBs: events, ageing, references; and ways to break it."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from kvm_rig import (
    ANON,
    AREA,
    FILE,
    PAGES,
    RW,
    Scene,
    at,
    drops,
    every_policy,
    every_style,
    forks,
    merges,
    migrates,
    moves,
    number,
    protects,
    punches,
    reclaims,
    reorders,
    stage,
    truncates,
    writes_back,
)
from mm_rig import PAGE

from sw_stack.drivers.kvm import GuestFaultError, KvmPolicy, Mutant, Style
from sw_stack.mm import MmError, filemap
from sw_stack.mm.frames import FrameError
from sw_stack.mm.historical import Historical
from sw_stack.mm.secondary import DeadTranslationError

# ---- events of the VM ----------------------------------------------------------------------------------------------------


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
