"""Every channel of both buses is shut half of the time; requests and answers of the register bus are early, late and askew."""

from __future__ import annotations

import pyuvm

from tb.uvm.gru.mix import Mix
from tb.uvm.gru.tests.base import TIMEOUT_US, TrafficTest

__all__ = ["GruPressure"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruPressure(TrafficTest):
    """See the mix."""

    mix = Mix(instructions=5, stall=0.5, slow_bus=5, latency=(1, 60), lost_reservations=0.3)
