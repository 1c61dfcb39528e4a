"""The VM's accounts, audited: page tables against frames, swap, lists and the oracle.

For tests and for the end of a run; costs a walk over everything. `machine` must be between scheduler steps. Entries whose pte lock
is held and frames whose page lock is held are in transit and left out.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sw_stack.mm.frames import Frame, FrameError, Lru
from sw_stack.mm.pagetable import EXCLUSIVE, MIGRATION, PRESENT, SWAP, VALUE_SHIFT, WRITE
from sw_stack.mm.shadow_feed import entry_rights
from sw_stack.mm.types import ADDRESS_END, PAGE_SHIFT, PAGE_SIZE

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine
    from sw_stack.mm.mm import Mm

__all__ = ["audit"]


def audit(machine: Machine, *, quiet: bool = False) -> None:
    """Raise FrameError at the first account that does not balance. `quiet`: no task is inside the VM, so nothing may be pinned."""
    mapped: Counter[int] = Counter()
    swapped: Counter[int] = Counter()
    moving: Counter[int] = Counter()
    for mm in machine.mms.values():
        _audit_table(machine, mm, mapped, swapped, moving)
        if not mm.pte_lock.locked:
            _audit_oracle(mm)
    for frame in machine.frames.in_use():
        _audit_frame(machine, frame, mapped[frame.pfn], moving[frame.pfn], quiet)
    for slot in machine.swap.in_use():
        _expect(
            slot.entries == swapped[slot.number], f"swap slot {slot.number}: {slot.entries} entries, {swapped[slot.number]} found"
        )
        _expect(slot.entries > 0 or slot.frame is not None, f"swap slot {slot.number} is held by nobody")
        _expect(slot.frame is None or slot.frame.slot is slot, f"swap slot {slot.number} and its frame disagree")
        _expect(slot.frame is not None or slot.data is not None, f"swap slot {slot.number} has lost its bytes")
    in_use = sum(1 << frame.order for frame in machine.frames.in_use())
    _expect(in_use + machine.frames.free == machine.frames.count, f"{in_use} frames in use, {machine.frames.free} free")


def _audit_table(machine: Machine, mm: Mm, mapped: Counter[int], swapped: Counter[int], moving: Counter[int]) -> None:
    for vpn, shift, pte in mm.page_table.entries(0, ADDRESS_END >> PAGE_SHIFT):
        value = pte >> VALUE_SHIFT
        if mm.alive:
            vma = mm.vmas.find(vpn << PAGE_SHIFT)
            unmapping = mm.mmap_lock.writer is not None
            _expect(unmapping or (vma is not None and vma.shift == shift), f"{mm.name}: entry at page {vpn:#x} outside every area")
        if pte & (PRESENT | EXCLUSIVE):
            mapped[value] += 1
            _expect(machine.frames[value].maps(mm, vpn), f"{mm.name}: frame {value} does not know of page {vpn:#x}")
        elif pte & SWAP:
            swapped[value] += 1
        elif pte & MIGRATION:
            moving[value] += 1
            _expect((mm.id, vpn) in machine.frames[value].moving, f"{mm.name}: frame {value} does not know page {vpn:#x} moves")


def _audit_frame(machine: Machine, frame: Frame, mapped: int, moving: int, quiet: bool) -> None:
    name = f"frame {frame.pfn}"
    in_transit = frame.lock.locked or any(mm.pte_lock.locked for mm, _vpn in frame.mappings())
    if not in_transit:
        _expect(frame.mapcount == mapped, f"{name}: {frame.mapcount} mappings, {mapped} entries")
        _expect(len(frame.moving) == moving, f"{name}: {len(frame.moving)} moving, {moving} migration entries")
        for mm, vpn in frame.mappings():
            entry = mm.page_table.lookup(vpn)
            if entry is not None and entry.pte & WRITE and frame.file is None:
                _expect(frame.mapcount == 1, f"{name}: writable at page {vpn:#x} of {mm.name} and shared")
                _expect(frame.slot is None, f"{name}: writable at page {vpn:#x} of {mm.name} and in the swap cache")
        if frame.file is not None:
            _expect(frame.file.pages.get(frame.index) is frame, f"{name}: not page {frame.index} of {frame.file.name} in its cache")
            _expect(frame.slot is None, f"{name}: in the page cache and in the swap cache")
        if frame.slot is not None and frame.slot.data is not None:
            same = machine.memory.read(frame.pfn << PAGE_SHIFT, PAGE_SIZE) == frame.slot.data
            _expect(same, f"{name}: swap holds other bytes")
    if quiet:
        held = frame.kernel or frame.reserved
        _expect(frame.pins == int(held), f"{name}: {frame.pins} pins")
        _expect(held or frame.order > 0 or frame.lru is not Lru.NONE, f"{name}: on no list")


def _audit_oracle(mm: Mm) -> None:
    expected = {}
    for vpn, shift, pte in mm.page_table.entries(0, ADDRESS_END >> PAGE_SHIFT):
        rights = entry_rights(pte)
        if rights:
            for page in range(1 << (shift - PAGE_SHIFT)):
                if not mm.shadow.covered(vpn + page):
                    expected[vpn + page] = ((pte >> VALUE_SHIFT) + page, rights)
    records = mm.shadow.records()
    if mm.alive and not mm.notifiers.active_ranges():
        _expect(records == expected, f"{mm.name}: the oracle's records are not the page table")
    shadow = mm.machine.shadow_feed.shadow
    for vpn, (pfn, rights) in records.items():
        _expect(shadow.rights(pfn, mm.id, vpn) == rights, f"{mm.name}: the oracle's record of page {vpn:#x} was lost")


def _expect(condition: bool, text: str) -> None:
    if not condition:
        raise FrameError(text)
