"""The agent of a register bus."""

from __future__ import annotations

from tb.uvm.agents.agent import BusAgent
from tb.uvm.agents.axil.driver import RegisterDriver
from tb.uvm.agents.axil.monitor import RegisterMonitor

__all__ = ["RegisterAgent"]


class RegisterAgent(BusAgent):
    """Sequencer, driver, monitor."""

    monitor_class = RegisterMonitor
    driver_class = RegisterDriver
