"""A process that closes XPMEM and exits.

The user has a page of the owner's attached. One of its threads closes the device, another exits, a third is reading. Whoever comes
first gives everything up; the other finds nothing left to do. Afterwards XPMEM knows neither the user nor its attachment, and holds
none of the owner's pages.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.mm import MmError
from sw_stack.workloads.explored.play import Actor, Planted
from sw_stack.workloads.explored.xpmem_play import XpmemPlay


class Scene(XpmemPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "xpmem_close_leaks": Planted((26,), "close hides the thread group from what tears it down", 4, "close_unlisted"),
    }

    async def prepare(self) -> None:
        await super().prepare()
        await self.look()

    def actors(self) -> Sequence[Actor]:
        return Actor("close", 0, self.user.close()), Actor("exit", 1, self.user.mm.exit()), Actor("reader", 2, self._look())

    async def _look(self) -> None:
        try:
            found = await self.look()
        except MmError as error:
            self.check(error.errno == errno.EFAULT, f"the reader is refused: {error}")
        else:
            self.check(found == 1, f"the reader reads {found}, the owner has written 1")

    async def settle(self) -> None:
        await super().settle()
        held = self.held()
        self.check(not held, f"{held} pages of the owner's are held by an attachment of a process that is gone")
        self.check(self.part.groups.keys() == {self.owner.tgid}, "XPMEM still knows a process that is gone")
        self.check(not self.part.exports, "an attachment is left of a process that is gone")
        await self.enter()
        await self.look()
