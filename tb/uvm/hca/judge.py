"""Where objections go, and everything that was judged is counted.

Promises: every objection is counted and the first few are kept; the log has what was judged before the first. `enough` is set once
more would tell nothing new. `digest` is that of all events judged, in order. `cover` counts the cover groups of points.py.
"""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Any

from cocotb.triggers import Event
from pyuvm import ConfigDB, uvm_component

from tb.plan.cover import CoverGroup, Tally
from tb.uvm.hca.bfm import HcaBfm
from tb.uvm.hca.points import ALL

__all__ = ["Judge"]

KEPT = 20
ENOUGH = 3
BEFORE = 30  # events shown before the first objection


class Judge(uvm_component):
    """Every board has a reference to it."""

    def build_phase(self) -> None:
        super().build_phase()
        self.bfm: HcaBfm = ConfigDB().get(self, "", "BFM")
        self.items = 0
        self.errors = 0
        self.kept: list[str] = []
        self.enough = Event()
        self.cover = Tally(ALL)
        self._digest = hashlib.blake2b(digest_size=8)
        self._recent: deque[str] = deque(maxlen=BEFORE)

    @property
    def digest(self) -> str:
        """Of every event judged so far."""
        return self._digest.hexdigest()

    def note(self, what: str, *facts: Any) -> None:
        """Something was judged."""
        self.items += 1
        text = f"{self.bfm.cycle} {what} {facts}"
        self._digest.update(text.encode())
        self._recent.append(text)

    def hit(self, group: CoverGroup, name: str, when: bool = True) -> None:
        """A bin once more."""
        if when:
            self.cover.hit(group, name)

    def object(self, rule: str, text: str) -> None:
        """Count an error."""
        self.errors += 1
        if self.errors == 1:
            print("what came before:", *self._recent, sep="\n    ", flush=True)
        if len(self.kept) < KEPT:
            self.kept.append(f"cycle {self.bfm.cycle}: {rule}: {text}")
            self.logger.error(self.kept[-1])
        if self.errors >= ENOUGH:
            self.enough.set()
