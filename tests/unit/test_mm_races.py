"""Threads, a device, reclaim, migration and children in one address space at once.

Every load, by processor or device, is compared with the bytes a coherent memory holds at that instant; every device access with the
oracle. Many seeds, many preemptions. A device that breaks the contract must be caught, else the oracle's records are too kind.
"""

from __future__ import annotations

import errno
import random

import mm_rig
import pytest
from known_bytes import KnownBytes
from mm_device import Device
from mm_rig import PAGE, NoChoice, Rig, register

from hwif.gen import timing
from sw_stack.mm import Mm, MmError
from sw_stack.mm.check import audit
from sw_stack.sched import SeededChooser

BASE = 0x20_0000
PAGES = 18
HOLE = BASE + 64  # where the moving pages go and come from


class World(KnownBytes):
    """The address space, what its bytes are known to be, and who works on it."""

    def __init__(self, seed: int, frames: int, broken: str = "", *, calm: bool = False) -> None:
        self.rng = random.Random(seed)
        self.rig = Rig(frames, chooser=NoChoice() if calm else SeededChooser(seed, preempt_odds=4), swap=300)
        self.mm = self.rig.machine.new_mm("threads")
        self.device = Device(self.rig, self.mm, seed, broken)
        super().__init__(range(BASE, BASE + PAGES))
        self.working = 0

    def pick(self) -> int:
        return self.rng.choice((BASE, BASE, BASE, HOLE)) + self.rng.randrange(PAGES)

    # ---- tasks -----------------------------------------------------------------------------------------------------

    async def thread(self, count: int) -> None:
        for _ in range(count):
            vpn = self.pick()
            try:
                if self.rng.random() < 0.5:
                    data = self.fresh()
                    await self.mm.store(vpn * PAGE, data)
                    self.wrote(vpn, data)
                else:
                    self.read(vpn, await self.mm.load(vpn * PAGE, 8))
            except MmError as error:
                assert error.errno == errno.EFAULT, error

    async def dma(self, count: int) -> None:
        memory = self.rig.memory
        for _ in range(count):
            vpn, write = self.pick(), self.rng.random() < 0.5
            try:
                address = await self.device.access(vpn, write)
            except MmError as error:
                assert error.errno == errno.EFAULT, error
                continue
            if self.device.violations:
                return
            if write:
                data = self.fresh()
                memory.write(address, data)
                self.wrote(vpn, data)
            else:
                self.read(vpn, memory.read(address, 8))

    async def caller(self, count: int) -> None:
        """Memory calls."""
        mm, rng = self.mm, self.rng
        for _ in range(count):
            first, pages = BASE + rng.randrange(PAGES), rng.randrange(1, 6)
            pages = min(pages, BASE + PAGES - first)
            try:
                match rng.randrange(6):
                    case 0:
                        await mm.mprotect(first * PAGE, pages * PAGE, 1)
                        await self.rig.sched.sleep(rng.randrange(3000))
                        await mm.mprotect(first * PAGE, pages * PAGE, 3)
                    case 1:
                        with self.change(first, pages):
                            await mm.madvise_dontneed(first * PAGE, pages * PAGE)
                    case 2:
                        with self.change(first, pages):
                            await mm.munmap(first * PAGE, pages * PAGE)
                            await mm.mmap(first * PAGE, pages * PAGE, 3, fixed=True)
                    case 3 | 4:
                        away = HOLE + first - BASE
                        with self.change(first, pages), self.change(away, pages):
                            await mm.mremap(first * PAGE, pages * PAGE, pages * PAGE, new=away * PAGE)
                        await self.rig.sched.sleep(rng.randrange(3000))
                        with self.change(first, pages), self.change(away, pages):
                            await mm.mremap(away * PAGE, pages * PAGE, pages * PAGE, new=first * PAGE)
                    case _:
                        await self.fork()
            except MmError as error:
                assert error.errno in (errno.EFAULT, errno.ENOMEM) and "out of memory" not in error.text, error
            await self.rig.sched.sleep(rng.randrange(2000))

    async def fork(self) -> None:
        before, written = dict(self.known), set[int]()
        self.watches.append(written)
        child = await self.mm.fork("child")
        self.watches.remove(written)
        inherited = {vpn: data for vpn, data in before.items() if vpn not in written}
        self.working += 1
        self.rig.sched.spawn(self.counted(self.child(child, inherited)), "child", 7)

    async def child(self, child: Mm, inherited: dict[int, bytes]) -> None:
        for vpn in self.rng.sample(sorted(inherited), min(len(inherited), 8)):
            try:
                assert await child.load(vpn * PAGE, 8) == inherited[vpn]
                self.compared += 1
                await child.store(vpn * PAGE, b"children")
                await self.rig.sched.sleep(self.rng.randrange(3000))
                assert await child.load(vpn * PAGE, 8) == b"children"
            except MmError as error:
                assert error.errno == errno.EFAULT, error
        await child.exit()

    async def disturb(self) -> None:
        while self.working:
            await self.rig.sched.sleep(self.rng.randrange(1, 3000))
            if self.rng.random() < 0.6:
                mms = [mm for mm in self.rig.machine.mms.values() if mm.alive]
                await self.rig.machine.migrate_page(self.rng.choice(mms), self.pick() * PAGE)
            else:
                await self.rig.machine.reclaim(self.rng.randrange(1, 6))
            audit(self.rig.machine)

    async def counted(self, body: object) -> None:
        try:
            await body  # type: ignore[misc]
        finally:
            self.working -= 1

    def play(self, count: int) -> None:
        async def start() -> None:
            await self.mm.mmap(BASE * PAGE, PAGES * PAGE, 3, fixed=True)
            await register(self.mm, self.device)

        self.rig.run(start())
        self.rig.machine.start_kswapd(6)
        bodies = [self.thread(count), self.thread(count), self.dma(count), self.dma(count), self.caller(count // 3)]
        self.working = len(bodies)
        self.rig.run(*map(self.counted, bodies), *(self.disturb() for _ in range(3)))

        async def end() -> None:
            for vpn in sorted(self.known):
                if vpn < HOLE:
                    self.read(vpn, await self.mm.load(vpn * PAGE, 8))
            await self.mm.exit()
            await self.rig.sched.sleep(100 * timing.SW_SWAP_READ)  # kswapd comes to rest

        self.rig.run(end())


@pytest.mark.parametrize("seed", range(16))
def test_everything_at_once(seed: int) -> None:
    world = World(seed, frames=(20, 26, 40)[seed % 3])
    world.play(120)
    audit(world.rig.machine, quiet=True)
    assert world.device.violations == []
    assert world.rig.machine.frames.free == world.rig.machine.frames.count and world.rig.machine.swap.used == 0
    assert not world.rig.shadow.words.any()
    assert world.compared > 50 and world.device.drops > 20


def test_the_tests_reach_what_they_are_for() -> None:
    total: dict[str, int] = {"killed": 0}
    for seed in range(6):
        world = World(seed, frames=22)
        world.play(120)
        total["killed"] += world.device.killed
        for name, value in world.rig.machine.statistics().items():
            total[name] = total.get(name, 0) + value
    for name in (
        "fault_cow",
        "fault_reuse",
        "fault_swapin",
        "swapped_in",
        "swapped_out",
        "migrated",
        "reclaimed",
        "mremap",
        "killed",
    ):
        assert total[name] > 10, (name, total)


def test_one_seed_is_one_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when no task may run on by itself and every charge goes through the queue."""
    digests = []
    for ahead in (mm_rig.AHEAD, mm_rig.AHEAD, 0):
        monkeypatch.setattr(mm_rig, "AHEAD", ahead)
        world = World(5, frames=22)
        world.play(60)
        digests.append((world.rig.trace.digest(), world.rig.sched.now))
    assert digests[0] == digests[1] == digests[2]


@pytest.mark.parametrize("broken", Device.MUTANTS)
def test_a_device_that_breaks_the_contract_is_caught(broken: str) -> None:
    for seed in range(40):
        world = World(seed, frames=22, broken=broken)
        try:
            world.play(80)
        except AssertionError:
            assert world.device.violations, "wrong bytes before the oracle objected"
        if world.device.violations:
            return
    pytest.fail("no seed caught it")
