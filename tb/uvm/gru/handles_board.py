"""Fault handles, fault maps, interrupt lines and context handles against a small reference.

The register bus takes one access at a time, in the order in which requests are taken, and units answer in the next cycle. So what
a read must return is known when it is taken; it is compared when it is answered.

Promises: objects to a fault map, a fault handle or a context handle that reads otherwise than it must, to a line that is down
while its map is not empty or up for nothing, to a drop-in without a miss, to an INTERRUPT that ends with a fault-map miss pending
or, with SYNC, an access in flight, to an access of a context that is not running.
Needs: events in the order of time: `miss`, `done`, `probe`, `line`, `asked`, `answered`, `fill`. `reset` is called in a reset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hwif.fields import Line, new_line
from hwif.gen import gru as g
from hwif.port import LineKind
from tb.uvm.agents.axi.config import MemoryAccess
from tb.uvm.agents.axil.config import RegisterAccess
from tb.uvm.agents.irq.config import IrqChanged
from tb.uvm.gru.translation_board import sideband
from tb.uvm.gru.view import Done, Probe
from tb.uvm.gru.window import place
from tb.uvm.judging import Judging
from tb.uvm.tlb.observed import Asked

__all__ = ["Context", "HandlesBoard", "Miss"]

LATE = 8  # cycles a line may need
RESTARTS = (g.TfhOpc.RESTART, g.TfhOpc.WRITE_RESTART, g.TfhOpc.EXCEPTION)
STARTABLE = (g.CchState.MAPPED, g.CchState.INTERRUPTED)
INTERRUPTS = (g.CchOpc.INTERRUPT, g.CchOpc.INTERRUPT_SYNC)


@dataclass
class Miss:
    """What a fault handle holds. `maybe`: a START under way takes it away."""

    asked: Asked
    kind: g.TfhState
    mod: bool
    maybe: bool = False


@dataclass
class Context:
    """What is known of a context."""

    row: Line = field(default_factory=new_line)
    written: int = 0  # double-words, a bit each
    state: g.CchState = g.CchState.INACTIVE
    cause: int = 0
    failed: bool = False
    command: g.CchOpc | int | None = None
    config: Line = field(default_factory=new_line)  # as it was at START
    units: int = 0
    dsr: int = 0

    def holds(self, cbr: int) -> bool:
        """The control block is one of its own."""
        return bool(self.units >> cbr // g.CBR_AU & 1)


class HandlesBoard(Judging):
    """The reference."""

    on_freed: Callable[[int, list[int]], None]

    def build_phase(self) -> None:
        super().build_phase()
        self.reset()

    def reset(self) -> None:
        """As after power-up."""
        self.contexts = [Context() for _ in range(g.NUM_CTX)]
        self.misses: dict[int, Miss] = {}
        self.commands: dict[int, int] = {}  # control block -> opcode of the fault handle's command under way
        self.maps = [[0, 0] for _ in range(g.NUM_TFM)]  # fault bits, done bits
        self.flying: dict[int, int] = {}  # control block -> context of its access on the bus
        self.interrupting: set[int] = set()  # control blocks whose end sets a done bit
        self._reads: list[tuple[int, Callable[[int], str]]] = []
        self.levels = 0
        self._raised: dict[int, int] = {}  # core -> cycle since which its line has a reason to rise
        self._emptied: dict[int, int] = {}
        self._set_at: dict[int, tuple[int, int]] = {}  # core -> cycle and bit of the latest set

    # ---- what the chip's inside shows -------------------------------------------------------------------------------------------

    def owner(self, cbr: int) -> Context | None:
        """Whose control block it is."""
        return next((context for context in self.contexts if context.holds(cbr)), None)

    def miss(self, cycle: int, asked: Asked, *, mod: bool) -> None:
        """A lookup missed."""
        self.judged(("miss", cycle, asked.cbr, mod))
        context = self.contexts[asked.ctx]
        mapped = bool(g.Cch.tfm_fault_bit_enable.get(context.config))
        self.misses[asked.cbr] = Miss(asked, g.TfhState.MISS_FMM if mapped else g.TfhState.MISS_UPM, mod)
        if self.commands.get(asked.cbr) in RESTARTS:
            self.commands[asked.cbr] = g.TfhOpc.NOOP  # it has acted: the miss is a new one
        if mapped:
            self._set(cycle, g.Cch.tlb_int_select.get(context.config), 0, asked.cbr, bool(g.Cch.tlb_int_enable.get(context.config)))

    def done(self, done: Done) -> None:
        """An instruction ended."""
        self.judged(done)
        if self.commands.get(done.cbr) == g.TfhOpc.EXCEPTION:
            self.misses.pop(done.cbr, None)
        context = self.owner(done.cbr)
        if context is None:
            self.object_at(done.cycle, "context", f"control block {done.cbr} of no context ends an instruction")
            return
        if done.cbr in self.interrupting:
            enabled = g.Cch.cb_int_enable.get(context.config) and g.Cch.tfm_done_bit_enable.get(context.config)
            if enabled:
                self._set(done.cycle, g.Cch.tlb_int_select.get(context.config), 1, done.cbr, True)

    def _set(self, cycle: int, core: int, which: int, cbr: int, interrupt: bool) -> None:
        self.maps[core][which] |= 1 << cbr
        self._set_at[core] = cycle, 1 << cbr
        self._emptied.pop(core, None)
        if interrupt and not self.levels >> core & 1:
            self._raised.setdefault(core, cycle)

    def fill(self, cycle: int, cbr: int) -> None:
        """A drop-in reaches the TLB."""
        if cbr not in self.misses:
            self.object_at(cycle, "drop-in", f"fault handle {cbr} drops in without a miss")

    def probe(self, probe: Probe) -> None:
        """A line was told of."""
        if probe.kind is LineKind.CCH:
            self._settle(self.contexts[probe.index], probe.index)

    def line(self, change: IrqChanged) -> None:
        """An interrupt line changed."""
        self.judged(change)
        core = change.line
        self.levels = self.levels & ~(1 << core) | change.level << core
        faults, dones = self.maps[core]
        if change.level:
            if core not in self._raised:
                self.object_at(change.cycle, "irq", f"line {core} rises without a reason")
            self._raised.pop(core, None)
            return
        at, bit = self._set_at.get(core, (0, 0))
        if (faults | dones) & ~(bit if at >= change.cycle else 0):
            self.object_at(change.cycle, "irq", f"line {core} falls although its map is not empty")

    def began(self, access: MemoryAccess) -> None:
        """An access goes out to memory."""
        who = sideband(access.user)
        self.flying[access.ident] = who.ctx
        context = self.contexts[who.ctx]
        if not context.holds(access.ident):
            self.object_at(access.issued, "context", f"control block {access.ident} is not of context {who.ctx}")

    def ended(self, access: MemoryAccess) -> None:
        """Its response was taken."""
        self.flying.pop(access.ident, None)

    # ---- the register bus -------------------------------------------------------------------------------------------------------

    def asked(self, access: RegisterAccess) -> None:
        """An access is taken: a write acts in the next cycle, what a read must return is known."""
        unit, index, dw = place(access.addr)
        verdict: Callable[[int], str] = _anything
        if access.write:
            if unit and access.whole:
                self._write(unit, index, dw, access)
        elif unit == "tfm":
            verdict = self._map_reads(index, dw)
        elif unit == "tfh":
            verdict = self._fault_reads(index, dw)
        elif unit == "cch":
            verdict = self._context_reads(index, dw)
        if not access.write:
            self._reads.append((access.addr, verdict))

    def answered(self, access: RegisterAccess) -> None:
        """An access has ended."""
        self._look_at_lines(access.cycle)
        if access.write or not self._reads:
            return
        _addr, verdict = self._reads.pop(0)
        if not access.okay:
            return
        text = verdict(access.data)
        if verdict is not _anything:
            self.judged(access)
        if text:
            self.object_at(access.cycle, "handle", f"{access.addr:#x} reads {access.data:#x}: {text}")

    def _look_at_lines(self, cycle: int) -> None:
        for core, since in list(self._raised.items()):
            if cycle - since > LATE:
                del self._raised[core]
                self.object_at(cycle, "irq", f"line {core} has not risen since a bit of its map was set in cycle {since}")
        for core, since in list(self._emptied.items()):
            if cycle - since > LATE:
                del self._emptied[core]
                if self.levels >> core & 1:
                    self.object_at(cycle, "irq", f"line {core} is still up although its map is empty since cycle {since}")

    def _write(self, unit: str, index: int, dw: int, access: RegisterAccess) -> None:
        if unit == "tfm" and dw in (0, 1, 4, 5):
            maps = self.maps[index]
            maps[dw // 4] &= ~(access.data << 64 * (dw % 4))
            if not any(maps):
                self._emptied[index] = access.issued
                self._raised.pop(index, None)
        elif unit == "tfh" and dw == 0 and access.data & 1 and index not in self.commands:
            self.judged(access)
            opc = g.Tfh.opc.of(access.data)
            self.commands[index] = opc
        elif unit == "cch":
            self._context_write(self.contexts[index], dw, access)

    # ---- fault maps and handles -------------------------------------------------------------------------------------------------

    def _map_reads(self, core: int, dw: int) -> Callable[[int], str]:
        if dw not in (0, 1, 4, 5):
            return _equals(0)
        return _equals(self.maps[core][dw // 4] >> 64 * (dw % 4) & (1 << 64) - 1)

    def _fault_reads(self, cbr: int, dw: int) -> Callable[[int], str]:
        miss, command = self.misses.get(cbr), self.commands.get(cbr)
        if dw == 0:
            return lambda word: self._fault_word(cbr, miss, command, word)
        if miss is None or command is not None or miss.maybe:
            return _anything
        if dw == 1:
            return _equals(miss.asked.va)
        if dw == 2:
            return lambda word: "" if word & (1 << g.ASID_WIDTH) - 1 == miss.asked.asid else f"missasid is {miss.asked.asid:#x}"
        return _anything

    def _fault_word(self, cbr: int, miss: Miss | None, command: int | None, word: int) -> str:
        status = g.Tfh.status.of(word)
        if status == g.HandleStatus.ACTIVE:
            return "" if command is not None else "no command is under way"
        changed = self.misses.get(cbr) is not miss  # while the answer was on its way
        if command is not None and self.commands.get(cbr) in (command, g.TfhOpc.NOOP):
            miss = self._commanded(cbr)
        elif command is not None:
            return ""
        if changed or (miss is not None and miss.maybe):
            return ""
        if miss is None:
            idle = (g.TfhState.IDLE, g.TfhState.INACTIVE)
            return "" if status == g.HandleStatus.IDLE and g.Tfh.state.of(word) in idle else "no miss is pending"
        cause = g.TfhCause.TLB_MOD if miss.mod else g.TfhCause.TLB_MISS
        must = (g.HandleStatus.EXCEPTION, miss.kind, cause, miss.asked.ctx)
        read = (status, g.Tfh.state.of(word), g.Tfh.cause.of(word), g.Tfh.ctxnum.of(word))
        return "" if read == must else f"status, state, cause, ctxnum are {must}"

    def _commanded(self, cbr: int) -> Miss | None:
        """Its command has ended: what is left of the miss."""
        opc = self.commands.pop(cbr)
        miss = self.misses.get(cbr)
        if opc in RESTARTS:
            self.misses.pop(cbr, None)
            return None
        if opc == g.TfhOpc.USER_POLLING_MODE and miss is not None:
            miss.kind = g.TfhState.MISS_UPM
        return miss

    # ---- contexts ---------------------------------------------------------------------------------------------------------------

    def _context_write(self, context: Context, dw: int, access: RegisterAccess) -> None:
        if context.command is not None:
            return
        context.row[dw] = access.data
        context.written |= 1 << dw
        if dw == 0 and access.data & 1:
            self.judged(access)
            context.command = g.Cch.opc.get(context.row)
            if context.command in (g.CchOpc.START, g.CchOpc.DEALLOCATE):
                for cbr, miss in self.misses.items():
                    if context.holds(cbr):
                        miss.maybe = True

    def _verdict(self, context: Context, opc: int) -> g.CchCause:
        row, state = context.row, context.state
        bad_map = bool(g.Cch.tlb_int_enable.get(row)) and not g.Cch.tfm_fault_bit_enable.get(row)
        if opc == g.CchOpc.ALLOCATE:
            units, dsr = g.Cch.cbr_allocation_map.get(row), g.Cch.dsr_allocation_map.get(row)
            if state != g.CchState.INACTIVE:
                return g.CchCause.INVALID_ALLOCATION_REQUEST
            if not units:
                return g.CchCause.NO_CBRS_TO_ALLOCATE
            if bad_map:
                return g.CchCause.BAD_TFM_CONFIG
            if any(units & other.units for other in self.contexts):
                return g.CchCause.CBR_RESOURCES_OVERSUBSCRIPED
            if any(dsr & other.dsr for other in self.contexts):
                return g.CchCause.DSR_RESOURCES_OVERSUBSCRIPED
            return g.CchCause.NONE
        if opc == g.CchOpc.START:
            if state not in STARTABLE:
                return g.CchCause.INVALID_START_REQUEST
            return g.CchCause.BAD_TFM_CONFIG if bad_map else g.CchCause.NONE
        if opc in INTERRUPTS:
            return g.CchCause.NONE if state == g.CchState.ACTIVE else g.CchCause.INVALID_INTERRUPT_REQUEST
        if opc == g.CchOpc.DEALLOCATE:
            return g.CchCause.NONE if state in STARTABLE else g.CchCause.INVALID_DEALLOCATION_REQUEST
        return g.CchCause.ILLEGAL_OPCODE

    def _settle(self, context: Context, number: int) -> None:
        """Its command has ended."""
        opc, context.command = context.command, None
        if opc is None:
            return
        verdict = self._verdict(context, opc)
        mine = [cbr for cbr in range(g.NUM_CBR) if context.holds(cbr)]
        if opc == g.CchOpc.DEALLOCATE and verdict is g.CchCause.NONE and any(cbr in self.flying for cbr in mine):
            verdict = g.CchCause.CBR_DEALLOCATION_ERROR
        context.failed, context.cause = verdict is not g.CchCause.NONE, verdict
        if opc in (g.CchOpc.START, g.CchOpc.DEALLOCATE):
            for cbr in mine:
                miss = self.misses.get(cbr)
                if miss is not None and miss.maybe:
                    if context.failed:
                        miss.maybe = False
                    else:
                        del self.misses[cbr]
        if context.failed:
            return
        if opc == g.CchOpc.ALLOCATE:
            context.state = g.CchState.MAPPED
            context.units, context.dsr = g.Cch.cbr_allocation_map.get(context.row), g.Cch.dsr_allocation_map.get(context.row)
        elif opc == g.CchOpc.START:
            context.state, context.config = g.CchState.ACTIVE, list(context.row)
        elif opc == g.CchOpc.DEALLOCATE:
            context.state, context.units, context.dsr = g.CchState.INACTIVE, 0, 0
            self.interrupting -= set(mine)
            self.on_freed(number, mine)
        else:
            context.state = g.CchState.INTERRUPTED
            self._interrupted(number, mine, sync=opc == g.CchOpc.INTERRUPT_SYNC)

    def _interrupted(self, number: int, mine: list[int], *, sync: bool) -> None:
        cycle = max((miss.asked.cycle for miss in self.misses.values()), default=0)
        locked = [cbr for cbr in mine if cbr in self.misses and self.misses[cbr].kind is g.TfhState.MISS_FMM]
        locked = [cbr for cbr in locked if self.commands.get(cbr) not in (*RESTARTS, g.TfhOpc.USER_POLLING_MODE)]
        if locked:
            self.object_at(
                cycle, "lock", f"context {number} is interrupted with a fault-map miss of control block {locked[0]} pending"
            )
        if sync and any(cbr in self.flying for cbr in mine):
            self.object_at(cycle, "sync", f"context {number} is interrupted and synchronised with an access in flight")

    def _context_reads(self, number: int, dw: int) -> Callable[[int], str]:
        context = self.contexts[number]
        if dw:
            return _equals(context.row[dw]) if context.written >> dw & 1 else _anything
        pending = context.command is not None
        status = g.HandleStatus.EXCEPTION if context.failed else g.HandleStatus.IDLE
        must = (status, context.state, context.cause if context.failed else 0)

        def verdict(word: int) -> str:
            read = (g.Cch.status.of(word), g.Cch.state.of(word), g.Cch.cause.of(word))
            if pending:
                return "" if read[0] == g.HandleStatus.ACTIVE else self._early(context, read)
            return "" if read == must else f"status, state, cause are {must}"

        return verdict

    def _early(self, context: Context, read: tuple[int, int, int]) -> str:
        """The command ended between the probe and the read."""
        if context.command is not None:
            return ""
        status = g.HandleStatus.EXCEPTION if context.failed else g.HandleStatus.IDLE
        must = (status, context.state, context.cause if context.failed else 0)
        return "" if read == must else f"status, state, cause are {must}"


def _anything(_word: int) -> str:
    return ""


def _equals(must: int) -> Callable[[int], str]:
    return lambda word: "" if word == must else f"it is {must:#x}"
