"""Faults as a driver answers them, from the page table as it is.

Promises: a page that is not present is not entered, a page that must not be written not as dirty; an answer and a START of the
context wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable

from hwif.gen import gru as g
from hwif.port import LineKind
from tb.uvm.gru.lines import drop_in, fault_command
from tb.uvm.gru.software_contexts import SoftwareContexts
from tb.uvm.gru.users import Answers, User
from tb.uvm.gru.virtual_sequencer import VirtualSequencer

__all__ = ["SoftwareFaults"]


class SoftwareFaults(SoftwareContexts):
    """`on_answer` is told opcode, cause and control block of each answer."""

    def __init__(self, name: str, virtual: VirtualSequencer, answers: Answers | None = None) -> None:
        super().__init__(name, virtual)
        self.answers = answers or Answers()
        self.on_answer: Callable[[int, int, int], None] | None = None
        self._serving: set[int] = set()

    async def serve_core(self, core: int) -> None:
        """Answer the faults of a core's map, for ever."""
        monitor, addr = self.virtual.env.irq.monitor, g.TFM_BASE + core * g.HANDLE_STRIDE
        while True:
            if not monitor.levels >> core & 1:
                await monitor.changed.wait()
                continue
            words = await self.read_words(addr, 2)
            done = await self.read_words(addr + 32, 2)
            await self.write_words(addr, words)
            await self.write_words(addr + 32, done)
            faults = words[0] | words[1] << 64
            found = [cbr for cbr in range(g.NUM_CBR) if faults >> cbr & 1]
            self.rng.shuffle(found)
            for cbr in found:
                await self.answer(cbr)

    def _way(self, cause: int) -> g.TfhOpc:
        answers, draw = self.answers, self.rng.random()
        for odds, opc in (
            (answers.restart, g.TfhOpc.RESTART),
            (answers.write_only, g.TfhOpc.WRITE_ONLY),
            (answers.polling, g.TfhOpc.USER_POLLING_MODE),
            (answers.exception, g.TfhOpc.EXCEPTION),
            (answers.noop, g.TfhOpc.NOOP),
        ):
            if draw < odds:
                return opc
            draw -= odds
        return g.TfhOpc.WRITE_RESTART

    async def answer(self, cbr: int) -> None:
        """The pending miss of a control block, from its space's page table."""
        user = self.owner.get(cbr)
        if user is None or cbr in self._serving:
            return
        self._serving.add(cbr)
        if self.answers.think:
            await self.clocking.wait(self.rng.randrange(self.answers.think))
        done = False
        while not done:
            async with user.lock:
                done = await self._answer_once(user, cbr)
            if not done:
                await self.clocking.wait(40)
        self._serving.discard(cbr)

    async def _answer_once(self, user: User, cbr: int) -> bool:
        """Whether nothing is left to do."""
        addr = g.TFH_BASE + cbr * g.HANDLE_STRIDE
        word, va = await self.read_words(addr, 2)
        if g.Tfh.status.of(word) != g.HandleStatus.EXCEPTION or self.owner.get(cbr) is not user:
            return True
        cause, space = g.Tfh.cause.of(word), user.space
        page = space.page(va)
        opc = self._way(cause) if page is not None else g.TfhOpc.EXCEPTION
        mod = cause == g.TfhCause.TLB_MOD
        if page is not None and (not page.present or (mod and not page.write)) and opc is not g.TfhOpc.EXCEPTION:
            return False
        if page is None or opc not in (g.TfhOpc.WRITE_ONLY, g.TfhOpc.WRITE_RESTART):
            line = fault_command(opc)
        else:
            line = drop_in(space, page, opc, dirty=page.write and (mod or self.rng.random() >= self.answers.clean))
        if self.on_answer is not None:
            self.on_answer(opc, cause, cbr)
        await self.command(LineKind.TFH, cbr, line)
        if opc in (g.TfhOpc.WRITE_ONLY, g.TfhOpc.NOOP):
            await self.answer_with(cbr, g.TfhOpc.RESTART)
        return True

    async def answer_with(self, cbr: int, opc: g.TfhOpc) -> int:
        """A command without a drop-in."""
        return await self.command(LineKind.TFH, cbr, fault_command(opc))
