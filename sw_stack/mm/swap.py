"""Swap: slots that keep a page's bytes.

A slot lives while a swap entry names it (`entries`) or a frame caches it (`frame`). While a frame is attached and `data` is set,
both hold the same bytes: a writable entry is only ever made after the frame has let go of its slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sw_stack.mm.frames import Frame

__all__ = ["Slot", "SwapArea"]


class Slot:
    """One page of swap."""

    __slots__ = ("data", "entries", "frame", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.data: bytes | None = None  # None until written out
        self.entries = 0  # swap entries in page tables
        self.frame: Frame | None = None


class SwapArea:
    """`slots` slots."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.fetch: Callable[[Slot], Awaitable[None]] | None = None
        """Brings a slot's bytes near, awaited for every page read in, its lock held. None: a device of this
        machine, SW_SWAP_READ. Swap that lies behind a network puts its transfer here."""
        self._used: dict[int, Slot] = {}
        self._free: list[int] = []
        self._fresh = 0

    @property
    def used(self) -> int:
        return len(self._used)

    def __getitem__(self, number: int) -> Slot:
        return self._used[number]

    def in_use(self) -> list[Slot]:
        """Every slot in use."""
        return list(self._used.values())

    def holds(self, slot: Slot) -> bool:
        """True while the slot lives; its number may already name another."""
        return self._used.get(slot.number) is slot

    def attach(self, frame: Frame) -> Slot | None:
        """A new slot that belongs to `frame`; None if swap is full."""
        if self._free:
            number = self._free.pop()
        elif self._fresh < self.slots:
            number = self._fresh
            self._fresh += 1
        else:
            return None
        slot = self._used[number] = Slot(number)
        slot.frame = frame
        frame.slot = slot
        return slot

    def detach(self, frame: Frame) -> None:
        """`frame` no longer caches its slot, if it has one."""
        slot = frame.slot
        if slot is not None:
            frame.slot = slot.frame = None
            self._release_if_idle(slot)

    def drop_entry(self, slot: Slot) -> None:
        """One swap entry fewer names the slot."""
        if slot.entries <= 0:
            raise ValueError(f"swap slot {slot.number} has no entry to drop")
        slot.entries -= 1
        self._release_if_idle(slot)

    def _release_if_idle(self, slot: Slot) -> None:
        if slot.entries == 0 and slot.frame is None:
            del self._used[slot.number]
            self._free.append(slot.number)
