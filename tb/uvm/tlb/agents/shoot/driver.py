"""Drives the shootdown port."""

from __future__ import annotations

from tb.uvm.tlb.agents.base import PortDriver
from tb.uvm.tlb.items import ShootItem

__all__ = ["ShootDriver"]


class ShootDriver(PortDriver):
    """One shootdown at a time onto the port; any number may be open behind it."""

    def show(self, item: ShootItem) -> None:
        """Drive it."""
        what = item.what
        self.bfm.put(
            shoot_valid=1,
            shoot_tgh=item.handle,
            shoot_scope=int(what.scope),
            shoot_asid=what.asid,
            shoot_first=what.first,
            shoot_last=what.last,
            shoot_mask=what.mask,
            shoot_ctxbitmap=what.ctxbitmap,
        )

    def release(self) -> None:
        """No shootdown."""
        self.bfm.put(shoot_valid=0)

    def taken(self) -> bool:
        """The port was open."""
        return bool(self.bfm.get("shoot_ready"))
