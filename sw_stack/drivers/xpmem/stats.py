"""A partition's counters."""

from __future__ import annotations

from dataclasses import dataclass

from sw_stack.drivers.counters import Counters

__all__ = ["XpmemStats"]


@dataclass(slots=True)
class XpmemStats(Counters):
    """One counter an event. The first half is counted where the memory is, the second where it is attached."""

    make: int = 0
    remove: int = 0
    faults_served: int = 0
    fault_blocked: int = 0
    """Faults that met a recall and waited for its end."""
    fault_vanished: int = 0
    """Faults whose page had changed between the lookup and the page lock."""
    pages_entered: int = 0
    pages_upgraded: int = 0
    """Pages entered already that may now be written too."""
    pages_released: int = 0
    pages_dirtied: int = 0
    recalls: int = 0
    """Ranges, removals and exits that took pages back."""
    rmap_recalls: int = 0
    """Pages taken back by the rmap notifier."""
    ranges_ignored: int = 0
    """Style "today": ranges of tasks that are not the owner's."""
    ranges_refused: int = 0
    """Ranges that could do without (the OOM reaper), refused because an acknowledgement would have had to be waited for."""
    pages_recalled: int = 0
    invalidates_sent: int = 0
    acks_spun: int = 0
    """Recalls that waited for another partition without sleeping."""
    aged: int = 0
    """Questions about use answered with yes."""
    age_sent: int = 0

    get: int = 0
    release: int = 0
    attach: int = 0
    detach: int = 0
    faults: int = 0
    faults_remote: int = 0
    loads: int = 0
    stores: int = 0
    invalidates_taken: int = 0
    drains: int = 0
    """Invalidations that found accesses under way."""
    killed: int = 0
    """Processes killed for unmapping an attachment."""
