"""The agent of the lookup port."""

from __future__ import annotations

from tb.uvm.tlb.agents.base import PortAgent
from tb.uvm.tlb.agents.lookup.driver import LookupDriver
from tb.uvm.tlb.agents.lookup.monitor import LookupMonitor

__all__ = ["LookupAgent"]


class LookupAgent(PortAgent):
    """Sequencer, driver, monitor."""

    driver_class = LookupDriver
    monitor_class = LookupMonitor
