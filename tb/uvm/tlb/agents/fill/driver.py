"""Drives the drop-in port."""

from __future__ import annotations

from tb.uvm.tlb.agents.base import PortDriver
from tb.uvm.tlb.items import FillItem

__all__ = ["FillDriver"]


class FillDriver(PortDriver):
    """One drop-in at a time."""

    def show(self, item: FillItem) -> None:
        """Drive it."""
        what = item.translation
        self.bfm.put(
            fill_valid=1,
            fill_cbr=item.cbr,
            fill_asid=what.asid,
            fill_va=what.va,
            fill_pfn=what.pfn,
            fill_ctx=what.ctx,
            fill_pagesize=what.code,
            fill_gaa=what.gaa,
            fill_dirty=int(what.dirty),
        )

    def release(self) -> None:
        """No drop-in."""
        self.bfm.put(fill_valid=0)

    def taken(self) -> bool:
        """The port was open."""
        return bool(self.bfm.get("fill_ready"))
