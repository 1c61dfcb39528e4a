"""Watches the shootdown port: shootdowns accepted, and acknowledgements."""

from __future__ import annotations

from pymodels.oracle import Scope, Shootdown
from tb.uvm.tlb.agents.base import PortMonitor
from tb.uvm.tlb.observed import Acknowledged, ShootTaken

__all__ = ["ShootMonitor"]


class ShootMonitor(PortMonitor):
    """Writes Acknowledged and ShootTaken."""

    def build_phase(self) -> None:
        super().build_phase()
        self._waited = 0

    def look(self) -> None:
        """One cycle."""
        bfm = self.bfm
        done = bfm.get("shoot_done")
        while done:
            handle = (done & -done).bit_length() - 1
            done &= done - 1
            self.ap.write(Acknowledged(bfm.cycle, handle))
        if not bfm.pin("shoot_valid"):
            return
        if not bfm.get("shoot_ready"):
            self._waited += 1
            return
        what = Shootdown(
            Scope(bfm.pin("shoot_scope")),
            bfm.pin("shoot_asid"),
            bfm.pin("shoot_first"),
            bfm.pin("shoot_last"),
            bfm.pin("shoot_mask"),
            bfm.pin("shoot_ctxbitmap"),
        )
        self.ap.write(ShootTaken(bfm.cycle, bfm.pin("shoot_tgh"), what, self._waited))
        self._waited = 0
