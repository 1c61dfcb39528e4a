"""Few drop-ins, many lookups: what no shootdown covers must still be there."""

from __future__ import annotations

import pyuvm

from tb.uvm.tlb.profile import Profile
from tb.uvm.tlb.tests.base import TIMEOUT_US, TlbBaseTest

__all__ = ["TlbScope"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class TlbScope(TlbBaseTest):
    """See the profile."""

    profile = Profile(pages=6, lookup=0.95, unanswered=0.5, shoot=0.04, narrow=0.9, mixed=0.05, beside=0.5)
