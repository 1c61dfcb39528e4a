"""The fault policies: a page is away under the first, a middle, the last or the only packet of a message, for what writes (RDMA
WRITE, SEND) and what is read, on both sides."""

from __future__ import annotations

from typing import Any

import pyuvm

from hwif.gen import hca as h
from tb.hil.hca_bare import settings
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest
from tb.uvm.hca.tests.scene import PAGE, A, B, Scene

__all__ = ["HcaPolicies"]

MTU = 256
POSITIONS = {"first": (PAGE - MTU, 3, 0), "middle": (PAGE - MTU, 3, 1), "last": (PAGE - 2 * MTU, 3, 1), "only": (0, 1, 0)}
"""Where the message begins, its packets, and the page that is away: the packet that meets it first is the one."""


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaPolicies(HcaBaseTest):
    """Short messages over a page edge."""

    plan = Plan(chosen=settings(command_entries=16, fault_entries=8, keys=16, ack_timeout=9000, rnr_delay=400))

    def program(self, port: Any) -> None:
        """Every policy, every position, every operation."""
        scene = Scene(self.bare(port), self.rng)
        for policy in h.FaultPolicy:
            pair = scene.pair(policy=int(policy), mtu_shift=MTU.bit_length() - 1)
            for start, packets, page in list(POSITIONS.values())[: self.scaled(4)]:
                for operation in ("write", "send", "read"):
                    self._remote(scene, pair, operation, start, packets * MTU, page)
                self._local(scene, pair, start, packets * MTU, page)
        scene.check()

    def _operate(self, scene: Scene, pair: Any, operation: str, start: int, length: int) -> None:
        if operation == "send":
            scene.send(length, here=start, there=start, pair=pair)
        else:
            getattr(scene, operation)(length, here=start, there=start, qp=pair[0])

    def _remote(self, scene: Scene, pair: Any, operation: str, start: int, length: int, page: int) -> None:
        faults = len(scene.faults)
        scene.take(scene.kb, B + page * PAGE, by_key=bool(self.rng.randrange(2)))
        self._operate(scene, pair, operation, start, length)
        scene.end(pair[0])
        if operation == "send":
            scene.end(pair[1], recv=True)
        assert len(scene.faults) > faults, f"{operation}: a page was away and nobody faulted"

    def _local(self, scene: Scene, pair: Any, start: int, length: int, page: int) -> None:
        """The sender's own page, of a WRITE's source or a READ's target."""
        operation = self.rng.choice(["write", "read"])
        faults = len(scene.faults)
        scene.take(scene.ka, A + page * PAGE)
        self._operate(scene, pair, operation, start, length)
        scene.end(pair[0])
        assert len(scene.faults) > faults and scene.faults[-1]["direction"] == h.FaultDir.REQUESTER
