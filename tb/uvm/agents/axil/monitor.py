"""Watches a register bus and publishes whole accesses.

Promises: `ap` gets a RegisterAccess in the cycle of its response, in the order in which they end. A response that nobody asked
for is logged as an error, and so is a request that changes or goes away while it waits. A reset forgets what was under way.
Needs: "config" in the ConfigDB.
Costs: five pins a cycle.
"""

from __future__ import annotations

from collections import deque

from pyuvm import ConfigDB, uvm_analysis_port, uvm_monitor

from tb.uvm.agents.axil.config import RegisterAccess, RegisterConfig

__all__ = ["RegisterMonitor"]


class RegisterMonitor(uvm_monitor):
    """Reads and writes of one bus."""

    def build_phase(self) -> None:
        super().build_phase()
        config: RegisterConfig = ConfigDB().get(self, "", "config")
        self._pins = config.pins
        self._clocking = config.clocking
        self.ap = uvm_analysis_port("ap", self)
        self._forget()

    def _forget(self) -> None:
        self._addresses: deque[tuple[int, int]] = deque()  # (cycle, address)
        self._data: deque[tuple[int, int, int]] = deque()  # (cycle, data, strobe)
        self._reads: deque[tuple[int, int]] = deque()
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
                self._written()
            if int(rvalid.value) and pins.get("rready"):
                self._read()
            if self._asked("aw", awvalid, "awaddr"):
                self._addresses.append((clocking.cycle, pins.get("awaddr")))
            if self._asked("w", wvalid, "wdata", "wstrb"):
                self._data.append((clocking.cycle, pins.get("wdata"), pins.get("wstrb")))
            if self._asked("ar", arvalid, "araddr"):
                self._reads.append((clocking.cycle, pins.get("araddr")))

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

    def _written(self) -> None:
        if not self._addresses or not self._data:
            self.logger.error(f"{self._pins.prefix} answered a write that was not asked for")
            return
        (at, addr), (data_at, data, strobe) = self._addresses.popleft(), self._data.popleft()
        resp = self._pins.get("bresp")
        self.ap.write(RegisterAccess(self._clocking.cycle, max(at, data_at), True, addr, data, strobe, resp))

    def _read(self) -> None:
        if not self._reads:
            self.logger.error(f"{self._pins.prefix} answered a read that was not asked for")
            return
        at, addr = self._reads.popleft()
        data, resp = self._pins.get("rdata"), self._pins.get("rresp")
        self.ap.write(RegisterAccess(self._clocking.cycle, at, False, addr, data, 0, resp))
