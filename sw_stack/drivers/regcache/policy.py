"""What a run may choose about a registration cache. Everything here is fixed when the cache is opened.

Promises: an impossible policy raises ValueError with one line, before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sw_stack.drivers.choices import check_choice

__all__ = ["MUTANT_TEXT", "CachePolicy", "Mutant", "Race", "Repair"]

Repair = Literal["none", "hook", "ummunotify"]
"""How the cache hears that a mapping has changed. "none": it does not. "hook": from the library's own munmap and madvise, which the
process calls instead of the system's. "ummunotify": from the kernel, by a client of the MMU notifiers."""

Mutant = Literal[
    "no_generation_check",
    "event_lost",
    "evict_in_use",
    "overlap_missed",
    "watch_late",
    "ignore_active",
    "no_valid",
    "merge_or_fail",
    "forget_deferred",
    "lock_in_hook",
    "fork_inherits",
]
"""A cache, or its source of events, broken on purpose; MUTANT_TEXT says what is broken."""

MUTANT_TEXT: Mapping[str, str] = {
    "no_generation_check": "get does not look at the generation counter",
    "event_lost": "an invalidated range is marked, and its event not queued",
    "evict_in_use": "eviction takes registrations that are in use",
    "overlap_missed": "only an invalidation of exactly the watched range marks it",
    "watch_late": "a range is watched after its pages were pinned, not before",
    "ignore_active": "a range that is watched while it is being invalidated is not marked",
    "no_valid": "a hit is not asked whether its registration still exists",
    "merge_or_fail": "a request fails when it cannot be registered together with its neighbours",
    "forget_deferred": "a registration invalidated while in use is not given up by its last user",
    "lock_in_hook": "the hook takes the cache's lock and drops the registrations itself",
    "fork_inherits": "the child goes on with the parent's cache, lock and all",
}

Race = Literal[
    # a registration that is invalidated is given up at once, in use or not
    "dereg_in_use",
    # a thread of the library's handles events under the cache's lock; who caused the event waits until it has
    "lock_in_monitor",
    # the hook tells of madvise, and only munmap is taken for an invalidation
    "remove_ignored",
]
"""A mistake of a real library that a search over orders is to find (sw_stack/workloads/explored)."""


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """`repair` aside, a cache is the same."""

    repair: Repair = "ummunotify"
    limit: int | None = None
    """Pages kept registered. Idle registrations go, least recently used first, to stay below; what is in use may exceed it."""
    mutant: Mutant | Race | None = None

    def __post_init__(self) -> None:
        check_choice("registration cache", "repair", self.repair, Repair)
        check_choice("registration cache", "mutant", self.mutant, Literal[Mutant, Race], optional=True)
        if self.limit is not None and self.limit < 0:
            raise ValueError(f"registration cache: limit {self.limit} is negative")
