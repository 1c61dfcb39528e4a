"""A fault of an attachment while its page goes.

The user reads a page that it has attached and that is not in its table yet. Meanwhile the owner drops the page and writes a new
one, and a third task moves the page to another frame. The page found may be gone when it is to be entered: then the fault looks
again. It neither enters the old page nor refuses the access, since the owner has had a page there at all times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.mm import MmError
from sw_stack.workloads.explored.play import BASE, Actor, Planted, PlayError
from sw_stack.workloads.explored.xpmem_play import XpmemPlay


class Scene(XpmemPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "xpmem_sigbus": Planted((26,), "a page that changed between look-up and entry is an error", 3, "sigbus_on_vanish"),
        "xpmem_stale_page": Planted((26,), "a page that changed between look-up and entry is entered", 5, "pte_vanished"),
    }

    def actors(self) -> Sequence[Actor]:
        return Actor("user", 0, self._look()), Actor("owner", 1, self.rewrite(2)), Actor("mover", 2, self._move())

    async def _look(self) -> None:
        try:
            found = await self.look()
        except MmError as error:
            raise PlayError(f"the user is refused a page that the owner has: {error}") from None
        self.check(found in (0, 1, 2), f"the user reads {found}")

    async def _move(self) -> None:
        await self.machine.migrate_page(self.owner.mm, BASE)

    async def settle(self) -> None:
        await super().settle()
        found = await self.look()
        self.check(found == 2, f"the user reads {found}, the owner has written 2")
        await self.rewrite(1)
