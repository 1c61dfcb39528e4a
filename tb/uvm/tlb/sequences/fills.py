"""Random drop-ins: misses are answered after a time, out of order, with any page size the context probes."""

from __future__ import annotations

from hwif.gen.gru import PAGE_SHIFTS, PFN_WIDTH
from pymodels.oracle import Translation
from tb.uvm.tlb.items import FillItem
from tb.uvm.tlb.ledger import Missed
from tb.uvm.tlb.sequences.base import PortSequence

__all__ = ["RandomFills"]

LARGEST = max(PAGE_SHIFTS)


class RandomFills(PortSequence):
    """Runs until it is cancelled."""

    async def body(self) -> None:
        while True:
            missed = self.ledger.take_missed()
            if missed is None:
                await self.bfm.sample()
                continue
            item = FillItem()
            await self.start_item(item)
            item.cbr = missed.asked.cbr
            item.translation = self._draw(missed)
            await self.finish_item(item)

    def _draw(self, missed: Missed) -> Translation:
        rng, asked = self.rng, missed.asked
        codes = [code for code in PAGE_SHIFTS if asked.sizes >> code & 1]
        # Of each size mostly one: a drop-in of a size that is not the only one takes a slot, and those are few.
        code = rng.choice(codes) if rng.random() < self.profile.mixed else codes[0]
        if code == LARGEST:
            code = rng.choice([LARGEST, LARGEST, 31])  # codes past the last mean the last
        dirty = asked.write or rng.random() >= self.profile.clean
        if missed.clean and rng.random() < 0.1:
            dirty = False  # software that misses the point
        return Translation(asked.asid, asked.va, rng.getrandbits(PFN_WIDTH), asked.ctx, code, rng.getrandbits(2), dirty)
