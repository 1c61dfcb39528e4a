"""Host memory behind the memory agent: what tb.hil.hca_bare writes and the device reads are the same bytes.

Promises: reads and writes as a SparseMemory's. Outside memory a read is zeros and a write is forgotten; the agent's rules
answer there with an error.
"""

from __future__ import annotations

from hwif.memory import HostMemory
from tb.uvm.agents.axi.memory import SparseMemory, strobe_runs

__all__ = ["HostStore"]


class HostStore(SparseMemory):
    """Around a HostMemory."""

    def __init__(self, memory: HostMemory) -> None:
        super().__init__()
        self.host = memory

    def read(self, addr: int, count: int) -> bytes:
        """Bytes from `addr` on."""
        return self.host.read(addr, count) if self.host.holds(addr, count) else bytes(count)

    def write(self, addr: int, data: bytes) -> None:
        """Put bytes at `addr`."""
        if self.host.holds(addr, len(data)):
            self.host.write(addr, data)

    def write_strobed(self, addr: int, data: bytes, strobe: int) -> None:
        """Only bytes whose strobe is set."""
        for first, last in strobe_runs(strobe):
            self.write(addr + first, data[first:last])
