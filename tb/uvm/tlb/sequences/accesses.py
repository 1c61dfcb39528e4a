"""Ends of accesses: each hit's access lasts its time."""

from __future__ import annotations

from tb.uvm.tlb.items import AccessItem
from tb.uvm.tlb.sequences.base import PortSequence

__all__ = ["AccessEnds"]


class AccessEnds(PortSequence):
    """Runs until it is cancelled."""

    async def body(self) -> None:
        while True:
            cbrs = self.ledger.take_ended()
            if not cbrs:
                await self.bfm.sample()
                continue
            item = AccessItem()
            await self.start_item(item)
            item.cbrs = cbrs
            await self.finish_item(item)
