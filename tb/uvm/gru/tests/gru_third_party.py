"""Bus models of somebody else on both buses: cocotbext-axi's AXI4-Lite master and AXI4 slave, by factory override."""

from __future__ import annotations

import pyuvm
from pyuvm import uvm_factory

from tb.uvm.agents.axi.driver import MemoryResponder
from tb.uvm.agents.axi.third_party import ThirdPartyMemoryResponder
from tb.uvm.agents.axil.driver import RegisterDriver
from tb.uvm.agents.axil.third_party import ThirdPartyRegisterDriver
from tb.uvm.gru.mix import Mix
from tb.uvm.gru.tests.base import TIMEOUT_US, TrafficTest

__all__ = ["GruThirdParty"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruThirdParty(TrafficTest):
    """The environment does not know: what stands where it asks for a driver is the factory's affair."""

    mix = Mix(instructions=5, stall=0.2)

    def build_phase(self) -> None:
        uvm_factory().set_type_override_by_type(RegisterDriver, ThirdPartyRegisterDriver)
        uvm_factory().set_type_override_by_type(MemoryResponder, ThirdPartyMemoryResponder)
        super().build_phase()
        self.chip.memory.stalls = {"": self.mix.stall}  # before the bus model asks

    def connect_phase(self) -> None:
        assert isinstance(self.env.registers.driver, ThirdPartyRegisterDriver), "the override has no effect"
        assert isinstance(self.env.memory.driver, ThirdPartyMemoryResponder), "the override has no effect"
