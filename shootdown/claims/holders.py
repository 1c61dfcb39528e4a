"""Who may hold a process's memory for a device, each in its own way: what the experiments on reclaim and migration compare.

    nobody                 the memory is the process's alone
    pinned                 an adapter that holds a reference to every page until deregistration (ib_umem_get)
    mlocked                the process has locked it in memory; no device
    notifier               a client that keeps no reference and drops its entries when it is told (GRU, KVM of today)
    notifier, references   a client with a reference a page, dropped when it is told (KVM of 2008)
    remote, notifier       another instance of the system has attached it; pages are recalled by message (XPMEM on V6)
    remote, pinned         the same, and nobody can recall a page (XPMEM before the patches)

Promises: `hold` returns when the holder has every page in its hands; `release` when it has none. Needs: memory that is present.
"""

from __future__ import annotations

from typing import Final, Protocol

from shootdown.claims.alone import BASE, PAGE, Alone
from sw_stack.drivers.kvm import Kvm, KvmPolicy
from sw_stack.drivers.pinned import Access, PinnedAdapter, PinnedMr
from sw_stack.drivers.xpmem import RDWR, Fabric, Partition, XpmemPolicy
from sw_stack.drivers.xpmem.policy import Style
from sw_stack.mm import Mm

__all__ = [
    "MLOCKED",
    "NOBODY",
    "NOTIFIER",
    "PINNED",
    "REFERENCES",
    "REMOTE",
    "REMOTE_PINNED",
    "Holder",
    "holder",
]

NOBODY: Final = "nobody"
PINNED: Final = "pinned"
MLOCKED: Final = "mlocked"
NOTIFIER: Final = "notifier"
REFERENCES: Final = "notifier, references"
REMOTE: Final = "remote, notifier"
REMOTE_PINNED: Final = "remote, pinned"

GUEST: Final = 1 << 30
REMOTE_FRAMES: Final = 16  # of a partition that only attaches: its tables are not kept in frames


class Holder(Protocol):
    """Somebody who holds pages of a process."""

    async def hold(self, mm: Mm, pages: int) -> None:
        """Take pages at BASE."""
        ...

    async def release(self) -> None:
        """Let go of everything."""
        ...


class _Nobody:
    async def hold(self, mm: Mm, pages: int) -> None:
        pass

    async def release(self) -> None:
        pass


class _Pinned:
    def __init__(self, alone: Alone) -> None:
        self._adapter = PinnedAdapter(alone.machine)
        self._regions: list[PinnedMr] = []

    async def hold(self, mm: Mm, pages: int) -> None:
        if pages:
            self._regions.append(await self._adapter.reg_mr(mm, BASE, pages * PAGE, Access.READ | Access.WRITE))

    async def release(self) -> None:
        while self._regions:
            await self._adapter.dereg_mr(self._regions.pop())


class _Mlocked:
    def __init__(self) -> None:
        self._locked: list[tuple[Mm, int]] = []

    async def hold(self, mm: Mm, pages: int) -> None:
        if pages:
            await mm.mlock(BASE, pages * PAGE)
            self._locked.append((mm, pages))

    async def release(self) -> None:
        while self._locked:
            mm, pages = self._locked.pop()
            if mm.alive:
                await mm.munlock(BASE, pages * PAGE)


class _Guest:
    """A virtual machine stands for every client with a table of its own."""

    def __init__(self, references: bool) -> None:
        self._policy = KvmPolicy(style="2008" if references else "modern")
        self._machines: list[Kvm] = []

    async def hold(self, mm: Mm, pages: int) -> None:
        if not pages:
            return
        kvm = await Kvm.create(mm, self._policy)
        self._machines.append(kvm)
        await kvm.add_slot(0, GUEST, pages * PAGE, BASE)
        vcpu = kvm.create_vcpu()
        for page in range(pages):
            await vcpu.write(GUEST + page * PAGE + 8, bytes(8))

    async def release(self) -> None:
        while self._machines:
            await self._machines.pop().destroy()


class _Remote:
    def __init__(self, alone: Alone, style: Style) -> None:
        policy = XpmemPolicy(style=style)
        fabric = Fabric(alone.sched)
        self._home = Partition(alone.machine, fabric, 0, policy=policy, cpu=8)
        self._away = Partition(alone.another(REMOTE_FRAMES), fabric, 1, policy=policy, cpu=12)
        self._users: list[Mm] = []

    async def hold(self, mm: Mm, pages: int) -> None:
        if not pages:
            return
        source = await self._home.open(mm)
        segid = await source.make(BASE, pages * PAGE)
        user = await self._away.open(self._away.machine.new_mm("user"))
        self._users.append(user.mm)
        attachment = await user.attach(await user.get(segid, RDWR), 0, pages * PAGE)
        for page in range(pages):
            await user.store(attachment.vaddr + page * PAGE + 8, bytes(8))

    async def release(self) -> None:
        while self._users:
            await self._users.pop().exit()


def holder(kind: str, alone: Alone) -> Holder:
    """A holder of that kind on the machine."""
    if kind == PINNED:
        return _Pinned(alone)
    if kind == MLOCKED:
        return _Mlocked()
    if kind in (NOTIFIER, REFERENCES):
        return _Guest(kind == REFERENCES)
    if kind in (REMOTE, REMOTE_PINNED):
        return _Remote(alone, "v6" if kind == REMOTE else "today")
    if kind == NOBODY:
        return _Nobody()
    raise ValueError(f"nobody holds memory in the way of {kind!r}")
