"""A GPU beside a guest on the same memory: one lets go of a page when it is told, the other holds on to it."""

from __future__ import annotations

import errno
import random
from collections.abc import Awaitable

import pytest
from gpu_rig import AREA, PAGES, RW, Scene, at, nothing_is_left, stage
from mm_rig import PAGE, Rig

from sw_stack.drivers.gpu import Gpu, GpuPolicy, Operand, Operation
from sw_stack.drivers.kvm import Kvm, KvmPolicy, Style, Vcpu
from sw_stack.mm import MmError
from sw_stack.mm.check import audit
from sw_stack.mm.secondary import DeadTranslationError
from sw_stack.sched import SeededChooser


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
