"""What a run may choose about the hypervisor. Everything here is fixed when the virtual machine is created.

Promises: an impossible policy raises ValueError with one line, before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from sw_stack.drivers.choices import check_choice

__all__ = ["MUTANT_TEXT", "KvmPolicy", "Mutant", "Style"]

Style = Literal["2008", "modern"]
"""How sptes are kept true. "2008": each holds a reference on its page, and any active range holds every fault off. "modern": no
references; a sequence number, and the bounding union of the active ranges, hold off the faults inside it."""

Mutant = Literal[
    "no_flush",
    "no_wait",
    "flush_unlocked",
    "late_mode",
    "zap_late",
    "ignore_seq",
    "union_shrinks",
    "reference_leak",
    "age_always_young",
    "age_no_flush",
    "no_upgrade",
    "map_writable",
    "slots_no_wait",
    "slot_gone_early",
    "late_spte",
    "keep_sptes",
]
"""A hypervisor broken on purpose, for tests of the checks; MUTANT_TEXT says what is broken."""

MUTANT_TEXT: Mapping[str, str] = {
    "no_flush": "the guest TLBs keep what was zapped",
    "no_wait": "accesses in flight are not waited for",
    "flush_unlocked": "mmu_lock is dropped before the flush is over",
    "late_mode": "a vcpu looks for flush requests before it is in guest mode, not after",
    "zap_late": "a range's sptes are zapped at its end, not at its begin",
    "ignore_seq": "sptes are made without a look at what was invalidated since the page was looked up",
    "union_shrinks": "the end of a range is cut off the remembered union although others are active there",
    "reference_leak": "an spte that goes does not give its reference back",
    "age_always_young": "every page is said to be in use",
    "age_no_flush": "the accessed bit is cleared under a guest TLB that hits on",
    "no_upgrade": "a write fault leaves a read-only spte as it is",
    "map_writable": "sptes are made writable whatever the pte says",
    "slots_no_wait": "memory slots change between the begin and the end of a range",
    "slot_gone_early": "a memory slot leaves the list before its sptes are zapped",
    "late_spte": "sptes are made although the memory slot, or the address space, has gone meanwhile",
    "keep_sptes": "a memory slot that is removed leaves its sptes behind",
}

_ONLY_IN: Final[Mapping[str, Style]] = {"reference_leak": "2008", "union_shrinks": "modern", "slots_no_wait": "modern"}


@dataclass(frozen=True, slots=True)
class KvmPolicy:
    """How guests are run."""

    style: Style = "modern"
    accessed_bit: bool = True
    """sptes have an accessed bit. Without (EPT before A/D bits) ageing tears them down and says that they were there."""
    tlb_entries: int = 8
    """Entries of each vcpu's TLB; 0: every access walks the sptes."""
    mutant: Mutant | None = None

    def __post_init__(self) -> None:
        check_choice("kvm policy", "style", self.style, Style)
        check_choice("kvm policy", "mutant", self.mutant, Mutant, optional=True)
        if self.tlb_entries < 0:
            raise ValueError(f"kvm policy: tlb_entries {self.tlb_entries} is negative")
        if self.mutant is not None and _ONLY_IN.get(self.mutant, self.style) != self.style:
            raise ValueError(f"kvm policy: mutant {self.mutant!r} breaks nothing in style {self.style!r}")
        if self.mutant == "age_no_flush" and not self.accessed_bit:
            raise ValueError("kvm policy: mutant 'age_no_flush' breaks nothing without accessed bits")
