"""Counters of a registration cache and of its source of events."""

from __future__ import annotations

from dataclasses import dataclass

from sw_stack.drivers.counters import Counters

__all__ = ["CacheStats", "WatchStats"]


@dataclass(slots=True)
class CacheStats(Counters):
    """One counter an event."""

    hits: int = 0
    misses: int = 0
    registrations: int = 0
    deregistrations: int = 0
    registration_failed: int = 0
    """Registrations refused for good, merged ones included."""
    evictions: int = 0
    """Idle registrations given up for room."""
    merges: int = 0
    """Misses registered together with the cached neighbours they overlap."""
    unmerged: int = 0
    """Of those, refused, and registered alone."""
    invalidated: int = 0
    """Registrations that an event, or the adapter's own word, took out of the cache."""
    deferred: int = 0
    """Of those, in use at the time."""
    stale_hits_prevented: int = 0
    """Requests that would have hit a registration invalidated since."""
    event_reads: int = 0
    """Times the counter had moved and events were read: a system call with ummunotify."""


@dataclass(slots=True)
class WatchStats(Counters):
    """What a source of events has done."""

    marked: int = 0
    """Ranges marked invalid, by whatever cause."""
    marked_by_page: int = 0
    """Of those, by invalidate_page: reclaim, migration or writeback took the entry. A pinned page has kept its frame: nothing was
    lost, and the registration is made again for nothing."""
    marked_at_watch: int = 0
    """Of those, because an invalidation was running when they were watched."""
    already_marked: int = 0
    """Invalidations of a range whose event was not read yet."""
    read: int = 0
    """Events handed out."""
