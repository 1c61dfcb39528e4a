"""The notifier calls of V6 as they were posted, and mistakes that were made later: each a switch, off by default.

A client written to the contract breaks under them; that is what they are for (tests/unit/test_mm_historical.py). Source: the
patches V6-2/6 and V6-3/6 of February 2008, and the review that followed; Documentation/mm/mmu_notifier.rst for the last.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from sw_stack.notifier.mistakes import ChainMistakes

__all__ = ["Historical"]


@dataclass(frozen=True, slots=True)
class Historical(ChainMistakes):
    """Which mistakes the VM makes, and which its notifier chains."""

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
    cow_told_late: bool = False
    """Copy-on-write tells its clients after the entry has been changed, as may be done when the contents stay. Two pages are then
    seen in another order than they were written (Documentation/mm/mmu_notifier.rst)."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Every switch."""
        return tuple(field.name for field in fields(cls))
