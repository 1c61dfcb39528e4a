"""Where the HCA's boards object, and everything that they judged is counted.

Promises: those of tb/uvm/judging.py, at the present cycle. `cover` counts the cover groups of points.py.
"""

from __future__ import annotations

from typing import Any

from pyuvm import ConfigDB

from tb.plan.cover import CoverGroup, Tally
from tb.uvm.hca.bfm import HcaBfm
from tb.uvm.hca.points import ALL
from tb.uvm.judging import Judging

__all__ = ["Judge"]


class Judge(Judging):
    """Every board has a reference to it."""

    def build_phase(self) -> None:
        super().build_phase()
        self.bfm: HcaBfm = ConfigDB().get(self, "", "BFM")
        self.cover = Tally(ALL)

    def note(self, what: str, *facts: Any) -> None:
        """Something was judged."""
        self.judged((self.bfm.cycle, what, *facts))

    def hit(self, group: CoverGroup, name: str, when: bool = True) -> None:
        """A bin once more."""
        if when:
            self.cover.hit(group, name)

    def object(self, rule: str, text: str) -> None:
        """Count an error, now."""
        self.object_at(self.bfm.cycle, rule, text)
