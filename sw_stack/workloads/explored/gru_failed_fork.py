"""A fork that fails between begin and end of its range.

fork takes the right to write from the parent's pages: it begins a range, and until the end the driver answers no miss. For the
child's page tables there is no memory, so fork gives up in the middle. V6 as posted returned the error and never ended the
range: the driver waits for the end, and the device's misses are not answered any more.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.mm import MmError
from sw_stack.workloads.explored.play import BASE, PAGE, Actor, GruPlay, Planted


class Scene(GruPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "gru_fork_no_end": Planted((9,), "a fork that fails leaves its range without an end", 6, "fork_error_no_end"),
    }

    async def prepare(self) -> None:
        self.mm = await self.program("program")
        self.device_user = await self.user(self.mm)
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        self.machine.child_tables = 0
        return Actor("user", 0, self._load()), Actor("program", 1, self._fork())

    async def _load(self) -> None:
        found = await self.device_user.load(0, BASE)
        self.check(found == bytes([1]) * 8, f"the device loaded {found!r}")

    async def _fork(self) -> None:
        try:
            await (await self.mm.fork("child")).exit()
        except MmError as error:
            self.check(error.errno == errno.ENOMEM, f"fork failed by {error}")
        else:
            self.check(False, "a fork without memory for page tables went well")

    async def settle(self) -> None:
        await self._load()
        await self.device_user.forget(BASE, PAGE)
