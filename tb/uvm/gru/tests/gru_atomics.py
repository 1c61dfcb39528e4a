"""Atomics, message queues and copies, many on the same double-words, with reservations that are often lost."""

from __future__ import annotations

import pyuvm

from hwif.gen import gru as g
from tb.uvm.gru.mix import Mix
from tb.uvm.gru.software import Answers
from tb.uvm.gru.tests.base import TIMEOUT_US, TrafficTest

__all__ = ["GruAtomics"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruAtomics(TrafficTest):
    """See the mix."""

    mix = Mix(
        spaces=1,
        cbs=6,
        opcodes=(g.CbOpc.GAMIR, g.CbOpc.GAMIRR, g.CbOpc.GAMER, g.CbOpc.GAMERR, g.CbOpc.MESQ, g.CbOpc.BCOPY),
        instructions=7,
        lost_reservations=0.4,
        migrate=300,
        answers=Answers(),
    )
