"""Drives the device's link: packets in, and ready for packets out.

Promises: flits of an item follow each other, with the item's gaps; valid stays until a flit is taken. Ready is low in a fraction
`stall` of the cycles, and for good while `stopped`. In reset valid is low; what a reset interrupts is gone, and its `done` is set.
Needs: "config" in the ConfigDB; the device's loop open.
Costs: a write a cycle while it stalls at random, else nothing while nothing is asked.
"""

from __future__ import annotations

import random

import cocotb
from pyuvm import ConfigDB, uvm_driver

from tb.uvm.agents.link.config import LinkConfig
from tb.uvm.agents.link.item import LinkItem
from tb.uvm.agents.link.packet import Flit, flits

__all__ = ["LinkDriver"]


class LinkDriver(uvm_driver):
    """One direction in, and the ready of the other."""

    def build_phase(self) -> None:
        super().build_phase()
        self.config: LinkConfig = ConfigDB().get(self, "", "config")
        self.bfm = self.config.bfm
        self.bfm.put(link_in_valid=0, link_out_ready=0)
        self.idle = True

    async def run_phase(self) -> None:
        await self.bfm.clocking.ready.wait()
        cocotb.start_soon(self._take())
        while True:
            item: LinkItem = await self.seq_item_port.get_next_item()
            self.idle = False
            await self._send(item)
            item.done.set()
            self.idle = True
            self.seq_item_port.item_done()

    async def _send(self, item: LinkItem) -> None:
        clocking = self.bfm.clocking
        resets = clocking.resets
        await clocking.wait(item.delay)
        await clocking.edge
        for flit in flits(item.head, item.payload, crc=item.crc, count=item.count):
            self._show(flit)
            await clocking.edge
            while not self.bfm.get("link_in_ready"):
                if clocking.resets != resets or clocking.in_reset:
                    break
                await clocking.edge
            if clocking.resets != resets or clocking.in_reset:
                break
            if item.gap:
                self.bfm.put(link_in_valid=0)
                await clocking.wait(item.gap)
        self.bfm.put(link_in_valid=0)

    def _show(self, flit: Flit) -> None:
        self.bfm.put(
            link_in_valid=1,
            link_in_data=int.from_bytes(flit.data, "little"),
            link_in_sop=int(flit.sop),
            link_in_eop=int(flit.eop),
            link_in_crc=flit.crc,
        )

    async def _take(self) -> None:
        rng, config, clocking = random.Random(f"{self.config.seed}:ready"), self.config, self.bfm.clocking
        shown = 0
        while True:
            ready = int(not config.stopped and not (config.stall and rng.random() < config.stall))
            if ready != shown:
                shown = ready
                self.bfm.put(link_out_ready=ready)
            await clocking.edge
