"""Memory slots: which guest frames show which bytes of the process.

Promises: slots never overlap in guest frames; several may show the same bytes. A slot that is being removed is *retired* first: no
fault may use it any more, but invalidations still find it, so that none of its sptes is overlooked (KVM_MEMSLOT_INVALID).
Refusals are MmError with the ioctl's errno. Nothing here takes a lock or time.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from sw_stack.mm.types import ADDRESS_END, PAGE_MASK, PAGE_SHIFT, MmError

__all__ = ["MemorySlots", "Slot"]


@dataclass(frozen=True, slots=True)
class Slot:
    """Guest frames base_gfn .. base_gfn+pages-1 are the pages of the process from byte address `hva` on."""

    number: int
    base_gfn: int
    pages: int
    hva: int
    readonly: bool

    def hva_of(self, gfn: int) -> int:
        """Byte address in the process of a guest frame of the slot."""
        return self.hva + (gfn - self.base_gfn << PAGE_SHIFT)

    def gfns(self, start: int, end: int) -> range:
        """Guest frames that show bytes start..end-1 of the process."""
        first = max(start - self.hva >> PAGE_SHIFT, 0)
        last = min(end - self.hva + PAGE_MASK >> PAGE_SHIFT, self.pages)
        return range(self.base_gfn + first, self.base_gfn + max(first, last))


class MemorySlots:
    """The slots of one virtual machine."""

    def __init__(self) -> None:
        self._slots: dict[int, Slot] = {}
        self._retired: set[int] = set()

    def __len__(self) -> int:
        return len(self._slots)

    def new(self, number: int, gpa: int, length: int, hva: int, readonly: bool) -> Slot:
        """A slot that could be installed. MmError EINVAL for no length, odd addresses or a range past the end, EEXIST for a number
        or guest frames in use."""
        if number < 0 or length <= 0 or gpa < 0 or hva < 0:
            raise MmError(errno.EINVAL, f"no memory slot {number}: {length} bytes at {gpa:#x} from {hva:#x}")
        if (gpa | length | hva) & PAGE_MASK:
            raise MmError(errno.EINVAL, f"memory slot {number}: {length} bytes at {gpa:#x} from {hva:#x} are not whole pages")
        if gpa + length > ADDRESS_END or hva + length > ADDRESS_END:
            raise MmError(errno.EINVAL, f"memory slot {number}: {length} bytes at {gpa:#x} from {hva:#x} wrap")
        if number in self._slots:
            raise MmError(errno.EEXIST, f"memory slot {number} exists")
        slot = Slot(number, gpa >> PAGE_SHIFT, length >> PAGE_SHIFT, hva, readonly)
        for other in self._slots.values():
            if slot.base_gfn < other.base_gfn + other.pages and other.base_gfn < slot.base_gfn + slot.pages:
                raise MmError(errno.EEXIST, f"memory slot {number} overlaps slot {other.number} at {gpa:#x}")
        return slot

    def named(self, number: int) -> Slot:
        """The slot. MmError EINVAL if there is none, or it is going."""
        slot = self._slots.get(number)
        if slot is None or number in self._retired:
            raise MmError(errno.EINVAL, f"no memory slot {number}")
        return slot

    def install(self, slot: Slot) -> None:
        """From here on faults and invalidations find it."""
        self._slots[slot.number] = slot

    def retire(self, slot: Slot) -> None:
        """From here on only invalidations find it."""
        self._retired.add(slot.number)

    def remove(self, slot: Slot) -> None:
        """From here on nobody does."""
        del self._slots[slot.number]
        self._retired.discard(slot.number)

    def serves(self, slot: Slot) -> bool:
        """True while faults may use the slot."""
        return self._slots.get(slot.number) is slot and slot.number not in self._retired

    def find(self, gfn: int) -> Slot | None:
        """The slot of a guest frame, a retired one too."""
        for slot in self._slots.values():
            if slot.base_gfn <= gfn < slot.base_gfn + slot.pages:
                return slot
        return None

    def showing(self, start: int, end: int) -> list[range]:
        """Guest frames that show bytes start..end-1 of the process, slot by slot."""
        return [gfns for slot in self._slots.values() if (gfns := slot.gfns(start, end))]
