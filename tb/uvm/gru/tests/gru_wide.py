"""Everything at full width: every context, control block, unit of the data segment and line, address spaces, page numbers and
frames of all bits, instructions with every field set."""

from __future__ import annotations

import random
from collections import Counter
from typing import ClassVar

import pyuvm
from cocotb.task import Task
from cocotb.triggers import Combine

from hwif.gen import gru as g
from tb.uvm.gru.attributes import GAA_LSB
from tb.uvm.gru.data_board import Judgement
from tb.uvm.gru.mix import Mix
from tb.uvm.gru.program import instruction
from tb.uvm.gru.reference import EXOPS
from tb.uvm.gru.sequences.addressed import AddressedWorker
from tb.uvm.gru.software import Answers, Software, User
from tb.uvm.gru.spaces import PAGE, Page, Space
from tb.uvm.gru.tests.base import TIMEOUT_US, SoftwareTest
from tb.uvm.inlet import Inlet

__all__ = ["GruWide"]

ROUNDS = 12
CB_UNITS = g.NUM_CBR // g.CBR_AU
DSR_UNITS = g.DSR_BYTES // g.DSR_AU_BYTES
MANY = 2 * PAGE // g.LINE_BYTES
MOST = 3  # control blocks of a context that compute
VPN_BITS = g.VA_WIDTH - g.PAGE_SHIFT
NO_EXOPS = sorted(set(range(1 << g.Cb.exopc.width)) - set(g.ExopIr) - set(g.ExopEr))
UNKNOWN = range(max(g.CbOpc) + 1, 1 << g.Cb.opc.width)
MIX = Mix(interrupting=0.2, longest=256)


