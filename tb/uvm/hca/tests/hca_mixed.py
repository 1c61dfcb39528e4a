"""Queue pairs of every policy, every verb, pages that go and come back elsewhere."""

from __future__ import annotations

from typing import Any

import pyuvm

from tb.hil.hca_mixed import mixed
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest

__all__ = ["HcaMixed"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaMixed(HcaBaseTest):
    """See tb/hil/hca_mixed.py."""

    def program(self, port: Any) -> None:
        """Rounds."""
        mixed(self.bare(port), self.config.seed, rounds=self.scaled(2), pairs=3)
