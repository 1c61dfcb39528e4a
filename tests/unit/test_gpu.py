"""A GPU that pins while an operation runs: operations, their errors, and the aperture they share."""

from __future__ import annotations

import errno

import pytest
from gpu_rig import AREA, PAGES, RW, Scene, at, copy, refused, stage
from mm_rig import PAGE

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.drivers.gpu import MUTANT_TEXT, GpuPolicy, Mutant, Operand, Operation
from sw_stack.mm import filemap
from sw_stack.mm.frames import FrameError, PageFlag
from sw_stack.mm.secondary import DeadTranslationError

# ---- operations ----------------------------------------------------------------------------------------------------------


def test_a_policy_that_is_impossible_is_refused_in_one_line() -> None:
    for wrong in ({"aperture_pages": 0}, {"mutant": "none"}):
        with pytest.raises(ValueError, match=r"^gpu policy: .*$"):
            GpuPolicy(**wrong)  # type: ignore[arg-type]
    assert set(MUTANT_TEXT) == set(Mutant.__args__)  # type: ignore[attr-defined]


def test_an_operation_reads_and_writes_and_returns_its_result() -> None:
    async def body(s: Scene) -> None:
        operands = [Operand(at(0), PAGE, False), Operand(at(3) + 100, 200, True)]
        assert await s.gpu.submit(s.mm, operands, copy) == b"\x01" * 16
        assert await s.mm.load(at(3) + 100, 16) == b"\x01" * 16

        async def across(op: Operation) -> None:
            assert await op.read(0, 0, PAGE) == bytes(PAGE - 16) + b"\x02" * 16
            await op.write(0, PAGE - 24, b"across the edge of pages")

        await s.gpu.submit(s.mm, [Operand(at(0) + 16, 2 * PAGE, True)], across)
        assert await s.mm.load(at(1) - 8, 24) == b"across the edge of pages"
        assert (s.gpu.stats.completed, s.gpu.stats.pages_pinned, s.gpu.stats.pages_peak) == (2, 5, 3)

    stage(body)


def test_between_operations_nothing_is_held_and_during_one_everything_is() -> None:
    async def body(s: Scene) -> None:
        everything = [Operand(AREA, PAGES * PAGE, True)]
        scan = s.machine.reclaimer.scan

        async def fails() -> None:
            assert {s.pins(page) for page in range(PAGES)} == {1}
            assert await s.machine.reclaim(PAGES) == 0 and scan.pinned > 0
            for page in range(PAGES):
                await s.mm.touch(at(page), False)
                assert not await s.machine.migrate_page(s.mm, at(page))
            assert s.machine.statistic("migrate_pinned") == PAGES

        for _ in range(2):
            assert {s.pins(page) for page in range(PAGES)} == {0}
            for page in range(PAGES):
                assert await s.machine.migrate_page(s.mm, at(page))
            assert await s.machine.reclaim(PAGES) == PAGES
            scan.pinned = 0
            await s.held(everything, fails)
            s.machine.count("migrate_pinned", -PAGES)
        assert [await s.mm.load(at(page), 1) for page in range(PAGES)] == [bytes([page + 1]) for page in range(PAGES)]

    stage(body)


def test_nothing_is_charged_to_the_limit_of_locked_memory() -> None:
    async def body(s: Scene) -> None:
        s.mm.rlimit_memlock = 1

        async def uncharged() -> None:
            assert s.mm.locked_vm == 0

        await s.held([Operand(AREA, PAGES * PAGE, True)], uncharged)
        assert s.machine.statistic("memlock_refused") == 0

    stage(body)


def test_what_the_gpu_stored_is_dirty_when_the_pages_are_given_back() -> None:
    async def body(s: Scene) -> None:
        assert await s.machine.reclaim(PAGES) == PAGES  # swap has all bytes

        async def store(op: Operation) -> None:
            assert await s.machine.reclaim(PAGES) == 0
            await op.write(0, 0, b"from the GPU")

        for _ in range(2):
            await s.gpu.submit(s.mm, [Operand(at(2), PAGE, True)], store)
            assert await s.machine.reclaim(1) == 1
            assert await s.mm.load(at(2), 13) == b"from the GPU\x03"

    stage(body)


def test_a_page_of_a_file_is_dirty_again_though_it_was_written_back_meanwhile() -> None:
    async def body(s: Scene) -> None:
        file = s.machine.new_file("data", 2)
        await s.mm.mmap(at(16), 2 * PAGE, RW, fixed=True, file=file, shared=True)
        await s.mm.store(at(16), b"process")

        async def store(op: Operation) -> None:
            await filemap.writeback(file)
            assert not file.pages[0].flags & PageFlag.DIRTY
            await op.write(0, 0, b"the GPU")

        await s.gpu.submit(s.mm, [Operand(at(16), PAGE, True)], store)
        assert file.pages[0].flags & PageFlag.DIRTY and file.store[0][:7] == b"process"
        assert await filemap.writeback(file) == 1 and file.store[0][:7] == b"the GPU"
        await s.mm.munmap(at(16), 2 * PAGE)
        await filemap.truncate(file, 0)

    stage(body)


