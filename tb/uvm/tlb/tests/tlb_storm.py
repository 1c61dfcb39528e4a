"""Bursts of shootdowns until slots and handles run out, long accesses."""

from __future__ import annotations

import pyuvm

from tb.uvm.tlb.profile import Profile
from tb.uvm.tlb.tests.base import TIMEOUT_US, TlbBaseTest

__all__ = ["TlbStorm"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class TlbStorm(TlbBaseTest):
    """See the profile."""

    profile = Profile(storm=0.08, flight=200, shoot=0.02)
