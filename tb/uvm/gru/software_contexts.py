"""Contexts as a driver has them: units, ASIDs, page sizes; allocated, started, interrupted, given back.

Promises: a context is not restarted while one of its faults is being answered.
"""

from __future__ import annotations

from hwif.fields import new_line
from hwif.gen import gru as g
from hwif.port import LineKind
from tb.uvm.gru.software_lines import SoftwareLines
from tb.uvm.gru.spaces import Space
from tb.uvm.gru.users import User
from tb.uvm.gru.virtual_sequencer import VirtualSequencer

__all__ = ["SoftwareContexts"]


class SoftwareContexts(SoftwareLines):
    """`users`: contexts in use, by number; `owner`: whose a control block is."""

    def __init__(self, name: str, virtual: VirtualSequencer) -> None:
        super().__init__(name, virtual)
        self.users: dict[int, User] = {}
        self.owner: dict[int, User] = {}  # control block
        self._units = self._dsr = 0  # taken

    def take(self, count: int, used: int, of: int) -> int:
        """Free units for a context, a bit each: the lowest."""
        return _take(count, used, of)

    def next_context(self) -> int:
        """A free one: the lowest."""
        return next(number for number in range(g.NUM_CTX) if number not in self.users)

    async def open(
        self,
        space: Space,
        cbs: int,
        dsr_units: int,
        *,
        core: int | None = 0,
        sizes: int | None = None,
        start: bool = True,
        **more: int,
    ) -> User:
        """Allocate and start a context. `more`: further fields of the handle."""
        units = self.take(-(-cbs // g.CBR_AU), self._units, g.NUM_CBR // g.CBR_AU)
        dsr = self.take(dsr_units, self._dsr, g.DSR_BYTES // g.DSR_AU_BYTES)
        ctx = self.next_context()
        line = new_line()
        g.Cch.cbr_allocation_map.put(line, units)
        g.Cch.dsr_allocation_map.put(line, dsr)
        g.Cch.asid.put(line, sum(space.asid(region) << 32 * region for region in range(g.NUM_REGION)))
        mask = space.sizes if sizes is None else sizes
        g.Cch.sizeavail.put(line, sum(mask << 16 * region for region in range(g.NUM_REGION)))
        g.Cch.tlb_int_enable.put(line, int(core is not None))
        g.Cch.tfm_fault_bit_enable.put(line, int(core is not None))
        g.Cch.tlb_int_select.put(line, core or 0)
        for name, value in more.items():
            getattr(g.Cch, name).put(line, value)
        cbrs = [cbr for cbr in range(g.NUM_CBR) if units >> cbr // g.CBR_AU & 1][:cbs]
        user = User(ctx, space, cbrs, units, dsr, core, line)
        self._units |= units
        self._dsr |= dsr
        self.users[ctx] = user
        self.owner.update(dict.fromkeys(cbrs, user))
        self.config.spaces.of[ctx] = space
        await self.context(user, g.CchOpc.ALLOCATE)
        if start:
            await self.start_context(user)
        return user

    async def context(self, user: User, opc: g.CchOpc) -> int:
        """A command to a context: its double-word 0 afterwards."""
        line = list(user.line)
        g.Cch.cmd.put(line, 1)
        g.Cch.opc.put(line, opc)
        return await self.command(LineKind.CCH, user.ctx, line)

    async def start_context(self, user: User) -> None:
        """START, while no fault of it is being answered."""
        async with user.lock:
            await self.context(user, g.CchOpc.START)
            user.running = True

    async def interrupt(self, user: User, opc: g.CchOpc = g.CchOpc.INTERRUPT) -> None:
        """Faults of it must be answered meanwhile."""
        await self.context(user, opc)
        user.running = False

    async def close_context(self, user: User) -> int:
        """Deallocate one that is not running."""
        async with user.lock:
            word = await self.context(user, g.CchOpc.DEALLOCATE)
        if g.Cch.status.of(word) == g.HandleStatus.IDLE:
            self._units &= ~user.units
            self._dsr &= ~user.dsr
            del self.users[user.ctx]
            for cbr in user.cbrs:
                del self.owner[cbr]
        return word


def _take(count: int, used: int, of: int) -> int:
    """The lowest free units, a bit each."""
    found = 0
    for unit in range(of):
        if count and not used >> unit & 1:
            found |= 1 << unit
            count -= 1
    if count:
        raise ValueError("no units left")
    return found
