"""Few pages, much at once: shootdowns against lookups and drop-ins of the same page."""

from __future__ import annotations

import pyuvm

from tb.uvm.tlb.profile import Profile
from tb.uvm.tlb.tests.base import TIMEOUT_US, TlbBaseTest

__all__ = ["TlbRaces"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class TlbRaces(TlbBaseTest):
    """See the profile."""

    profile = Profile(pages=3, lookup=0.9, shoot=0.06, focus=0.9, return_=0.6, think=8, flight=12)
