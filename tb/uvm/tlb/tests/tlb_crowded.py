"""More pages than the sets they share have ways."""

from __future__ import annotations

import pyuvm

from tb.uvm.tlb.profile import Profile
from tb.uvm.tlb.tests.base import TIMEOUT_US, TlbBaseTest

__all__ = ["TlbCrowded"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class TlbCrowded(TlbBaseTest):
    """See the profile."""

    profile = Profile(pages=120, think=10)
