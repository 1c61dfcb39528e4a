"""Random traffic over the loop: queue pairs of every policy, every verb, pages that go and come back elsewhere; over all sorts of
surroundings."""

from __future__ import annotations

from typing import Any

import pyuvm
from pyuvm import uvm_factory

from hwif.gen import hca as h
from tb.hil.abi import Fate, LinkFault
from tb.hil.hca_bare import settings
from tb.hil.hca_mixed import mixed
from tb.uvm.agents.axi.driver import MemoryResponder
from tb.uvm.agents.axi.third_party import ThirdPartyMemoryResponder
from tb.uvm.agents.axil.driver import RegisterDriver
from tb.uvm.agents.axil.third_party import ThirdPartyRegisterDriver
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest

__all__ = ["HcaBackpressure", "HcaDamage", "HcaMixed", "HcaThirdParty"]

SMALL = settings(command_entries=16, fault_entries=4, keys=16, ack_timeout=4000, rnr_delay=300)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaMixed(HcaBaseTest):
    """See tb/hil/hca_mixed.py."""

    rounds = 3
    pairs = 4

    def program(self, port: Any) -> None:
        """Rounds."""
        mixed(self.bare(port), self.config.seed, rounds=self.scaled(self.rounds), pairs=self.pairs)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaBackpressure(HcaMixed):
    """Everybody makes the device wait: memory's five channels, the register bus's answers, the cable."""

    plan = Plan(
        stalls={"": 0.4, "w": 0.6},
        latency=(2, 150),
        cable_rate=3,
        cable_latency=60,
        register_delay=6,
        lost_reservations=0.2,
        chosen=SMALL,
    )
    rounds = 2


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaDamage(HcaMixed):
    """The cable loses, corrupts and truncates; all is made good."""

    plan = Plan(damage=0.05, chosen=SMALL)
    rounds = 2

    def program(self, port: Any) -> None:
        """Each kind of damage at least once, to a request and to an answer."""
        bare = self.bare(port)
        for fate in (Fate.LOSE, Fate.CORRUPT, Fate.TRUNCATE):
            for opcode in (h.PktOp.WRITE, h.PktOp.ACK):
                bare.link_fault(LinkFault(fate, opcode=int(opcode), skip=self.rng.randrange(4)))
        mixed(bare, self.config.seed, rounds=self.scaled(self.rounds), pairs=self.pairs)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaThirdParty(HcaMixed):
    """cocotbext-axi is the processor and the memory: not only our own idea of AXI is checked."""

    plan = Plan(stalls={"": 0.2})
    rounds = 2

    def build_phase(self) -> None:
        uvm_factory().set_type_override_by_type(MemoryResponder, ThirdPartyMemoryResponder)
        uvm_factory().set_type_override_by_type(RegisterDriver, ThirdPartyRegisterDriver)
        super().build_phase()

    def connect_phase(self) -> None:
        assert isinstance(self.env.registers.driver, ThirdPartyRegisterDriver), "the override has no effect"
        assert isinstance(self.env.port.driver, ThirdPartyMemoryResponder), "the override has no effect"
