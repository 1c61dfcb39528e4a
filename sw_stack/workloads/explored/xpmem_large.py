"""A fault of an attachment of a large page that becomes read-only.

The owner takes the right to write from its large page; the user reads it through its attachment. The fault comes to an end whatever
the order: it asks for no more than the access needs. One that asks for the right to write finds a large page that has not got it,
asks again, and never gets it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.mm import PROT_READ
from sw_stack.workloads.explored.play import BASE, PAGE, RW, Actor, Planted
from sw_stack.workloads.explored.xpmem_play import XpmemPlay


class Scene(XpmemPlay):
    LIMIT: ClassVar[int] = 300
    SIZE: ClassVar[int] = 16 * PAGE
    SHIFT: ClassVar[int] = 16
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "xpmem_soft_lockup": Planted((26,), "a read of a large page asks for the right to write, for ever", 1, "force_write"),
    }

    async def prepare(self) -> None:
        self.hurry(True)
        await super().prepare()

    def actors(self) -> Sequence[Actor]:
        return Actor("user", 0, self._look()), Actor("owner", 1, self.owner.mm.mprotect(BASE, self.SIZE, PROT_READ))

    async def _look(self) -> None:
        found = await self.look()
        self.check(found == 1, f"the user reads {found}, the owner has written 1")

    async def settle(self) -> None:
        await super().settle()
        await self.owner.mm.mprotect(BASE, self.SIZE, RW)
        await self.owner.mm.store(BASE, bytes([1]) * 8)
        self.check(self.held() == 0, "the user has kept pages across a change of their rights")
