"""The handles beside their references, and which situations they have been in (tb/block/points_gru.py).

Promises: `cycle` runs one clock cycle and raises `MismatchError` when an output differs from what the references expect; every
output that means something is compared in every cycle. `tally` counts, `digest` names all that was compared, in order.
Costs: some 60 us a cycle.
"""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

from hwif.gen.gru import NUM_TGH, Tfh, Tgh
from tb.block.points_gru import (
    HANDLES,
    HANDLES_RESET,
    TFH_COMMAND,
    TFH_FILL,
    TFH_RACE,
    TFM_EVENT,
    TFM_LINE,
    TGH_EDGE,
    TGH_START,
    opcode,
)
from tb.gru_handles.bench import Handles
from tb.gru_handles.fault_handles import FaultHandles, Stage
from tb.gru_handles.fault_maps import FaultMaps
from tb.gru_handles.inputs import HALF, Cycle, Reg, Unit
from tb.gru_handles.shoot_handles import Order, ShootHandles
from tb.plan.cover import CoverGroup, Tally
from tb.tlb.checked import ALL_PAGES, SCOPE_ASID, SCOPE_CTX, SCOPE_RANGE, MismatchError

__all__ = ["WatchedHandles"]

SCOPES = {SCOPE_RANGE: "range", SCOPE_ASID: "asid", SCOPE_CTX: "ctx"}
ALL_HANDLES = (1 << NUM_TGH) - 1


