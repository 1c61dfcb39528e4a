"""Memory regions: registered on demand, over the whole address space, or pinned; and given up again.

An on-demand region begins without a translation: the device faults for each, and a subscription to the address space's notifiers
takes them out again. A pinned region has all of them from the start, holds every page, counts them against RLIMIT_MEMLOCK, and
hears nothing of the address space: what the process unmaps, the device keeps, until deregistration.

Deregistration meets invalidations and faults of the same region at any moment:

    withdraw the key          faults that begin now find nothing and are resumed with an error
    INVALIDATE_KEY, FENCE     no access that used it is in flight, no walk reads its table
    wait for the users        faults and prefetches that found it before: they may still write to the table
    remove the subscription   waits for invalidations that know it; they may still ring for its key
    free                      the table, the pins, the oracle's records, and last the key, so that nobody meets another's

Promises: a refusal is an MmError and changes nothing. Costs: SW_GUP and SW_PIN_PAGE a pinned page.
"""

from __future__ import annotations

import errno

from hwif.gen import hca as h
from hwif.gen import port, timing
from hwif.gen.events import MrKind, TraceEvent
from sw_stack.drivers.hca.commands import Order
from sw_stack.drivers.hca.invalidate import Guard, MrSubscription
from sw_stack.drivers.hca.keys import key_index
from sw_stack.drivers.hca.state import Counted, DriverCore
from sw_stack.drivers.hca.tables import LARGE_SHIFTS, Leaf, TranslationTable
from sw_stack.mm.mm import Mm
from sw_stack.mm.pinning import Pinned, pin_user_pages, unpin_user_pages
from sw_stack.mm.types import PAGE_MASK, PAGE_SHIFT, MemlockError, MmError
from sw_stack.sched import SpinLock

__all__ = ["Mr", "MrKind", "Pd", "dereg_mr", "reg_mr"]

WHOLE_END = 1 << h.HCA_VA_BITS
KNOWN_ACCESS = sum(set(h.Access))
WRITES = h.Access.REMOTE_WRITE | h.Access.REMOTE_ATOMIC
UNSUPPORTED = h.Access.MW_BIND | h.Access.ZERO_BASED


class Pd:
    """A protection domain of a process."""

    def __init__(self, number: int, mm: Mm) -> None:
        self.number = number
        self.mm = mm
        self.users = 0
        """Regions and queue pairs in it."""
        self.dead = False


class Mr(Counted):
    """A memory region; made by `reg_mr`. `users`: faults and prefetches at work on it."""

    def __init__(self, drv: DriverCore, pd: Pd, start: int, length: int, access: int, kind: MrKind, key: int, root: int) -> None:
        super().__init__(drv.sched, f"region {key:#x}")
        self.pd = pd
        self.mm = pd.mm
        self.start = start
        self.length = length
        self.end = start + length
        self.access = access
        self.kind = kind
        self.key = key
        levels, base = _shape(start, self.end, drv.policy.large_pages)
        self.table = TranslationTable(drv.machine.memory, levels, base, root)
        self.umem_lock = SpinLock(drv.sched, f"hca_umem_lock[{key:#x}]")
        self.sub: MrSubscription | None = None
        self.pending = 0
        """Invalidations between the change of the table and the end of their fence."""
        self.pinned: Pinned | None = None
        self.owner = self.mm.id
        """Number under which the oracle knows its pages: the address space, or one of its own if it pins."""
        self.live = True
        self.revoked = False
        """The device has forgotten the key."""
        self.guard: Guard | None = None

    @property
    def lkey(self) -> int:
        return self.key

    @property
    def rkey(self) -> int:
        return self.key

    @property
    def on_demand(self) -> bool:
        return self.kind is not MrKind.PINNED

    @property
    def implicit(self) -> bool:
        return self.kind is MrKind.IMPLICIT

    @property
    def local_write(self) -> bool:
        return bool(self.access & h.Access.LOCAL_WRITE)

    @property
    def remote_write(self) -> bool:
        return bool(self.access & h.Access.REMOTE_WRITE)

    @property
    def remote_read(self) -> bool:
        return bool(self.access & h.Access.REMOTE_READ)

    @property
    def remote_atomic(self) -> bool:
        return bool(self.access & h.Access.REMOTE_ATOMIC)

    @property
    def writable(self) -> bool:
        return self.local_write or self.remote_write or self.remote_atomic

    @property
    def first_page(self) -> int:
        """First byte of its first page."""
        return self.start & ~PAGE_MASK

    @property
    def end_page(self) -> int:
        """One past the last byte of its last page."""
        return (self.end + PAGE_MASK) & ~PAGE_MASK

    def __repr__(self) -> str:
        return f"<Mr {self.key:#x} {self.kind.name} [{self.start:#x}, {self.end:#x})>"