def test_an_operation_goes_on_with_its_pages_when_the_mapping_goes() -> None:
    async def body(s: Scene) -> None:
        free = s.machine.frames.free

        async def unmapped(op: Operation) -> bytes:
            await s.mm.munmap(AREA, PAGES * PAGE)
            assert s.machine.frames.free == free + PAGES - 2
            await op.write(0, 0, b"nobody sees it")
            return await op.read(0, 0, 15)

        assert await s.gpu.submit(s.mm, [Operand(at(2), 2 * PAGE, True)], unmapped) == b"nobody sees it\x03"
        assert s.machine.frames.free == free + PAGES

    stage(body)


def test_an_operation_outlives_its_process() -> None:
    async def body(s: Scene) -> None:
        async def leaves(op: Operation) -> None:
            await s.mm.exit()
            await op.write(0, 0, b"posthumous")
            assert await op.read(0, 0, 10) == b"posthumous"

        await s.gpu.submit(s.mm, [Operand(at(2), PAGE, True)], leaves)
        await refused(errno.EFAULT, s.gpu.submit(s.mm, [Operand(at(2), PAGE, True)], copy), "has exited")

    stage(body)


def test_a_pin_does_not_follow_the_process_through_copy_on_write() -> None:
    """What pinning costs: after fork the parent's store moves the parent to a copy, and the GPU stays with the child."""

    async def body(s: Scene) -> None:
        async def forks(op: Operation) -> None:
            child = await s.mm.fork("child")
            await s.mm.store(at(0), b"P")
            await op.write(0, 8, b"GPU")
            assert await s.mm.load(at(0), 11) == b"P" + b"\x01" * 10
            assert await child.load(at(0), 11) == b"\x01" * 8 + b"GPU"
            await child.exit()

        await s.gpu.submit(s.mm, [Operand(at(0), PAGE, True)], forks)

    stage(body)


def test_operands_are_pinned_in_order_of_address() -> None:
    async def body(s: Scene) -> None:
        operands = [Operand(at(5), PAGE, False), Operand(at(1), 2 * PAGE, True), Operand(at(3) + 8, 8, False)]

        async def work(op: Operation) -> bytes:
            return b"".join([await op.read(place, 0, 1) for place in range(3)])

        assert await s.gpu.submit(s.mm, operands, work) == b"\x06\x02\x04"

    scene = stage(body)
    assert [event[2] for event in scene.rig.seen(TraceEvent.VM_PIN)] == [at(1), at(3), at(5)]


# ---- errors --------------------------------------------------------------------------------------------------------------


def test_an_operand_that_cannot_be_pinned_lets_the_others_go() -> None:
    async def body(s: Scene) -> None:
        good = Operand(at(0), 2 * PAGE, True)
        await refused(errno.EFAULT, s.gpu.submit(s.mm, [good, Operand(0x20_0000_0000, PAGE, False)], copy), "no mapping")
        await s.mm.mprotect(at(7), PAGE, 1)
        await refused(errno.EFAULT, s.gpu.submit(s.mm, [Operand(at(6), 2 * PAGE, True), good], copy), "protection")
        assert {s.pins(page) for page in range(PAGES)} == {0} and s.gpu.stats.pages == 0
        await s.gpu.submit(s.mm, [good, Operand(at(7), PAGE, False)], lambda op: op.read(1, 0, 4))
        assert (s.gpu.stats.failed, s.gpu.stats.completed) == (2, 1)

    stage(body)


def test_pages_that_leak_on_an_error_are_found() -> None:
    async def body(s: Scene) -> None:
        operands = [Operand(at(0), 2 * PAGE, True), Operand(0x20_0000_0000, PAGE, False)]
        await refused(errno.EFAULT, s.gpu.submit(s.mm, operands, copy))
        assert not await s.machine.migrate_page(s.mm, at(0))

    with pytest.raises(FrameError, match=r"frame .*: 1 pins"):
        stage(body, GpuPolicy(mutant="leak_on_error"))


def test_no_memory_to_pin_is_an_error_of_the_submitter() -> None:
    async def body(s: Scene) -> None:
        room = await s.mm.mmap(None, 2 * PAGES * PAGE, RW)
        await s.mm.mlock(AREA, PAGES * PAGE)
        await refused(errno.ENOMEM, s.gpu.submit(s.mm, [Operand(room, 2 * PAGES * PAGE, True)], copy), "out of memory")
        assert s.gpu.stats.pages == 0
        await s.mm.munlock(AREA, PAGES * PAGE)
        assert await s.machine.reclaim(4) == 4

    stage(body, frames=PAGES + 6)


