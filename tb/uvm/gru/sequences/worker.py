"""A user of one control block: puts data into its part of the data segment, runs an instruction, looks at what came out, again.

Promises: nothing of it depends on other users. What it reads the boards compare; it decides nothing itself.
"""

from __future__ import annotations

import random

from hwif.fields import Line
from hwif.gen import gru as g
from tb.uvm.gru.mix import Mix
from tb.uvm.gru.program import INDICES, Plot, draw, instruction
from tb.uvm.gru.reference import Instruction
from tb.uvm.gru.software import Software, User

__all__ = ["Worker"]

BAD_XTYPE = 5
BAD_OPCODES = (g.CbOpc.GAMXR, g.CbOpc.BSTORE, g.CbOpc.VFLUSH, 0x55)
FILLED = 40  # double-words of the data segment written before a store, at most


class Worker:
    """Control block `index` of a context; `place`: start and length of its bytes."""

    def __init__(self, software: Software, user: User, index: int, place: tuple[int, int], mix: Mix, shared: int | None) -> None:
        self.software = software
        self.user = user
        self.index = index
        self.space = user.space  # that its addresses are of
        self.mix = mix
        self.shared = shared
        self.rng = random.Random(f"{software.config.seed}:worker {user.ctx}.{index}")
        self.plot = Plot(place[0], place[1], index * g.DSR_AU_BYTES, g.DSR_AU_BYTES)

    async def run(self, count: int) -> None:
        """So many instructions."""
        opcodes = list(self.mix.opcodes)
        for _ in range(count):
            draw_from = self.rng.random()
            if self.shared is not None and draw_from < 0.1:
                await self.count_together()
            elif draw_from < 0.1 + self.mix.mistakes:
                await self.mistake()
            else:
                await self.step(self.rng.choice(opcodes))

    def draw(self, opc: g.CbOpc) -> tuple[Line, list[int]]:
        """An instruction, and the indices it needs."""
        return draw(self.rng, self.plot, opc, self.mix.longest)

    async def step(self, opc: g.CbOpc) -> int:
        """One instruction with its data; double-word 0 of the control block."""
        rng, software, user = self.rng, self.software, self.user
        line, indices = self.draw(opc)
        if indices:
            table = g.Cb.tri1_bufsize.get(line)
            await software.write_words(software.segment_addr(user, table), indices)
        source, length = Instruction(line).stores()
        if length and rng.random() < 0.8:
            words = (source % 8 + length + 7) // 8
            values = [rng.getrandbits(64) for _ in range(min(words, FILLED))]
            await software.write_words(software.segment_addr(user, source & -8), values)
        if opc == g.CbOpc.MESQ:
            self.new_queue()
        if rng.random() < self.mix.interrupting:
            g.Cb.ima.put(line, g.Cb.ima.get(line) | g.CbIma.INTERRUPT)
        word = await software.run(user, self.index, line)
        await self.look(opc, line)
        return word

    def new_queue(self) -> None:
        """Between instructions nobody else looks at it: {limit, head}."""
        space, rng, plot = self.space, self.rng, self.plot
        lines = plot.length // 2 // g.LINE_BYTES
        head = rng.randrange(1, lines - 4)
        limit = min(lines - 1, head + rng.randrange(6))
        data = (limit << 32 | head).to_bytes(8, "little")
        space.content.write(plot.queue, data)
        self.software.config.memory.memory.write(space.physical(plot.queue), data)

    async def look(self, opc: g.CbOpc, line: list[int]) -> None:
        """At the results that are not in memory."""
        software, user = self.software, self.user
        if opc in (g.CbOpc.VLOAD, g.CbOpc.IVLOAD):
            start, end = g.Cb.tri0.get(line) & -8, self.plot.dsr + self.plot.dsr_length - 8 * INDICES
            words = [start + 8 * n for n in range(max(1, (end - start) // 8))]
            for offset in self.rng.sample(words, min(4, len(words))):
                await software.bus.read(software.segment_addr(user, offset))
        elif opc in (g.CbOpc.GAMIR, g.CbOpc.GAMIRR, g.CbOpc.GAMER, g.CbOpc.GAMERR):
            await software.bus.read(software.block_addr(user, self.index) + 56)

    async def count_together(self) -> None:
        """An atomic on a double-word that others change too: sums come out whatever the order."""
        assert self.shared is not None
        rng, at = self.rng, self.shared + 8 * self.rng.randrange(8)
        if rng.random() < 0.5:
            line = instruction(g.CbOpc.GAMIR, exopc=g.ExopIr.INC, baddr0=at)
        else:
            line = instruction(g.CbOpc.GAMER, exopc=g.ExopEr.ADD, baddr0=at, stride_op1=rng.getrandbits(40))
        await self.software.run(self.user, self.index, line)

    async def mistake(self, opc: g.CbOpc | None = None) -> None:
        """An instruction that must end with an exception and touch nothing."""
        rng = self.rng
        chosen = opc if opc is not None else rng.choice(self.mix.opcodes)
        line, _indices = self.draw(chosen)
        kind = rng.randrange(3)
        if kind == 0 and opc is None:
            g.Cb.opc.put(line, rng.choice(BAD_OPCODES))
        elif kind == 1 and chosen in (g.CbOpc.VLOAD, g.CbOpc.VSTORE):
            g.Cb.tri0.put(line, self.user.dsr_bytes)
            g.Cb.nelem.put(line, 1)
        else:
            g.Cb.xtype.put(line, BAD_XTYPE)
        await self.software.run(self.user, self.index, line)
