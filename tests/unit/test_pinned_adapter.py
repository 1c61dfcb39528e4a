"""The adapter that cannot change a mapping: what it keeps, what it is refused, and who lets go in the end."""

from __future__ import annotations

import errno

import pytest
from mm_rig import PAGE
from pinned_rig import BASE, BOTH, RW, Scene, at, refused, stage

from hwif.gen import timing
from sw_stack.drivers.pinned import Access, CompletionError
from sw_stack.mm import PROT_READ
from sw_stack.mm.check import audit

# ---- operations ----------------------------------------------------------------------------------------------------------


def test_process_and_adapter_see_the_same_bytes() -> None:
    async def body(s: Scene) -> None:
        mr = await s.adapter.reg_mr(s.mm, BASE + 100, 3 * PAGE, BOTH)
        assert mr.pages == 4 and mr.pfns == tuple(s.frame(s.mm, page) for page in range(4))
        assert await s.adapter.read(mr, at(1) - 2, 4) == b"\1\1\2\2"
        await s.adapter.write(mr, at(1) - 3, b"x" * (2 * PAGE + 5))
        assert await s.mm.load(at(1) - 4, 2 * PAGE + 8) == b"\1" + b"x" * (2 * PAGE + 5) + b"\4\4"
        await s.mm.store(at(2), b"stored")
        assert await s.adapter.read(mr, at(2), 6) == b"stored"
        await s.adapter.dereg_mr(mr)

    stats = stage(body).adapter.statistics()
    assert (stats["reads"], stats["writes"], stats["bytes_read"], stats["bytes_written"]) == (2, 1, 10, 2 * PAGE + 5)
    assert (stats["mr_reg"], stats["mr_dereg"], stats["pages_pinned"], stats["completion_errors"]) == (1, 1, 4, 0)


def test_an_operation_takes_its_time_page_by_page() -> None:
    async def body(s: Scene) -> None:
        mr = await s.adapter.reg_mr(s.mm, BASE, 4 * PAGE, BOTH)
        for pages in (1, 4):
            start = s.rig.sched.now
            await s.adapter.read(mr, BASE, pages * PAGE)
            page = timing.MEM_READ_LATENCY + PAGE // timing.MEM_BYTES_PER_CYCLE
            assert s.rig.sched.now - start == timing.SW_HCA_POST + timing.LINK_LATENCY + pages * page

    stage(body)


def test_operations_without_right_or_outside_complete_with_an_error() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mprotect(at(3), PAGE, PROT_READ)
        for access, read, write in ((Access.READ, 0, errno.EACCES), (Access.WRITE, errno.EACCES, 0), (BOTH, 0, 0)):
            mr = await s.adapter.reg_mr(s.mm, BASE + 8, 2 * PAGE, access)
            for expected, operation in ((read, s.adapter.read(mr, at(1), 8)), (write, s.adapter.write(mr, at(1), b"w" * 8))):
                if expected:
                    with refused(expected, CompletionError):
                        await operation
                else:
                    await operation
            for addr, n in ((BASE + 7, 8), (at(2) + 1, 8), (BASE + 8, 2 * PAGE + 1), (at(1), -1)):
                with refused(errno.EINVAL, CompletionError):
                    await s.adapter.read(mr, addr, n)
            await s.adapter.dereg_mr(mr)
            for stale in (s.adapter.read(mr, at(1), 8), s.adapter.write(mr, at(1), b"w")):
                with refused(errno.EINVAL, CompletionError):
                    await stale
            with refused(errno.EINVAL):
                await s.adapter.dereg_mr(mr)
        mr = await s.adapter.reg_mr(s.mm, at(3), PAGE, Access.READ)  # a page the process may only read
        assert await s.adapter.read(mr, at(3), 2) == b"\4\4"
        assert await s.adapter.read(mr, at(4), 0) == b""
        with refused(errno.EACCES, CompletionError):
            await s.adapter.write(mr, at(3), b"w")
        assert await s.mm.load(at(3), 1) == b"\4"

    assert stage(body).adapter.stats.completion_errors == 2 + 3 * 6 + 1


