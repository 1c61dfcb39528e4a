"""What the agents of the buses share: a monitor always, and when active a sequencer and a driver made by the factory.

Needs: "config" in the ConfigDB for the agent's path and below.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyuvm import uvm_agent, uvm_component, uvm_sequencer

__all__ = ["BusAgent"]


class BusAgent(uvm_agent):
    """Subclasses name the classes."""

    monitor_class: ClassVar[type[uvm_component]]
    driver_class: ClassVar[type[uvm_component] | None] = None  # None: there is nothing to drive
    sequenced: ClassVar[bool] = True  # the driver takes items from a sequencer

    def build_phase(self) -> None:
        super().build_phase()
        self.monitor: Any = self.monitor_class.create("monitor", self)
        self.driver: Any = None
        self.sequencer: uvm_sequencer | None = None
        if self.active() and self.driver_class is not None:
            self.driver = self.driver_class.create("driver", self)
            if self.sequenced:
                self.sequencer = uvm_sequencer("sequencer", self)

    def connect_phase(self) -> None:
        if self.sequencer is not None:
            self.driver.seq_item_port.connect(self.sequencer.seq_item_export)