class _Wide(Software):
    """A driver that takes what it needs from anywhere. `uses`: how often each context was opened."""

    uses: Counter[int]

    def take(self, count: int, used: int, of: int) -> int:
        free = [unit for unit in range(of) if not used >> unit & 1]
        return sum(1 << unit for unit in self.rng.sample(free, count))

    def next_context(self) -> int:
        """One that was used least."""
        free = [number for number in range(g.NUM_CTX) if number not in self.users]
        least = min(self.uses[number] for number in free)
        chosen = self.rng.choice([number for number in free if self.uses[number] == least])
        self.uses[chosen] += 1
        return chosen

    def new_frame(self, size: int = 0) -> int:
        shift = g.PAGE_SHIFTS[size] - g.PAGE_SHIFT
        return self.rng.getrandbits(g.PFN_WIDTH - shift) << shift


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruWide(SoftwareTest):
    """Rounds: contexts of any shape come, their control blocks compute, they go. Every board must have seen something, and the data
    board an end in every context that was opened."""

    answers = Answers(clean=0.1)
    software_type = _Wide
    software: _Wide
    cycles = 400_000
    rounds: ClassVar[int] = ROUNDS

    def connect_phase(self) -> None:
        super().connect_phase()
        self.ended: set[int] = set()  # contexts
        self.env.data.ap.connect(Inlet("ended", self, self._judged))

    def _judged(self, judgement: Judgement) -> None:
        self.ended.add(judgement.ctx)

    async def scene(self) -> None:
        """A context with everything in every third round, many small ones between."""
        self.software.uses = Counter()
        for core in range(g.NUM_TFM):
            self.start_task(self.software.serve_core(core))
        spaces = [self._space() for _ in range(3)]
        for number in range(max(1, round(self.rounds * self.config.scale))):
            await self._round(spaces, whole=number % 3 == 2)
        for board in self.judges():
            if not board.items:
                self._missed(f"{board.get_name()} has seen nothing")
        if unseen := sorted(set(self.software.uses) - self.ended):
            self._missed(f"no instruction of context {unseen[0]} was judged")

    def _missed(self, text: str) -> None:
        self.env.handles.object_at(self.chip.clocking.cycle, "unseen", text)

    def _space(self) -> Space:
        return self.chip.spaces.new(self.rng.getrandbits(g.ASID_WIDTH - 3))

    async def _round(self, spaces: list[Space], *, whole: bool) -> None:
        rng, software = self.rng, self.software
        users: dict[int, User] = {}
        tasks: list[Task[None]] = []
        cbs, dsr = CB_UNITS, DSR_UNITS
        for _ in range(1 if whole else rng.randint(4, g.NUM_CTX)):
            if not cbs or not dsr:
                break
            units = CB_UNITS if whole else rng.randint(1, max(1, cbs // 3))
            segment = DSR_UNITS if whole else rng.randint(1, max(1, dsr // 3))
            cbs, dsr = cbs - units, dsr - segment
            core = rng.randrange(g.NUM_TFM) if rng.random() < 0.8 else None
            told, unmap, space = int(core is not None), rng.getrandbits(1), rng.choice(spaces)
            plots = [self._plot(space) for _ in range(min(MOST, g.CBR_AU * units, segment))]
            user = await software.open(
                space,
                g.CBR_AU * units,
                segment,
                core=core,
                cb_int_enable=told,
                tfm_done_bit_enable=told,
                unmap_enable=unmap,
            )
            users[user.ctx] = user
            bare = [bool(unmap) and rng.random() < 0.3 for _ in plots]
            blocks = rng.sample(range(min(len(user.cbrs), segment)), len(plots))
            tasks += [self.start_task(self._compute(user, *work)) for work in zip(blocks, plots, bare, strict=True)]
        await Combine(*tasks)
        for user in users.values():
            await software.interrupt(user, rng.choice([g.CchOpc.INTERRUPT, g.CchOpc.INTERRUPT_SYNC]))
            await software.close_context(user)

    async def _compute(self, user: User, index: int, place: tuple[int, int], bare: bool) -> None:
        if bare:
            place = self._bare_plot()
        worker = AddressedWorker(self.software, user, index, place, MIX, bare=bare)
        await worker.run(1)
        if not bare:
            for at in (place[0], place[0] + PAGE):
                page = user.space.page(at)
                assert page is not None
                await self.software.migrate(user.space, page)
        await worker.run(1)
        await self.software.run(user, index, self._nonsense(worker.rng))
        await self._too_many_lines(worker)

    async def _too_many_lines(self, worker: AddressedWorker) -> None:
        """A message that no queue holds."""
        worker.new_queue()
        line, _indices = worker.draw(g.CbOpc.MESQ)
        g.Cb.nelem.put(line, worker.rng.getrandbits(worker.rng.randint(1, g.Cb.nelem.width)) + MANY)
        await self.software.run(worker.user, worker.index, line)

    def _bare_plot(self) -> tuple[int, int]:
        """Two frames in a row, for unmapped instructions."""
        gaa, frame = self.rng.choice(list(g.Gaa)), self.software.new_frame() & -2
        first = (gaa << GAA_LSB - g.PAGE_SHIFT) + frame
        for number in range(2):
            self.chip.spaces.bare.map(Page(first + number, 0, frame + number), (first + number,))
        return first * PAGE, 2 * PAGE

    def _nonsense(self, rng: random.Random) -> list[int]:
        """An opcode that does not exist, or an atomic's suboperation, with everything else at random."""
        line = instruction(rng.choice(UNKNOWN), xtype=rng.getrandbits(3))
        g.Cb.exopc.put(line, rng.getrandbits(g.Cb.exopc.width))
        if rng.random() < 0.2:
            g.Cb.opc.put(line, rng.choice(list(EXOPS)))
            g.Cb.exopc.put(line, rng.choice(NO_EXOPS))
        for field in (g.Cb.iaa0, g.Cb.iaa1, g.Cb.tri0, g.Cb.tri1_bufsize, g.Cb.baddr0, g.Cb.nelem, g.Cb.baddr1_op2):
            field.put(line, rng.getrandbits(field.width))
        return line

    def _plot(self, space: Space) -> tuple[int, int]:
        """Two pages in a row anywhere, of any size."""
        code = self.rng.choice(list(g.PAGE_SHIFTS))
        shift = g.PAGE_SHIFTS[code] - g.PAGE_SHIFT
        while True:
            first = self.rng.getrandbits(VPN_BITS - shift) << shift
            second = first + (1 << shift)
            gaa = self.rng.choice(list(g.Gaa))
            pages = [Page(vpn, code, self.software.new_frame(code), gaa=gaa) for vpn in (first, second)]
            free = all(space.page(vpn * PAGE) is None for vpn in (first, second, second + (1 << shift) - 1))
            if second >> g.REGION_LSB - g.PAGE_SHIFT == first >> g.REGION_LSB - g.PAGE_SHIFT and free:
                break
        spots = second - 1, second
        for page, spot in zip(pages, spots, strict=True):
            space.map(page, (spot,))
        return spots[0] * PAGE, 2 * PAGE
