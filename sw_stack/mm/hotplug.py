"""Memory hot-unplug: take a stretch of frames out of service, and put it back.

Free frames are isolated first, so that nothing new moves in; then everything in use is migrated out, page by page, some rounds
long. What somebody pins does not move, and one such page keeps the whole stretch in service: the error says which frames, and who
maps them. Mlocked pages move. Kernel, large and execute-in-place pages cannot move.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm.frames import Frame
from sw_stack.mm.migrate import migrate_frame
from sw_stack.mm.traced import traced
from sw_stack.mm.types import MmError

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine

__all__ = ["ROUNDS", "offline_frames", "online_frames"]

ROUNDS: Final = 10
"""Passes over what is left (2.6.24: migrate_pages tries ten times)."""
SHOWN: Final = 4


async def offline_frames(machine: Machine, first: int, count: int) -> None:
    """Take frames first..first+count-1 out of service. MmError EBUSY if some cannot be emptied, with everything as it was before
    but for the pages that have moved; EINVAL for frames that do not exist or are out of service already."""
    last = first + count
    if count <= 0 or first < 0 or last > machine.frames.count:
        raise MmError(errno.EINVAL, f"no frames [{first}, {last}) in a machine of {machine.frames.count}")
    with traced(machine, TraceEvent.VM_OFFLINE, first, last):
        if not machine.frames.isolate(first, last):
            raise MmError(errno.EINVAL, f"frames [{first}, {last}) are out of service already, in part")
        try:
            for _ in range(ROUNDS):
                left = machine.frames.used_in(first, last)
                if not left:
                    machine.count("offlined", count)
                    return
                for frame in left:
                    if not frame.kernel and not frame.reserved and not frame.order and machine.frames.in_use_as(frame):
                        await _move_out(machine, frame)
                await machine.sched.sleep(timing.SW_BACKOFF)
            left = machine.frames.used_in(first, last)
            if left:
                raise MmError(errno.EBUSY, f"frames [{first}, {last}) stay in service: {_why(left)}")
            machine.count("offlined", count)
        except BaseException:
            machine.frames.unisolate(first, last)
            raise


async def _move_out(machine: Machine, old: Frame) -> None:
    old.pins += 1
    try:
        new = await machine.alloc_page()
        try:
            await migrate_frame(machine, old, new)
        finally:
            machine.unpin(new)
    finally:
        machine.unpin(old)


def _why(left: list[Frame]) -> str:
    parts = []
    for frame in left[:SHOWN]:
        if frame.kernel:
            why = "the kernel's"
        elif frame.order or frame.reserved:
            why = "not movable"
        elif frame.pins:
            why = f"{frame.pins} references beside its mappings"
        else:
            why = "busy"
        users = ", ".join(f"{mm.name} at page {vpn:#x}" for mm, vpn in frame.mappings()[:2])
        parts.append(f"frame {frame.pfn} ({why}{'; ' + users if users else ''})")
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    return ", ".join(parts) + more


def online_frames(machine: Machine, first: int, count: int) -> None:
    """Put frames back into service."""
    machine.frames.unisolate(first, first + count)
