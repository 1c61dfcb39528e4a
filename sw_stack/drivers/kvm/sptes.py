"""Shadow page table entries, and the references they hold in the style of 2008.

Each guest frame has one entry of 4 KiB or none, whatever the page size of the process. In style "2008" an entry owns the reference
that its lookup took (get_user_pages): the frame is not freed before the entry has gone, however it was unmapped. In style "modern"
nothing is held, and it is the notifiers alone that keep the entry true.

Needs: mmu_lock held for every change. Nothing here awaits.
"""

from __future__ import annotations

from dataclasses import dataclass

from sw_stack.drivers.kvm.policy import KvmPolicy
from sw_stack.drivers.kvm.stats import KvmStats
from sw_stack.mm import Machine
from sw_stack.mm.frames import Frame

__all__ = ["PageReference", "Spte", "SpteTable"]


class PageReference:
    """One reference on a frame. Given back once; nobody else need know who has it."""

    __slots__ = ("_frame", "_machine", "_stats")

    def __init__(self, machine: Machine, frame: Frame, stats: KvmStats) -> None:
        self._machine = machine
        self._frame: Frame | None = frame
        self._stats = stats
        frame.pins += 1
        stats.references += 1

    def give_back(self) -> None:
        """Drop it. Frees the frame if nothing else holds it."""
        frame, self._frame = self._frame, None
        if frame is not None:
            self._stats.references -= 1
            self._machine.unpin(frame)


@dataclass(slots=True, eq=False)
class Spte:
    """The guest frame is in host frame `pfn`."""

    pfn: int
    writable: bool
    reference: PageReference | None
    accessed: bool = False
    """Set by the walk of a vcpu, as the processor sets it."""


class SpteTable:
    """The sptes of one virtual machine, by guest frame."""

    def __init__(self, machine: Machine, policy: KvmPolicy, stats: KvmStats) -> None:
        self._machine = machine
        self._policy = policy
        self._stats = stats
        self._table: dict[int, Spte] = {}

    def __len__(self) -> int:
        return len(self._table)

    def get(self, gfn: int) -> Spte | None:
        """The entry of a guest frame."""
        return self._table.get(gfn)

    def inside(self, *spans: range) -> list[int]:
        """Guest frames of these spans that have an entry. Costs the smaller of span and table."""
        found: dict[int, None] = {}
        for span in spans:
            if len(span) <= len(self._table):
                found.update((gfn, None) for gfn in span if gfn in self._table)
            else:
                found.update((gfn, None) for gfn in sorted(self._table) if gfn in span)
        return list(found)

    def everything(self) -> list[int]:
        """Guest frames that have an entry."""
        return sorted(self._table)

    def reference(self, pfn: int) -> PageReference | None:
        """What a lookup takes on the frame it found, in the same instant."""
        if self._policy.style != "2008":
            return None
        return PageReference(self._machine, self._machine.frames[pfn], self._stats)

    def make(self, gfn: int, spte: Spte) -> None:
        """Enter it. The guest frame has no entry."""
        self._table[gfn] = spte
        self._stats.sptes_made += 1

    def take_out(self, gfn: int) -> Spte:
        """Take an entry out; the caller flushes the guest TLBs, then lets go of what it held (`let_go`)."""
        self._stats.sptes_dropped += 1
        return self._table.pop(gfn)

    def let_go(self, spte: Spte) -> None:
        """No TLB holds the entry any more."""
        if spte.reference is not None and self._policy.mutant != "reference_leak":
            spte.reference.give_back()
