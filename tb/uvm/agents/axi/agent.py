"""The agent of a memory bus. Active, it answers; what it answers is its configuration's, so it needs no sequencer."""

from __future__ import annotations

from tb.uvm.agents.agent import BusAgent
from tb.uvm.agents.axi.driver import MemoryResponder
from tb.uvm.agents.axi.monitor import MemoryMonitor

__all__ = ["MemoryAgent"]


class MemoryAgent(BusAgent):
    """Responder and monitor."""

    monitor_class = MemoryMonitor
    driver_class = MemoryResponder
    sequenced = False
