"""An operation as the GPU sees it: the aperture entries of its operands, and accesses through them.

The entries are a copy of what was pinned, made when the command is handed over: the GPU asks nobody again. Nothing invalidates them
either. It is the pins that keep them true, and only as long as they are held; each access is held against the oracle when it
starts and at the instant its bytes move: DeadTranslationError for one that comes after the pages were given back.

Costs, of an access: the memory's latency, and a cycle for every 64 bytes beyond the first.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from hwif.gen import timing
from sw_stack.drivers.gpu.stats import GpuStats
from sw_stack.mm import Machine
from sw_stack.mm.pinning import Pinned
from sw_stack.mm.secondary import check_access, read_through, write_through
from sw_stack.mm.types import PAGE_SHIFT, MmError, page_parts

__all__ = ["Aperture", "Operation"]


@dataclass(frozen=True, slots=True)
class Aperture:
    """The entries of one operand: frame `pfns[i]` is page `addr >> PAGE_SHIFT` + i of what was pinned under number `owner`."""

    addr: int
    length: int
    write: bool
    owner: int
    pfns: tuple[int, ...]

    @classmethod
    def of(cls, addr: int, length: int, pinned: Pinned) -> Aperture:
        """The entries of an operand that has just been pinned."""
        return cls(addr, length, pinned.writable, pinned.owner, tuple(pinned.pfns))

    def pfn(self, vaddr: int) -> int:
        """Frame of a byte of the operand."""
        return self.pfns[(vaddr >> PAGE_SHIFT) - (self.addr >> PAGE_SHIFT)]


class Operation:
    """What the work of a submission reads and writes through: operands by their place in the submission."""

    def __init__(self, machine: Machine, name: str, operands: tuple[Aperture, ...], stats: GpuStats) -> None:
        self._machine = machine
        self._name = name
        self._operands = operands
        self._stats = stats

    def __repr__(self) -> str:
        return f"<operation of {self._name}>"

    async def read(self, operand: int, offset: int, n: int) -> bytes:
        """`n` bytes of an operand. MmError EFAULT outside it."""
        aperture = self._entry(operand, offset, n)
        parts = []
        self._stats.reads += 1
        for vaddr, count in page_parts(aperture.addr + offset, n):
            pfn = aperture.pfn(vaddr)
            check_access(self._machine, aperture.owner, vaddr, pfn, False, self)
            await self._charge(timing.MEM_READ_LATENCY, count)
            parts.append(read_through(self._machine, aperture.owner, vaddr, pfn, count, self))
        return b"".join(parts)

    async def write(self, operand: int, offset: int, data: bytes) -> None:
        """Store to an operand. MmError EFAULT outside it, EPERM if it was not submitted for writing."""
        aperture = self._entry(operand, offset, len(data))
        if not aperture.write:
            raise MmError(errno.EPERM, f"{self!r}: operand {operand} is written and was submitted for reading")
        done = 0
        self._stats.writes += 1
        for vaddr, count in page_parts(aperture.addr + offset, len(data)):
            pfn = aperture.pfn(vaddr)
            check_access(self._machine, aperture.owner, vaddr, pfn, True, self)
            await self._charge(timing.MEM_WRITE_LATENCY, count)
            write_through(self._machine, aperture.owner, vaddr, pfn, data[done : done + count], self)
            done += count

    async def compute(self, cycles: int) -> None:
        """Let the GPU work without memory."""
        await self._machine.sched.sleep(cycles)

    def _entry(self, operand: int, offset: int, n: int) -> Aperture:
        aperture = self._operands[operand]
        if offset < 0 or n < 0 or offset + n > aperture.length:
            raise MmError(errno.EFAULT, f"{self!r}: {n} bytes at {offset:#x} leave operand {operand} of {aperture.length}")
        return aperture

    async def _charge(self, latency: int, count: int) -> None:
        await self._machine.sched.sleep(latency + (max(count, 1) - 1) // timing.MEM_BYTES_PER_CYCLE)
