"""Answers a memory bus out of a sparse memory: the slave that an AXI4 master of single beats talks to.

Promises: a read takes its bytes and a write leaves its own in the cycle in which the response is first shown, so they are ordered
with whatever the master does after it has seen the response. Responses of one ID and kind keep the order of their requests. An
exclusive write is answered EXOKAY iff nothing has written its bytes since the exclusive read of its ID. A reset drops what is
under way; memory stays.
Needs: "config" in the ConfigDB.
Costs: at most five pins a cycle.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from pyuvm import ConfigDB, uvm_component

from tb.uvm.agents.axi.config import ErrorRule, MemoryConfig, Resp

__all__ = ["MemoryResponder"]

IDLE = {
    "arready": 0,
    "awready": 0,
    "wready": 0,
    "rvalid": 0,
    "rid": 0,
    "rdata": 0,
    "rresp": 0,
    "rlast": 1,
    "bvalid": 0,
    "bid": 0,
    "bresp": 0,
}


@dataclass
class _Request:
    ident: int
    addr: int
    size: int
    lock: bool
    due: int = 0
    data: bytes = b""
    strobe: int = 0


class MemoryResponder(uvm_component):
    """One slave."""

    def build_phase(self) -> None:
        super().build_phase()
        self.config: MemoryConfig = ConfigDB().get(self, "", "config")
        self.pins = self.config.pins
        self.line = self.pins.width("wstrb")
        self._rng = random.Random(f"{self.config.seed}:responder")
        self._forget()
        self.park()

    def park(self) -> None:
        """The values of a bus that nobody answers."""
        self.pins.put(**IDLE)

    def _forget(self) -> None:
        self._reads: list[_Request] = []
        self._addresses: deque[_Request] = deque()
        self._data: deque[tuple[bytes, int]] = deque()
        self._writes: list[_Request] = []
        self._reserved: dict[int, tuple[int, int]] = {}  # ID -> bytes from, to
        self._open = {"ar": False, "aw": False, "w": False}
        self._shown = {"r": False, "b": False}

    async def run_phase(self) -> None:
        pins, clocking, edge = self.pins, self.config.clocking, self.config.clocking.edge
        rready, bready = pins.of("rready"), pins.of("bready")
        arvalid, awvalid, wvalid = pins.of("arvalid"), pins.of("awvalid"), pins.of("wvalid")
        is_open, shown = self._open, self._shown
        now = 0
        clocking.on_reset.append(self._in_reset)
        await clocking.ready.wait()
        while True:
            await edge
            now += 1
            if clocking.in_reset:
                continue
            is_open, shown = self._open, self._shown
            if is_open["ar"] and int(arvalid.value):
                request = self._address("ar")
                request.due = now + self._latency()
                self._reads.append(request)
            if is_open["aw"] and int(awvalid.value):
                self._addresses.append(self._address("aw"))
            if is_open["w"] and int(wvalid.value):
                self._data.append((pins.get("wdata").to_bytes(self.line, "little"), pins.get("wstrb")))
            while self._addresses and self._data:
                request = self._addresses.popleft()
                request.data, request.strobe = self._data.popleft()
                request.due = now + self._latency()
                self._writes.append(request)
            if shown["r"] and int(rready.value):
                shown["r"] = False
            if shown["b"] and int(bready.value):
                shown["b"] = False
            self._answer(now)
            self._admit()

    def _in_reset(self) -> None:
        self._forget()
        self.park()

    def _latency(self) -> int:
        low, high = self.config.latency
        return self._rng.randint(low, high)

    def _address(self, channel: str) -> _Request:
        get = self.pins.get
        return _Request(get(f"{channel}id"), get(f"{channel}addr"), 1 << get(f"{channel}size"), bool(get(f"{channel}lock")))

    # ---- what the pins show next ----------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        full_reads = len(self._reads) >= self.config.outstanding
        full_writes = len(self._writes) + len(self._addresses) >= self.config.outstanding
        # Data may wait for its address, but not without end.
        full_data = len(self._data) >= 4 or full_writes
        for channel, full in (("ar", full_reads), ("aw", full_writes), ("w", full_data)):
            odds = self.config.stall(channel)
            self._open[channel] = not full and not (odds and self._rng.random() < odds)
        self.pins.put(arready=int(self._open["ar"]), awready=int(self._open["aw"]), wready=int(self._open["w"]))

    def _answer(self, now: int) -> None:
        pins, shown = self.pins, self._shown
        if not shown["r"]:
            request = self._choose(self._reads, "r", now)
            if request is not None:
                data, resp = self._read(request)
                pins.put(rid=request.ident, rdata=int.from_bytes(data, "little"), rresp=resp)
            shown["r"] = request is not None
            pins.put(rvalid=int(shown["r"]))
        if not shown["b"]:
            request = self._choose(self._writes, "b", now)
            if request is not None:
                pins.put(bid=request.ident, bresp=self._write(request))
            shown["b"] = request is not None
            pins.put(bvalid=int(shown["b"]))

    def _choose(self, waiting: list[_Request], channel: str, now: int) -> _Request | None:
        """The next to be answered: taken out."""
        if not waiting:
            return None
        odds = self.config.stall(channel)
        if odds and self._rng.random() < odds:
            return None
        held = self.config.held
        if not self.config.reorder:
            return waiting.pop(0) if waiting[0].due <= now and (channel, waiting[0].ident) not in held else None
        due: list[int] = []
        seen: set[int] = set()
        for place, request in enumerate(waiting):
            if request.ident not in seen and request.due <= now and (channel, request.ident) not in held:
                due.append(place)
            seen.add(request.ident)
        return waiting.pop(self._rng.choice(due)) if due else None

    # ---- memory -----------------------------------------------------------------------------------------------------------------

    def _read(self, request: _Request) -> tuple[bytes, Resp]:
        line = request.addr & -self.line
        data = self.config.memory.read(line, self.line)
        error = self._error(request, write=False)
        if error is not None:
            return bytes(byte ^ 0xFF for byte in data), error
        if not request.lock:
            return data, Resp.OKAY
        if self._rng.random() >= self.config.lost_reservations:
            self._reserved[request.ident] = request.addr, request.addr + request.size
        else:
            self._reserved.pop(request.ident, None)
        return data, Resp.EXOKAY

    def _write(self, request: _Request) -> Resp:
        error = self._error(request, write=True)
        if error is not None:
            return error
        mine = self._reserved.pop(request.ident, None)
        if request.lock and mine != (request.addr, request.addr + request.size):
            return Resp.OKAY
        line = request.addr & -self.line
        self.config.memory.write_strobed(line, request.data, request.strobe)
        first = request.addr if request.lock else line
        last = first + (request.size if request.lock else self.line)
        self._reserved = {ident: (low, high) for ident, (low, high) in self._reserved.items() if high <= first or low >= last}
        return Resp.EXOKAY if request.lock else Resp.OKAY

    def _error(self, request: _Request, *, write: bool) -> Resp | None:
        rules: Sequence[ErrorRule] = self.config.errors
        for rule in rules:
            meant = rule.writes if write else rule.reads
            if not meant or rule.times == 0 or request.addr > rule.last or request.addr + request.size <= rule.first:
                continue
            if rule.where is not None and not rule.where(request.addr):
                continue
            if rule.rate < 1 and self._rng.random() >= rule.rate:
                continue
            if rule.times is not None:
                rule.times -= 1
            return rule.resp
        return None
