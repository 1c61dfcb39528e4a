"""All agents are passive: somebody else, here cocotbext-axi's master and memory on the bare pins, works with the device; monitors
and boards judge what they see."""

from __future__ import annotations

import pyuvm
from pyuvm import ConfigDB, uvm_active_passive_enum

from hwif.gen import hca as h
from tb.hil.hca_lines import entry_of, line_of, raw_of, word_of
from tb.uvm.agents.axi.third_party import third_party_slave
from tb.uvm.agents.axil.third_party import third_party_master
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest

__all__ = ["HcaPassive"]

ENTRIES = 8
COMMANDS, FENCED = 0x1000, 0x2000
PATIENCE = 40  # looks


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaPassive(HcaBaseTest):
    """Commands only: enough for every monitor of the buses."""

    def build_phase(self) -> None:
        for agent in ("registers", "memory", "link"):
            ConfigDB().set(None, f"uvm_test_top.env.{agent}", "is_active", uvm_active_passive_enum.UVM_PASSIVE)
        super().build_phase()

    def end_of_elaboration_phase(self) -> None:
        """The agents exist, and have no drivers."""
        super().end_of_elaboration_phase()
        assert not any(agent.driver for agent in (self.env.registers, self.env.port, self.env.link)), "a passive agent drives"

    async def play(self) -> None:
        """Commands into a queue, one fence at the end."""
        env = self.env
        self.bfm.put(mutant=self.config.mutant)
        third_party_slave(env.bus)
        master = third_party_master(env.window)
        for frame in (COMMANDS >> 12, FENCED >> 12):
            env.shadow.grant_kernel(frame)
        await self.bfm.start()

        async def write(register: type, **fields: int) -> None:
            await master.write(register.offset, word_of(register, **fields).to_bytes(8, "little"))  # type: ignore[attr-defined]

        await write(h.CmdqBaseReg, addr=COMMANDS)
        await write(h.CmdqSizeReg, entries=ENTRIES)
        await write(h.IrqEnableReg, fault=1, completion=1, asynchronous=1)
        await write(h.CtrlReg, enable=1)
        count = 3 * ENTRIES
        for number in range(count):
            last = number == count - 1
            fields = {"opcode": h.CmdOp.FENCE if last else h.CmdOp.NOP, "addr": FENCED, "length": 0xF00D}
            env.memory.write(COMMANDS + 64 * (number % ENTRIES), raw_of(line_of(h.Command, **fields)))
            await write(h.CmdqProdReg, index=number + 1)
            for _ in range(PATIENCE):
                answer = await master.read(h.CmdqConsReg.offset, 8)
                if int.from_bytes(answer.data, "little") == number + 1:
                    break
            entry = entry_of(h.Command, env.memory.read(COMMANDS + 64 * (number % ENTRIES), 64))
            assert entry["done"] and entry["status"] == h.CmdStatus.OK, f"command {number} ended as {entry}"
        assert env.memory.read(FENCED, 8) == (0xF00D).to_bytes(8, "little"), "the fence's value is not in memory"
