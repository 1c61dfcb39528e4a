"""Watches interrupt lines.

Promises: `ap` gets every change, lines of one cycle ascending; `levels` is what they are now, and `changed` is set at each change.
Needs: "config" in the ConfigDB.
Costs: Python sleeps while nothing changes.
"""

from __future__ import annotations

from cocotb.triggers import Event, ValueChange
from pyuvm import ConfigDB, uvm_analysis_port, uvm_monitor

from tb.uvm.agents.irq.config import IrqChanged, IrqConfig

__all__ = ["IrqMonitor"]


class IrqMonitor(uvm_monitor):
    """Of one vector."""

    def build_phase(self) -> None:
        super().build_phase()
        self._config: IrqConfig = ConfigDB().get(self, "", "config")
        self.ap = uvm_analysis_port("ap", self)
        self.levels = 0
        self.changed = Event()

    async def run_phase(self) -> None:
        lines, clocking = self._config.lines, self._config.clocking
        change = ValueChange(lines)
        await clocking.ready.wait()
        while True:
            now = int(lines.value)
            different, self.levels = now ^ self.levels, now
            for line in range(different.bit_length()):
                if different >> line & 1:
                    self.ap.write(IrqChanged(clocking.cycle, line, now >> line & 1))
            if different:
                self.changed.set()
                self.changed.clear()
            await change
