"""The hypervisor alone: guest faults, the rights of sptes, and how a machine ends; and the ways to break that."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from kvm_rig import AREA, PAGES, RW, Scene, at, every_policy, every_style, number, refused, stage
from mm_rig import PAGE, register

from hwif.gen import timing
from sw_stack.drivers.kvm import MUTANT_TEXT, GuestFaultError, Kvm, KvmError, KvmPolicy, Mutant, Style, Vcpu
from sw_stack.mm import filemap
from sw_stack.mm.oom import oom_reap
from sw_stack.mm.secondary import DeadTranslationError

# ---- policy and guest faults ---------------------------------------------------------------------------------------------


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