def test_registrations_that_are_refused_leave_nothing_behind() -> None:
    async def body(s: Scene) -> None:
        await s.mm.mprotect(at(1), PAGE, PROT_READ)
        await s.mm.munmap(at(3), PAGE)
        s.mm.rlimit_memlock = 3
        gone = s.machine.new_mm("gone")
        await gone.exit()
        before = s.machine.frames.free
        for mm, addr, length, access, code in (
            (s.mm, BASE, 0, BOTH, errno.EINVAL),
            (s.mm, BASE, -1, BOTH, errno.EINVAL),
            (s.mm, BASE, PAGE, 0, errno.EINVAL),
            (s.mm, BASE, PAGE, 4, errno.EINVAL),
            (s.mm, (1 << 64) - PAGE, 2 * PAGE, BOTH, errno.EINVAL),
            (s.mm, BASE, 2 * PAGE, BOTH, errno.EFAULT),
            (s.mm, at(2), 2 * PAGE, Access.READ, errno.EFAULT),
            (s.mm, BASE, 4 * PAGE, Access.READ, errno.ENOMEM),
            (gone, BASE, PAGE, Access.READ, errno.EFAULT),
        ):
            with refused(code):
                await s.adapter.reg_mr(mm, addr, length, access)
        assert s.machine.frames.free == before and s.mm.locked_vm == 0 and s.adapter.regions() == []
        audit(s.machine, quiet=True)
        await s.adapter.dereg_mr(await s.adapter.reg_mr(s.mm, BASE, 3 * PAGE, Access.READ))

    stats = stage(body).adapter.stats
    assert stats.mr_reg_failed == 5 and stats.memlock_refused == 1 and stats.mr_reg == 1


# ---- the process goes its own way ------------------------------------------------------------------------------------------


def test_what_is_unmapped_stays_the_adapters_until_it_is_deregistered() -> None:
    async def body(s: Scene) -> None:
        mr = await s.adapter.reg_mr(s.mm, BASE, 4 * PAGE, BOTH)
        free = s.machine.frames.free
        await s.mm.munmap(BASE, 4 * PAGE)
        assert s.machine.frames.free == free, "unmapping frees no pinned frame"
        await s.mm.mmap(BASE, 4 * PAGE, RW, fixed=True)
        await s.mm.store(at(2), b"new")
        assert s.frame(s.mm, 2) not in mr.pfns
        assert await s.adapter.read(mr, at(2), 3) == b"\3\3\3"
        await s.adapter.write(mr, at(2), b"old")
        assert await s.mm.load(at(2), 3) == b"new"
        await s.adapter.dereg_mr(mr)
        assert s.machine.frames.free == free + 4 - 1
        again = await s.adapter.reg_mr(s.mm, BASE, 4 * PAGE, BOTH)
        assert again.pfns[2] == s.frame(s.mm, 2) and await s.adapter.read(again, at(2), 3) == b"new"

    stage(body)


def test_what_is_dropped_reads_as_zeros_to_the_process_alone() -> None:
    async def body(s: Scene) -> None:
        mr = await s.adapter.reg_mr(s.mm, BASE, 2 * PAGE, Access.READ)
        await s.mm.madvise_dontneed(BASE, PAGE)
        assert await s.mm.load(BASE, 2) == bytes(2)
        assert await s.adapter.read(mr, BASE, 2) == b"\1\1"
        assert await s.mm.load(at(1), 2) == await s.adapter.read(mr, at(1), 2) == b"\2\2"

    stage(body)


def test_fork_after_registration_parts_the_parent_from_the_adapter() -> None:
    """The first store goes to a new frame, and it is the parent's; what the adapter delivers, the child gets."""

    async def body(s: Scene) -> None:
        mr = await s.adapter.reg_mr(s.mm, BASE, 2 * PAGE, BOTH)
        child = await s.mm.fork("child")
        assert s.frame(s.mm, 0) == s.frame(child, 0) == mr.pfns[0]
        await s.mm.store(BASE + 64, b"parent")
        assert s.frame(s.mm, 0) != mr.pfns[0] == s.frame(child, 0)
        assert await s.adapter.read(mr, BASE + 64, 6) == b"\1" * 6, "the adapter does not see the store"
        await s.adapter.write(mr, BASE, b"arrived")
        assert await s.mm.load(BASE, 7) == b"\1" * 7, "the parent does not see what arrived"
        assert await child.load(BASE, 7) == b"arrived", "the child does"
        # A page that the child has left alone, or a child that is gone, does no harm.
        await child.exit()
        await s.mm.store(at(1), b"reused")
        assert s.frame(s.mm, 1) == mr.pfns[1] and await s.adapter.read(mr, at(1), 6) == b"reused"
        again = await s.adapter.reg_mr(s.mm, BASE, 2 * PAGE, BOTH)
        assert await s.adapter.read(again, BASE + 64, 6) == b"parent"

    assert stage(body).machine.statistic("fault_cow") == 1


