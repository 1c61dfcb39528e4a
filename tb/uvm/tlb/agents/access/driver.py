"""Drives the ends of accesses; the port has no back-pressure."""

from __future__ import annotations

from tb.uvm.tlb.agents.base import PortDriver
from tb.uvm.tlb.items import AccessItem

__all__ = ["AccessDriver"]


class AccessDriver(PortDriver):
    """Up to two ends a cycle."""

    def show(self, item: AccessItem) -> None:
        """Drive them."""
        pins = {f"use_cbr{index}": cbr for index, cbr in enumerate(item.cbrs)}
        self.bfm.put(use_valid=(1 << len(item.cbrs)) - 1, **pins)

    def release(self) -> None:
        """Nothing ends."""
        self.bfm.put(use_valid=0)

    def taken(self) -> bool:
        """Always."""
        return True
