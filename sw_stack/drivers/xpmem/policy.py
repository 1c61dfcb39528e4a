"""What a run may choose about XPMEM. Everything here is fixed when a partition starts.

Promises: an impossible policy raises ValueError with one line, before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sw_stack.drivers.choices import check_choice

__all__ = ["MUTANT_TEXT", "AtomicRange", "Mutant", "Race", "Style", "XpmemPolicy"]

Style = Literal["v6", "today"]
"""Who can get a page back from an attachment.

"v6": the design of 2008. The VM can: a range takes pages back at its begin, reclaim, migration and writeback through the rmap
notifier. "today": only the owner can (hpc/xpmem 2.6.5): pages are pinned; a range takes them back at its end, if a task of the
owner's makes it; reclaim and migration meet the reference and give up."""

AtomicRange = Literal["spin", "sleep"]
"""What a range that may not sleep does about acknowledgements. "spin": waits for them on the processor. "sleep": goes to sleep, as
everywhere else, which breaks MN-2: V6-1 leaves no other way out, and says nothing of what it costs."""

Mutant = Literal[
    "no_remote_ack",
    "ack_before_drain",
    "drop_blind",
    "drop_late",
    "no_export",
    "pte_vanished",
    "ignore_recall",
    "late_fill",
    "map_writable",
    "forget_dirty",
    "wrong_mm",
    "leak_on_close",
    "detach_hold_and_wait",
    "fault_in_receiver",
]
"""A driver broken on purpose, for tests of the checks; MUTANT_TEXT says what is broken."""

MUTANT_TEXT: Mapping[str, str] = {
    "no_remote_ack": "an invalidation is sent to another partition and its acknowledgement not waited for",
    "ack_before_drain": "a partition acknowledges while accesses through the translation are under way",
    "drop_blind": "an invalidation does not wait for accesses that detach is waiting for already",
    "drop_late": "the rmap notifier returns before the reference is dropped",
    "no_export": "pages are not marked as exported: the rmap notifier never hears of them",
    "pte_vanished": "the frame found is mapped without a second look at the page table under the page lock",
    "ignore_recall": "faults go on while pages are being recalled",
    "late_fill": "a translation is entered when the faulting task runs again, not when the message arrives",
    "map_writable": "pages are entered writable whatever the pte says",
    "forget_dirty": "a page that was stored to is let go as if it were clean",
    "wrong_mm": "detach unmaps the range in the owner's address space",
    "leak_on_close": "a process that goes away leaves its attachments behind",
    "detach_hold_and_wait": "detach blocks recalls and waits for one",
    "fault_in_receiver": "the task that takes messages serves faults itself",
}

Race = Literal[
    # a fault asks for the right to write whatever the area allows: a large page that may only be read never has it
    "force_write",
    # a fault whose page has changed since it was looked up is refused, not tried again
    "sigbus_on_vanish",
    # close takes the thread group off the list first; what tears it down looks for it there
    "close_unlisted",
    # what detach unmaps is the range in the address space of whoever runs, not of the process it belongs to
    "current_mm",
]
"""A mistake of the module that a search over orders is to find (sw_stack/workloads/explored)."""


@dataclass(frozen=True, slots=True)
class XpmemPolicy:
    """Style and mistakes of one partition."""

    style: Style = "v6"
    atomic_range: AtomicRange = "spin"
    mutant: Mutant | Race | None = None

    def __post_init__(self) -> None:
        check_choice("xpmem policy", "style", self.style, Style)
        check_choice("xpmem policy", "atomic_range", self.atomic_range, AtomicRange)
        check_choice("xpmem policy", "mutant", self.mutant, Literal[Mutant, Race], optional=True)
