"""Everything at once: a source that changes its mapping, forks and is reclaimed, and processes of two machines that attach its
memory, use it and leave in every way there is.

Every load, by whom and through what ever, is compared with the bytes a coherent memory holds at that instant; every access through
an attachment with the oracle. Many seeds, many preemptions. A driver that is broken must be caught, else the play proves nothing.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Awaitable
from typing import Any

import pytest
from known_bytes import KnownBytes
from support.xpmem_rig import PAGE, RW, Nodes

from sw_stack.drivers.xpmem import RDWR, Attachment, ThreadGroup, XpmemId, XpmemPolicy
from sw_stack.drivers.xpmem.policy import Mutant
from sw_stack.mm import Mm, MmError
from sw_stack.mm.check import audit
from sw_stack.mm.filemap import punch, writeback
from sw_stack.mm.frames import FrameError
from sw_stack.mm.secondary import DeadTranslationError
from sw_stack.sched import SeededChooser

BASE = 0x20_0000
PAGES = 14
AWAY = BASE + 64  # where the moving pages go and come from
FILE = BASE + 128  # a shared mapping of a file
FILE_PAGES = 6
TOLERATED = (errno.EFAULT, errno.ENOENT, errno.ESRCH, errno.EINVAL)


class World(KnownBytes):
    """The source, what its bytes are known to be, and who works on it."""

    def __init__(self, seed: int, frames: int, mutant: Mutant | None = None) -> None:
        self.rng = random.Random(seed)
        self.nodes = Nodes(frames, policy=XpmemPolicy(mutant=mutant), chooser=SeededChooser(seed, preempt_odds=4), swap=300)
        self.machine = self.nodes.home.machine
        self.sched = self.nodes.sched
        self.file = self.machine.new_file("data", FILE_PAGES)
        super().__init__([*range(BASE, BASE + PAGES), *range(FILE, FILE + FILE_PAGES)])
        self.segids: list[XpmemId] = []
        self.working = 0
        self.compared_remote = 0
        self.source: ThreadGroup

    @property
    def mm(self) -> Mm:
        return self.source.mm

    # ---- what is known ---------------------------------------------------------------------------------------------

    # ---- the source ------------------------------------------------------------------------------------------------

    async def thread(self, count: int) -> None:
        for _ in range(count):
            vpn = self.rng.choice((*range(BASE, BASE + PAGES), *range(FILE, FILE + FILE_PAGES)))
            try:
                if self.rng.random() < 0.5:
                    data = self.fresh()
                    await self.mm.store(vpn * PAGE, data)
                    self.wrote(vpn, data)
                else:
                    self.read(vpn, await self.mm.load(vpn * PAGE, 8), "source")
            except MmError as error:
                assert error.errno == errno.EFAULT, error
            await self.sched.sleep(self.rng.randrange(2000))

    async def caller(self, count: int) -> None:
        """Memory calls, and segments taken back and offered again."""
        mm, rng = self.mm, self.rng
        for _ in range(count):
            first, pages = BASE + rng.randrange(PAGES), rng.randrange(1, 5)
            pages = min(pages, BASE + PAGES - first)
            match rng.randrange(9):
                case 0:
                    await mm.mprotect(first * PAGE, pages * PAGE, 1)
                    await self.sched.sleep(rng.randrange(3000))
                    await mm.mprotect(first * PAGE, pages * PAGE, RW)
                case 1:
                    with self.change(first, pages):
                        await mm.madvise_dontneed(first * PAGE, pages * PAGE)
                case 2:
                    with self.change(first, pages):
                        await mm.munmap(first * PAGE, pages * PAGE)
                        await mm.mmap(first * PAGE, pages * PAGE, RW, fixed=True)
                        await mm.madvise_mergeable(first * PAGE, pages * PAGE)
                case 3:
                    away = AWAY + first - BASE
                    with self.change(first, pages):
                        await mm.mremap(first * PAGE, pages * PAGE, pages * PAGE, new=away * PAGE)
                        await self.sched.sleep(rng.randrange(3000))
                        await mm.mremap(away * PAGE, pages * PAGE, pages * PAGE, new=first * PAGE)
                case 4:
                    index = rng.randrange(FILE_PAGES)
                    with self.change(FILE + index, 1):
                        await punch(self.file, index, index + 1)
                case 5:
                    await writeback(self.file)
                case 6:
                    await self.fork()
                case 7:
                    await self.machine.ksm_scan()
                case _:
                    await self.source.remove(self.segids[0])
                    await self.sched.sleep(rng.randrange(3000))
                    await self.offer()
            await self.sched.sleep(rng.randrange(8_000))

    async def offer(self) -> None:
        self.segids = [await self.source.make(BASE * PAGE, (FILE + FILE_PAGES - BASE) * PAGE)]

    async def fork(self) -> None:
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
                assert await child.load(vpn * PAGE, 8) == inherited[vpn]
                self.compared += 1
                await child.store(vpn * PAGE, b"children")
                await self.sched.sleep(self.rng.randrange(3000))
                assert await child.load(vpn * PAGE, 8) == b"children"
            except MmError as error:
                assert error.errno == errno.EFAULT, error
        await child.exit()

    # ---- the users -------------------------------------------------------------------------------------------------

    async def user(self, number: int, count: int) -> None:
        """Processes that attach, work with several threads, and leave."""
        part, rng = self.nodes.parts[number % 2], self.rng
        left = count
        while left > 0:
            tg = await self.nodes.process(part, f"user {number}")
            for _ in range(rng.randrange(1, 3)):
                pages = rng.randrange(4, 12)
                left -= pages
                try:
                    apid = await tg.get(self.segids[0], RDWR)
                    where = rng.choice((BASE, FILE - 2)) + rng.randrange(4)
                    attachment = await tg.attach(apid, (where - BASE) * PAGE, min(pages, FILE + FILE_PAGES - where) * PAGE)
                except MmError as error:
                    assert error.errno in TOLERATED, error
                    continue
                workers = [self.sched.spawn(self.worker(tg, attachment, pages), f"worker {number}", 2 + number) for _ in range(2)]
                await self.sched.sleep(rng.randrange(60_000))
                await self.leave(tg, attachment)
                for worker in workers:
                    await self.sched.join(worker)
                if tg.closed:
                    break
            if tg.mm.alive:
                await tg.mm.exit()

    async def leave(self, tg: ThreadGroup, attachment: Attachment) -> None:
        match self.rng.randrange(6):
            case 0 | 1:
                await self.tolerant(tg.detach(attachment.vaddr))
            case 2:
                await self.tolerant(tg.release(attachment.apid))
            case 3:
                await tg.close()
            case 4:
                await tg.mm.exit()
            case _:
                await tg.mm.munmap(attachment.vaddr, PAGE)

    async def tolerant(self, call: Awaitable[Any]) -> None:
        try:
            await call
        except MmError as error:
            assert error.errno in TOLERATED, error

    async def worker(self, tg: ThreadGroup, attachment: Attachment, count: int) -> None:
        base, vaddr, remote = attachment.source // PAGE, attachment.vaddr, not attachment.is_local
        for _ in range(5 * count):
            page = self.rng.randrange(attachment.size // PAGE)
            try:
                if self.rng.random() < 0.5:
                    data = self.fresh()
                    await attachment.store(vaddr + page * PAGE, data)
                    self.wrote(base + page, data)
                else:
                    found = await attachment.load(vaddr + page * PAGE, 8)
                    self.compared_remote += self.read(base + page, found, attachment) and remote
            except MmError as error:
                assert error.errno == errno.EFAULT, error
                if attachment.closing or tg.killed:
                    return
            await self.sched.sleep(self.rng.randrange(1500))

    # ---- the VM ----------------------------------------------------------------------------------------------------

    async def disturb(self) -> None:
        while self.working:
            await self.sched.sleep(self.rng.randrange(1, 4000))
            if self.rng.random() < 0.5:
                await self.machine.migrate_page(self.mm, self.rng.choice((BASE + self.rng.randrange(PAGES), FILE)) * PAGE)
            else:
                await self.machine.reclaim(self.rng.randrange(1, 6))
            audit(self.machine)

    async def counted(self, body: Awaitable[Any]) -> None:
        try:
            await body
        finally:
            self.working -= 1

    def play(self, count: int) -> None:
        async def start() -> None:
            self.source = await self.nodes.process(self.nodes.home, "source")
            await self.mm.mmap(BASE * PAGE, PAGES * PAGE, RW, fixed=True)
            await self.mm.madvise_mergeable(BASE * PAGE, PAGES * PAGE)
            await self.mm.mmap(FILE * PAGE, FILE_PAGES * PAGE, RW, fixed=True, file=self.file, shared=True)
            await self.offer()

        self.nodes.run(start())
        self.machine.start_kswapd(6)
        bodies = [self.thread(count), self.thread(count), self.caller(count), *(self.user(n, count) for n in range(4))]
        self.working = len(bodies)
        self.nodes.run(*map(self.counted, bodies), *(self.disturb() for _ in range(2)))

        async def end() -> None:
            for vpn in sorted(self.known):
                self.read(vpn, await self.mm.load(vpn * PAGE, 8), "the end")
            await self.mm.exit()
            await punch(self.file, 0, FILE_PAGES)

        self.nodes.run(end())
        self.nodes.finish()


@pytest.mark.parametrize("seed", range(16))
def test_everything_at_once(seed: int) -> None:
    world = World(seed, frames=(24, 30, 48)[seed % 3])
    world.play(150)
    assert world.compared > 150 and world.compared_remote > 20


def test_the_play_reaches_what_it_is_for() -> None:
    total: dict[str, int] = {}
    for seed in range(100, 106):
        world = World(seed, frames=26)
        world.play(150)
        for part in world.nodes.parts:
            for name, value in (*part.stats.snapshot().items(), *part.machine.statistics().items()):
                total[name] = total.get(name, 0) + value
    for name in (
        "rmap_recalls", "recalls", "pages_upgraded", "fault_blocked", "invalidates_sent", "acks_spun",
        "killed", "aged", "age_sent", "faults_remote", "fault_cow", "swapped_in", "swapped_out", "migrated", "written_back",
        "truncate", "mremap",
    ):  # fmt: skip
        assert total[name] > 5, (name, total)
    assert total["fault_vanished"] > 0 and total["drains"] > 0


def test_one_seed_is_one_trace() -> None:
    digests = []
    for _ in range(2):
        world = World(5, frames=26)
        world.play(60)
        digests.append((world.nodes.trace.digest(), world.sched.now))
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    "mutant",
    [
        "no_remote_ack",
        "ack_before_drain",
        "pte_vanished",
        "late_fill",
        "map_writable",
        "leak_on_close",
    ],
)
def test_a_broken_driver_is_caught(mutant: Mutant) -> None:
    for seed in range(40):
        world = World(seed, frames=26, mutant=mutant)
        try:
            world.play(150)
        except (AssertionError, DeadTranslationError, FrameError):
            return
    pytest.fail("no seed caught it")
