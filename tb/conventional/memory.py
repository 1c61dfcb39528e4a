"""Host memory as an AXI4 slave in Python: cocotbext-axi's channels, answering with the bytes of a HostMemory.

Promises: single beats of 64 bytes, answered in order and at once (the bus model has no latency of its own). An exclusive write
changes memory (EXOKAY) iff the bytes still have the value that the exclusive read of the same ID returned; else OKAY and nothing
changes. Outside memory: DECERR, no byte touched.
Needs: a master that keeps to one beat, as the GRU does.
Costs: a read or a write is a handful of wake-ups of Python, and a copy for each run of strobes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cocotbext.axi import AxiBus, AxiResp
from cocotbext.axi.axi_slave import AxiSlaveRead, AxiSlaveWrite

from hwif.gen.gru import LINE_BYTES
from hwif.memory import HostMemory

__all__ = ["AxiHostMemory"]

OKAY, EXOKAY, DECERR = int(AxiResp.OKAY), int(AxiResp.EXOKAY), int(AxiResp.DECERR)


class Bytes:
    """What both directions share: the bytes, and what each ID has reserved."""

    def __init__(self, memory: HostMemory) -> None:
        self.memory = memory
        self.end = len(memory.bytes)
        self.reserved: dict[int, tuple[int, bytes]] = {}
        self.read_beats = 0
        self.write_beats = 0
        self.exclusive_passed = 0
        self.exclusive_failed = 0
        self.decode_errors = 0


class MemoryRead(AxiSlaveRead):  # type: ignore[misc]
    """Read channels."""

    def __init__(self, bus: Any, clock: Any, reset: Any, store: Bytes) -> None:
        self.store = store
        super().__init__(bus, clock, reset, reset_active_level=False)

    async def _process_read(self) -> None:
        store, channel = self.store, self.r_channel
        while True:
            ar = await self.ar_channel.recv()
            if int(ar.arlen):
                raise ValueError(f"a read burst of {int(ar.arlen) + 1} beats")
            answer = channel._transaction_obj()
            answer.rid = ar.arid
            answer.rlast = 1
            address = int(ar.araddr)
            line = address & -LINE_BYTES
            store.read_beats += 1
            if line + LINE_BYTES > store.end:
                store.decode_errors += 1
                answer.rresp = DECERR
                answer.rdata = 0
            else:
                data = store.memory.read(line, LINE_BYTES)
                answer.rdata = int.from_bytes(data, "little")
                answer.rresp = OKAY
                if int(ar.arlock):
                    size = 1 << int(ar.arsize)
                    start = address & -size
                    store.reserved[int(ar.arid)] = (start, data[start - line : start - line + size])
                    answer.rresp = EXOKAY
            await channel.send(answer)


class MemoryWrite(AxiSlaveWrite):  # type: ignore[misc]
    """Write channels."""

    def __init__(self, bus: Any, clock: Any, reset: Any, store: Bytes) -> None:
        self.store = store
        super().__init__(bus, clock, reset, reset_active_level=False)

    async def _process_write(self) -> None:
        store, channel = self.store, self.b_channel
        while True:
            aw = await self.aw_channel.recv()
            w = await self.w_channel.recv()
            if int(aw.awlen) or not int(w.wlast):
                raise ValueError(f"a write burst of {int(aw.awlen) + 1} beats")
            answer = channel._transaction_obj()
            answer.bid = aw.awid
            store.write_beats += 1
            line = int(aw.awaddr) & -LINE_BYTES
            if line + LINE_BYTES > store.end:
                store.decode_errors += 1
                answer.bresp = DECERR
            elif int(aw.awlock) and not self._still_reserved(int(aw.awid), int(aw.awaddr), 1 << int(aw.awsize)):
                store.exclusive_failed += 1
                answer.bresp = OKAY
            else:
                self._put(line, int(w.wdata).to_bytes(LINE_BYTES, "little"), int(w.wstrb))
                store.exclusive_passed += int(aw.awlock)
                answer.bresp = EXOKAY if int(aw.awlock) else OKAY
            await channel.send(answer)

    def _still_reserved(self, number: int, address: int, size: int) -> bool:
        start = address & -size
        reserved = self.store.reserved.pop(number, None)
        return reserved is not None and reserved == (start, self.store.memory.read(start, size))

    def _put(self, line: int, data: bytes, strobe: int) -> None:
        for first, last in runs(strobe):
            self.store.memory.write(line + first, data[first:last])


def runs(strobe: int) -> Iterator[tuple[int, int]]:
    """The runs of bytes whose strobes are set: first byte, one past the last."""
    at = 0
    while strobe:
        skip = (strobe & -strobe).bit_length() - 1
        strobe >>= skip
        length = (~strobe & (strobe + 1)).bit_length() - 1
        yield at + skip, at + skip + length
        at, strobe = at + skip + length, strobe >> length


class AxiHostMemory:
    """Both directions on one bus."""

    def __init__(self, bus: AxiBus, clock: Any, reset: Any, memory: HostMemory) -> None:
        self.store = Bytes(memory)
        self.write_if = MemoryWrite(bus.write, clock, reset, self.store)
        self.read_if = MemoryRead(bus.read, clock, reset, self.store)
