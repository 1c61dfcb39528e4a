"""The agent of the drop-in port."""

from __future__ import annotations

from tb.uvm.tlb.agents.base import PortAgent
from tb.uvm.tlb.agents.fill.driver import FillDriver
from tb.uvm.tlb.agents.fill.monitor import FillMonitor

__all__ = ["FillAgent"]


class FillAgent(PortAgent):
    """Sequencer, driver, monitor."""

    driver_class = FillDriver
    monitor_class = FillMonitor
