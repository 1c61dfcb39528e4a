"""Two machines joined by XPMEM, without a device: what the tests of the driver, its races and its mirrored suite share.

The second machine has its own memory, oracle and VM; scheduler and trace are one. Partition 0 is the first machine's.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal

import pytest
from unit.mm_rig import PAGE, Rig

from hwif.gen import timing
from hwif.memory import HostMemory
from hwif.shadow import Shadow
from sw_stack.drivers.xpmem import RDWR, Attachment, Fabric, Partition, ThreadGroup, XpmemId, XpmemPolicy
from sw_stack.mm import Machine, MmError
from sw_stack.mm.check import audit
from sw_stack.sched.choices import Chooser

__all__ = ["AREA", "PAGE", "RW", "WHERE", "Nodes", "Share", "Where", "at", "content", "play", "refused"]

Where = Literal["local", "remote"]
WHERE: tuple[Where, ...] = ("local", "remote")
RW = 3
AREA = 0x10_0000_0000


def at(page: int) -> int:
    """Address of a page of the source."""
    return AREA + page * PAGE


def content(page: int) -> bytes:
    """What the source has stored there."""
    return bytes([page + 1]) * 16


class Nodes:
    """The two machines."""

    def __init__(
        self,
        frames: int = 64,
        *,
        policy: XpmemPolicy | None = None,
        seed: int | None = None,
        chooser: Chooser | None = None,
        swap: int | None = None,
        oom_killer: bool = False,
    ) -> None:
        self.rig = Rig(frames, seed=seed, chooser=chooser, swap=swap, oom_killer=oom_killer)
        self.sched, self.trace = self.rig.sched, self.rig.trace
        shadow = Shadow(frames, 4 * frames + 64)
        second = Machine(self.sched, HostMemory(frames), shadow, self.trace, swap_slots=swap, node=1)
        self.machines = (self.rig.machine, second)
        self.shadows = (self.rig.shadow, shadow)
        self.fabric = Fabric(self.sched)
        self.parts = tuple(
            Partition(machine, self.fabric, number, policy=policy, cpu=8 + 4 * number)
            for number, machine in enumerate(self.machines)
        )

    @property
    def home(self) -> Partition:
        """Where the tests' memory is."""
        return self.parts[0]

    def part(self, where: Where) -> Partition:
        """Where it is attached."""
        return self.parts[where == "remote"]

    async def process(self, part: Partition, name: str, **options: Any) -> ThreadGroup:
        """A new process that has opened XPMEM."""
        return await part.open(part.machine.new_mm(name), **options)

    def run(self, *bodies: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run these together; their results."""
        return self.rig.run(*bodies)

    def finish(self) -> None:
        """Everything has exited: let the daemons come to rest, then count."""
        self.run(self._rest())
        for machine, shadow, part in zip(self.machines, self.shadows, self.parts, strict=True):
            assert not part.groups and not part.exports and not part.attachments, "XPMEM still knows somebody"
            assert part.stats.pages_entered == part.stats.pages_released
            audit(machine, quiet=True)
            assert machine.frames.free == machine.frames.count, "frames are lost"
            assert machine.swap.used == 0
            assert not shadow.words.any(), "the oracle still has records"

    async def _rest(self) -> None:
        await self.sched.sleep(100 * timing.SW_SWAP_READ)
        for machine in self.machines:
            for mm in list(machine.mms.values()):
                await mm.exit()
        for part in self.parts:
            await part.close()


class Share:
    """A source on the first machine with `pages` written pages at AREA, offered; and who has attached them."""

    def __init__(self, nodes: Nodes, source: ThreadGroup, segid: XpmemId) -> None:
        self.nodes = nodes
        self.source = source
        self.segid = segid

    @classmethod
    async def make(cls, nodes: Nodes, pages: int = 4, prot: int = RW, **area: Any) -> Share:
        source = await nodes.process(nodes.home, "source")
        await source.mm.mmap(AREA, pages * PAGE, prot, fixed=True, **area)
        if prot & 2:
            for page in range(pages):
                await source.mm.store(at(page), content(page))
        return cls(nodes, source, await source.make(AREA, pages * PAGE))

    async def attach(
        self, user: ThreadGroup, offset: int = 0, size: int | None = None, flags: int = RDWR, vaddr: int = 0
    ) -> Attachment:
        """The user gets access and attaches."""
        apid = await user.get(self.segid, flags)
        return await user.attach(apid, offset, self.source.segments[self.segid].size - offset if size is None else size, vaddr)

    async def user(self, where: Where, name: str = "user") -> tuple[ThreadGroup, Attachment]:
        """A new process that has attached all of it."""
        user = await self.nodes.process(self.nodes.part(where), name)
        return user, await self.attach(user)


def play(
    body: Callable[[Nodes], Coroutine[Any, Any, Any]], policy: XpmemPolicy | None = None, frames: int = 64, **options: Any
) -> Nodes:
    """Run one test's body on two machines, let everything exit, and count."""
    nodes = Nodes(frames, policy=policy, **options)
    nodes.run(body(nodes))
    nodes.finish()
    return nodes


async def refused(call: Awaitable[Any], code: int) -> str:
    """The call must fail with this errno; what the error says."""
    with pytest.raises(MmError) as caught:
        await call
    assert caught.value.errno == code, f"{caught.value}, not {errno.errorcode[code]}"
    return caught.value.text
