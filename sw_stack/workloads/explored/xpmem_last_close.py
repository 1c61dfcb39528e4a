"""The last of two who hold a process's XPMEM file lets it go.

The user's file is open in the user, and another process holds it too, as one does that looks through /proc. Whoever closes last
gives up what the user has attached, and runs in its own address space meanwhile. What is unmapped is the user's range all the same,
not what the visitor happens to have at that address. The visitor is a thread of the owner's; a third task uses the owner's memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.mm import MmError
from sw_stack.sched import Mutex
from sw_stack.workloads.explored.play import BASE, Actor, Planted, PlayError
from sw_stack.workloads.explored.xpmem_play import XpmemPlay


class Scene(XpmemPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "xpmem_current_mm": Planted((26,), "detach unmaps the range in the address space of whoever runs", 3, "current_mm"),
    }

    async def prepare(self) -> None:
        self.file_lock = Mutex(self.sched, "file_lock")
        await super().prepare()
        await self._open()

    async def _open(self) -> None:
        self.references = 2
        await self.look()

    def actors(self) -> Sequence[Actor]:
        return Actor("user", 0, self._put()), Actor("visitor", 1, self._visit()), Actor("owner", 2, self._use())

    async def _put(self) -> None:
        async with self.file_lock:
            self.references -= 1
            last = not self.references
        if last:
            await self.user.close()

    async def _visit(self) -> None:
        self.owner.threads.add(self.sched.task())
        await self._put()

    async def _use(self) -> None:
        try:
            await self.owner.mm.store(BASE, bytes([1]) * 8)
        except MmError as error:
            raise PlayError(f"the owner has lost its memory when the user's file was closed: {error}") from None

    async def settle(self) -> None:
        self.check(self.owner.mm.vmas.find(BASE) is not None, "the owner has lost its memory when the user's file was closed")
        self.check(self.user.mm.vmas.find(BASE) is None, "the user has kept the range of an attachment that is gone")
        await super().settle()
        await self.user.mm.exit()
        await self.enter()
        await self._open()
