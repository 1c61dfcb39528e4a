"""A mirror's read while the process exits.

A device that mirrors an address space in software reads a page of it, a program's thread stores there, and a third task tears
the address space down. The read gives what is in the page, or is refused; it comes to an end in any case. A fault that finds the
address space gone must say so: the device looks into its table again after each fault that succeeded, and would do so for ever.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.drivers.hmm import Mirror, Mutant, Refused
from sw_stack.mm import MmError
from sw_stack.notifier import IntervalSubscriptions
from sw_stack.workloads.explored.play import BASE, PAGE, Actor, Planted, Play


class Scene(Play):
    LIMIT: ClassVar[int] = 300
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "hmm_fault_after_exit": Planted((31,), "a fault that finds the address space gone reports success", 2, "gone_is_done"),
    }

    async def prepare(self) -> None:
        self.hurry(True)
        await self._begin()

    async def _begin(self) -> None:
        self.mm = await self.program("program")
        self.mirror = await Mirror.open(self.mm, IntervalSubscriptions(self.sched, self.mm), mutant=self.switched(Mutant))

    def actors(self) -> Sequence[Actor]:
        return Actor("device", 0, self._read()), Actor("thread", 1, self._store()), Actor("exit", 2, self.mm.exit())

    async def _read(self) -> None:
        data = bytearray(PAGE)
        try:
            await self.mirror.read(BASE, data)
        except Refused as error:
            self.check(error.errno == errno.EFAULT, f"the device was refused: {error}")
        else:
            self.check(data[:8] in (bytes([1]) * 8, bytes([2]) * 8), f"the device read {bytes(data[:8])!r}")

    async def _store(self) -> None:
        try:
            await self.mm.store(BASE, bytes([2]) * 8)
        except MmError as error:
            self.check(error.errno == errno.EFAULT, f"the program was refused: {error}")

    async def settle(self) -> None:
        self.check(not self.mirror.table, "the device kept translations of an address space that is gone")
        free, count = self.machine.frames.free, self.machine.frames.count
        self.check(free == count, f"{count - free} frames are lost")
        await self._begin()
