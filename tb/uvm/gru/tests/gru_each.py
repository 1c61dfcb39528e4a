"""Every context with everything: each of the chip's units belongs to each, each flag of a context is set and taken away, each kind
of refusal and each core's interrupt line is met by each context."""

from __future__ import annotations

from collections.abc import Iterator

import pyuvm

from hwif.gen import gru as g
from tb.uvm.gru.mix import Mix
from tb.uvm.gru.sequences.addressed import AddressedWorker
from tb.uvm.gru.software import Software, User
from tb.uvm.gru.spaces import PAGE, Page
from tb.uvm.gru.tests.base import TIMEOUT_US
from tb.uvm.gru.tests.scene import Scene

__all__ = ["GruEach"]

VPN = 0x100
FLAGS = ("unmap_enable", "cb_int_enable", "tfm_done_bit_enable", "tlb_int_enable", "tfm_fault_bit_enable")
MIX = Mix(interrupting=1.0, longest=128, mistakes=0.0)


def _order() -> Iterator[int]:
    """All contexts; the numbers of two in a row differ in every bit, so every bit of a unit's owner rises and falls."""
    for ctx in range(g.NUM_CTX // 2):
        yield from (ctx, g.NUM_CTX - 1 - ctx)


class _Each(Software):
    """A driver that takes the contexts in that order."""

    order: Iterator[int]

    def next_context(self) -> int:
        return next(self.order)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruEach(Scene):
    """One after the other."""

    software_type = _Each
    software: _Each
    cycles = 120_000

    async def scene(self) -> None:
        """A context is allocated whole, started with three settings, and refused what its state forbids."""
        self.space = self.chip.spaces.new()
        for core in range(g.NUM_TFM):
            self.start_task(self.software.serve_core(core))
        pages = [Page(VPN + n, 0, self.software.new_frame(), gaa=g.Gaa.MMIO) for n in range(2)]
        for page in pages:
            self.space.map(page, (page.vpn,))
        self.software.order = _order()
        for _ in range(g.NUM_CTX):
            await self._whole()

    async def _whole(self) -> None:
        software = self.software
        user = await software.open(self.space, g.NUM_CBR, g.DSR_BYTES // g.DSR_AU_BYTES, core=None, start=False)
        await software.context(user, g.CchOpc.DEALLOCATE)
        await self._allocate_with_late_writes(user)
        await self.refused(user, g.CchOpc.ALLOCATE, g.CchCause.INVALID_ALLOCATION_REQUEST)
        await self.refused(user, 7, g.CchCause.ILLEGAL_OPCODE)
        await self.refused(user, g.CchOpc.START, g.CchCause.BAD_TFM_CONFIG, tlb_int_enable=1, tfm_fault_bit_enable=0)
        for core, flag in ((user.ctx, 1), (g.NUM_TFM - 1 - user.ctx, 0), (user.ctx, 1)):
            g.Cch.tlb_int_select.put(user.line, core)
            for name in FLAGS:
                getattr(g.Cch, name).put(user.line, flag)
            await software.start_context(user)
            index = self.rng.choice(user.cbrs) % (user.dsr_bytes // g.DSR_AU_BYTES)
            await AddressedWorker(software, user, index, (VPN * PAGE, 2 * PAGE), MIX, bare=False).run(1)
            await software.interrupt(user, g.CchOpc.INTERRUPT if flag else g.CchOpc.INTERRUPT_SYNC)
        await software.close_context(user)

    async def _allocate_with_late_writes(self, user: User) -> None:
        """What is written to the handle while its command runs must change nothing."""
        line = list(user.line)
        g.Cch.cmd.put(line, 1)
        g.Cch.opc.put(line, g.CchOpc.ALLOCATE)
        addr = g.CCH_BASE + user.ctx * g.HANDLE_STRIDE
        await self.software.write_words(addr, line)
        await self.software.write_words(addr, [line[0], *(~word & (1 << 64) - 1 for word in line[1:])])
        while g.Cch.status.of(word := await self.software.bus.read(addr)) == g.HandleStatus.ACTIVE:
            pass
        self.must(f"state of context {user.ctx}", g.Cch.state.of(word), g.CchState.MAPPED)
        self.must("the rest of its handle", await self.software.read_words(addr + 8, len(line) - 1), line[1:])
