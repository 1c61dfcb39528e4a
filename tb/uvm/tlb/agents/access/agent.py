"""The agent of the end-of-access port."""

from __future__ import annotations

from tb.uvm.tlb.agents.access.driver import AccessDriver
from tb.uvm.tlb.agents.access.monitor import AccessMonitor
from tb.uvm.tlb.agents.base import PortAgent

__all__ = ["AccessAgent"]


class AccessAgent(PortAgent):
    """Sequencer, driver, monitor."""

    driver_class = AccessDriver
    monitor_class = AccessMonitor
