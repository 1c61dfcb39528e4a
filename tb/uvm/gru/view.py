"""What the chip's test top shows of its inside: the ports of the TLB, for the TLB's own monitors, and the coherence probes.

Promises: `ChipView` looks to those monitors like the clock and the pins of a TLB (tb/uvm/tlb/bfm.py), but lets them wait until
there is something to see. `ProbeMonitor` publishes a Probe a line told and a Done an instruction ended, sets the line's event,
and checks that a chip that calls itself quiescent is.
Needs: gru_uvm_tb; a ProbeMonitor that runs, for the view's sake too.
Costs: one read a quiet cycle for all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cocotb.triggers import ClockCycles, Event, FallingEdge
from pyuvm import ConfigDB, uvm_analysis_port, uvm_monitor

from hwif.port import LineKind
from tb.uvm.agents.clocking import Clocking

__all__ = ["ChipView", "Done", "Probe", "ProbeMonitor"]

STROBES = [
    "lkp_valid",
    "lkp_ready",
    "rsp_valid",
    "use",
    "fill_valid",
    "fill_ready",
    "fill_done",
    "shoot_valid",
    "shoot_ready",
    "shoot_done",
    "cb",
    "tfh",
    "tgh",
    "cch",
    "quiescent",
    "done",
]
BIT = {name: bit for bit, name in enumerate(STROBES)}
TLB_ACTIVE = sum(
    1 << BIT[name] for name in ["lkp_valid", "rsp_valid", "use", "fill_valid", "fill_done", "shoot_valid", "shoot_done"]
)
LINES = (LineKind.CB, LineKind.TFH, LineKind.TGH, LineKind.CCH)  # the order of their strobes
REGISTERED = TLB_ACTIVE & ~(1 << BIT["use"])  # the end of an access shows at once
PROBED = sum(1 << BIT[kind.name.lower()] for kind in LINES)


@dataclass(frozen=True)
class Probe:
    """The chip says that a line a processor may hold has changed."""

    cycle: int
    kind: LineKind
    index: int


@dataclass(frozen=True)
class Done:
    """An instruction has ended."""

    cycle: int
    cbr: int
    istatus: int
    ecause: int


class ChipView:
    """The TLB inside the chip, as its monitors want to see it."""

    def __init__(self, dut: Any, clocking: Clocking) -> None:
        self.dut = dut
        self.clocking = clocking
        self.ready = clocking.ready
        self.strobes = 0
        self.active = Event()
        self._handles: dict[str, Any] = {}

    def sample(self) -> Any:
        """Awaitable: a cycle has settled in which something crosses a port of the TLB."""
        return self.active.wait()

    def drive(self) -> Any:
        """Awaitable: the next cycle begins."""
        return self.clocking.edge

    async def wait(self, cycles: int) -> None:
        """That many cycles."""
        await ClockCycles(self.clocking.clock, cycles)

    @property
    def cycle(self) -> int:
        """Present cycle."""
        return self.clocking.cycle

    def pin(self, name: str) -> int:
        """Of the TLB."""
        bit = BIT.get(name)
        if bit is not None and name != "shoot_done":
            return self.strobes >> bit & 1
        if name == "use_valid" and not self.strobes >> BIT["use"] & 1:
            return 0
        if name == "shoot_done" and not self.strobes >> BIT["shoot_done"] & 1:
            return 0
        handle = self._handles.get(name)
        if handle is None:
            handle = self._handles[name] = getattr(self.dut, f"tlb_{name}_o")
        return int(handle.value)

    get = pin


class ProbeMonitor(uvm_monitor):
    """Wakes everything that looks at the chip's inside."""

    def build_phase(self) -> None:
        super().build_phase()
        self.view: ChipView = ConfigDB().get(self, "", "view")
        self.ap = uvm_analysis_port("ap", self)
        self.changed: dict[tuple[LineKind, int], Event] = {}

    def event(self, kind: LineKind, index: int) -> Event:
        """Set when the line is told of; whoever waits clears it before."""
        found = self.changed.get((kind, index))
        if found is None:
            found = self.changed[kind, index] = Event()
        return found

    async def run_phase(self) -> None:
        view, clocking, dut = self.view, self.view.clocking, self.view.dut
        strobes_pin, falling = dut.strobes_o, FallingEdge(clocking.clock)
        indices = [getattr(dut, f"snoop_{kind.name.lower()}_o") for kind in LINES]
        axil = [dut.s_axil_awvalid, dut.s_axil_wvalid, dut.s_axil_arvalid]
        inputs = [*axil, dut.m_axi_rvalid, dut.m_axi_bvalid, dut.s_axil_bvalid, dut.s_axil_rvalid]
        outputs = [dut.m_axi_arvalid, dut.m_axi_awvalid, dut.m_axi_wvalid, dut.irq_o]
        still: list[int] | None = None  # outputs in the cycle before, when nothing could move
        await clocking.ready.wait()
        while True:
            await falling
            if clocking.in_reset:
                still = None
                continue
            strobes = view.strobes = int(strobes_pin.value)
            if still is not None and (strobes & (PROBED | REGISTERED) or [int(pin.value) for pin in outputs] != still):
                self.logger.error("quiescent_o was high and nothing came in, and yet something moves")
            still = None
            if strobes & TLB_ACTIVE:
                view.active.set()
                view.active.clear()
            if strobes >> BIT["done"] & 1:
                done = Done(clocking.cycle, int(dut.done_cbr_o.value), int(dut.done_istatus_o.value), int(dut.done_ecause_o.value))
                self.ap.write(done)
            if strobes & PROBED:
                for kind, index in zip(LINES, indices):
                    if strobes >> BIT[kind.name.lower()] & 1:
                        number = int(index.value)
                        self.event(kind, number).set()
                        self.ap.write(Probe(clocking.cycle, kind, number))
            if strobes >> BIT["quiescent"] & 1:
                await clocking.edge  # inputs may change at any time before it
                if int(strobes_pin.value) >> BIT["quiescent"] & 1 and not any(int(pin.value) for pin in inputs):
                    seen = [int(pin.value) for pin in outputs]
                    if not any(seen[:3]):  # what is offered may be taken
                        still = seen
