"""The virtual sequence of the random tests: users, fault handlers, page movers and a scheduler of contexts, all at once.

Promises: ends when every user has run its instructions; what runs beside them is then stopped at a point where nothing is half
done.
Needs: an active environment. After a reset, `end` ends it.
"""

from __future__ import annotations

import random
from collections.abc import Coroutine
from typing import Any

import cocotb
from cocotb.task import Task
from cocotb.triggers import Combine
from pyuvm import uvm_sequence

from hwif.gen import gru as g
from tb.uvm.agents.axil.item import RegisterItem
from tb.uvm.gru.lines import shootdown
from tb.uvm.gru.mix import Mix
from tb.uvm.gru.sequences.worker import Worker
from tb.uvm.gru.software import Software, User
from tb.uvm.gru.spaces import PAGE, Page, Space
from tb.uvm.gru.virtual_sequencer import VirtualSequencer

__all__ = ["Traffic"]

FIRST_VPN = 0x100
SHARED = 8  # double-words that all control blocks of a space count in


class Traffic(uvm_sequence):
    """`scale`: of the number of instructions."""

    def __init__(self, name: str, virtual: VirtualSequencer, mix: Mix, scale: float = 1.0) -> None:
        super().__init__(name)
        self.virtual = virtual
        self.mix = mix
        self.scale = scale
        self.rng = random.Random(f"{virtual.config.seed}:{name}")
        self.software = Software(f"{name}.software", virtual, mix.answers)
        self.workers: list[Task[None]] = []
        self.beside: list[Task[None]] = []
        self.stopping = False
        self._vpn: dict[int, int] = {}  # space -> first page number not given away
        self._busy: set[int] = set()  # pages that somebody moves, by id

    def configure(self) -> None:
        """The memory bus and the shape of register accesses."""
        memory, mix = self.virtual.config.memory, self.mix
        memory.latency, memory.stalls, memory.lost_reservations = mix.latency, {"": mix.stall}, mix.lost_reservations
        if mix.slow_bus:
            shape = random.Random(f"{self.virtual.config.seed}:shape")

            def slow(item: RegisterItem) -> None:
                item.delay, item.patience = shape.randrange(mix.slow_bus), shape.randrange(mix.slow_bus)
                item.skew = shape.randrange(-mix.slow_bus, mix.slow_bus)

            self.software.bus.shape = slow

    def start_task(self, steps: Coroutine[Any, Any, None]) -> Task[None]:
        """Beside the others."""
        return cocotb.start_soon(self.software.guarded(steps))

    async def body(self) -> None:
        await self.begin()
        await Combine(*self.workers)
        self.stopping = True
        await Combine(*self.beside)

    async def begin(self) -> None:
        """Everything runs."""
        mix, software = self.mix, self.software
        self.configure()
        await software.start()
        spaces = [self.virtual.config.spaces.new() for _ in range(mix.spaces)]
        shared = [self._shared(space) for space in spaces] if mix.shared else []
        for served in sorted({core for core in mix.cores if core is not None}):
            self.start_task(software.serve_core(served))
        plots = [[self._plot(spaces[number % mix.spaces]) for _ in range(mix.cbs)] for number in range(len(mix.cores))]
        for number, core in enumerate(mix.cores):
            space = spaces[number % mix.spaces]
            told = int(core is not None)
            user = await software.open(space, mix.cbs, mix.cbs, core=core, cb_int_enable=told, tfm_done_bit_enable=told)
            for index in range(mix.cbs):
                together = shared[number % mix.spaces] if shared else None
                worker = Worker(software, user, index, plots[number][index], mix, together)
                self.workers.append(self.start_task(worker.run(max(1, round(mix.instructions * self.scale)))))
        self.beside += [
            self.start_task(self._now_and_then(mix.migrate, "migrate", self._migrate)),
            self.start_task(self._now_and_then(mix.protect, "protect", self._protect)),
            self.start_task(self._now_and_then(mix.spurious, "spurious", self._spurious)),
            self.start_task(self._now_and_then(mix.interrupt, "interrupt", self._interrupt)),
        ]

    def end(self) -> None:
        """Every task ends at its next access: the chip has been reset."""
        self.stopping = self.software.bus.closed = True

    # ---- address spaces ---------------------------------------------------------------------------------------------------------

    def _pages(self, space: Space, code: int, count: int) -> list[Page]:
        """Consecutive pages of a size that nobody has."""
        pages = 1 << g.PAGE_SHIFTS[code] - g.PAGE_SHIFT
        first = -(-self._vpn.get(space.number, FIRST_VPN) // pages) * pages
        self._vpn[space.number] = first + count * pages + 1
        return [Page(first + n * pages, code, self.software.new_frame(code)) for n in range(count)]

    def _plot(self, space: Space) -> tuple[int, int]:
        """Two spots in a row, on both sides of a page's edge: where they start, how long they are."""
        one, two = self._pages(space, self.rng.choice(self.mix.sizes), 2)
        spots = one.vpn + one.pages - 1, two.vpn
        space.map(one, spots[:1])
        space.map(two, spots[1:])
        return spots[0] * PAGE, 2 * PAGE

    def _shared(self, space: Space) -> int:
        """A page with counters."""
        (page,) = self._pages(space, self.mix.sizes[0], 1)
        space.map(page, (page.vpn,))
        start = page.vpn * PAGE
        space.shared.update(start + 8 * n for n in range(SHARED))
        return start

    # ---- what goes on beside the users ------------------------------------------------------------------------------------------

    async def _now_and_then(self, mean: int, name: str, what: Any) -> None:
        rng = random.Random(f"{self.virtual.config.seed}:{name}")
        while mean and not self.stopping:
            for _ in range(min(int(rng.expovariate(1 / mean)), 4 * mean) // 16 + 1):
                await self.software.clocking.wait(16)
                if self.stopping:
                    return
            await what(rng)

    def _page(self, rng: random.Random) -> tuple[Space, Page] | None:
        space = rng.choice(self.virtual.config.spaces.all)
        page = rng.choice(list(space.pages.values()))
        return None if id(page) in self._busy else (space, page)

    async def _migrate(self, rng: random.Random) -> None:
        found = self._page(rng)
        if found is not None:
            self._busy.add(id(found[1]))
            await self.software.migrate(*found)
            self._busy.discard(id(found[1]))

    async def _protect(self, rng: random.Random) -> None:
        found = self._page(rng)
        if found is not None:
            self._busy.add(id(found[1]))
            await self.software.protect(*found, rng.randrange(50, 400))
            self._busy.discard(id(found[1]))

    async def _spurious(self, rng: random.Random) -> None:
        """Shootdowns of what may be there: several at once."""
        software = self.software
        lines = []
        for _ in range(rng.randint(1, 4)):
            space = rng.choice(self.virtual.config.spaces.all)
            page = rng.choice(list(space.pages.values()))
            first, kind = max(0, page.vpn - rng.randrange(20)), rng.random()
            if kind < 0.8:
                lines.append(shootdown(space.asid(), first, rng.choice([0, 1, 15, 100, 1022]), size=page.size))
            elif kind < 0.9:
                lines.append(shootdown(space.asid(), first, g.INVAL_ALL_N))
            else:
                lines.append(shootdown(0, 0, 0, contexts=rng.getrandbits(g.NUM_CTX)))
        await Combine(*[self.start_task(software.shoot(line)) for line in lines])

    async def _interrupt(self, rng: random.Random) -> None:
        """A context's time is over, and comes again."""
        software = self.software
        user: User = rng.choice(list(software.users.values()))
        opc = rng.choice([g.CchOpc.INTERRUPT, g.CchOpc.INTERRUPT_SYNC])
        await software.interrupt(user, opc)
        await software.clocking.wait(rng.randrange(200))
        await software.start_context(user)
