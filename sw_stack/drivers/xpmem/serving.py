"""What a partition is asked for, other than pages: access to a segment, and the beginning and end of an attachment.

Partitions trust each other: who may attach was decided when access was given (xpmem_get), and the asking partition says what the
permit allows. Source: xpmem_check_permit_mode, xpmem_validate_access.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from hwif.gen import timing
from sw_stack.drivers.xpmem.home import Export, Segment
from sw_stack.drivers.xpmem.ids import RDWR, XpmemId
from sw_stack.drivers.xpmem.messages import Attached, AttachRequest, DetachRequest, FaultRequest, GetRequest, Request
from sw_stack.mm.types import PAGE_SHIFT, MmError

if TYPE_CHECKING:
    from sw_stack.drivers.xpmem.partition import Partition

__all__ = ["export_of", "serve"]


async def serve(part: Partition, request: Request, source: int) -> Any:
    """Do what partition `source` asks; the answer's value. MmError as the call it comes from documents."""
    match request:
        case GetRequest():
            _check_permit(_segment(part, request.segid), request)
        case AttachRequest():
            return _attach(part, request, source)
        case DetachRequest():
            await _detach(part, export_of(part, request.export))
        case FaultRequest():
            raise AssertionError("faults are served with their requester in hand (serve_fault)")
    return None


def export_of(part: Partition, number: int) -> Export:
    """An attachment of memory that is here. MmError ENOENT."""
    export = part.exports.get(number)
    if export is None:
        raise MmError(errno.ENOENT, f"no attachment {number}")
    return export


def _segment(part: Partition, segid: XpmemId) -> Segment:
    tg = part.groups.get(segid.tgid)
    segment = tg.segments.get(segid) if tg is not None else None
    if segment is None:
        raise MmError(errno.ENOENT, f"no segment {segid}")
    return segment


def _check_permit(segment: Segment, request: GetRequest) -> None:
    """By user, group or others, as ipcperms does; uid 0 has CAP_IPC_OWNER."""
    owner, mode = segment.tg, segment.permit
    granted = mode >> 6 if request.uid == owner.uid else mode >> 3 if request.gid == owner.gid else mode
    wanted = 0o4 | (0o2 if request.flags & RDWR else 0)
    if wanted & ~granted and request.uid != 0:
        raise MmError(errno.EACCES, f"segment {segment.segid}: mode {mode:#o} keeps uid {request.uid} out")


def _attach(part: Partition, request: AttachRequest, partid: int) -> Attached:
    segment = _segment(part, request.segid)
    if request.offset < 0 or request.size <= 0 or request.offset + request.size > segment.size:
        raise MmError(errno.EINVAL, f"{request.size} bytes at {request.offset:#x} of a segment of {segment.size}")
    vaddr, pages = segment.vaddr + request.offset, request.size >> PAGE_SHIFT
    export = Export(part.new_number(), segment, vaddr, pages, request.writable, partid, part.machine.take_number())
    part.exports[export.number] = export
    segment.tg.exports.append(export)
    return Attached(export.number, vaddr, export.owner)


async def _detach(part: Partition, export: Export) -> None:
    """The attachment's translations are gone and none of its faults is under way. Blocks no recall: one that has marked a page must
    come to its end before the export can go, and would never, if it waited for whom it is waited for by (2.6.4)."""
    gate = export.segment.tg.gate
    hold = part.policy.mutant == "detach_hold_and_wait"
    while hold and not gate.begin_fault():
        await gate.wait_open()
    await part.sched.charge(timing.SW_PIN_PAGE * len(export.holders))
    for holder in [holder for holder in export.holders.values() if not holder.going]:
        part.holders.drop(holder)
    part.holders.left.wake_all()
    await part.holders.left.wait_event(lambda: not export.holders and not (hold and gate.waiting))
    if hold:
        gate.end_fault()
    export.segment.tg.exports.remove(export)
    del part.exports[export.number]
    part.machine.give_number(export.owner)
