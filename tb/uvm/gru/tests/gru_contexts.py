"""Contexts are interrupted and started all the time, in the middle of everything."""

from __future__ import annotations

import pyuvm

from tb.uvm.gru.mix import Mix
from tb.uvm.gru.software import Answers
from tb.uvm.gru.tests.base import TIMEOUT_US, TrafficTest

__all__ = ["GruContexts"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruContexts(TrafficTest):
    """See the mix."""

    mix = Mix(
        cores=(0, 1, None, 2, None),
        interrupt=150,
        migrate=700,
        spurious=400,
        instructions=4,
        latency=(10, 120),
        answers=Answers(polling=0.2, think=80),
    )
