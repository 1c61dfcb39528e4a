"""Random lookups: pages of every address space, and those that were just shot down or dropped in."""

from __future__ import annotations

from tb.uvm.tlb.items import LookupItem
from tb.uvm.tlb.profile import Context
from tb.uvm.tlb.sequences.base import PortSequence

__all__ = ["RandomLookups"]


class RandomLookups(PortSequence):
    """Until the ledger says stop."""

    async def body(self) -> None:
        while not self.ledger.stopping:
            cbr = self.ledger.take_idle()
            if cbr is None:
                await self.bfm.sample()
                continue
            item = LookupItem()
            await self.start_item(item)
            self._draw(item, cbr)
            await self.finish_item(item)

    def _draw(self, item: LookupItem, cbr: int) -> None:
        rng, profile = self.rng, self.profile
        item.cbr, item.delay = cbr, self.pause(profile.lookup)
        context, page = self._place()
        item.ctx, item.asid, item.sizes = context.number, context.asid, context.sizes
        item.va = page << 12 | rng.getrandbits(12)
        item.write = rng.random() < 0.4

    def _place(self) -> tuple[Context, int]:
        rng, recent = self.rng, self.ledger.recent
        if recent and rng.random() < self.profile.return_:
            asid, page = rng.choice(recent)
            able = [context for context in self.places.contexts if context.asid == asid]
            if able:  # a shootdown of contexts names no address space
                return rng.choice(able), page
        context = rng.choice(self.places.contexts)
        return context, rng.choice(self.places.of(context.asid))
