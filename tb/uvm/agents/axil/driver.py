"""Drives a register bus: reads and writes side by side, each kind in the order of its items.

Promises: an item is taken over at once (its sequence goes on when `done` is set, or earlier if it likes), so a read and a write
may be on the bus together. What a reset interrupts, and what was queued behind it, ends with `resp` None; valid is low from the
next edge on.
Needs: "config" in the ConfigDB.
Costs: Python sleeps while nothing is asked.
"""

from __future__ import annotations

from collections import deque

import cocotb
from cocotb.triggers import Event
from pyuvm import ConfigDB, uvm_driver

from tb.uvm.agents.axil.config import RegisterConfig
from tb.uvm.agents.axil.item import RegisterItem

__all__ = ["RegisterDriver"]

IDLE = {"awvalid": 0, "awaddr": 0, "wvalid": 0, "wdata": 0, "wstrb": 0, "bready": 0, "arvalid": 0, "araddr": 0, "rready": 0}


class _InReset(Exception):  # noqa: N818 - not an error
    """The access is gone."""


class _Lane:
    """Items of one kind that wait."""

    def __init__(self) -> None:
        self.items: deque[RegisterItem] = deque()
        self.more = Event()

    def add(self, item: RegisterItem) -> None:
        self.items.append(item)
        self.more.set()

    async def next(self) -> RegisterItem:
        while not self.items:
            self.more.clear()
            await self.more.wait()
        return self.items.popleft()

    def give_up(self) -> None:
        """Nothing of it will happen."""
        while self.items:
            self.items.popleft().done.set()


class RegisterDriver(uvm_driver):
    """A subclass may put another master on the pins: it overrides `run_lanes`."""

    def build_phase(self) -> None:
        super().build_phase()
        config: RegisterConfig = ConfigDB().get(self, "", "config")
        self.config = config
        self.pins = config.pins
        self.clocking = config.clocking
        self.reads = _Lane()
        self.writes = _Lane()
        self.bytes = self.pins.width("wstrb")
        self.park()

    def park(self) -> None:
        """The values of a bus that nobody uses."""
        self.pins.put(**IDLE)

    async def run_phase(self) -> None:
        self.run_lanes()
        while True:
            item = await self.seq_item_port.get_next_item()
            (self.writes if item.write else self.reads).add(item)
            self.seq_item_port.item_done()

    def run_lanes(self) -> None:
        """Start what serves `reads` and `writes`."""
        cocotb.start_soon(self._serve(self.writes))
        cocotb.start_soon(self._serve(self.reads))

    def all_bytes(self) -> int:
        """The strobe of a whole word."""
        return (1 << self.bytes) - 1

    async def _serve(self, lane: _Lane) -> None:
        clocking = self.clocking
        await clocking.ready.wait()
        while True:
            item = await lane.next()
            resets = clocking.resets
            await clocking.falling  # whoever asks, at an edge or at any other time: pins change where no edge is
            try:
                self._check(resets)
                await (self._write(item) if item.write else self._read(item))
            except _InReset:
                item.resp = None
                lane.give_up()
                self.park()
            item.done.set()

    def _check(self, resets: int) -> None:
        if self.clocking.in_reset or self.clocking.resets != resets:
            raise _InReset

    async def _pause(self, cycles: int, resets: int) -> None:
        for _ in range(cycles):
            await self.clocking.edge
            self._check(resets)

    async def _write(self, item: RegisterItem) -> None:
        pins, edge, resets = self.pins, self.clocking.edge, self.clocking.resets
        await self._pause(item.delay, resets)
        aw_at, w_at = max(0, -item.skew), max(0, item.skew)
        aw_taken = w_taken = False
        cycle = 0
        strobe = self.all_bytes() if item.strobe is None else item.strobe
        awready, wready = pins.of("awready"), pins.of("wready")
        if not item.patience:
            pins.put(bready=1)
        while not (aw_taken and w_taken):
            if not aw_taken and cycle == aw_at:
                pins.put(awaddr=item.addr, awvalid=1)
            if not w_taken and cycle == w_at:
                pins.put(wdata=item.data, wstrb=strobe, wvalid=1)
            await edge
            self._check(resets)
            if not aw_taken and cycle >= aw_at and int(awready.value):
                aw_taken = True
                pins.put(awvalid=0)
            if not w_taken and cycle >= w_at and int(wready.value):
                w_taken = True
                pins.put(wvalid=0)
            cycle += 1
        await self._pause(item.patience, resets)
        pins.put(bready=1)
        bvalid = pins.of("bvalid")
        while True:
            await edge
            self._check(resets)
            if int(bvalid.value):
                break
        item.resp = pins.get("bresp")
        pins.put(bready=0)

    async def _read(self, item: RegisterItem) -> None:
        pins, edge, resets = self.pins, self.clocking.edge, self.clocking.resets
        await self._pause(item.delay, resets)
        pins.put(araddr=item.addr, arvalid=1, rready=0 if item.patience else 1)
        arready, rvalid = pins.of("arready"), pins.of("rvalid")
        while True:
            await edge
            self._check(resets)
            if int(arready.value):
                break
        pins.put(arvalid=0)
        await self._pause(item.patience, resets)
        pins.put(rready=1)
        while True:
            await edge
            self._check(resets)
            if int(rvalid.value):
                break
        item.resp, item.data = pins.get("rresp"), pins.get("rdata")
        pins.put(rready=0)
