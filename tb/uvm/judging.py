"""What everything that judges has in common: what was judged is counted and digested, objections are counted and the first kept.

Promises: the log has the events before the first objection. `digest` is that of all events judged, in order. `enough` is set once
more would tell nothing new.
Needs: events with a repr that is the same in every run of a seed.
"""

from __future__ import annotations

import hashlib
from collections import deque

from cocotb.triggers import Event
from pyuvm import uvm_component

from pymodels.oracle import Objection

__all__ = ["Judging"]

KEPT = 20
ENOUGH = 3
BEFORE = 40  # events shown before the first objection


class Judging(uvm_component):
    """Counts `items` judged and `errors`."""

    def build_phase(self) -> None:
        super().build_phase()
        self.items = 0
        self.errors = 0
        self.kept: list[str] = []
        self.enough = Event()
        self._digest = hashlib.blake2b(digest_size=8)
        self._recent: deque[object] = deque(maxlen=BEFORE)

    @property
    def digest(self) -> str:
        """Of every event judged so far."""
        return self._digest.hexdigest()

    def judged(self, event: object) -> None:
        """Count an event."""
        self.items += 1
        self._digest.update(repr(event).encode())
        self._recent.append(event)

    def object_at(self, cycle: int, rule: str, text: str) -> None:
        """Count an error."""
        self.errors += 1
        if self.errors == 1:
            print(f"what {self.get_name()} saw before:", *self._recent, sep="\n    ", flush=True)
        if len(self.kept) < KEPT:
            self.kept.append(f"cycle {cycle}: {Objection(rule, text)}")
            self.logger.error(self.kept[-1])
        if self.errors >= ENOUGH:
            self.enough.set()
