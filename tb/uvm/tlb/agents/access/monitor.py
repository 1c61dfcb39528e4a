"""Watches the ends of accesses."""

from __future__ import annotations

from tb.uvm.tlb.agents.base import PortMonitor
from tb.uvm.tlb.observed import Ended

__all__ = ["AccessMonitor"]


class AccessMonitor(PortMonitor):
    """Writes Ended."""

    def look(self) -> None:
        """One cycle."""
        valid = self.bfm.pin("use_valid")
        for index in range(2):
            if valid >> index & 1:
                self.ap.write(Ended(self.bfm.cycle, self.bfm.pin(f"use_cbr{index}")))
