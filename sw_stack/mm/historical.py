"""The notifier calls of V6 as they were posted, and mistakes that were made later: each a switch, off by default.

A client written to the contract breaks under them; that is what they are for (tests/unit/test_mm_historical.py). Source: the
patches V6-2/6 and V6-3/6 of February 2008, and the review that followed; mm/mmu_notifier.c of Linux 3.7 to 5.x for the last three.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["Historical"]


@dataclass(frozen=True, slots=True)
class Historical:
    """Which mistakes the VM makes."""

    fork_error_no_end: bool = False
    """copy_page_range returns -ENOMEM between begin and end: the end never comes."""
    fork_end_from_area: bool = False
    """copy_page_range ends the range at the start of the area, wherever the copy began. fork copies whole areas, so there the two
    agree; a caller that copies part of an area ends another range than it began."""
    hugetlb_fork_silent: bool = False
    """copy_page_range leaves for hugetlb areas before its begin: the parent's entries lose the right to write and nobody is
    told."""
    zap_end_short: bool = False
    """zap_page_range ends the range where unmap_vmas stopped: short of what was begun, when truncate gives the lock a rest."""
    dispatch_under_rcu: bool = False
    """Every callback runs inside rcu_read_lock, where none may sleep (Piggin, 20 February 2008), whatever `atomic` says."""

    refusal_ends_nothing: bool = False
    """A range that may fail is refused by one client: those that had agreed before are never told its end (until 5.7)."""
    unregister_at_once: bool = False
    """unregister does not wait for passes over the list that have the client in hand: it is freed and then called (751efd86)."""
    unregister_releases: bool = False
    """unregister calls release itself, on a client that exit may be releasing: two releases (751efd86)."""

    cow_told_late: bool = False
    """Copy-on-write tells its clients after the entry has been changed, as may be done when the contents stay. Two pages are then
    seen in another order than they were written (Documentation/mm/mmu_notifier.rst)."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Every switch."""
        return tuple(field.name for field in fields(cls))
