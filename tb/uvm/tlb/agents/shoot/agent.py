"""The agent of the shootdown port."""

from __future__ import annotations

from tb.uvm.tlb.agents.base import PortAgent
from tb.uvm.tlb.agents.shoot.driver import ShootDriver
from tb.uvm.tlb.agents.shoot.monitor import ShootMonitor

__all__ = ["ShootAgent"]


class ShootAgent(PortAgent):
    """Sequencer, driver, monitor."""

    driver_class = ShootDriver
    monitor_class = ShootMonitor
