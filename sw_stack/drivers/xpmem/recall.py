"""Taking pages back from whoever has them attached.

    recall      mark the holders, send an invalidation to every partition that has any, drop what is attached here,
                wait for all acknowledgements, give the references back

Two recalls of one page: the first marks the holder and drops it, the second waits for that.

     reclaim (rmap notifier)                munmap (range begin)
     marks the holder, sends, waits         finds it marked
                                            waits for it to go
     acknowledged: drops it, wakes          returns
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hwif.gen import timing
from sw_stack.drivers.xpmem.home import Holder
from sw_stack.drivers.xpmem.messages import Invalidate

if TYPE_CHECKING:
    from sw_stack.drivers.xpmem.partition import Partition

__all__ = ["recall"]


async def recall(part: Partition, holders: list[Holder], *, spin: bool = False, late: bool = False) -> None:
    """When it returns the holders are gone. The gates of their thread groups are closed, so none is made meanwhile. `late`: a
    mutant."""
    part.holders.look()
    mine = [holder for holder in holders if not holder.going]
    by_export: dict[int, list[Holder]] = {}
    for holder in mine:
        holder.going = True
        by_export.setdefault(holder.export.number, []).append(holder)
    part.stats.pages_recalled += len(mine)
    calls = []
    here = []
    for number, group in by_export.items():
        pages = tuple(holder.page for holder in group)
        if group[0].export.partid == part.partid:
            here.append((number, pages))
        else:
            part.stats.invalidates_sent += 1
            calls.append(part.start_call(group[0].export.partid, partial(Invalidate, export=number, pages=pages)))
    for number, pages in here:
        attachment = part.attachments.get((part.partid, number))
        if attachment is not None:
            await attachment.drop(pages, spin=spin)
    if calls and part.policy.mutant != "no_remote_ack":
        part.stats.acks_spun += spin
        await part.wait_answers(calls, spin=spin)
    await part.sched.charge(timing.SW_PIN_PAGE * len(mine))
    if late:
        part.sched.spawn(_drop_later(part, mine), "xpmem late drop", part.cpu, daemon=True)
        return
    _drop(part, mine)
    await part.holders.left.wait_event(lambda: all(holder.gone for holder in holders), spin=spin)


def _drop(part: Partition, holders: list[Holder]) -> None:
    for holder in holders:
        part.holders.drop(holder)
    part.holders.left.wake_all()


async def _drop_later(part: Partition, holders: list[Holder]) -> None:
    await part.sched.sleep(timing.SW_BACKOFF)
    _drop(part, holders)
