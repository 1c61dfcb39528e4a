"""Watches a register bus and publishes whole accesses.

Promises: `started` gets a RegisterAccess when its request is complete (of a read the address, of a write the data too), `ap` the
same with its response when that is taken, in the order in which they end; of one cycle: what ended before what began. A response
that nobody asked for is logged as an error, and so is a request that changes or goes away while it waits. A reset forgets what
was under way.
Needs: "config" in the ConfigDB.
Costs: five pins a cycle.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from pyuvm import ConfigDB, uvm_analysis_port, uvm_monitor

from tb.uvm.agents.axil.config import OKAY, RegisterAccess, RegisterConfig

__all__ = ["RegisterMonitor"]


class RegisterMonitor(uvm_monitor):
    """Reads and writes of one bus."""

    def build_phase(self) -> None:
        super().build_phase()
        config: RegisterConfig = ConfigDB().get(self, "", "config")
        self._pins = config.pins
        self._clocking = config.clocking
        self.ap = uvm_analysis_port("ap", self)
        self.started = uvm_analysis_port("started", self)
        self._forget()

    def _forget(self) -> None:
        self._addresses: deque[int] = deque()
        self._data: deque[tuple[int, int]] = deque()  # data, strobe
        self._writes: deque[RegisterAccess] = deque()
        self._reads: deque[RegisterAccess] = deque()
        self._waiting: dict[str, tuple[int, ...]] = {}  # channel -> what it showed and nobody took

    async def run_phase(self) -> None:
        pins, clocking, edge = self._pins, self._clocking, self._clocking.edge
        awvalid, wvalid, bvalid, arvalid, rvalid = map(pins.of, ("awvalid", "wvalid", "bvalid", "arvalid", "rvalid"))
        clocking.on_reset.append(self._forget)
        await clocking.ready.wait()
        while True:
            await edge
            if clocking.in_reset:
                continue
            if int(bvalid.value) and pins.get("bready"):
                self._answered(self._writes, "b")
            if int(rvalid.value) and pins.get("rready"):
                self._answered(self._reads, "r")
            if self._asked("aw", awvalid, "awaddr"):
                self._addresses.append(pins.get("awaddr"))
            if self._asked("w", wvalid, "wdata", "wstrb"):
                self._data.append((pins.get("wdata"), pins.get("wstrb")))
            if self._asked("ar", arvalid, "araddr"):
                self._begin(self._reads, RegisterAccess(0, clocking.cycle, False, pins.get("araddr"), 0, 0, OKAY))
            while self._addresses and self._data:
                data, strobe = self._data.popleft()
                access = RegisterAccess(0, clocking.cycle, True, self._addresses.popleft(), data, strobe, OKAY)
                self._begin(self._writes, access)

    def _begin(self, under_way: deque[RegisterAccess], access: RegisterAccess) -> None:
        under_way.append(access)
        self.started.write(access)

    def _asked(self, channel: str, valid: object, *payload: str) -> bool:
        """The channel's request is taken in this cycle."""
        shown, pins = self._waiting.pop(channel, None), self._pins
        if not int(valid.value):  # type: ignore[attr-defined]
            if shown is not None:
                self.logger.error(f"{channel}valid of {pins.prefix} went low before it was accepted")
            return False
        taken = bool(pins.get(f"{channel}ready"))
        if shown is None and taken:
            return True
        now = tuple(pins.get(name) for name in payload)
        if shown is not None and now != shown:
            self.logger.error(f"{', '.join(payload)} of {pins.prefix} changed before they were accepted")
        if not taken:
            self._waiting[channel] = now
        return taken

    def _answered(self, under_way: deque[RegisterAccess], channel: str) -> None:
        pins = self._pins
        if not under_way:
            self.logger.error(f"{pins.prefix} answered on {channel} what was not asked for")
            return
        access = under_way.popleft()
        data = access.data if access.write else pins.get("rdata")
        self.ap.write(replace(access, cycle=self._clocking.cycle, data=data, resp=pins.get(f"{channel}resp")))
