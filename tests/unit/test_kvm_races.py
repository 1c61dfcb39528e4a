"""Guests, threads and everything the VM does to their memory, at once.

What a guest, a thread or a child reads is compared with what a coherent memory would give; every guest access is held against the
oracle. Each seed is played in both styles, with accessed bits and without. A hypervisor that breaks the contract must be caught,
and by the oracle before wrong bytes are.
"""

from __future__ import annotations

import errno
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from known_bytes import KnownBytes
from mm_rig import PAGE, Rig

from hwif.gen import timing
from sw_stack.drivers.kvm import Kvm, KvmPolicy, Mutant, Style, Vcpu
from sw_stack.mm import Mm, MmError, filemap
from sw_stack.mm.check import audit
from sw_stack.mm.secondary import DeadTranslationError
from sw_stack.sched import SeededChooser

BASE = 0x20_0000  # anonymous pages
PAGES = 16
HOLE = BASE + 64  # where they go and come from
FILE = BASE + 128  # a shared mapping
FILE_PAGES = 4
GUEST = 0x100  # guest frames of the areas, in the same order
GFNS = {BASE: GUEST, HOLE: GUEST + PAGES, FILE: GUEST + 2 * PAGES}
COMMON = b"the same"

POLICIES = [KvmPolicy(style, bit) for style in ("2008", "modern") for bit in (True, False)]
IDS = [f"{policy.style}-{'A' if policy.accessed_bit else 'noA'}" for policy in POLICIES]


