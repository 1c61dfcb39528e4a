"""Watches a memory bus and publishes whole reads and writes.

Promises: `started` gets an access when the master's side of it is complete (address, and data of a write), `ap` the same access
with its response when that is taken; of one cycle: what ended before what began. Bursts, responses that nobody asked for, and
requests that change or go away while they wait are logged as errors. A reset forgets what was under way.
Needs: "config" in the ConfigDB.
Costs: five pins a cycle.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from pyuvm import ConfigDB, uvm_analysis_port, uvm_monitor

from tb.uvm.agents.axi.config import MemoryAccess, MemoryConfig

__all__ = ["MemoryMonitor"]

AR = ("arid", "araddr", "arsize", "arlock", "aruser")
AW = ("awid", "awaddr", "awsize", "awlock", "awuser")
W = ("wdata", "wstrb", "wlast")


class MemoryMonitor(uvm_monitor):
    """Of one bus."""

    def build_phase(self) -> None:
        super().build_phase()
        config: MemoryConfig = ConfigDB().get(self, "", "config")
        self._pins = config.pins
        self._clocking = config.clocking
        self._line = config.pins.width("wstrb")
        self.ap = uvm_analysis_port("ap", self)
        self.started = uvm_analysis_port("started", self)
        self._forget()

    def _forget(self) -> None:
        self._reads: dict[int, deque[MemoryAccess]] = {}
        self._writes: dict[int, deque[MemoryAccess]] = {}
        self._addresses: deque[MemoryAccess] = deque()
        self._data: deque[tuple[bytes, int]] = deque()
        self._waiting: dict[str, tuple[int, ...]] = {}

    async def run_phase(self) -> None:
        pins, clocking, edge = self._pins, self._clocking, self._clocking.edge
        arvalid, rvalid, awvalid, wvalid, bvalid = map(pins.of, ("arvalid", "rvalid", "awvalid", "wvalid", "bvalid"))
        clocking.on_reset.append(self._forget)
        await clocking.ready.wait()
        while True:
            await edge
            if clocking.in_reset:
                continue
            if int(rvalid.value) and pins.get("rready"):
                self._answered(self._reads, "rid", "rresp")
            if int(bvalid.value) and pins.get("bready"):
                self._answered(self._writes, "bid", "bresp")
            if self._asked("ar", arvalid, AR):
                access = self._address("ar")
                self._reads.setdefault(access.ident, deque()).append(access)
                self.started.write(access)
            if self._asked("aw", awvalid, AW):
                self._addresses.append(self._address("aw"))
            if self._asked("w", wvalid, W):
                self._data.append((pins.get("wdata").to_bytes(self._line, "little"), pins.get("wstrb")))
                if not pins.get("wlast"):
                    self.logger.error(f"a write burst on {pins.prefix}")
            while self._addresses and self._data:
                data, strobe = self._data.popleft()
                access = replace(self._addresses.popleft(), issued=clocking.cycle, data=data, strobe=strobe)
                self._writes.setdefault(access.ident, deque()).append(access)
                self.started.write(access)

    def _asked(self, channel: str, valid: Any, payload: tuple[str, ...]) -> bool:
        """The channel's beat is taken in this cycle."""
        pins, shown = self._pins, self._waiting.pop(channel, None)
        if not int(valid.value):
            if shown is not None:
                self.logger.error(f"{channel}valid of {pins.prefix} went low before it was accepted")
            return False
        taken = bool(pins.get(f"{channel}ready"))
        if shown is None and taken:
            return True
        now = tuple(pins.get(name) for name in payload if pins.has(name))
        if shown is not None and now != shown:
            self.logger.error(f"{', '.join(payload)} of {pins.prefix} changed before they were accepted")
        if not taken:
            self._waiting[channel] = now
        return taken

    def _address(self, channel: str) -> MemoryAccess:
        pins, get = self._pins, self._pins.get
        if pins.has(f"{channel}len") and get(f"{channel}len"):
            self.logger.error(f"{pins.prefix} asks for a burst of {get(f'{channel}len') + 1} beats")
        user = get(f"{channel}user") if pins.has(f"{channel}user") else 0
        size, lock = 1 << get(f"{channel}size"), bool(get(f"{channel}lock"))
        return MemoryAccess(self._clocking.cycle, channel == "aw", get(f"{channel}id"), get(f"{channel}addr"), size, lock, user)

    def _answered(self, asked: dict[int, deque[MemoryAccess]], ident_pin: str, resp_pin: str) -> None:
        pins = self._pins
        ident, resp = pins.get(ident_pin), pins.get(resp_pin)
        if not asked.get(ident):
            self.logger.error(f"{pins.prefix}: response {resp} for ID {ident}, which has asked for nothing")
            return
        access = asked[ident].popleft()
        data = access.data if access.write else pins.get("rdata").to_bytes(self._line, "little")
        self.ap.write(replace(access, data=data, resp=resp, cycle=self._clocking.cycle))
