"""The stage of the plays of XPMEM: an owner offers its buffer, a user has attached it. Both are on one machine."""

from __future__ import annotations

from typing import ClassVar

from hwif.trace import Trace
from sw_stack.drivers.xpmem import RDWR, Attachment, Fabric, Partition, ThreadGroup, XpmemPolicy
from sw_stack.drivers.xpmem.policy import Mutant, Race, Style
from sw_stack.sched import Scheduler
from sw_stack.workloads.explored.play import BASE, PAGE, RW, Play

__all__ = ["XpmemPlay"]


class XpmemPlay(Play):
    SIZE: ClassVar[int] = PAGE
    SHIFT: ClassVar[int] = 0
    """Of the owner's pages; 0: small ones."""
    STYLE: ClassVar[Style] = "v6"

    def __init__(self, sched: Scheduler, trace: Trace, planted: str | None = None) -> None:
        super().__init__(sched, trace, planted)
        policy = XpmemPolicy(self.STYLE, mutant=self.switched(Mutant, Race))
        self.part = Partition(self.machine, Fabric(sched), 0, policy=policy)

    async def prepare(self) -> None:
        self.owner = await self.part.open(self.machine.new_mm("owner"))
        await self.owner.mm.mmap(BASE, self.SIZE, RW, fixed=True, huge=self.SHIFT)
        await self.owner.mm.store(BASE, bytes([1]) * 8)
        self.segid = await self.owner.make(BASE, self.SIZE)
        await self.enter()

    async def enter(self) -> None:
        """The user, and its attachment."""
        self.user: ThreadGroup = await self.part.open(self.machine.new_mm("user"))
        self.apid = await self.user.get(self.segid, RDWR)
        self.attachment: Attachment = await self.attach()

    async def attach(self) -> Attachment:
        """At the address that the buffer has in the owner."""
        return await self.user.attach(self.apid, 0, self.SIZE, BASE)

    async def look(self) -> int:
        """The user reads a byte of the buffer."""
        return (await self.attachment.load(BASE, 1))[0]

    async def rewrite(self, byte: int) -> None:
        """The owner drops its page and writes a new one."""
        await self.owner.mm.madvise_dontneed(BASE, self.SIZE)
        await self.owner.mm.store(BASE, bytes([byte]) * 8)

    async def settle(self) -> None:
        """Tasks of a round that is over are nobody's threads."""
        self.owner.threads.clear()
        self.user.threads.clear()

    def held(self) -> int:
        """Pages of the owner's that attachments hold."""
        return sum(len(export.holders) for export in self.owner.exports)
