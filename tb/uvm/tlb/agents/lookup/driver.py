"""Drives the lookup port."""

from __future__ import annotations

from tb.uvm.tlb.agents.base import PortDriver
from tb.uvm.tlb.items import LookupItem

__all__ = ["LookupDriver"]


class LookupDriver(PortDriver):
    """One lookup a cycle as long as the port is open."""

    def show(self, item: LookupItem) -> None:
        """Drive the request."""
        self.bfm.put(
            lkp_valid=1,
            lkp_cbr=item.cbr,
            lkp_asid=item.asid,
            lkp_va=item.va,
            lkp_ctx=item.ctx,
            lkp_write=int(item.write),
            lkp_sizes=item.sizes,
        )

    def release(self) -> None:
        """No request."""
        self.bfm.put(lkp_valid=0)

    def taken(self) -> bool:
        """The port was open."""
        return bool(self.bfm.get("lkp_ready"))
