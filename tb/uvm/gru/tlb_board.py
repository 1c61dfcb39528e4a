"""The TLB's scoreboard and port rules, inside the chip: the same oracle, told by the same monitors.

Promises: those of tb/uvm/tlb; a reset begins again with an empty TLB, and what was seen in the cycle of the reset never happened.
"""

from __future__ import annotations

from pyuvm import ConfigDB

from pymodels.oracle import LegalTranslations
from tb.uvm.gru.view import ChipView
from tb.uvm.tlb.observed import Ended
from tb.uvm.tlb.port_rules import PortRules
from tb.uvm.tlb.scoreboard import Judged, Scoreboard

__all__ = ["ChipPortRules", "ChipTlbBoard"]


class ChipTlbBoard(Scoreboard):
    """Sleeps while the TLB does."""

    def build_phase(self) -> None:
        super().build_phase()
        self._view: ChipView = ConfigDB().get(self, "", "BFM")
        self._view.clocking.on_reset.append(self._in_reset)

    def _in_reset(self) -> None:
        self._waiting.clear()
        self.oracle = LegalTranslations(self.oracle.log_depth)

    async def run_phase(self) -> None:
        view = self._view
        await view.ready.wait()
        self.oracle.log_depth = view.get("log_depth")
        while True:
            await view.sample()
            await view.drive()
            if view.clocking.in_reset:
                self._waiting.clear()
            self.flush()


class ChipPortRules(PortRules):
    """Handles of before a reset are free. It looks when the TLB is busy only, so it goes by the ends of accesses."""

    def build_phase(self) -> None:
        super().build_phase()
        view: ChipView = ConfigDB().get(self, "", "BFM")
        view.clocking.on_reset.append(self._free_since.clear)

    def write(self, judged: Judged) -> None:
        """From the scoreboard."""
        super().write(judged)
        if isinstance(judged.event, Ended):
            self._free_since.update(dict.fromkeys(self._free_since, judged.event.cycle))
