"""A detach while pages are recalled.

The user detaches the owner's buffer; the owner drops its page, which recalls it from the attachment, and writes a new one; another
thread of the user's reads. Detach and recall each wait for accesses under way, and one for the other where they meet. Neither may
hold what the other waits for. Afterwards nothing is attached, and the owner has its memory.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.mm import MmError
from sw_stack.workloads.explored.play import BASE, Actor, Planted
from sw_stack.workloads.explored.xpmem_play import XpmemPlay


class Scene(XpmemPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "xpmem_hold_and_wait": Planted((26,), "detach keeps recalls out and waits for one", 4, "detach_hold_and_wait"),
    }

    async def prepare(self) -> None:
        await super().prepare()
        await self.look()

    def actors(self) -> Sequence[Actor]:
        return Actor("user", 0, self.user.detach(BASE)), Actor("owner", 1, self.rewrite(2)), Actor("reader", 2, self._look())

    async def _look(self) -> None:
        try:
            found = await self.look()
        except MmError as error:
            self.check(error.errno == errno.EFAULT, f"the reader is refused: {error}")  # detached already
        else:
            self.check(found in (0, 1, 2), f"the reader reads {found}")

    async def settle(self) -> None:
        await super().settle()
        self.check(not self.part.exports and not self.part.attachments, "something is still attached")
        self.check(self.owner.mm.vmas.find(BASE) is not None, "the owner has lost its memory when the user detached it")
        self.check(self.user.mm.vmas.find(BASE) is None, "the user has kept the range that it has detached")
        await self.owner.mm.store(BASE, bytes([1]) * 8)
        self.attachment = await self.attach()
        await self.look()