def test_operands_that_make_no_sense_are_refused() -> None:
    async def body(s: Scene) -> None:
        for addr, length in ((at(0), 0), (at(0), -1), ((1 << 64) - PAGE, PAGE + 1), (-PAGE, PAGE)):
            await refused(errno.EINVAL, s.gpu.submit(s.mm, [Operand(addr, length, False)], copy))
        assert s.gpu.stats.failed == 4 and s.gpu.stats.pages_pinned == 0

    stage(body)


def test_an_operation_that_goes_wrong_gives_its_pages_back() -> None:
    async def body(s: Scene) -> None:
        operands = [Operand(at(0) + 8, 16, False), Operand(at(1), PAGE, True)]
        for code, work in (
            (errno.EFAULT, lambda op: op.read(0, 9, 8)),
            (errno.EFAULT, lambda op: op.read(0, -1, 1)),
            (errno.EFAULT, lambda op: op.write(1, PAGE - 1, b"xy")),
            (errno.EPERM, lambda op: op.write(0, 0, b"x")),
        ):
            await refused(code, s.gpu.submit(s.mm, operands, work))
            assert s.pins(0) == s.pins(1) == 0

        async def hangs(_op: Operation) -> None:
            raise ValueError("GPU hang")

        with pytest.raises(ValueError, match="GPU hang"):
            await s.gpu.submit(s.mm, operands, hangs)
        assert s.gpu.stats.failed == 5

    stage(body)


def test_pages_given_back_before_the_last_access_are_caught() -> None:
    async def body(s: Scene) -> None:
        await s.gpu.submit(s.mm, [Operand(at(0), PAGE, False), Operand(at(1), PAGE, True)], copy)

    with pytest.raises(DeadTranslationError, match=r"<operation of process>: read of 0x1000000000 .* is revoked"):
        stage(body, GpuPolicy(mutant="unpin_early"))


# ---- the aperture --------------------------------------------------------------------------------------------------------


def test_a_request_larger_than_the_aperture_is_refused_at_once() -> None:
    async def body(s: Scene) -> None:
        async def while_it_is_full() -> None:
            start = s.sched.now
            await refused(errno.ENOMEM, s.gpu.submit(s.mm, [Operand(AREA, 5 * PAGE, True)], copy), "aperture of 4")
            parts = [Operand(at(page) + PAGE - 1, 2, True) for page in (0, 2, 4)]
            await refused(errno.ENOMEM, s.gpu.submit(s.mm, parts, copy), "6 pages")
            assert s.sched.now - start == 2 * timing.SW_SYSCALL

        await s.held([Operand(AREA, 4 * PAGE, True)], while_it_is_full)
        assert s.gpu.stats.too_large == 2 and s.gpu.stats.waited == 0

    stage(body, GpuPolicy(aperture_pages=4))


def arrivals(policy: GpuPolicy) -> list[str]:
    """Three pages are in use of four; a large request comes, then small ones that would fit."""
    order: list[str] = []

    async def body(s: Scene) -> None:
        async def one(name: str, pages: int, cycles: int) -> None:
            async def work(op: Operation) -> None:
                order.append(name)
                assert s.gpu.stats.pages <= 4
                await op.compute(cycles)

            await s.gpu.submit(s.mm, [Operand(AREA, pages * PAGE, False)], work)

        tasks = []
        for name, pages, cycles in (("first", 3, 40_000), ("large", 4, 5000), ("small", 1, 5000), ("other", 1, 5000)):
            tasks.append(s.spawn(one(name, pages, cycles), name))
            await s.sched.sleep(2000)
        for task in tasks:
            await s.sched.join(task)
        assert s.gpu.stats.waited == (3 if policy.mutant is None else 2) and s.gpu.stats.pages_peak == 4

    stage(body, policy)
    return order


def test_waiting_is_in_order_of_arrival() -> None:
    assert arrivals(GpuPolicy(aperture_pages=4)) == ["first", "large", "small", "other"]


def test_a_driver_that_lets_small_requests_pass_is_seen() -> None:
    assert arrivals(GpuPolicy(aperture_pages=4, mutant="overtake")) == ["first", "small", "other", "large"]


def test_requests_that_fit_together_run_together() -> None:
    async def body(s: Scene) -> None:
        running = most = 0

        async def work(op: Operation) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await op.compute(20_000)
            running -= 1

        tasks = [s.spawn(s.gpu.submit(s.mm, [Operand(at(n), PAGE, True)], work), f"job {n}") for n in range(4)]
        for task in tasks:
            await s.sched.join(task)
        assert most == 2 and s.gpu.stats.waited == 2

    stage(body, GpuPolicy(aperture_pages=2))
