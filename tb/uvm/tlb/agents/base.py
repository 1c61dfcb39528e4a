"""What the agents of the four ports share: a driver that keeps a valid/ready port busy, a monitor, and the agent around them.

Promises: a driver takes its next item in the cycle in which the last was accepted, so the port can be used every cycle; between
items it holds valid low. A passive agent has a monitor and nothing else (`is_active` in the ConfigDB).
Needs: "BFM" in the ConfigDB.
"""

from __future__ import annotations

from typing import Any, ClassVar

import cocotb
from pyuvm import ConfigDB, uvm_agent, uvm_analysis_port, uvm_driver, uvm_monitor, uvm_sequencer

from tb.uvm.tlb.bfm import TlbBfm

__all__ = ["PortAgent", "PortDriver", "PortMonitor"]


class PortDriver(uvm_driver):
    """Subclasses say how an item goes onto the pins and when it was taken."""

    def build_phase(self) -> None:
        super().build_phase()
        self.bfm: TlbBfm = ConfigDB().get(self, "", "BFM")

    async def run_phase(self) -> None:
        bfm = self.bfm
        await bfm.ready.wait()
        while True:
            # Not awaited at once: while the sequence has nothing to offer, the port must show nothing.
            coming = cocotb.start_soon(self.seq_item_port.get_next_item())
            await bfm.drive()
            while not coming.done():
                self.release()
                await bfm.drive()
            item = coming.result()
            for _ in range(item.delay):
                self.release()
                await bfm.drive()
            self.show(item)
            await bfm.sample()
            while not self.taken():
                await bfm.sample()
            self.seq_item_port.item_done()

    def show(self, item: Any) -> None:
        """Drive the item's pins and valid."""
        raise NotImplementedError

    def release(self) -> None:
        """Drive valid low."""
        raise NotImplementedError

    def taken(self) -> bool:
        """At a sample: was the item accepted in this cycle?"""
        raise NotImplementedError


class PortMonitor(uvm_monitor):
    """Subclasses look at the pins once a cycle and write what they see to `ap`."""

    def build_phase(self) -> None:
        super().build_phase()
        self.bfm: TlbBfm = ConfigDB().get(self, "", "BFM")
        self.ap = uvm_analysis_port("ap", self)

    async def run_phase(self) -> None:
        await self.bfm.ready.wait()
        while True:
            await self.bfm.sample()
            self.look()

    def look(self) -> None:
        """One cycle."""
        raise NotImplementedError


class PortAgent(uvm_agent):
    """Sequencer, driver and monitor of one port."""

    driver_class: ClassVar[type[PortDriver]]
    monitor_class: ClassVar[type[PortMonitor]]

    def build_phase(self) -> None:
        super().build_phase()
        self.monitor = self.monitor_class.create("monitor", self)
        self.sequencer: uvm_sequencer | None = None
        if self.active():
            self.sequencer = uvm_sequencer("sequencer", self)
            self.driver = self.driver_class.create("driver", self)

    def connect_phase(self) -> None:
        if self.sequencer is not None:
            self.driver.seq_item_port.connect(self.sequencer.seq_item_export)
