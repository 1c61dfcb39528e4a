"""Clients of different kinds on one address space, each counting in words of its own.

Every page of the memory has a word for each client. A client adds one to its word of a page by the way it has: a guest through
shadow page table entries, another process through an XPMEM attachment (here or in another partition), a GPU in an operation that
pins, an adapter through a cache of pinned registrations. Nobody else touches the word, so what is in it at the end says whether an
addition was lost: one that went to a frame the memory no longer had.

While the program has taken the right to write away a client is refused, and tries again.

Promises: `close` leaves no client registered and no page held. A client's access through a dead translation raises
DeadTranslationError. Needs: memory of `pages` pages at `base`, mapped for stores; no operation that drops contents while they count
(they would count on from zero), and no fork but by `fork`.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from sw_stack.drivers.gpu import Gpu, Operand, Operation
from sw_stack.drivers.kvm import Kvm, KvmPolicy, Style
from sw_stack.drivers.pinned import Access, PinnedAdapter, PinnedMr
from sw_stack.drivers.regcache import PinnedRegistrar, RegistrationCache
from sw_stack.drivers.xpmem import RDWR, Attachment, Fabric, Partition, ThreadGroup
from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import PAGE_SIZE, MmError
from sw_stack.sched import Mutex, Task
from sw_stack.workloads.stage_base import StageBase

__all__ = ["WORD", "Company"]

WORD = 8
FIRST_WORD = 16  # words before it are the device's and the program's
GUEST_MEMORY = 1 << 30
SHARED_MODE = 0o666


class Counter(ABC):
    """One client. `place`: its number among the company, which says where in a page its word is."""

    name: ClassVar[str]

    def __init__(self, company: Company, place: int) -> None:
        self.company = company
        self.place = place
        self.counts = [0] * company.pages

    def address(self, page: int) -> int:
        """Of its word in a page."""
        return self.company.base + page * PAGE_SIZE + WORD * (FIRST_WORD + self.place)

    @abstractmethod
    async def open(self) -> None:
        """Take part."""

    @abstractmethod
    async def add(self, page: int) -> None:
        """One more in its word of the page."""

    @abstractmethod
    async def close(self) -> None:
        """Take part no more; hold nothing."""


def _one_more(word: bytes) -> bytes:
    return (int.from_bytes(word, "little") + 1).to_bytes(WORD, "little")


class Guest(Counter):
    """A guest of a hypervisor."""

    style: ClassVar[Style] = "modern"

    async def open(self) -> None:
        self.kvm = await Kvm.create(self.company.mm, KvmPolicy(style=self.style))
        await self.kvm.add_slot(0, GUEST_MEMORY, self.company.pages * PAGE_SIZE, self.company.base)
        self.vcpu = self.kvm.create_vcpu()

    async def add(self, page: int) -> None:
        place = GUEST_MEMORY + self.address(page) - self.company.base
        await self.vcpu.write(place, _one_more(await self.vcpu.read(place, WORD)))

    async def close(self) -> None:
        await self.kvm.destroy()


class GuestToday(Guest):
    """KVM with its sequence counter."""

    name = "guest"


class Guest2008(Guest):
    """KVM with a reference in every shadow entry."""

    name = "guest_2008"
    style = "2008"


class GpuOperations(Counter):
    """A GPU that pins while an operation runs."""

    name = "gpu"

    async def open(self) -> None:
        self.gpu = Gpu(self.company.mm.machine)

    async def add(self, page: int) -> None:
        async def work(operation: Operation) -> None:
            word = await operation.read(0, 0, WORD)
            await operation.compute(self.company.stage.rng.randrange(2000))
            await operation.write(0, 0, _one_more(word))

        async with self.company.still:
            await self.gpu.submit(self.company.mm, [Operand(self.address(page), WORD, write=True)], work)

    async def close(self) -> None:
        """Nothing is held between operations."""


class CachedAdapter(Counter):
    """An adapter that cannot fault, behind a registration cache that hears what is unmapped."""

    name = "adapter"

    async def open(self) -> None:
        mm = self.company.mm
        self.adapter = PinnedAdapter(mm.machine)
        self.cache: RegistrationCache[PinnedMr] = await RegistrationCache.open(mm, PinnedRegistrar(self.adapter, mm))

    async def add(self, page: int) -> None:
        place = self.address(page)
        async with self.company.still, self.cache.using(place, WORD, Access.READ | Access.WRITE) as mr:
            await self.adapter.write(mr, place, _one_more(await self.adapter.read(mr, place, WORD)))

    async def close(self) -> None:
        await self.cache.close()
        await self.adapter.close(self.company.mm)


class Attached(Counter):
    """A process that has attached the memory by XPMEM, in the same partition or another."""

    name = "xpmem"
    there: ClassVar[int] = 0

    async def open(self) -> None:
        company = self.company
        home, part = company.partitions[0], company.partitions[self.there]
        self.mm = company.stage.adopt(part.machine.new_mm(f"{self.name} attacher"))
        owner = await company.owner()
        self.tg = await part.open(self.mm)
        segid = await owner.make(company.base, company.pages * PAGE_SIZE, SHARED_MODE)
        apid = await self.tg.get(segid, RDWR)
        self.attachment: Attachment = await self.tg.attach(apid, 0, company.pages * PAGE_SIZE)
        assert self.attachment.home == home.partid

    async def add(self, page: int) -> None:
        place = self.attachment.vaddr + self.address(page) - self.company.base
        await self.attachment.store(place, _one_more(await self.attachment.load(place, WORD)))

    async def close(self) -> None:
        await self.tg.close()


class AttachedElsewhere(Attached):
    """The same from the other node."""

    name = "xpmem_remote"
    there = 1


class Company:
    """`pages` pages at `base` of `mm`, and the clients that count in them. `machines`: the memory's first."""

    def __init__(self, stage: StageBase, mm: Mm, base: int, pages: int, machines: Sequence[Machine], *, cpu: int) -> None:
        self.stage = stage
        self.mm = mm
        self.base = base
        self.pages = pages
        self.cpu = cpu
        self.still = Mutex(stage.sched, "company_still")
        """Held while a page is pinned for an operation, and by whoever would part it from the memory."""
        fabric = Fabric(stage.sched)
        self.partitions = [Partition(machine, fabric, number, cpu=cpu) for number, machine in enumerate(machines)]
        kinds: list[type[Counter]] = [GuestToday, Guest2008, GpuOperations, CachedAdapter, Attached]
        if len(machines) > 1:
            kinds.append(AttachedElsewhere)
        self.members = [kind(self, place) for place, kind in enumerate(kinds)]
        self._owner: ThreadGroup | None = None

    async def owner(self) -> ThreadGroup:
        """The memory's process as XPMEM knows it."""
        if self._owner is None:
            self._owner = await self.partitions[0].open(self.mm)
        return self._owner

    async def open(self) -> None:
        """Everybody takes part."""
        for member in self.members:
            await member.open()

    def start(self, rounds: int) -> list[Task]:
        """Let every member add `rounds` times, in pages drawn from the seed; their tasks, to join."""
        return [self.stage.spawn(self.cpu, self._count(member, rounds), f"{member.name} counts") for member in self.members]

    async def _count(self, member: Counter, rounds: int) -> None:
        for _ in range(rounds):
            page = self.stage.rng.randrange(self.pages)
            while not await self._add(member, page):
                await self.stage.sched.sleep(self.stage.rng.randrange(1, 3000))
            member.counts[page] += 1
            self.stage.saw(f"{member.name}_added")
            await self.stage.sched.sleep(self.stage.rng.randrange(1, 1500))

    async def _add(self, member: Counter, page: int) -> bool:
        """False if the memory may not be written just now: nothing was added then."""
        try:
            await member.add(page)
        except MmError as error:
            if error.errno != errno.EFAULT:
                raise
            self.stage.saw("refused")
            return False
        return True

    async def check(self) -> None:
        """The process finds every addition."""
        for member in self.members:
            for page, count in enumerate(member.counts):
                await self.stage.holds(
                    self.mm, member.address(page), count.to_bytes(WORD, "little"), what=f"count of {member.name}"
                )

    async def fork(self, cycles: int) -> None:
        """The process forks, and the child finds for `cycles` what it found first, whoever goes on counting in its parent's memory;
        then the parent stores to every private page, which copies those that are still shared. Nobody pins meanwhile: a page that
        is pinned across a fork and then stored to is no longer the memory's. The registration cache hears of the fork itself."""
        private = [place for page in range(self.pages) if self._private(place := self.base + page * PAGE_SIZE)]
        async with self.still:
            child = await self.mm.fork("child")
            found = [await child.load(place, PAGE_SIZE) for place in private]
            await self.stage.sched.sleep(cycles)
            for place, content in zip(private, found, strict=True):
                await self.stage.holds(child, place, content, what="page of a child")
            for place in private:
                await self.mm.store(place + PAGE_SIZE - WORD, b"copied".ljust(WORD, b"\0"))
            await child.exit()

    def _private(self, place: int) -> bool:
        vma = self.mm.vmas.find(place)
        return vma is not None and vma.cow

    async def close(self) -> None:
        """Everybody leaves; the memory is held by nobody."""
        for member in self.members:
            await member.close()
        if self._owner is not None:
            await self._owner.close()
        for partition in self.partitions:
            await partition.close()

    def expect(self, at_least: int) -> None:
        """Each member must have added so often."""
        for member in self.members:
            self.stage.expect(f"{member.name}_added", at_least=at_least)
