"""A bit of everything: every opcode, pages that move, contexts that are interrupted, all ways to answer a fault."""

from __future__ import annotations

import pyuvm

from tb.uvm.gru.mix import Mix
from tb.uvm.gru.software import Answers
from tb.uvm.gru.tests.base import TIMEOUT_US, TrafficTest

__all__ = ["GruRandom"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruRandom(TrafficTest):
    """See the mix."""

    mix = Mix(answers=Answers(restart=0.05, write_only=0.05, polling=0.08, noop=0.03, think=60))
