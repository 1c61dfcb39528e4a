"""Mistakes that notifier chains have made, each a switch that is off."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ChainMistakes"]


@dataclass(frozen=True, slots=True)
class ChainMistakes:
    """Which mistakes a chain makes. Sources: the review of V6, and mm/mmu_notifier.c of Linux 3.7 to 5.6."""

    dispatch_under_rcu: bool = False
    """Every callback runs inside rcu_read_lock, where none may sleep (Piggin, 20 February 2008), whatever `atomic` says."""
    refusal_ends_nothing: bool = False
    """A range that may fail is refused by one client: those that had agreed before are never told its end (until 5.7)."""
    unregister_at_once: bool = False
    """unregister does not wait for passes over the list that have the client in hand: it is freed and then called (751efd86)."""
    unregister_releases: bool = False
    """unregister calls release itself, on a client that exit may be releasing: two releases (751efd86)."""
