"""Watches the drop-in port: drop-ins accepted, and what became of them."""

from __future__ import annotations

from pymodels.oracle import Translation
from tb.uvm.tlb.agents.base import PortMonitor
from tb.uvm.tlb.observed import FillTaken, Reported

__all__ = ["FillMonitor"]


class FillMonitor(PortMonitor):
    """Writes Reported and FillTaken."""

    def look(self) -> None:
        """One cycle."""
        bfm = self.bfm
        if bfm.get("fill_done"):
            self.ap.write(Reported(bfm.cycle, bfm.get("fill_done_cbr"), bool(bfm.get("fill_dropped"))))
        if bfm.pin("fill_valid") and bfm.get("fill_ready"):
            what = Translation(
                bfm.pin("fill_asid"),
                bfm.pin("fill_va"),
                bfm.pin("fill_pfn"),
                bfm.pin("fill_ctx"),
                bfm.pin("fill_pagesize"),
                bfm.pin("fill_gaa"),
                bool(bfm.pin("fill_dirty")),
            )
            self.ap.write(FillTaken(bfm.cycle, bfm.pin("fill_cbr"), what))
