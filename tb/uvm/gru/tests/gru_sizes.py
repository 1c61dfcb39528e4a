"""Pages of every size, mixed in each address space, and what is shot down of them is often a part."""

from __future__ import annotations

import pyuvm

from tb.uvm.gru.mix import Mix
from tb.uvm.gru.software import Answers
from tb.uvm.gru.tests.base import TIMEOUT_US, TrafficTest

__all__ = ["GruSizes"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruSizes(TrafficTest):
    """See the mix."""

    mix = Mix(sizes=(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), migrate=350, spurious=500, instructions=7, answers=Answers(clean=0.3))
