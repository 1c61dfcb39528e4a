"""Random shootdowns of every scope: aimed at what is going on or at random, ranges of one page to everything, masks, contexts."""

from __future__ import annotations

from hwif.gen.gru import ASID_WIDTH, NUM_CTX, PAGE_SHIFT, PAGE_SHIFTS
from pymodels.oracle import ALL_PAGES, Scope, Shootdown
from tb.uvm.tlb.items import ShootItem
from tb.uvm.tlb.sequences.base import PortSequence

__all__ = ["RandomShoots"]

NARROW = (0, 0, 0, 0, 1, 2, 15)
WIDE = (63, 510, 511, 512, 1022, 1 << 12, 1 << 18, 1 << 20, 1 << 40)
UNUSED = 1 << ASID_WIDTH // 2  # no address space in use differs from another by this bit alone
EXTREMES = ((0, 0), (ALL_PAGES, ALL_PAGES), (0, ALL_PAGES), (ALL_PAGES - 1, ALL_PAGES), (0, 1))


class RandomShoots(PortSequence):
    """Until the ledger says stop; now and then a burst."""

    async def body(self) -> None:
        burst = 0
        while not self.ledger.stopping:
            handle = self.ledger.take_handle()
            if handle is None:
                await self.bfm.sample()
                continue
            item = ShootItem()
            await self.start_item(item)
            item.handle = handle
            item.delay = 0 if burst else self.pause(self.profile.shoot)
            burst = max(0, burst - 1)
            if not burst and self.rng.random() < self.profile.storm:
                burst = self.rng.randrange(2, 24)
            item.what = self._draw()
            await self.finish_item(item)

    def _draw(self) -> Shootdown:
        rng, profile = self.rng, self.profile
        going_on = self.ledger.going_on() if rng.random() < profile.focus else []
        if going_on:
            asid, page = rng.choice(going_on)
        else:
            asid = rng.choice(self.places.contexts).asid
            page = rng.choice(self.places.of(asid))
        if profile.beside and rng.random() < profile.beside:
            return self._beside(asid, page)
        kind = rng.random()
        if kind < 0.03:
            stranger = rng.choice([0, 0, 0, UNUSED])
            return Shootdown(Scope.ASID, asid ^ stranger, rng.getrandbits(52), rng.getrandbits(52))
        if kind < 0.1:
            one, other = (1 << context.number for context in rng.choices(self.places.contexts, k=2))
            bitmap = rng.choice([one, one, one, one | other, (1 << NUM_CTX) - 1, 0])
            return Shootdown(Scope.CTX, rng.getrandbits(ASID_WIDTH), ctxbitmap=bitmap)
        if kind < 0.15:
            first, last = rng.choice(EXTREMES)
            return Shootdown(Scope.RANGE, asid, first, last)
        first = max(0, page - rng.choice([0, 0, 0, 0, 1, 7, rng.randrange(1 << 18)]))
        last = min(ALL_PAGES, first + rng.choice(NARROW if rng.random() < profile.narrow else WIDE))
        if kind < 0.2:
            hidden = (1 << rng.randrange(1, 39)) - 1
            if rng.random() < 0.5:  # with holes, at page boundaries of some size
                hidden &= ~((1 << rng.choice(list(PAGE_SHIFTS.values())) - PAGE_SHIFT) - 1)
            mask = ALL_PAGES ^ hidden
            return Shootdown(Scope.RANGE, asid, first & mask, last & mask, mask)
        return Shootdown(Scope.RANGE, asid, first, last)

    def _beside(self, asid: int, page: int) -> Shootdown:
        """The neighbour of the range, a page of a size that the address space uses, must survive it."""
        sizes = [code for context in self.places.contexts if context.asid == asid for code in context.codes]
        span = (1 << PAGE_SHIFTS[self.rng.choice(sizes)] - PAGE_SHIFT) - 1
        low, high = page & ~span, page | span
        more = self.rng.choice(NARROW)
        if (self.rng.random() < 0.5 and low > 0) or high == ALL_PAGES:
            return Shootdown(Scope.RANGE, asid, max(0, low - 1 - more), low - 1)
        return Shootdown(Scope.RANGE, asid, high + 1, min(ALL_PAGES, high + 1 + more))
