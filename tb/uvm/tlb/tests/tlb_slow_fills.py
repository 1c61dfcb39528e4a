"""Drop-ins so late that the log of shootdowns has lapped."""

from __future__ import annotations

import pyuvm

from tb.uvm.tlb.profile import Profile
from tb.uvm.tlb.tests.base import TIMEOUT_US, TlbBaseTest

__all__ = ["TlbSlowFills"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class TlbSlowFills(TlbBaseTest):
    """See the profile."""

    profile = Profile(shoot=0.5, think=100, slow=0.1, backlog=64, narrow=0.95, focus=0.4, uniform=0.9, mixed=0.05)
