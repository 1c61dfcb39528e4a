"""What a driver and its users do with the chip, as calls: contexts and faults (inherited), shootdowns, pages, instructions.

Promises: the driver's rules are kept (a page leaves the table before its shootdown begins; its bytes move after the
acknowledgement; and those of the modules it inherits from), so whatever then goes wrong is the chip's fault.
"""

from __future__ import annotations

from hwif.fields import Line
from hwif.gen import gru as g
from hwif.port import LineKind
from tb.uvm.agents.axil.sequence import ResetError
from tb.uvm.gru.lines import shootdown
from tb.uvm.gru.software_faults import SoftwareFaults
from tb.uvm.gru.software_lines import WORDS, LostError
from tb.uvm.gru.spaces import Page, Space
from tb.uvm.gru.users import Answers, User
from tb.uvm.gru.virtual_sequencer import VirtualSequencer

__all__ = ["Answers", "LostError", "Software", "User"]


class Software(SoftwareFaults):
    """One chip's driver. `handles`: shootdown handles that are free."""

    def __init__(self, name: str, virtual: VirtualSequencer, answers: Answers | None = None) -> None:
        super().__init__(name, virtual, answers)
        self.handles = list(range(g.NUM_TGH))
        self._frame = 16

    # ---- shootdowns and pages ---------------------------------------------------------------------------------------------------

    async def shoot(self, line: Line) -> None:
        """With the next free handle, to its acknowledgement."""
        while not self.handles:
            await self.clocking.edge
            if self.bus.closed:
                raise ResetError
        handle = self.handles.pop(self.rng.randrange(len(self.handles)))
        await self.command(LineKind.TGH, handle, line)
        self.handles.append(handle)

    async def revoke(self, space: Space, page: Page) -> None:
        """Take a page out of the table and shoot it down: pages of its size, single pages of it, or much more."""
        page.present = False
        asid, kind = space.asid(page.vpn >> g.REGION_LSB - g.PAGE_SHIFT), self.rng.random()
        if kind < 0.5:
            line = shootdown(asid, page.vpn, 0, size=page.size)
        elif kind < 0.8:  # any of its 4 KiB takes it away
            line = shootdown(asid, page.vpn + self.rng.randrange(page.pages), 0)
        elif kind < 0.9:
            line = shootdown(asid, page.vpn, g.INVAL_ALL_N)
        else:
            contexts = sum(1 << user.ctx for user in self.users.values() if user.space is space)
            line = shootdown(asid, 0, 0, contexts=contexts)
        await self.shoot(line)

    async def migrate(self, space: Space, page: Page) -> None:
        """Its bytes go elsewhere."""
        await self.revoke(space, page)
        space.move(page, self.new_frame(page.size))
        page.present = True

    async def protect(self, space: Space, page: Page, cycles: int) -> None:
        """Nobody writes to it for a time."""
        page.write = False
        await self.revoke(space, page)
        page.present = True
        await self.clocking.wait(cycles)
        page.write = True

    def new_frame(self, size: int = 0) -> int:
        """Of a page nobody has."""
        pages = 1 << g.PAGE_SHIFTS[size] - g.PAGE_SHIFT
        self._frame = -(-self._frame // pages) * pages + pages
        return self._frame - pages

    # ---- instructions -----------------------------------------------------------------------------------------------------------

    def block_addr(self, user: User, index: int) -> int:
        """Of a context's control block."""
        return user.ctx * g.GSEG_STRIDE + g.CB_OFFSET + index * g.HANDLE_STRIDE

    def segment_addr(self, user: User, offset: int) -> int:
        """Of a byte of a context's data segment."""
        return user.ctx * g.GSEG_STRIDE + g.DSR_OFFSET + offset

    async def issue(self, user: User, index: int, line: Line) -> None:
        """Begin an instruction."""
        await self.write_words(self.block_addr(user, index), line[: WORDS[LineKind.CB]])

    async def finish(self, user: User, index: int) -> int:
        """Wait for its end; a miss that is told to the user is brought to the driver. Double-word 0."""
        cbr, addr = user.cbrs[index], self.block_addr(user, index)
        while True:
            word = await self.wait_line(LineKind.CB, cbr, addr, _in_progress, f"control block {cbr}")
            if g.Cb.istatus.of(word) != g.CbIstatus.CALL_OS:
                return word
            await self.answer(cbr)

    async def run(self, user: User, index: int, line: Line) -> int:
        """Both."""
        await self.issue(user, index, line)
        return await self.finish(user, index)


def _in_progress(word: int) -> bool:
    return g.Cb.istatus.of(word) == g.CbIstatus.ACTIVE