def _shape(start: int, end: int, large: bool) -> tuple[int, int]:
    """Levels and base of a table for the region: as few levels as reach, and places for the large pages that fit into it."""
    base, levels = start & ~PAGE_MASK, 1
    for shift in LARGE_SHIFTS if large else ():
        size = 1 << shift
        if -(-start // size) * size + size <= end:
            base, levels = start & -size, 1 + (shift - PAGE_SHIFT) // h.TABLE_BITS
            break
    while (end - base + PAGE_MASK) >> PAGE_SHIFT > 1 << h.TABLE_BITS * levels:
        levels += 1
    return levels, base


def _check(drv: DriverCore, pd: Pd, start: int, length: int, access: int, implicit: bool) -> MrKind:
    if pd.dead:
        raise MmError(errno.EINVAL, f"protection domain {pd.number} is gone")
    if access & ~KNOWN_ACCESS or access & UNSUPPORTED:
        raise MmError(errno.EINVAL, f"access flags {access:#x}: the device has no such right")
    if access & WRITES and not access & h.Access.LOCAL_WRITE:
        raise MmError(errno.EINVAL, f"access flags {access:#x}: a region written from afar needs LOCAL_WRITE")
    if implicit:
        if not access & h.Access.ON_DEMAND:
            raise MmError(errno.EINVAL, "a region of the whole address space must be on demand")
        return MrKind.IMPLICIT
    if length <= 0 or start < 0 or start + length > WHOLE_END:
        raise MmError(errno.EINVAL, f"no region of {length} bytes at {start:#x}: the device translates below {WHOLE_END:#x}")
    return MrKind.ON_DEMAND if access & h.Access.ON_DEMAND else MrKind.PINNED


async def reg_mr(drv: DriverCore, pd: Pd, start: int, length: int, access: int, implicit: bool) -> Mr:
    """Register. MmError EINVAL, ENOMEM, EFAULT."""
    await drv.sched.charge(timing.SW_SYSCALL)
    kind = _check(drv, pd, start, length, access, implicit)
    if kind is MrKind.IMPLICIT:
        start, length = 0, WHOLE_END
    key = drv.keys.take()
    try:
        (root,) = await drv.take_tables(1)
    except MmError:
        drv.keys.give(key)
        raise
    mr = Mr(drv, pd, start, length, access, kind, key, root)
    drv.emit(TraceEvent.HCA_REG_MR, key, pd.mm.id, start, length, access, kind)
    try:
        if kind is MrKind.PINNED:
            await _pin(drv, mr)
        else:
            await _subscribe(drv, mr)
    except MmError:
        _free(drv, mr)
        raise
    pd.users += 1
    drv.shadow.set_region(key_index(key), mr.owner, pd.number, start, start + length, _rights(mr))
    drv.sched.touch(drv.keys)
    drv.sched.touch_memory()
    drv.keys.publish(mr)
    drv.stats.mr_reg += 1
    return mr


def _rights(mr: Mr) -> int:
    return (
        port.REGION_LOCAL_READ
        | (port.REGION_LOCAL_WRITE if mr.local_write else 0)
        | (port.REGION_REMOTE_READ if mr.remote_read else 0)
        | (port.REGION_REMOTE_WRITE if mr.remote_write else 0)
        | (port.REGION_REMOTE_ATOMIC if mr.remote_atomic else 0)
    )


async def _subscribe(drv: DriverCore, mr: Mr) -> None:
    async with mr.mm.mmap_lock.writing():
        if not mr.mm.alive:
            raise MmError(errno.EFAULT, f"{mr.mm.name} has exited")
        mr.sub = MrSubscription(drv, mr)
        drv.space(mr.mm).subs.insert(mr.sub)


async def dereg_mr(drv: DriverCore, mr: Mr) -> None:
    """Deregister. On return the device has forgotten the key and touches nothing in its name. MmError EINVAL the second time."""
    await drv.sched.charge(timing.SW_SYSCALL)
    if not mr.live:
        raise MmError(errno.EINVAL, f"region {mr.key:#x} is deregistered already")
    drv.sched.touch(drv.keys)
    drv.sched.touch_memory()
    mr.live = False
    drv.emit(TraceEvent.HCA_DEREG_MR, mr.key)
    early = drv.policy.mutant == "unpin_early"
    if early:
        _unpin(drv, mr)
    drv.keys.withdraw(mr)
    await drv.commands.fenced([Order(h.CmdOp.INVALIDATE_KEY, key=mr.key)])
    drv.sched.touch(drv.keys)
    mr.revoked = True
    drv.shadow.clear_region(key_index(mr.key))
    await mr.unused()
    if mr.sub is not None:
        await drv.space(mr.mm).subs.remove(mr.sub)
    _free(drv, mr)
    mr.pd.users -= 1
    drv.stats.mr_dereg += 1
    drv.emit(TraceEvent.HCA_DEREG_MR_DONE, mr.key)


def _free(drv: DriverCore, mr: Mr) -> None:
    """What nobody and no device uses any more."""
    _unpin(drv, mr)
    drv.free_tables(mr.table.drain())
    drv.keys.give(mr.key)


# ---- pinned ------------------------------------------------------------------------------------------------------------


async def _pin(drv: DriverCore, mr: Mr) -> None:
    """Bring every page in, keep it there, and enter all of them. Undone by `_unpin`."""
    drv.space(mr.mm)
    try:
        account = drv.policy.mutant != "pin_uncounted"
        pinned = await pin_user_pages(mr.mm, mr.first_page, mr.end_page - mr.first_page, write=mr.writable, account=account)
    except MemlockError:
        drv.stats.memlock_refused += 1
        raise
    mr.pinned, mr.owner = pinned, pinned.owner
    drv.stats.pages_pinned += len(pinned.pfns)
    leaves = [
        Leaf(mr.table.page(pinned.first + page << PAGE_SHIFT), PAGE_SHIFT, pfn, mr.writable) for page, pfn in enumerate(pinned.pfns)
    ]
    spare = await drv.take_tables(mr.table.missing(leaves))
    for leaf in leaves:
        mr.table.map(leaf, spare)
        drv.emit(TraceEvent.HCA_MAP, mr.key, mr.table.base + (leaf.page << PAGE_SHIFT), leaf.pfn, int(leaf.write))
    await drv.sched.charge(timing.SW_PTE_OP * len(leaves))


def _unpin(drv: DriverCore, mr: Mr) -> None:
    """Let every page go. Twice is harmless."""
    if mr.pinned is not None:
        drv.stats.pages_unpinned += len(mr.pinned.pfns)
        unpin_user_pages(mr.pinned)
        mr.pinned, mr.owner = None, mr.mm.id