@pytest.mark.parametrize("access", [Access.READ, Access.WRITE, BOTH])
def test_registration_breaks_copy_on_write_before_it_pins(access: Access) -> None:
    """Also to read only: the shared page is not the one the parent will go on with."""

    async def body(s: Scene) -> None:
        child = await s.mm.fork("child")
        shared = s.frame(child, 0)
        mr = await s.adapter.reg_mr(s.mm, BASE, PAGE, access)
        assert mr.pfns[0] == s.frame(s.mm, 0) != shared == s.frame(child, 0)
        await s.mm.store(BASE, b"parent")
        assert s.frame(s.mm, 0) == mr.pfns[0]
        if access & Access.READ:
            assert await s.adapter.read(mr, BASE, 6) == b"parent"
        if access & Access.WRITE:
            await s.adapter.write(mr, BASE, b"arrived")
            assert await s.mm.load(BASE, 7) == b"arrived"
        assert await child.load(BASE, 6) == b"\1" * 6

    assert stage(body).machine.statistic("fault_cow") == 1


def test_reclaim_and_migration_meet_the_pins_in_vain() -> None:
    async def body(s: Scene) -> None:
        mr = await s.adapter.reg_mr(s.mm, BASE, 2 * PAGE, BOTH)
        for _ in range(3):
            await s.machine.reclaim(4)
            assert not await s.machine.migrate_page(s.mm, BASE)
            await s.adapter.write(mr, BASE, b"while away")
            assert await s.mm.load(BASE, 10) == b"while away"
            await s.mm.store(at(1), b"returned")
            assert await s.adapter.read(mr, at(1), 8) == b"returned"
        assert (s.frame(s.mm, 0), s.frame(s.mm, 1)) == mr.pfns
        await s.adapter.dereg_mr(mr)
        await s.mm.touch(BASE, write=True)
        assert await s.machine.migrate_page(s.mm, BASE)
        while await s.machine.reclaim(4):
            pass
        assert await s.mm.load(BASE, 10) == b"while away" and await s.mm.load(at(1), 8) == b"returned", "dirty when let go (MN-6)"

    scene = stage(body)
    assert scene.machine.reclaimer.scan.pinned >= 2 and scene.machine.statistic("swapped_in") >= 2


# ---- the end of a process ------------------------------------------------------------------------------------------------


def test_exit_lets_nothing_go_and_close_lets_everything() -> None:
    async def body(s: Scene) -> None:
        other = s.machine.new_mm("other")
        await other.mmap(BASE, PAGE, RW, fixed=True)
        theirs = await s.adapter.reg_mr(other, BASE, PAGE, BOTH)
        mr = await s.adapter.reg_mr(s.mm, BASE, 3 * PAGE, BOTH)
        await s.adapter.reg_mr(s.mm, at(1), PAGE, Access.READ)
        count = s.machine.frames.count
        await s.mm.exit()
        assert s.machine.frames.free == count - 4 and s.machine.statistic("unpinned") == 0
        assert await s.adapter.read(mr, at(2), 2) == b"\3\3", "the oracle knows the pages as the adapter's"
        await s.adapter.write(mr, at(2), b"nobody's")
        await s.adapter.close(s.mm)
        assert s.machine.frames.free == count - 1
        assert s.adapter.regions() == [theirs]
        with refused(errno.EINVAL, CompletionError):
            await s.adapter.read(mr, at(2), 2)

    assert stage(body).adapter.stats.mr_closed == 3


def test_close_waits_for_operations_and_for_deregistrations() -> None:
    done: list[str] = []

    async def body(s: Scene) -> None:
        first = await s.adapter.reg_mr(s.mm, BASE, 2 * PAGE, BOTH)
        second = await s.adapter.reg_mr(s.mm, at(2), 2 * PAGE, BOTH)

        async def use(number: int) -> None:
            mr = (first, second)[number]
            await s.adapter.write(mr, mr.start, b"y" * 2 * PAGE)
            done.append(f"write {number}")

        async def dereg() -> None:
            await s.rig.sched.sleep(timing.LINK_LATENCY)
            await s.adapter.dereg_mr(second)
            done.append("dereg")

        tasks = [s.rig.sched.spawn(coroutine, "helper", 2) for coroutine in (use(0), use(1), dereg())]
        await s.rig.sched.sleep(timing.LINK_LATENCY + timing.SW_SYSCALL + 1)
        assert first.in_flight == second.in_flight == 1 and first.live and not second.live
        await s.adapter.close(s.mm)
        assert s.adapter.regions() == [] and {"write 0", "write 1"} <= set(done)
        for task in tasks:
            await s.rig.sched.join(task)
        assert await s.mm.load(BASE, 4 * PAGE) == b"y" * 4 * PAGE

    stats = stage(body).adapter.stats
    assert stats.dereg_waits == 2 and stats.mr_closed == 1 and "dereg" in done
