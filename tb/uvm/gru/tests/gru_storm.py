"""Shootdowns without end, slow memory: acknowledgements wait for accesses, handles run out."""

from __future__ import annotations

import pyuvm

from tb.uvm.gru.mix import Mix
from tb.uvm.gru.software import Answers
from tb.uvm.gru.tests.base import TIMEOUT_US, TrafficTest

__all__ = ["GruStorm"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruStorm(TrafficTest):
    """See the mix."""

    mix = Mix(
        spaces=2,
        migrate=300,
        spurious=160,
        protect=1500,
        interrupt=1500,
        instructions=4,
        latency=(40, 160),
        shared=False,
        answers=Answers(clean=0.0),
    )
