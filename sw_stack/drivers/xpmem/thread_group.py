"""A process that takes part in XPMEM: its system calls, and its accesses to what it has attached.

The calls are the module's: make, remove, get, release, attach, detach, with its errors; "current" is the object they are called on.
MmError carries the errno: EINVAL for what is not whole pages, empty or wraps, EACCES for what is another's or not permitted, ENOENT
for an id that is dead, ESRCH where the module has its own XPMEM_ERRNO_NOPROC.

The range of an attachment is reserved in the attaching process as an area nobody may touch (PROT_NONE), which the driver's own
accesses, `load` and `store`, look up first.
* fork: the child has the reservation and no attachment (VM_DONTCOPY): every access of its is EFAULT. In Linux there is a hole.
* Unmapping any of it other than by detach kills the process (leaving.py).
* Memory that is itself an attachment cannot be attached through: faults there are refused (xpmem_pin_page).

Promises: after `close`, or exit, nobody uses memory of this process and it uses nobody's. Costs: SW_SYSCALL a call.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwif.gen import timing
from sw_stack.drivers.xpmem.attachment import Attachment
from sw_stack.drivers.xpmem.gate import RecallGate
from sw_stack.drivers.xpmem.home import Export, Holder, Segment
from sw_stack.drivers.xpmem.ids import MAXADDR_SIZE, PERMIT_MODE, RDONLY, RDWR, XpmemId
from sw_stack.drivers.xpmem.leaving import detach, remove, teardown, unreserve
from sw_stack.drivers.xpmem.messages import Attached, AttachRequest, DetachRequest, GetRequest
from sw_stack.drivers.xpmem.notifiers import OwnerNotifier, V6Notifier
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import ADDRESS_END, PAGE_MASK, PROT_NONE, MmError, page_parts
from sw_stack.sched import Task, WaitQueue

if TYPE_CHECKING:
    from sw_stack.drivers.xpmem.partition import Partition

__all__ = ["Permit", "ThreadGroup"]


@dataclass(frozen=True)
class Permit:
    """What xpmem_get has granted."""

    apid: XpmemId
    segid: XpmemId
    writable: bool


class ThreadGroup:
    """One process (struct xpmem_thread_group). Made by Partition.open."""

    def __init__(self, partition: Partition, mm: Mm, *, uid: int, gid: int, belongs: Callable[[Task], bool] | None) -> None:
        self.partition = partition
        self.mm = mm
        self.tgid = mm.id
        self.uid = uid
        self.gid = gid
        self.threads: set[Task] = {partition.sched.task()}
        """Tasks that have called in its name."""
        self._belongs = belongs
        self.gate = RecallGate(partition.sched, mm.name)
        self.segments: dict[XpmemId, Segment] = {}
        self.exports: list[Export] = []
        """Attachments of its memory, of removed segments too."""
        self.permits: dict[XpmemId, Permit] = {}
        self.attachments: dict[int, Attachment] = {}
        """By address."""
        self.closed = False
        """It takes part no more, or will not in a moment."""
        self.left = False
        """Nothing of it is left."""
        self.killed = ""
        """Why, if it was."""
        self.ended = WaitQueue(partition.sched, f"{mm.name}'s time in XPMEM to end")
        self.notifier = V6Notifier(self) if partition.policy.style == "v6" else OwnerNotifier(self)

    def __repr__(self) -> str:
        return f"<ThreadGroup {self.tgid} {self.mm.name}>"

    # ---- offering memory -------------------------------------------------------------------------------------------

    async def make(self, vaddr: int, size: int, permit: int = 0o600, permit_type: int = PERMIT_MODE) -> XpmemId:
        """Offer bytes vaddr..vaddr+size-1, mapped or not yet; the segid. `permit`: octal mode. MmError EINVAL."""
        await self._call()
        if size == MAXADDR_SIZE:
            size = ADDRESS_END - vaddr
        if permit_type != PERMIT_MODE or permit & ~0o777 or vaddr < 0 or size <= 0 or vaddr + size > ADDRESS_END:
            raise MmError(errno.EINVAL, f"{self.mm.name}: no segment of {size} bytes at {vaddr:#x}, mode {permit:#o}")
        if (vaddr | size) & PAGE_MASK:
            raise MmError(errno.EINVAL, f"{self.mm.name}: {size} bytes at {vaddr:#x} are not whole pages")
        segid = self.partition.new_id(self.tgid)
        self.segments[segid] = Segment(segid, self, vaddr, size, permit)
        self.partition.stats.make += 1
        return segid

    async def remove(self, segid: XpmemId) -> None:
        """Take a segment back: nobody uses its pages any more, attachments of it are good for nothing but detaching. MmError
        EINVAL, ENOENT, EACCES for another's."""
        await self._call()
        owner = self._owner(segid)
        segment = owner.segments.get(segid)
        if owner is not self:
            raise MmError(errno.EACCES, f"{self.mm.name}: segment {segid} is another's")
        if segment is None:
            raise MmError(errno.ENOENT, f"{self.mm.name}: no segment {segid}")
        await remove(segment)

    def held(self, start: int, end: int) -> list[Holder]:
        """What attachments hold of bytes start..end-1 of the process."""
        self.partition.holders.look()
        return [holder for export in self.exports for holder in export.within(start, end)]

    def belongs(self, task: Task) -> bool:
        """True if the task is one of the process's threads."""
        return self._belongs(task) if self._belongs is not None else task in self.threads

    # ---- using others' memory --------------------------------------------------------------------------------------

    async def get(self, segid: XpmemId, flags: int, permit_type: int = PERMIT_MODE, permit_value: object = None) -> XpmemId:
        """Ask for access to a segment, RDONLY or RDWR; the apid. MmError EINVAL, ENOENT, EACCES if its mode does not allow that."""
        await self._call()
        bad = flags & ~(RDONLY | RDWR) or flags == RDONLY | RDWR or permit_type != PERMIT_MODE or permit_value is not None
        if bad or not segid.valid:
            raise MmError(errno.EINVAL, f"{self.mm.name}: no access {flags:#x} to segment {segid}")
        await self.partition.ask(segid.partid, GetRequest(segid, flags, self.uid, self.gid))
        apid = self.partition.new_id(self.tgid)
        self.permits[apid] = Permit(apid, segid, bool(flags & RDWR))
        self.partition.stats.get += 1
        return apid

    async def release(self, apid: XpmemId) -> None:
        """Give access up, with all attachments made by it. MmError EINVAL, ENOENT, EACCES for another's."""
        await self._call()
        permit = self._permit(apid)
        del self.permits[permit.apid]
        for attachment in [a for a in self.attachments.values() if a.apid == apid]:
            await detach(attachment, unmap=True)
        self.partition.stats.release += 1

    async def attach(self, apid: XpmemId, offset: int, size: int, vaddr: int = 0) -> Attachment:
        """Attach `size` bytes (whole pages are made of it) of what `apid` gives access to, at `vaddr` (0: where there is room), in
        the place of what is mapped there. MmError EINVAL, ENOENT, EACCES for another's apid; in style "today" also for one that is
        RDONLY, as the module maps nothing read-only."""
        await self._call()
        size += -size & PAGE_MASK
        if (vaddr | offset) & PAGE_MASK or not 0 <= vaddr <= ADDRESS_END - max(size, 0):
            raise MmError(errno.EINVAL, f"{self.mm.name}: no attachment of offset {offset:#x} at {vaddr:#x}")
        permit = self._permit(apid)
        if self.partition.policy.style == "today" and not permit.writable:
            raise MmError(errno.EACCES, f"{self.mm.name}: {apid} is read only")
        if vaddr:
            self._check_place(permit, offset, size, vaddr)
        home = permit.segid.partid
        there: Attached = await self.partition.ask(home, AttachRequest(permit.segid, offset, size, permit.writable))
        attachment = Attachment(self, apid, home, size, writable=permit.writable, there=there)
        place = None
        try:
            place = await self.mm.mmap(vaddr or None, size, PROT_NONE, fixed=bool(vaddr))
            if apid not in self.permits:
                raise MmError(errno.ENOENT, f"{self.mm.name}: access {apid} was released meanwhile")
        except MmError:
            if place is not None:
                await unreserve(self.mm, place, size)
            await self.partition.ask(home, DetachRequest(there.export))
            raise
        attachment.vaddr = place
        self.attachments[place] = attachment
        self.partition.attachments[home, attachment.number] = attachment
        self.partition.stats.attach += 1
        return attachment

    def _check_place(self, permit: Permit, offset: int, size: int, vaddr: int) -> None:
        """A place that was asked for must be on no attachment, nor on the memory that is attached."""
        own = self.segments.get(permit.segid)
        source = own.vaddr + offset if own is not None else ADDRESS_END
        onto = vaddr < source + size and source < vaddr + size
        if onto or any(vaddr < a.end and a.vaddr < vaddr + size for a in self.attachments.values()):
            raise MmError(errno.EINVAL, f"{self.mm.name}: [{vaddr:#x}, {vaddr + size:#x}) is attached, or what is to be")

    async def detach(self, vaddr: int) -> None:
        """Detach the attachment that `vaddr` is in. Where nothing is mapped, nothing happens. MmError EINVAL for other memory."""
        await self._call()
        attachment = self._find(vaddr)
        if attachment is not None:
            await detach(attachment, unmap=True)
        elif self.mm.vmas.find(vaddr) is not None:
            raise MmError(errno.EINVAL, f"{self.mm.name}: {vaddr:#x} is no attachment")

    # ---- accesses --------------------------------------------------------------------------------------------------

    async def load(self, address: int, n: int) -> bytes:
        """Read memory as the process does, attached or its own. MmError EFAULT where it would get a signal."""
        parts = []
        for place, count in page_parts(address, n):
            attachment = self._find(place)
            parts.append(await (self.mm.load(place, count) if attachment is None else attachment.load(place, count)))
        return b"".join(parts)

    async def store(self, address: int, data: bytes) -> None:
        """Write memory as the process does, attached or its own."""
        for place, count in page_parts(address, len(data)):
            part, attachment = data[place - address :][:count], self._find(place)
            await (self.mm.store(place, part) if attachment is None else attachment.store(place, part))

    def attached_at(self, address: int) -> bool:
        """True if the address is in an attachment."""
        return self._find(address) is not None

    def _find(self, address: int) -> Attachment | None:
        self.partition.sched.touch(self.ended)
        for attachment in self.attachments.values():
            if attachment.covers(address):
                return attachment
        return None

    # ---- the end ---------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Leave XPMEM (the last close of /dev/xpmem). After exit, or another close, there is nothing left to do."""
        self.partition.sched.touch(self.ended)
        if self.closed:
            return
        if self.partition.policy.mutant == "close_unlisted":
            del self.partition.groups[self.tgid]
        else:
            await teardown(self, exiting=False)
        async with self.mm.mmap_lock.writing():
            await self.mm.notifiers.unregister(self.notifier)

    def check_killed(self) -> None:
        """MmError EFAULT if the process has been killed: its tasks would never come back from the access."""
        if self.killed:
            raise MmError(errno.EFAULT, f"{self.mm.name}: killed (SIGKILL): {self.killed}")

    # ---- inside ----------------------------------------------------------------------------------------------------

    async def _call(self) -> None:
        """Entry of a system call."""
        await self.partition.sched.charge(timing.SW_SYSCALL)
        self.check_killed()
        if self.closed:
            raise MmError(errno.ESRCH, f"{self.mm.name} has no XPMEM open (XPMEM_ERRNO_NOPROC)")
        self.threads.add(self.partition.sched.task())

    def _owner(self, name: XpmemId) -> ThreadGroup:
        """The thread group an id of this partition was given to. MmError EINVAL, ENOENT."""
        if not name.valid:
            raise MmError(errno.EINVAL, f"{self.mm.name}: {name} is no id")
        owner = self.partition.groups.get(name.tgid) if name.partid == self.partition.partid else None
        if owner is None:
            raise MmError(errno.ENOENT, f"{self.mm.name}: {name} names nobody here")
        return owner

    def _permit(self, apid: XpmemId) -> Permit:
        owner = self._owner(apid)
        permit = owner.permits.get(apid)
        if permit is None:
            raise MmError(errno.ENOENT, f"{self.mm.name}: no access {apid}")
        if owner is not self:
            raise MmError(errno.EACCES, f"{self.mm.name}: access {apid} is another's")
        return permit
