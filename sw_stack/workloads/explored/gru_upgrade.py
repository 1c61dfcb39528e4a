"""A page becomes writable while the device writes to it.

The device holds an entry that allows no writing: the page was read-only when it was entered. The program stores, which gives the
page its right to write back in place; nobody is told, for nothing was taken away. The device's own store meets the old entry and
asks the driver. The answer must put a writable entry in the place of the old one (SD-7): who takes the page's being writable for
proof that the old entry has gone, and only lets the device try again, has it ask for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sw_stack.mm import PROT_READ
from sw_stack.workloads.explored.play import BASE, PAGE, RW, Actor, GruPlay, Planted


class Scene(GruPlay):
    LIMIT: ClassVar[int] = 60
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "gru_upgrade_assumed": Planted(
            (12,), "a write that met a read-only entry is only tried again when the page has become writable", 1, "upgrade_assumed"
        ),
    }

    async def prepare(self) -> None:
        self.mm = await self.program("program")
        self.device_user = await self.user(self.mm)
        await self._protect()

    async def _protect(self) -> None:
        """Read-only and in the device; the next store of the program may write again."""
        await self.mm.mprotect(BASE, PAGE, PROT_READ)
        await self.mm.mprotect(BASE, PAGE, RW)
        await self.device_user.load(0, BASE)

    def actors(self) -> Sequence[Actor]:
        self.hurry(True)
        return Actor("user", 0, self._device_store()), Actor("program", 1, self._store())

    async def _device_store(self) -> None:
        self.check(await self.device_user.fill(0, BASE, 7), "the device's store was refused")

    async def _store(self) -> None:
        await self.mm.store(BASE + 8, bytes([2]) * 8)

    async def settle(self) -> None:
        self.hurry(False)
        found = await self.mm.load(BASE, 16)
        self.check(found == (7).to_bytes(8, "little") + bytes([2]) * 8, f"device and program stored, memory has {found!r}")
        await self._protect()
