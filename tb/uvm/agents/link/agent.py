"""The agent of the link. Passive, it watches a device whose link leads back to it, or that somebody else drives."""

from __future__ import annotations

from tb.uvm.agents.agent import BusAgent
from tb.uvm.agents.link.driver import LinkDriver
from tb.uvm.agents.link.monitor import LinkMonitor

__all__ = ["LinkAgent"]


class LinkAgent(BusAgent):
    """Sequencer, driver, monitor."""

    monitor_class = LinkMonitor
    driver_class = LinkDriver
