"""Passive agents: bus models that are no part of the environment drive both buses, and the environment judges all the same."""

from __future__ import annotations

import pyuvm
from pyuvm import ConfigDB, uvm_active_passive_enum

from tb.uvm.agents.axi.driver import MemoryResponder
from tb.uvm.agents.axil.agent import RegisterAgent
from tb.uvm.gru.mix import Mix
from tb.uvm.gru.tests.base import TIMEOUT_US, TrafficTest

__all__ = ["GruPassive"]


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruPassive(TrafficTest):
    """The drivers stand outside: beside the environment, with configurations of their own."""

    mix = Mix(instructions=4)

    def build_phase(self) -> None:
        for path in ("registers", "memory", "irq"):
            ConfigDB().set(self, f"env.{path}", "is_active", uvm_active_passive_enum.UVM_PASSIVE)
        super().build_phase()
        ConfigDB().set(self, "outside*", "config", self.chip.registers)
        ConfigDB().set(self, "beyond*", "config", self.chip.memory)
        self.outside = RegisterAgent.create("outside", self)
        self.beyond = MemoryResponder.create("beyond", self)

    def connect_phase(self) -> None:
        assert self.env.registers.driver is None and self.env.memory.driver is None

    async def stimulus(self) -> None:
        """As ever."""
        self.env.virtual.registers = self.outside.sequencer
        await super().stimulus()
