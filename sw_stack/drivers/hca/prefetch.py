"""advise_mr: pages brought in before the device asks for them.

Promises: the refusals of ibv_advise_mr, before anything is done: EINVAL for unknown advice or flags, ENOENT for a key that names no
on-demand region, EPERM for another domain's or for PREFETCH_WRITE of a region that may not be written, EFAULT for a range outside
its region. With FLUSH the pages are there on return, or EFAULT says that one could not be had; without, a task of its own does
what it can.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from hwif.gen.hca import Advice
from sw_stack.drivers.hca.enter import enter_pages
from sw_stack.drivers.hca.state import DriverCore
from sw_stack.mm.types import PAGE_MASK, PAGE_SIZE, MmError

if TYPE_CHECKING:
    from sw_stack.drivers.hca.regions import Mr, Pd
    from sw_stack.drivers.hca.wr import Sge

__all__ = ["FLAG_FLUSH", "advise_mr"]

FLAG_FLUSH: Final = 1
"""IB_UVERBS_ADVISE_MR_FLAG_FLUSH."""

Part = tuple["Mr", int, int]


async def advise_mr(drv: DriverCore, pd: Pd, advice: int, flags: int, sges: Sequence[Sge]) -> None:
    """Prefetch the ranges of `sges`."""
    await drv.sched.charge(timing.SW_SYSCALL)
    if advice not in set(Advice) or flags & ~FLAG_FLUSH or not sges:
        raise MmError(errno.EINVAL, f"advice {advice}, flags {flags:#x}, {len(sges)} elements: not an advice the driver knows")
    parts = [_part(drv, pd, Advice(advice), sge) for sge in sges]
    drv.stats.prefetch += 1
    for mr, start, end in parts:
        drv.emit(TraceEvent.HCA_PREFETCH, mr.key, start, end - start, advice)
    if flags & FLAG_FLUSH:
        for mr, start, end in parts:
            await _prefetch(drv, mr, start, end, Advice(advice))
    else:
        # The regions must not go before the task has begun: it counts as their user from here on.
        for mr, _start, _end in parts:
            mr.hold()
        drv.sched.spawn(_later(drv, parts, Advice(advice)), f"hca_prefetch{drv.node}", drv.cpu(1), daemon=True)


def _part(drv: DriverCore, pd: Pd, advice: Advice, sge: Sge) -> Part:
    drv.sched.touch(drv.keys)
    mr = drv.keys.find(sge.lkey)
    if mr is None or not mr.live or not mr.on_demand:
        raise MmError(errno.ENOENT, f"key {sge.lkey:#x} names no on-demand region")
    if mr.pd is not pd:
        raise MmError(errno.EPERM, f"{mr} is of another protection domain")
    if advice is Advice.PREFETCH_WRITE and not mr.writable:
        raise MmError(errno.EPERM, f"{mr} may not be written")
    end = sge.addr + sge.length
    if sge.addr < mr.start or end > mr.end:
        raise MmError(errno.EFAULT, f"{sge.length} bytes at {sge.addr:#x} are outside {mr}")
    return mr, sge.addr, end


async def _later(drv: DriverCore, parts: list[Part], advice: Advice) -> None:
    for mr, start, end in parts:
        try:
            await _prefetch(drv, mr, start, end, advice)
        except MmError:
            drv.stats.prefetch_failed += 1
        finally:
            mr.release()


async def _prefetch(drv: DriverCore, mr: Mr, start: int, end: int, advice: Advice) -> None:
    """Enter the pages of a range, as many at a time as a fault does."""
    pages = 0
    with mr.using():
        while start < end and mr.live:
            stop = min(end, (start & ~PAGE_MASK) + drv.policy.fault_pages * PAGE_SIZE)
            write, fault = advice is Advice.PREFETCH_WRITE, advice is not Advice.PREFETCH_NO_FAULT
            try:
                pages += await enter_pages(drv, mr, start, stop if fault else start, stop, write, fault=fault)
            except MmError as error:
                if error.errno != errno.EAGAIN:
                    raise
                await drv.sched.sleep(timing.SW_BACKOFF)
                continue
            start = stop
    drv.stats.prefetch_pages += pages
    drv.emit(TraceEvent.HCA_PREFETCH_DONE, mr.key, pages)
