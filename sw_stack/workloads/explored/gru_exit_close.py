"""A process exits while somebody closes its context.

The device works for a process; a thread closes the context and, as it is the last, takes the driver out of the notifier chain;
the process exits. Exit tells whoever is in the chain, frees the pages and trusts that nobody uses them any more. So the driver
must have stopped the device before it leaves the chain: if it leaves first, exit finds nobody to tell and frees pages the device
still uses ("fix freed page still mapped in secondary MMU", Linux 3.10).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.drivers.gru.state import GruError
from sw_stack.workloads.explored.play import BASE, Actor, GruPlay, Planted


class Scene(GruPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "gru_unregister_first": Planted(
            (11,), "close takes the driver out of the chain before it stops the device", 4, "unregister_first"
        ),
    }

    async def prepare(self) -> None:
        self.mm = await self.program("program")
        self.device_user = await self.user(self.mm)
        await self.device_user.load(0, BASE)

    def actors(self) -> Sequence[Actor]:
        close = self.driver.close(self.device_user.gts)
        return Actor("user", 0, self._load()), Actor("closer", 1, close), Actor("program", 2, self.mm.exit())

    async def _load(self) -> None:
        try:
            found = await self.device_user.load(0, BASE)
        except GruError:
            return  # the context is closed, or its process gone
        self.check(found in (None, bytes([1]) * 8), f"the device loaded {found!r}")

    async def settle(self) -> None:
        self.check(not self.driver.address_spaces(), "the driver still watches a process that is gone")
        await self.prepare()
