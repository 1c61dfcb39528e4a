"""The agent of interrupt lines. A device drives them, so there is nothing to drive here, active or not."""

from __future__ import annotations

from tb.uvm.agents.agent import BusAgent
from tb.uvm.agents.irq.monitor import IrqMonitor

__all__ = ["IrqAgent"]


class IrqAgent(BusAgent):
    """A monitor."""

    monitor_class = IrqMonitor