class WatchedHandles:
    """One set of handles under test."""

    def __init__(self, mutant: int = 0, seed: int = 1) -> None:
        self.dut = Handles(mutant, seed)
        self.tfh, self.tfm, self.tgh = FaultHandles(), FaultMaps(), ShootHandles()
        self.tally = Tally(HANDLES)
        self.now = self.items = 0
        self._digest = hashlib.blake2b(digest_size=8)
        self._ran = False  # the command whose turn it is had it in the cycle before
        self._restarted = False  # the context of the drop-in on its way started over
        self._cleared = -1  # core whose map was written in the cycle before

    @property
    def digest(self) -> str:
        """Of what was compared."""
        return self._digest.hexdigest()

    def hit(self, group: CoverGroup, name: str, when: bool = True) -> None:
        """A bin once more."""
        if when:
            self.tally.hit(group, name)

    def cycle(self, cycle: Cycle) -> SimpleNamespace:
        """One clock cycle."""
        out = self.dut.step(**cycle.pins())
        for part in (self.tfh, self.tfm, self.tgh):
            for name, value in part.expect(cycle).items():
                if getattr(out, name) != value:
                    raise MismatchError(f"cycle {self.now}: {name}_o {getattr(out, name):#x}, expected {value:#x}")
                self._digest.update(f"{name} {value} ".encode())
        self.items += bool(cycle.reg or cycle.park or cycle.done or cycle.fill_done is not None or cycle.shoot_done)
        self._count(cycle)
        self.tfh.clock(cycle)
        self.tfm.clock(cycle)
        self.tgh.clock(cycle)
        self.now += 1
        return out

    def reset(self) -> None:
        """In the middle."""
        tfh, tgh = self.tfh, self.tgh
        self.hit(HANDLES_RESET, "command waiting", bool(tfh.pend))
        self.hit(HANDLES_RESET, "drop-in offered", tfh.running_fill)
        self.hit(HANDLES_RESET, "drop-in on its way", tfh.stage is Stage.FILL)
        self.hit(HANDLES_RESET, "miss pending", bool(tfh.missing))
        self.hit(HANDLES_RESET, "line up", bool(self.tfm.irq))
        self.hit(HANDLES_RESET, "shootdown offered", tgh.out is not None)
        self.hit(HANDLES_RESET, "shootdown draining", bool(tgh.wait))
        self.hit(HANDLES_RESET, "probe owed", bool(tfh.snoop or tgh.snoop))
        self.dut.step(reset=1)
        self.now += 1
        for part in (tfh, self.tfm, tgh):
            part.reset()
        self._ran, self._cleared = False, -1

    # ---- what the cycle shows, before it ends --------------------------------------------------------------------------------

    def _count(self, cycle: Cycle) -> None:
        self._turn(cycle)
        self._contexts(cycle)
        if cycle.fill_done is not None:
            self._filled(cycle.fill_done)
        self._events(cycle)
        self._line(cycle)
        self._shoots(cycle)
        reg = cycle.reg
        if reg and reg.write is not None and reg.unit is Unit.TFH:
            self._command(reg, reg.write, cycle)
        if reg and reg.write is not None and reg.unit is Unit.TGH:
            self._start(reg, reg.write, cycle)

    def _race(self, idx: int, what: str) -> None:
        if idx in self.tfh.opcodes:
            self.hit(TFH_RACE, f"{opcode(self.tfh.opcodes[idx])}, {what}")

    def _turn(self, cycle: Cycle) -> None:
        tfh, here = self.tfh, self.tfh.stage is Stage.RUN
        if here and not self._ran:
            fmm, upm = tfh.fmm >> tfh.current & 1, tfh.upm >> tfh.current & 1
            state = "miss in the fault map" if fmm else "miss of the user" if upm else "no miss"
            self.hit(TFH_COMMAND, f"{opcode(tfh.opcodes[tfh.current])}, {state}")
            self._restarted = False
        self._ran = here

    def _contexts(self, cycle: Cycle) -> None:
        tfh = self.tfh
        for mask, what in ((cycle.restart, "started over"), (cycle.gone, "deallocated")):
            for idx in range(128) if mask & tfh.pend else ():
                if mask & tfh.pend >> idx & 1:
                    self._race(idx, f"context {what} before its turn")
        over = bool(cycle.restart >> tfh.current & 1)
        if over and tfh.stage is Stage.RUN:
            self._race(tfh.current, "context started over in its turn")
        if (cycle.restart | cycle.gone) >> tfh.current & 1 and tfh.stage is not Stage.IDLE:
            self._restarted = True

    def _filled(self, dropped: bool) -> None:
        tfh = self.tfh
        here = bool(tfh.missing >> tfh.current & 1)
        meanwhile = "context started over" if not here else "missed again" if self._restarted else "miss still there"
        self.hit(TFH_FILL, f"{opcode(tfh.opcodes[tfh.current])}, {'dropped' if dropped else 'entered'}, {meanwhile}")

    def _command(self, reg: Reg, word: int, cycle: Cycle) -> None:
        tfh = self.tfh
        if tfh.active >> reg.idx & 1:
            self._race(reg.idx, "written to while active")
        elif reg.dw == 0 and Tfh.cmd.of(word):
            name = opcode(Tfh.opc.of(word))
            self.hit(TFH_RACE, f"{name}, misses in the cycle it is written", cycle.park is not None and cycle.park.cbr == reg.idx)
            self.hit(TFH_RACE, f"{name}, waits behind others", tfh.stage is not Stage.IDLE or bool(tfh.pend))

    def _bit(self, cycle: Cycle, core: int, bit: int, now: int) -> str:
        """What stands or happens at a bit of a core's map; the done bits come after the fault bits."""
        reg = cycle.reg
        if reg and reg.unit is Unit.TFM and reg.write is not None and reg.idx % 16 == core:
            dw = 4 * (bit >= 2 * HALF) + bit // HALF % 2
            if reg.dw == dw and reg.write >> bit % HALF & 1:
                return "bit written one in the cycle"
        return "bit was set" if now >> bit & 1 else "bit was clear"

    def _events(self, cycle: Cycle) -> None:
        park, done, tfm = cycle.park, cycle.done, self.tfm
        if park:
            kind = "neither" if not park.fault_bit else "bit and line" if park.interrupt else "bit alone"
            self.hit(TFM_EVENT, f"fault, {kind}, {self._bit(cycle, park.core, park.cbr, tfm.bits(park.core))}")
        if done:
            kind = "bit and line" if done.interrupt and done.bit else "neither"
            self.hit(TFM_EVENT, f"done, {kind}, {self._bit(cycle, done.core, 2 * HALF + done.cbr, tfm.bits(done.core))}")
            both = park is not None and park.fault_bit and park.core == done.core and done.interrupt and done.bit
            self.hit(TFM_LINE, "two events of one core in a cycle", both)

    def _line(self, cycle: Cycle) -> None:
        tfm, core = self.tfm, self._cleared
        rises = {event.core for event in self._lines(cycle)}
        if core >= 0 and tfm.irq >> core & 1:
            fault, done = tfm.fault[core], tfm.done[core]
            self.hit(TFM_LINE, "falls with the last bit", not fault and not done and core not in rises)
            self.hit(TFM_LINE, "rises in the cycle it would fall", not fault and not done and core in rises)
            self.hit(TFM_LINE, "stays for a fault bit", bool(fault))
            self.hit(TFM_LINE, "stays for a done bit", bool(done) and not fault)
        reg = cycle.reg
        wrote = reg is not None and reg.unit is Unit.TFM and reg.write is not None
        self._cleared = reg.idx % 16 if wrote and reg else -1
        if wrote and reg and reg.write is not None and reg.idx % 16 in rises:
            at = HALF * (reg.dw & 1) + 2 * HALF * (reg.dw >= 4)
            self.hit(TFM_LINE, "stays for a bit set in the cycle", not tfm.bits(reg.idx % 16) & ~(reg.write << at))

    @staticmethod
    def _lines(cycle: Cycle) -> list[SimpleNamespace]:
        park, done = cycle.park, cycle.done
        found = [SimpleNamespace(core=park.core)] if park and park.fault_bit and park.interrupt else []
        return found + ([SimpleNamespace(core=done.core)] if done and done.interrupt and done.bit else [])

    def _shoots(self, cycle: Cycle) -> None:
        tgh = self.tgh
        taken = 1 << tgh.out.tgh if tgh.out and cycle.shoot_ready else 0
        self.hit(TGH_EDGE, "drained in the accepting cycle", bool(cycle.shoot_done & taken))
        self.hit(TGH_EDGE, "several drained in a cycle", cycle.shoot_done.bit_count() > 1)
        self.hit(TGH_EDGE, "every handle active", tgh.active == ALL_HANDLES)

    def _start(self, reg: Reg, word: int, cycle: Cycle) -> None:
        tgh = self.tgh
        if tgh.active >> reg.idx & 1:
            self.hit(TGH_EDGE, "written to while active")
            return
        if reg.dw != 0 or not Tgh.cmd.of(word):
            return
        order = Order.of(reg.idx, tgh.words[reg.idx])
        kind = SCOPES[order.scope] if Tgh.opc.of(word) else "nop"
        if tgh.pend.bit_count() > 1:
            busy = "several queue"
        elif tgh.out:
            busy = "one offered" if cycle.shoot_ready else "offered and refused"
        else:
            busy = "others drain" if tgh.wait and not tgh.pend else "port idle"
        self.hit(TGH_START, f"{kind}, {busy}")
        self.hit(TGH_EDGE, "every context", kind == "ctx" and order.ctxbitmap == (1 << 16) - 1)
        if kind == "range":
            self.hit(TGH_EDGE, "clamped at the last page", order.clamped)
            self.hit(TGH_EDGE, "first page", order.first == 0)
            self.hit(TGH_EDGE, "asid 0", order.asid == 0)
            self.hit(TGH_EDGE, "one page", order.first == order.last)
            self.hit(TGH_EDGE, "large pages", order.pagesize > 0)
            self.hit(TGH_EDGE, "mask in use", order.mask != ALL_PAGES)
