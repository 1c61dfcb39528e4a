"""User polling mode: misses are told to the user, who calls the driver; some contexts change over with USER_POLLING_MODE."""

from __future__ import annotations

import pyuvm

from tb.uvm.gru.mix import Mix
from tb.uvm.gru.software import Answers
from tb.uvm.gru.tests.base import TIMEOUT_US, TrafficTest

__all__ = ["GruPolling"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruPolling(TrafficTest):
    """See the mix."""

    mix = Mix(
        cores=(None, None, 0, None),
        instructions=8,
        migrate=250,
        answers=Answers(polling=0.5, restart=0.1, write_only=0.1, noop=0.1),
    )
