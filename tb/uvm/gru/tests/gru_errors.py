"""Memory that answers with errors: reads and writes of every opcode, by rate; and fault handlers that end instructions.

Every opcode meets each kind of error at least once: the scene plays them one by one, then the random traffic has errors at a low
rate.
"""

from __future__ import annotations

import pyuvm
from cocotb.triggers import Combine

from hwif.gen import gru as g
from tb.uvm.agents.axi.config import ErrorRule, Resp
from tb.uvm.gru.mix import Mix
from tb.uvm.gru.points import OPCODES, READS, WRITES
from tb.uvm.gru.sequences.worker import Worker
from tb.uvm.gru.software import Answers, Software, User
from tb.uvm.gru.spaces import PAGE
from tb.uvm.gru.tests.base import TIMEOUT_US, SoftwareTest, TrafficTest

__all__ = ["GruErrors", "GruErrorsEach"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruErrors(TrafficTest):
    """A percent of all accesses ends with an error, and a part of all faults with an exception."""

    mix = Mix(instructions=9, longest=256, shared=False, answers=Answers(exception=0.1))

    async def stimulus(self) -> None:
        """Traffic."""
        self.chip.memory.errors += [ErrorRule(Resp.SLVERR, rate=0.02), ErrorRule(Resp.DECERR, rate=0.02)]
        await super().stimulus()


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruErrorsEach(SoftwareTest):
    """Every opcode that reads, every opcode that writes, with either error; told to end by its fault handle; refused."""

    answers = Answers(clean=0.0)

    async def scene(self) -> None:
        """One opcode after the other, in the same control block."""
        software, space = self.software, self.chip.spaces.new()
        self.start_task(software.serve_core(0))
        pages = [self.mapped(space, 0x40 + n) for n in range(2)]
        user = await software.open(space, 2, 2)
        worker = Worker(software, user, 0, (0x40 * PAGE, 2 * PAGE), Mix(longest=128, mistakes=0), None)
        errors = self.chip.memory.errors
        for name in OPCODES:
            opc = g.CbOpc[name]
            if opc == g.CbOpc.NOP:
                continue
            await worker.step(opc)
            for _ in range(12):  # and with its translations in place, till it ends well: a queue may be full
                if g.Cb.istatus.of(await worker.step(opc)) == g.CbIstatus.IDLE:
                    break
            await worker.mistake(opc)
            for resp in (Resp.SLVERR, Resp.DECERR):
                for write in (False, True):
                    if name not in (WRITES if write else READS):
                        continue
                    rule = ErrorRule(resp, reads=not write, writes=write, times=1)
                    for _ in range(30):  # an atomic that only reads never meets an error of a write
                        errors[:] = [rule]
                        await worker.step(opc)
                        if not rule.times:
                            break
                    errors.clear()
            await self._fatal(software, user, worker, opc)
            for page in pages:  # the next one misses again
                await software.revoke(space, page)
                page.present = True

    async def _fatal(self, software: Software, user: User, worker: Worker, opc: g.CbOpc) -> None:
        """Its first fault is answered with EXCEPTION."""
        for page in user.space.pages.values():
            await software.revoke(user.space, page)
            page.present = True
        software.answers.exception = 1.0
        await Combine(self.start_task(worker.step(opc)))
        software.answers.exception = 0.0
