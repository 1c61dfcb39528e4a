"""How things end: an attachment, a segment, a process; and who is killed.

Promises: when `detach`, `remove` or `teardown` returns, nothing of it is used any more, here or in another partition, and every
reference is given back. Each may be called while another is under way, and while pages are recalled: the later one waits for the
earlier. Nothing is held while anything is waited for, above all no lock of the attaching process and no block on recalls: a recall
may be waiting for an acknowledgement of what is being detached (hold and wait, hpc/xpmem 2.6.4).

Unmapping an attachment, or part of it, other than by detach kills the process, as the module does (SIGKILL from its close handler);
so do remapping and mprotect of it. Its accesses and calls are refused from there on, and its attachments are given up by a task of
the driver's. That task, not the notifier's callback, which runs under the mmap_lock of the process: a fault of the attachment may
be waiting for that very lock, if the memory attached is the process's own.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from sw_stack.drivers.xpmem.messages import DetachRequest
from sw_stack.drivers.xpmem.recall import recall
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import PROT_NONE, MmError

if TYPE_CHECKING:
    from sw_stack.drivers.xpmem.attachment import Attachment
    from sw_stack.drivers.xpmem.home import Segment
    from sw_stack.drivers.xpmem.thread_group import ThreadGroup

__all__ = ["check_attachments", "detach", "remove", "teardown", "unreserve"]


async def detach(attachment: Attachment, *, unmap: bool) -> None:
    """Faults of it end, then accesses, then the home partition is told; then the range is unmapped, if it is to be."""
    tg, part = attachment.tg, attachment.tg.partition
    part.sched.touch(attachment.changed)
    if attachment.closing:
        await attachment.changed.wait_event(lambda: attachment.detached)
        return
    attachment.closing = True
    await attachment.changed.wait_event(lambda: not attachment.faults)
    await attachment.drop()
    mm = _mm_of(attachment)
    await part.ask(attachment.home, DetachRequest(attachment.number))
    try:
        if unmap:
            await unreserve(mm, attachment.vaddr, attachment.size)
    finally:
        part.sched.touch(tg.ended)
        # Only now: the notifier must not take this for an unmapping by somebody else, nor another attach find the place free.
        del tg.attachments[attachment.vaddr]
        del part.attachments[attachment.home, attachment.number]
        part.stats.detach += 1
        attachment.detached = True
        attachment.changed.wake_all()


def _mm_of(attachment: Attachment) -> Mm:
    """Where its range is."""
    tg, part = attachment.tg, attachment.tg.partition
    if part.policy.mutant == "wrong_mm":
        return part.exports[attachment.number].segment.tg.mm
    if part.policy.mutant == "current_mm":
        return next((other.mm for other in part.groups.values() if part.sched.current in other.threads), tg.mm)
    return tg.mm


async def unreserve(mm: Mm, vaddr: int, size: int) -> None:
    """Unmap the range of an attachment, unless the process exits at this moment and does it itself."""
    try:
        await mm.munmap(vaddr, size)
    except MmError as error:
        if error.errno != errno.ESRCH:
            raise


async def remove(segment: Segment) -> None:
    """Take back what others have of it, for good: their next fault finds the segment destroyed."""
    tg, part = segment.tg, segment.tg.partition
    if not segment.destroyed:
        segment.destroyed = True
        del tg.segments[segment.segid]
        part.stats.remove += 1
    await tg.gate.begin_recall()
    try:
        holders = [holder for export in tg.exports if export.segment is segment for holder in export.holders.values()]
        part.stats.recalls += bool(holders)
        await recall(part, holders)
    finally:
        tg.gate.end_recall()


async def teardown(tg: ThreadGroup, *, exiting: bool) -> None:
    """Give everything up, offered and attached. When `exiting` the reservations go with the address space."""
    tg.partition.sched.touch(tg.ended)
    if tg.closed:
        await tg.ended.wait_event(lambda: tg.left)
        return
    tg.closed = True
    for segment in list(tg.segments.values()):
        await remove(segment)
    tg.permits.clear()
    if tg.partition.policy.mutant != "leak_on_close":
        for attachment in list(tg.attachments.values()):
            await detach(attachment, unmap=not exiting)
    del tg.partition.groups[tg.tgid]
    tg.left = True
    tg.ended.wake_all()


def check_attachments(tg: ThreadGroup, start: int, end: int) -> None:
    """A range of the process is being changed: kill it if that is part of an attachment. Waits for nothing."""
    tg.partition.sched.touch(tg.ended)
    for attachment in tg.attachments.values():
        if attachment.vaddr < end and start < attachment.end and not (attachment.closing or _reserved(attachment)):
            _kill(tg, f"[{start:#x}, {end:#x}) of {attachment!r} was unmapped without detach")
            return


def _reserved(attachment: Attachment) -> bool:
    """The range is still the area nobody may touch."""
    vmas = attachment.tg.mm.vmas
    areas = vmas.overlapping(attachment.vaddr, attachment.end)
    whole = vmas.covered(attachment.vaddr, attachment.end)
    return whole and all(area.prot == PROT_NONE and area.file is None for area in areas)


def _kill(tg: ThreadGroup, why: str) -> None:
    if not tg.killed:
        tg.killed = why
        tg.partition.stats.killed += 1
        tg.partition.sched.spawn(_give_up(tg), f"xpmem_kill{tg.tgid}", tg.partition.cpu, daemon=True)


async def _give_up(tg: ThreadGroup) -> None:
    for attachment in list(tg.attachments.values()):
        await detach(attachment, unmap=False)
