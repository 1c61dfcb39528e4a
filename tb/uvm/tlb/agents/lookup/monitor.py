"""Watches the lookup port: requests accepted, answers."""

from __future__ import annotations

from pymodels.oracle import Hit, NoHit, Outcome
from tb.uvm.tlb.agents.base import PortMonitor
from tb.uvm.tlb.observed import Answered, Asked

__all__ = ["LookupMonitor"]


class LookupMonitor(PortMonitor):
    """Writes Answered and Asked."""

    def look(self) -> None:
        """One cycle."""
        bfm = self.bfm
        if bfm.get("rsp_valid"):
            self.ap.write(Answered(bfm.cycle, bfm.get("rsp_cbr"), self._outcome()))
        if bfm.pin("lkp_valid") and bfm.get("lkp_ready"):
            self.ap.write(
                Asked(
                    bfm.cycle,
                    bfm.pin("lkp_cbr"),
                    bfm.pin("lkp_asid"),
                    bfm.pin("lkp_va"),
                    bfm.pin("lkp_ctx"),
                    bool(bfm.pin("lkp_write")),
                    bfm.pin("lkp_sizes"),
                )
            )

    def _outcome(self) -> Outcome:
        bfm = self.bfm
        if bfm.get("rsp_hit"):
            return Hit(bfm.get("rsp_pa"), bfm.get("rsp_gaa"), bfm.get("rsp_pagesize"))
        return NoHit.CLEAN if bfm.get("rsp_mod") else NoHit.MISS
