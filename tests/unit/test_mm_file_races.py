"""Files under everything at once: two address spaces show one file, shared, private and out of order, while pages are written back,
reclaimed, migrated and merged and a device reads and stores through the first. What a program reads is what was stored last."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest
from mm_device import Device
from mm_rig import PAGE, Rig, register

from sw_stack.mm import MmError
from sw_stack.mm.check import audit
from sw_stack.mm.filemap import punch, truncate, writeback
from sw_stack.mm.pinning import pin_user_pages, unpin_user_pages

RW = 3
PAGES = 8
SHARED, PRIVATE, ORDER, ANON, XIP = (base << 36 for base in (1, 2, 3, 4, 5))
ZEROS = bytes(16)


class World:
    """One run. `golden` is the file as a coherent memory would have it; `own` the private copies of the second address space."""

    def __init__(self, seed: int, frames: int, *, steps: int) -> None:
        self.rng = random.Random(seed)
        self.rig = Rig(frames, seed=seed)
        self.machine = self.rig.machine
        self.file = self.machine.new_file("file", PAGES)
        self.in_place = self.machine.new_file("in place", 4, xip=True)
        self.a, self.b = self.machine.new_mm("a"), self.machine.new_mm("b")
        self.device = Device(self.rig, self.a, seed)
        self.golden = [ZEROS] * PAGES
        self.own: dict[int, bytes] = {}
        self.order = [0, 1]
        self.anon = [ZEROS] * 4
        self.blocks = [ZEROS] * 4
        self.steps = steps
        self.stamp = 0
        self.done = False
        self.compared = 0
        self.refused = 0

    def fresh(self) -> bytes:
        self.stamp += 1
        return self.stamp.to_bytes(8, "little") * 2

    # ---- the program -------------------------------------------------------------------------------------------------

    async def program(self) -> None:
        await self.map_all()
        await register(self.a, self.device)
        for base in (self.a,):
            await base.mmap(ANON, 4 * PAGE, RW, fixed=True)
            await base.madvise_mergeable(ANON, 4 * PAGE)
        acts: list[Callable[[], Awaitable[None]]] = [
            self.store_shared, self.store_shared, self.load_shared, self.load_shared, self.store_private, self.load_private,
            self.load_order, self.store_order, self.reorder, self.truncate, self.punch, self.write_back, self.protect, self.lock,
            self.remap, self.fork, self.pin, self.store_anon, self.load_anon, self.store_block, self.load_block, self.punch_block,
        ]  # fmt: skip
        for _ in range(self.steps):
            await self.rng.choice(acts)()
        for page in range(PAGES):
            await self.expect(self.a.load(SHARED + page * PAGE, 16), page, self.golden)
        self.done = True

    async def map_all(self) -> None:
        await self.a.mmap(SHARED, PAGES * PAGE, RW, fixed=True, file=self.file, shared=True)
        await self.b.mmap(PRIVATE, PAGES * PAGE, RW, fixed=True, file=self.file)
        await self.a.mmap(XIP, 4 * PAGE, RW, fixed=True, file=self.in_place, shared=True)
        await self.b.mmap(XIP, 4 * PAGE, RW, fixed=True, file=self.in_place)
        await self.b.mmap(ORDER, 2 * PAGE, RW, fixed=True, file=self.file, shared=True)

    async def expect(self, access: Awaitable[bytes], page: int, contents: list[bytes]) -> None:
        """The access gives the page's bytes, or the error of one past the end."""
        try:
            found = await access
        except MmError as error:
            assert "SIGBUS" in error.text and page >= self.file.size
            self.refused += 1
            return
        assert page < self.file.size and found == contents[page], f"page {page}"
        self.compared += 1

    async def store(self, access: Awaitable[None], page: int) -> bool:
        try:
            await access
        except MmError as error:
            assert "SIGBUS" in error.text and page >= self.file.size
            self.refused += 1
            return False
        return True

    async def store_shared(self) -> None:
        page, data = self.rng.randrange(PAGES), self.fresh()
        if await self.store(self.a.store(SHARED + page * PAGE, data), page):
            self.golden[page] = data

    async def load_shared(self) -> None:
        page = self.rng.randrange(PAGES)
        await self.expect(self.a.load(SHARED + page * PAGE, 16), page, self.golden)

    async def store_private(self) -> None:
        page, data = self.rng.randrange(PAGES), self.fresh()
        if await self.store(self.b.store(PRIVATE + page * PAGE, data), page):
            self.own[page] = data

    async def load_private(self) -> None:
        page = self.rng.randrange(PAGES)
        contents = [self.own.get(index, self.golden[index]) for index in range(PAGES)]
        await self.expect(self.b.load(PRIVATE + page * PAGE, 16), page, contents)

    async def load_order(self) -> None:
        slot = self.rng.randrange(2)
        await self.expect(self.b.load(ORDER + slot * PAGE, 16), self.order[slot], self.golden)

    async def store_order(self) -> None:
        slot, data = self.rng.randrange(2), self.fresh()
        page = self.order[slot]
        if await self.store(self.b.store(ORDER + slot * PAGE, data), page):
            self.golden[page] = data

    async def reorder(self) -> None:
        slot, page = self.rng.randrange(2), self.rng.randrange(PAGES)
        await self.b.remap_file_pages(ORDER + slot * PAGE, PAGE, page)
        self.order[slot] = page

    async def truncate(self) -> None:
        size = self.rng.randrange(PAGES // 2, PAGES + 1)
        old = self.file.size
        await truncate(self.file, size)
        self.forget(min(size, old), PAGES)

    async def punch(self) -> None:
        first = self.rng.randrange(self.file.size)
        last = self.rng.randrange(first, self.file.size) + 1
        await punch(self.file, first, last)
        self.forget(first, last)

    def forget(self, first: int, last: int) -> None:
        for page in range(first, last):
            self.golden[page] = ZEROS
            self.own.pop(page, None)

    async def write_back(self) -> None:
        await writeback(self.file)

    async def protect(self) -> None:
        page = self.rng.randrange(PAGES)
        await self.a.mprotect(SHARED + page * PAGE, PAGE, 1)
        await self.a.mprotect(SHARED + page * PAGE, PAGE, RW)

    async def lock(self) -> None:
        page = self.rng.randrange(PAGES)
        try:
            await self.a.mlock(SHARED + page * PAGE, PAGE)
        except MmError as error:
            assert "SIGBUS" in error.text or "out of memory" in error.text
        await self.a.munlock(SHARED + page * PAGE, PAGE)

    async def remap(self) -> None:
        page = self.rng.randrange(PAGES)
        await self.b.munmap(PRIVATE + page * PAGE, PAGE)
        await self.b.mmap(PRIVATE + page * PAGE, PAGE, RW, fixed=True, file=self.file, pgoff=page)
        self.own.pop(page, None)

    async def fork(self) -> None:
        child = await self.b.fork("child")
        page = self.rng.randrange(PAGES)
        contents = [self.own.get(index, self.golden[index]) for index in range(PAGES)]
        await self.expect(child.load(PRIVATE + page * PAGE, 16), page, contents)
        await self.store(child.store(PRIVATE + page * PAGE, b"the child's own!"), page)
        await self.expect(self.b.load(PRIVATE + page * PAGE, 16), page, contents)
        await child.exit()

    async def pin(self) -> None:
        page = self.rng.randrange(PAGES)
        try:
            pinned = await pin_user_pages(self.a, SHARED + page * PAGE, PAGE, write=False)
        except MmError as error:
            assert "SIGBUS" in error.text and page >= self.file.size
            return
        await self.rig.sched.sleep(self.rng.randrange(20_000))
        found = self.machine.memory.read(pinned.address(SHARED + page * PAGE), 16)
        if page < self.file.size and self.file.pages.get(page) is not None:
            assert found == self.golden[page]
        unpin_user_pages(pinned)

    async def store_anon(self) -> None:
        page = self.rng.randrange(4)
        data = self.rng.choice((b"equal bytes here", self.fresh()))
        await self.a.store(ANON + page * PAGE, data)
        self.anon[page] = data

    async def load_anon(self) -> None:
        page = self.rng.randrange(4)
        assert await self.a.load(ANON + page * PAGE, 16) == self.anon[page]

    async def store_block(self) -> None:
        page, data = self.rng.randrange(4), self.fresh()
        await self.a.store(XIP + page * PAGE, data)
        self.blocks[page] = data

    async def load_block(self) -> None:
        page, mm = self.rng.randrange(4), self.rng.choice((self.a, self.b))
        assert await mm.load(XIP + page * PAGE, 16) == self.blocks[page]

    async def punch_block(self) -> None:
        page = self.rng.randrange(4)
        await punch(self.in_place, page, page + 1)
        self.blocks[page] = ZEROS

    # ---- everybody else ----------------------------------------------------------------------------------------------

    async def disturb(self) -> None:
        while not self.done:
            await self.rig.sched.sleep(self.rng.randrange(1, 8000))
            act = self.rng.randrange(4)
            if act == 0:
                await self.machine.reclaim(self.rng.randrange(1, 4))
            elif act == 1:
                mm, base = self.rng.choice(((self.a, SHARED), (self.b, PRIVATE), (self.b, ORDER), (self.a, ANON)))
                await self.machine.migrate_page(mm, base + self.rng.randrange(2) * PAGE)
            elif act == 2:
                await writeback(self.file)
            else:
                await self.machine.ksm_scan()

    async def accesses(self) -> None:
        while not self.done:
            base = self.rng.choice((SHARED, ANON, XIP))
            vpn = base // PAGE + self.rng.randrange(4)
            try:
                await self.device.access(vpn, write=False)
            except MmError:
                await self.rig.sched.sleep(500)

    async def finish(self) -> None:
        await self.a.exit()
        await self.b.exit()
        await truncate(self.file, 0)
        await truncate(self.in_place, 0)

    def play(self) -> None:
        self.rig.run(self.program(), self.disturb(), self.accesses())
        audit(self.machine)
        self.rig.run(self.finish())


@pytest.mark.parametrize("seed", range(16))
def test_a_file_under_everything(seed: int) -> None:
    world = World(seed, frames=(20, 28, 60)[seed % 3], steps=160)
    world.play()
    audit(world.machine, quiet=True)
    assert world.device.violations == []
    assert world.machine.frames.free == world.machine.frames.count and world.machine.swap.used == 0
    assert not world.rig.shadow.words.any()
    assert world.compared > 20


def test_the_play_reaches_what_it_is_for() -> None:
    total: dict[str, int] = {"refused": 0, "drops": 0}
    for seed in range(6):
        world = World(seed, frames=24, steps=200)
        world.play()
        total["refused"] += world.refused
        total["drops"] += world.device.drops
        for name, value in world.machine.statistics().items():
            total[name] = total.get(name, 0) + value
    wanted = (
        "fault_file", "fault_cow", "fault_reuse", "file_read", "file_dropped", "written_back", "truncate", "remap_file_pages",
        "migrated", "swapped_out", "ksm_merged", "pinned", "mlock", "refused", "drops",
    )  # fmt: skip
    assert all(total[name] > 5 for name in wanted), total


def test_one_seed_is_one_trace() -> None:
    digests = set()
    for _ in range(2):
        world = World(3, frames=24, steps=80)
        world.play()
        digests.add((world.rig.trace.digest(), world.rig.sched.now))
    assert len(digests) == 1
