"""Every address space mixes page sizes, wide shootdowns."""

from __future__ import annotations

import pyuvm

from tb.uvm.tlb.profile import Profile
from tb.uvm.tlb.tests.base import TIMEOUT_US, TlbBaseTest

__all__ = ["TlbSizes"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class TlbSizes(TlbBaseTest):
    """See the profile."""

    profile = Profile(uniform=0, mixed=0.5, narrow=0.4)