class World(KnownBytes):
    """The process, its guest, and what their bytes are known to be."""

    def __init__(self, seed: int, frames: int, policy: KvmPolicy) -> None:
        self.rng = random.Random(seed)
        self.rig = Rig(frames, chooser=SeededChooser(seed, preempt_odds=4), swap=400)
        self.machine, self.sched = self.rig.machine, self.rig.sched
        self.policy = policy
        self.mm = self.machine.new_mm("vm")
        self.kvm = Kvm(self.mm, policy)
        self.file = self.machine.new_file("data", FILE_PAGES)
        super().__init__([*range(BASE, BASE + PAGES), *range(FILE, FILE + FILE_PAGES)])
        self.working = 0

    # ---- what is known -------------------------------------------------------------------------------------------------

    def fresh(self) -> bytes:
        if self.rng.random() < 0.2:
            return COMMON  # for KSM
        return super().fresh()

    def pick(self) -> int:
        area = self.rng.choice((BASE, BASE, BASE, HOLE, FILE))
        return area + self.rng.randrange(FILE_PAGES if area == FILE else PAGES)

    # ---- tasks ---------------------------------------------------------------------------------------------------------

    async def user(
        self, count: int, load: Callable[[int], Awaitable[bytes]], store: Callable[[int, bytes], Awaitable[None]]
    ) -> None:
        """Loads and stores of whoever it is. Nothing is awaited between the move of the bytes and the note of it."""
        for _ in range(count):
            vpn = self.pick()
            try:
                if self.rng.random() < 0.5:
                    data = self.fresh()
                    await store(vpn, data)
                    self.wrote(vpn, data)
                else:
                    self.read(vpn, await load(vpn))
            except MmError as error:
                assert error.errno == errno.EFAULT, error

    async def thread(self, count: int) -> None:
        await self.user(count, lambda vpn: self.mm.load(vpn * PAGE, 8), lambda vpn, data: self.mm.store(vpn * PAGE, data))

    async def guest(self, count: int, vcpu: Vcpu | Kvm) -> None:
        def gpa(vpn: int) -> int:
            area = max(area for area in GFNS if area <= vpn)
            return (GFNS[area] + vpn - area) * PAGE

        if isinstance(vcpu, Kvm):
            kvm = vcpu
            await self.user(count, lambda vpn: kvm.guest_read(gpa(vpn), 8), lambda vpn, data: kvm.guest_write(gpa(vpn), data))
        else:
            await self.user(count, lambda vpn: vcpu.read(gpa(vpn), 8), lambda vpn, data: vcpu.write(gpa(vpn), data))

    async def caller(self, count: int) -> None:
        """Memory calls of the process."""
        acts = (self.protect, self.drop, self.replace, self.move, self.lock, self.cut, self.fork, self.merge_again, self.slot)
        for _ in range(count):
            first = BASE + self.rng.randrange(PAGES)
            pages = min(self.rng.randrange(1, 6), BASE + PAGES - first)
            try:
                await self.rng.choice(acts)(first, pages)
            except MmError as error:
                assert error.errno in (errno.EFAULT, errno.ENOMEM, errno.EINVAL) and "out of memory" not in error.text, error
            await self.sched.sleep(self.rng.randrange(2000))

    async def protect(self, first: int, pages: int) -> None:
        await self.mm.mprotect(first * PAGE, pages * PAGE, self.rng.choice((0, 1, 1)))
        await self.sched.sleep(self.rng.randrange(3000))
        await self.mm.mprotect(first * PAGE, pages * PAGE, 3)

    async def drop(self, first: int, pages: int) -> None:
        with self.change(first, pages):
            await self.mm.madvise_dontneed(first * PAGE, pages * PAGE)

    async def replace(self, first: int, pages: int) -> None:
        with self.change(first, pages):
            await self.mm.munmap(first * PAGE, pages * PAGE)
            await self.mm.mmap(first * PAGE, pages * PAGE, 3, fixed=True)
        await self.mm.madvise_mergeable(first * PAGE, pages * PAGE)

    async def move(self, first: int, pages: int) -> None:
        away = HOLE + first - BASE
        with self.change(first, pages), self.change(away, pages):
            await self.mm.mremap(first * PAGE, pages * PAGE, pages * PAGE, new=away * PAGE)
        await self.sched.sleep(self.rng.randrange(6000))
        with self.change(first, pages), self.change(away, pages):
            await self.mm.mremap(away * PAGE, pages * PAGE, pages * PAGE, new=first * PAGE)

    async def lock(self, first: int, pages: int) -> None:
        await self.mm.mlock(first * PAGE, pages * PAGE)
        await self.sched.sleep(self.rng.randrange(3000))
        await self.mm.munlock(first * PAGE, pages * PAGE)

    async def cut(self, _first: int, _pages: int) -> None:
        first = self.rng.randrange(FILE_PAGES)
        await self.cut_from(first)
        await filemap.writeback(self.file)

    async def cut_from(self, first: int) -> None:
        with self.change(FILE + first, FILE_PAGES - first):
            if self.rng.random() < 0.5:
                await filemap.truncate(self.file, first)
                await self.sched.sleep(self.rng.randrange(3000))
                await filemap.truncate(self.file, FILE_PAGES)
            else:
                await filemap.punch(self.file, first, FILE_PAGES)

    async def merge_again(self, first: int, pages: int) -> None:
        await self.mm.madvise_mergeable(first * PAGE, pages * PAGE, mergeable=False)
        await self.mm.madvise_mergeable(first * PAGE, pages * PAGE)

    async def slot(self, _first: int, _pages: int) -> None:
        """The slot of the hole goes and comes."""
        await self.kvm.remove_slot(1)
        await self.sched.sleep(self.rng.randrange(3000))
        await self.kvm.add_slot(1, GFNS[HOLE] * PAGE, PAGES * PAGE, HOLE * PAGE)

    async def fork(self, _first: int, _pages: int) -> None:
        before, written = dict(self.known), set[int]()
        self.watches.append(written)
        child = await self.mm.fork("child")
        self.watches.remove(written)
        inherited = {vpn: data for vpn, data in before.items() if vpn not in written and vpn < FILE}
        self.working += 1
        self.sched.spawn(self.counted(self.child(child, inherited)), "child", 7)

    async def child(self, child: Mm, inherited: dict[int, bytes]) -> None:
        for vpn in self.rng.sample(sorted(inherited), min(len(inherited), 6)):
            try:
                assert await child.load(vpn * PAGE, 8) == inherited[vpn], "wrong bytes in a child"
                self.compared += 1
                await child.store(vpn * PAGE, b"children")
                await self.sched.sleep(self.rng.randrange(3000))
                assert await child.load(vpn * PAGE, 8) == b"children", "wrong bytes in a child"
            except MmError as error:
                assert error.errno == errno.EFAULT, error
        await child.exit()

    async def disturb(self) -> None:
        """Memory pressure, compaction, KSM."""
        while self.working:
            await self.sched.sleep(self.rng.randrange(1, 3000))
            draw = self.rng.random()
            if draw < 0.5:
                mms = [mm for mm in self.machine.mms.values() if mm.alive]
                await self.machine.migrate_page(self.rng.choice(mms), self.pick() * PAGE)
            elif draw < 0.9:
                await self.machine.reclaim(self.rng.randrange(1, 6))
            else:
                await self.machine.ksm_scan()
            audit(self.machine)

    async def counted(self, body: Awaitable[None]) -> None:
        try:
            await body
        finally:
            self.working -= 1

    def play(self, count: int) -> None:
        async def start() -> None:
            await self.mm.mmap(BASE * PAGE, PAGES * PAGE, 3, fixed=True)
            await self.mm.madvise_mergeable(BASE * PAGE, PAGES * PAGE)
            await self.mm.mmap(FILE * PAGE, FILE_PAGES * PAGE, 3, fixed=True, file=self.file, shared=True)
            self.kvm = await Kvm.create(self.mm, self.policy)
            for number, (area, gfn) in enumerate(GFNS.items()):
                pages = FILE_PAGES if area == FILE else PAGES
                await self.kvm.add_slot(number, gfn * PAGE, pages * PAGE, area * PAGE)

        self.rig.run(start())
        self.machine.start_kswapd(6)
        bodies = [self.thread(count), *(self.guest(count, self.kvm.create_vcpu()) for _ in range(2))]
        bodies += [self.guest(count // 2, self.kvm), self.caller(count // 3)]
        self.working = len(bodies)
        self.rig.run(*map(self.counted, bodies), *(self.disturb() for _ in range(2)))

        async def end() -> None:
            await self.sched.sleep(100 * timing.SW_SWAP_READ)  # kswapd comes to rest
            for vpn in sorted(self.known):
                if not HOLE <= vpn < FILE:
                    self.read(vpn, await self.mm.load(vpn * PAGE, 8))
            await self.mm.exit()
            await filemap.truncate(self.file, 0)
            await self.sched.sleep(100 * timing.SW_SWAP_READ)

        self.rig.run(end())

    def check(self) -> None:
        """Nothing is lost."""
        audit(self.machine, quiet=True)
        assert self.machine.frames.free == self.machine.frames.count and self.machine.swap.used == 0
        assert not self.rig.shadow.words.any()
        stats = self.kvm.stats
        assert stats.references == 0 and len(self.kvm.sptes) == 0 and stats.sptes_made == stats.sptes_dropped
        assert self.kvm.mn_active_invalidate_count == 0 and not self.kvm.overtaken.blocked(BASE * PAGE)


@pytest.mark.parametrize("policy", POLICIES, ids=IDS)
@pytest.mark.parametrize("seed", range(9))
def test_everything_at_once(seed: int, policy: KvmPolicy) -> None:
    world = World(seed, (26, 34, 50)[seed % 3], policy)
    world.play(90)
    world.check()
    assert world.compared > 50 and world.kvm.stats.sptes_made > 50


@pytest.mark.parametrize("policy", POLICIES, ids=IDS)
def test_the_tests_reach_what_they_are_for(policy: KvmPolicy) -> None:
    total: Counter[str] = Counter()
    for seed in range(20, 25):
        world = World(seed, 28, policy)
        world.play(90)
        world.check()
        total.update(world.kvm.stats.snapshot())
        total.update({f"vm {name}": value for name, value in world.machine.statistics().items()})
    for name in (
        "retries", "blocked", "upgrades", "errors", "range_begin", "invalidate_page", "aged", "flushes", "kicks", "tlb_hits",
        "slots_removed",
        *(f"vm {name}" for name in ("fault_cow", "fault_reuse", "fault_swapin", "swapped_out", "migrated", "reclaimed")),
        *(f"vm {name}" for name in ("mremap", "truncate", "written_back", "file_read", "mlock", "ksm_merged")),
    ):  # fmt: skip
        assert total[name] > 2, (name, total)


def test_one_seed_is_one_trace() -> None:
    digests = []
    for _ in range(2):
        world = World(5, 28, POLICIES[0])
        world.play(40)
        digests.append((world.rig.trace.digest(), world.sched.now, world.kvm.stats.snapshot()))
    assert digests[0] == digests[1]


BROKEN: list[tuple[Style, bool, Mutant]] = [
    (style, bit, mutant)
    for style in ("2008", "modern")
    for bit in (True, False)
    for mutant in ("no_flush", "no_wait", "zap_late", "ignore_seq", "map_writable")
]  # type: ignore[assignment]


@pytest.mark.parametrize(("style", "bit", "mutant"), BROKEN)
def test_a_hypervisor_that_breaks_the_contract_is_caught(style: Style, bit: bool, mutant: Mutant) -> None:
    """The rarer mutants have a test each in test_kvm*.py."""
    for seed in range(40):
        try:
            World(seed, 28, KvmPolicy(style, bit, mutant=mutant)).play(60)
        except DeadTranslationError:
            return
    pytest.fail("no seed caught it")
