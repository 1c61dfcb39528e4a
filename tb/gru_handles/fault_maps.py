"""What fault maps and interrupt lines do, as a reference to the cycle."""

from __future__ import annotations

from hwif.gen.gru import NUM_IRQ
from tb.gru_handles.inputs import HALF, HALF_MASK, Cycle, Reg, Unit

__all__ = ["FaultMaps"]

FAULT_WORDS, DONE_WORDS = (0, 1), (4, 5)


class FaultMaps:
    """A map of faults and one of ended instructions for each core, and its line."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """All clear."""
        self.fault = [0] * NUM_IRQ
        self.done = [0] * NUM_IRQ
        self.irq = 0
        self.written = False  # in the cycle before: lines may have to fall

    def bits(self, core: int) -> int:
        """The core's whole map."""
        return self.fault[core] | self.done[core] << 2 * HALF

    def expect(self, cycle: Cycle) -> dict[str, int]:
        """Outputs of the cycle."""
        out = {"irq": self.irq, "tfm_busy": int(self.written)}
        if cycle.reg and cycle.reg.unit is Unit.TFM:
            out["reg_rdata"] = self.word(cycle.reg)
        return out

    def word(self, reg: Reg) -> int:
        """A double-word of a map, as it stands."""
        core = reg.idx % NUM_IRQ
        bits = self.fault[core] if reg.dw in FAULT_WORDS else self.done[core] if reg.dw in DONE_WORDS else 0
        return bits >> HALF * (reg.dw & 1) & HALF_MASK

    def clock(self, cycle: Cycle) -> None:
        """The cycle ends: what the device sets wins against what a processor clears."""
        fallen = sum(1 << core for core in range(NUM_IRQ) if not self.bits(core)) if self.written else 0
        self.irq &= ~fallen
        reg, park, done = cycle.reg, cycle.park, cycle.done
        self.written = reg is not None and reg.unit is Unit.TFM and reg.write is not None
        if self.written and reg and reg.write is not None:
            core, cleared = reg.idx % NUM_IRQ, reg.write << HALF * (reg.dw & 1)
            if reg.dw in FAULT_WORDS:
                self.fault[core] &= ~cleared
            elif reg.dw in DONE_WORDS:
                self.done[core] &= ~cleared
        if park and park.fault_bit:
            self.fault[park.core] |= 1 << park.cbr
            if park.interrupt:
                self.irq |= 1 << park.core
        if done and done.interrupt and done.bit:
            self.done[done.core] |= 1 << done.cbr
            self.irq |= 1 << done.core
