"""A register bus driven by cocotbext-axi's master: a second opinion on AXI4-Lite.

`uvm_factory().set_type_override_by_type(RegisterDriver, ThirdPartyRegisterDriver)` puts it on the pins.

Promises: the items of a RegisterSequence mean the same, but for delay, skew and patience, which are the bus model's.
Needs: ports named PREFIX_awvalid and so on, without _i and _o; no partial strobes; no reset while an access is under way.
"""

from __future__ import annotations

import logging

import cocotb
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from tb.uvm.agents.axil.config import RegisterConfig
from tb.uvm.agents.axil.driver import RegisterDriver

__all__ = ["ThirdPartyRegisterDriver", "third_party_master"]


def third_party_master(config: RegisterConfig) -> AxiLiteMaster:
    """cocotbext-axi's master on a bus."""
    pins, clocking = config.pins, config.clocking
    bus = AxiLiteBus.from_prefix(pins.dut, pins.prefix)
    master = AxiLiteMaster(bus, clocking.clock, clocking.reset_pin, reset_active_level=False)
    for half in (master.write_if, master.read_if):
        half.log.setLevel(logging.WARNING)
    return master


class ThirdPartyRegisterDriver(RegisterDriver):
    """Same lanes, another master."""

    def park(self) -> None:
        """The bus model does."""

    def run_lanes(self) -> None:
        """One command of each kind at a time."""
        master = third_party_master(self.config)
        cocotb.start_soon(self._play_writes(master))
        cocotb.start_soon(self._play_reads(master))

    async def _play_writes(self, master: AxiLiteMaster) -> None:
        await self.clocking.ready.wait()
        while True:
            item = await self.writes.next()
            if item.strobe not in (None, self.all_bytes()):
                raise ValueError("this master writes whole words")
            answer = await master.write(item.addr, item.data.to_bytes(self.bytes, "little"))
            item.resp = int(answer.resp)
            item.done.set()

    async def _play_reads(self, master: AxiLiteMaster) -> None:
        await self.clocking.ready.wait()
        while True:
            item = await self.reads.next()
            answer = await master.read(item.addr, self.bytes)
            item.resp, item.data = int(answer.resp), int.from_bytes(answer.data, "little")
            item.done.set()
