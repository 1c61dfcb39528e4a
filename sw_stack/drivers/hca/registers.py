"""The register block of one adapter.

Promises: one bus transfer a call. Costs SW_MMIO_READ or SW_MMIO_WRITE and the bus.
"""

from __future__ import annotations

from sw_stack.sched import Scheduler

__all__ = ["Registers"]


class Registers:
    """Reads and writes by offset (hwif.gen.hca, `...Reg.offset`)."""

    def __init__(self, sched: Scheduler, node: int) -> None:
        self._sched = sched
        self.node = node

    async def read(self, offset: int) -> int:
        """One register."""
        return (await self._sched.mmio_read(offset, 1, self.node))[0]

    async def read_all(self, offset: int, count: int) -> tuple[int, ...]:
        """`count` registers upwards."""
        return await self._sched.mmio_read(offset, count, self.node)

    async def write(self, offset: int, word: int) -> None:
        """One register; returns when it has landed."""
        await self._sched.mmio_write(offset, (word,), self.node)
