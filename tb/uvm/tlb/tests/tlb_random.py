"""Every page size, every scope, a bit of everything."""

from __future__ import annotations

import pyuvm

from tb.uvm.tlb.profile import Profile
from tb.uvm.tlb.tests.base import TIMEOUT_US, TlbBaseTest

__all__ = ["TlbRandom"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class TlbRandom(TlbBaseTest):
    """See the profile."""

    profile = Profile()
