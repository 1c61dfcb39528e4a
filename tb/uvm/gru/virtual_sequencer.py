"""The virtual sequencer: what the chip's sequences need, in one place."""

from __future__ import annotations

from typing import Any

from pyuvm import uvm_sequencer

from tb.uvm.gru.config import ChipConfig
from tb.uvm.gru.view import ProbeMonitor

__all__ = ["VirtualSequencer"]


class VirtualSequencer(uvm_sequencer):
    """The environment connects it."""

    registers: uvm_sequencer | None  # None: the agent is passive
    config: ChipConfig
    probes: ProbeMonitor
    env: Any

    def connect(self, env: Any) -> None:
        """Take what sequences want from the environment."""
        self.env = env
        self.registers = env.registers.sequencer
        self.config = env.config
        self.probes = env.probes
