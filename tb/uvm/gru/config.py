"""What the environment of the chip is told: one object, made by the test before the environment is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tb.uvm.agents.axi.config import MemoryConfig, memory_pins
from tb.uvm.agents.axi.memory import SparseMemory
from tb.uvm.agents.axil.config import RegisterConfig, register_pins
from tb.uvm.agents.clocking import Clocking
from tb.uvm.agents.irq.config import IrqConfig
from tb.uvm.gru.spaces import Spaces
from tb.uvm.gru.view import ChipView

__all__ = ["ChipConfig"]


@dataclass
class ChipConfig:
    """One chip. `seed`: what every stream of random numbers is named after."""

    dut: Any
    seed: str
    clocking: Clocking = field(init=False)
    view: ChipView = field(init=False)
    registers: RegisterConfig = field(init=False)
    memory: MemoryConfig = field(init=False)
    irq: IrqConfig = field(init=False)
    spaces: Spaces = field(init=False)

    def __post_init__(self) -> None:
        dut = self.dut
        self.clocking = Clocking(dut.clk_i, dut.rst_ni)
        self.view = ChipView(dut, self.clocking)
        self.registers = RegisterConfig(register_pins(dut, "s_axil"), self.clocking)
        store = SparseMemory(self.seed)
        self.memory = MemoryConfig(memory_pins(dut, "m_axi"), self.clocking, store, self.seed)
        self.irq = IrqConfig(dut.irq_o, self.clocking)
        self.spaces = Spaces(store)
