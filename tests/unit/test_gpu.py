"""A GPU that pins while an operation runs: alone, and beside a guest on the same memory."""

from __future__ import annotations

import errno
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mm_rig import PAGE, NoChoice, Rig

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.drivers.gpu import MUTANT_TEXT, Gpu, GpuPolicy, Mutant, Operand, Operation
from sw_stack.drivers.kvm import Kvm, KvmPolicy, Style, Vcpu
from sw_stack.mm import Mm, MmError, filemap
from sw_stack.mm.check import audit
from sw_stack.mm.frames import FrameError, PageFlag
from sw_stack.mm.secondary import DeadTranslationError
from sw_stack.sched import SeededChooser

AREA = 0x10_0000_0000
PAGES = 8
RW = 3


def at(page: int) -> int:
    return AREA + page * PAGE


class Scene:
    """A process with PAGES pages at AREA, each with its number in it, and a GPU."""

    def __init__(self, rig: Rig, mm: Mm, gpu: Gpu) -> None:
        self.rig, self.mm, self.gpu = rig, mm, gpu
        self.machine, self.sched = rig.machine, rig.sched

    def spawn(self, body: Any, name: str) -> Any:
        return self.sched.spawn(body, name, 3)

    def pins(self, page: int) -> int:
        """References on the frame of a page."""
        return self.machine.frames[self.mm.shadow.records()[at(page) // PAGE][0]].pins

    async def held(self, operands: list[Operand], during: Callable[[], Awaitable[None]]) -> None:
        """Run something while an operation has these operands pinned."""

        async def work(_op: Operation) -> None:
            await during()

        await self.gpu.submit(self.mm, operands, work)


def stage(body: Callable[[Scene], Awaitable[None]], policy: GpuPolicy | None = None, *, frames: int = 40) -> Scene:
    rig = Rig(frames, chooser=NoChoice())
    scenes: list[Scene] = []

    async def play() -> None:
        mm = rig.machine.new_mm("process")
        await mm.mmap(AREA, PAGES * PAGE, RW, fixed=True)
        for page in range(PAGES):
            await mm.store(at(page), bytes([page + 1]) * 16)
        scenes.append(Scene(rig, mm, Gpu(rig.machine, policy)))
        await body(scenes[0])
        if mm.alive:
            await mm.exit()

    rig.run(play())
    scene = scenes[0]
    nothing_is_left(rig, scene.gpu)
    return scene


def nothing_is_left(rig: Rig, gpu: Gpu) -> None:
    audit(rig.machine, quiet=True)
    assert rig.machine.frames.free == rig.machine.frames.count and rig.machine.swap.used == 0
    assert not rig.shadow.words.any()
    stats = gpu.stats
    assert stats.pages == 0 and stats.pages_pinned == stats.pages_unpinned
    assert stats.submitted == stats.completed + stats.failed
    assert rig.machine.statistic("pinned") == rig.machine.statistic("unpinned")


async def copy(op: Operation) -> bytes:
    """Operand 0 to operand 1, in pieces."""
    total = b""
    for offset in range(0, 16, 4):
        data = await op.read(0, offset, 4)
        await op.compute(50)
        await op.write(1, offset, data)
        total += data
    return total


async def refused(code: int, call: Awaitable[object], match: str | None = None) -> None:
    with pytest.raises(MmError, match=match) as caught:
        await call
    assert caught.value.errno == code


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


# ---- beside a guest ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["2008", "modern"])
def test_a_guest_lets_go_when_it_is_told_and_a_pin_does_not(style: Style) -> None:
    async def body(s: Scene) -> None:
        kvm = await Kvm.create(s.mm, KvmPolicy(style))
        await kvm.add_slot(0, 0, PAGES * PAGE, AREA)
        vcpu = kvm.create_vcpu()
        for page in range(PAGES):
            await vcpu.write(page * PAGE + 8, b"guest")
        held = int(style == "2008")

        async def both(op: Operation) -> None:
            assert s.pins(0) == 1 + held and s.pins(4) == held
            assert await s.machine.reclaim(PAGES) == PAGES - 2
            assert len(kvm.sptes) == 0 and s.machine.reclaimer.scan.pinned > 0
            await op.write(0, 16, b"GPU")
            assert await vcpu.read(0, 19) == b"\x01" * 8 + b"guest" + b"\x01" * 3 + b"GPU"
            await vcpu.write(PAGE, b"again")
            assert await op.read(0, PAGE, 5) == b"again"
            assert s.pins(0) == 1 + held
            assert not await s.machine.migrate_page(s.mm, at(0)) and kvm.sptes.get(0) is None

        await s.gpu.submit(s.mm, [Operand(AREA, 2 * PAGE, True)], both)
        await vcpu.read(0, 1)
        assert await s.machine.migrate_page(s.mm, at(0)) and await s.machine.reclaim(2) == 2
        assert kvm.stats.references == 0
        assert await vcpu.read(16, 3) == b"GPU"
        await s.mm.exit()
        assert kvm.stats.references == 0

    stage(body)


class Together:
    """Threads, vcpus and a GPU on the same pages under memory pressure. Nothing is unmapped or copied, so all of them must see one
    memory, pins included."""

    def __init__(self, seed: int, kvm: KvmPolicy, gpu: GpuPolicy) -> None:
        self.rng = random.Random(seed)
        self.rig = Rig(22, chooser=SeededChooser(seed, preempt_odds=4), swap=200)
        self.machine, self.sched = self.rig.machine, self.rig.sched
        self.mm = self.machine.new_mm("process")
        self.gpu = Gpu(self.machine, gpu)
        self.kvm_policy = kvm
        self.kvm = Kvm(self.mm, kvm)
        self.known = [bytes(8)] * PAGES
        self.compared = self.counter = self.working = 0

    def wrote(self, page: int, data: bytes) -> None:
        self.known[page] = data

    def read(self, page: int, data: bytes) -> None:
        self.compared += 1
        assert data == self.known[page], f"wrong bytes: page {page} at cycle {self.sched.now}"

    def fresh(self) -> bytes:
        self.counter += 1
        return self.counter.to_bytes(8, "little")

    async def user(self, count: int, vcpu: Vcpu | None) -> None:
        for _ in range(count):
            page = self.rng.randrange(PAGES)
            try:
                if self.rng.random() < 0.5:
                    data = self.fresh()
                    await (self.mm.store(at(page), data) if vcpu is None else vcpu.write(page * PAGE, data))
                    self.wrote(page, data)
                else:
                    self.read(page, await (self.mm.load(at(page), 8) if vcpu is None else vcpu.read(page * PAGE, 8)))
            except MmError as error:
                assert error.errno == errno.EFAULT, error

    async def jobs(self, count: int) -> None:
        for _ in range(count):
            spans = [(first := self.rng.randrange(PAGES), self.rng.randrange(1, min(4, PAGES - first) + 1)) for _ in range(2)]
            operands = [Operand(at(first), pages * PAGE, place == 0) for place, (first, pages) in enumerate(spans)]

            async def work(op: Operation, spans: list[tuple[int, int]] = spans) -> None:
                for _ in range(4):
                    place = self.rng.randrange(2)
                    page = self.rng.randrange(spans[place][1])
                    if place == 0 and self.rng.random() < 0.7:
                        data = self.fresh()
                        await op.write(place, page * PAGE, data)
                        self.wrote(spans[place][0] + page, data)
                    else:
                        self.read(spans[place][0] + page, await op.read(place, page * PAGE, 8))
                    await op.compute(self.rng.randrange(2000))

            try:
                await self.gpu.submit(self.mm, operands, work)
            except MmError as error:
                assert error.errno in (errno.EFAULT, errno.ENOMEM), error

    async def protect(self, count: int) -> None:
        for _ in range(count):
            first = self.rng.randrange(PAGES)
            await self.mm.mprotect(at(first), PAGE, self.rng.choice((0, 1)))
            await self.sched.sleep(self.rng.randrange(3000))
            await self.mm.mprotect(at(first), PAGE, RW)
            await self.sched.sleep(self.rng.randrange(10_000))

    async def disturb(self) -> None:
        while self.working:
            await self.sched.sleep(self.rng.randrange(1, 3000))
            if self.rng.random() < 0.5:
                await self.machine.migrate_page(self.mm, at(self.rng.randrange(PAGES)))
            else:
                await self.machine.reclaim(self.rng.randrange(1, 6))
            audit(self.machine)

    async def counted(self, body: Awaitable[None]) -> None:
        try:
            await body
        finally:
            self.working -= 1

    def play(self) -> None:
        async def start() -> None:
            await self.mm.mmap(AREA, PAGES * PAGE, RW, fixed=True)
            self.kvm = await Kvm.create(self.mm, self.kvm_policy)
            await self.kvm.add_slot(0, 0, PAGES * PAGE, AREA)

        self.rig.run(start())
        vcpus = [self.kvm.create_vcpu() for _ in range(2)]
        bodies = [self.user(80, None), *(self.user(80, vcpu) for vcpu in vcpus), self.jobs(25), self.jobs(25), self.protect(15)]
        self.working = len(bodies)
        self.rig.run(*map(self.counted, bodies), self.disturb(), self.disturb())
        self.rig.run(self.mm.exit())
        nothing_is_left(self.rig, self.gpu)


@pytest.mark.parametrize("style", ["2008", "modern"])
@pytest.mark.parametrize("bit", [True, False], ids=["A", "noA"])
@pytest.mark.parametrize("seed", range(5))
def test_guest_process_and_gpu_see_one_memory(seed: int, bit: bool, style: Style) -> None:
    world = Together(seed, KvmPolicy(style, bit), GpuPolicy(aperture_pages=6))
    world.play()
    assert world.compared > 100 and world.kvm.stats.references == 0
    assert world.gpu.stats.waited > 0 and world.gpu.stats.completed > 20
    assert world.machine.statistic("migrated") > 0 and world.machine.statistic("reclaimed") > 0
    assert world.machine.reclaimer.scan.pinned > 0 and world.machine.statistic("migrate_pinned") > 0


def test_pages_given_back_early_are_caught_under_pressure() -> None:
    for seed in range(10):
        with pytest.raises(DeadTranslationError):
            Together(seed, KvmPolicy(), GpuPolicy(aperture_pages=6, mutant="unpin_early")).play()


def test_one_seed_is_one_trace() -> None:
    digests = []
    for _ in range(2):
        world = Together(3, KvmPolicy("2008"), GpuPolicy(aperture_pages=6))
        world.play()
        digests.append((world.rig.trace.digest(), world.sched.now, world.gpu.stats.snapshot()))
    assert digests[0] == digests[1]
