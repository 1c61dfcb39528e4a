"""What the fault handles do, as a reference to the cycle: `expect` says the outputs of a cycle, `clock` ends it.

A value that nothing has defined yet is None: memories of the RTL are not reset.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hwif.fields import WORD_MASK, Field
from hwif.gen.gru import HandleStatus, Tfh, TfhCause, TfhOpc, TfhState
from tb.gru_handles.inputs import HALF, HALF_MASK, Cycle, Park, Reg, Unit

__all__ = ["WRITES", "FaultHandles", "Stage", "lowest"]

WRITES = (TfhOpc.WRITE_ONLY, TfhOpc.WRITE_RESTART)
FILL_WORDS = (2, 3, 4)
MISS_FIELDS = (Tfh.cb_int, Tfh.indexway, Tfh.ctxnum)


def lowest(bits: int) -> int:
    """The lowest bit set, alone."""
    return bits & -bits


class Stage(Enum):
    """Of the command whose turn it is."""

    IDLE = "idle"
    RUN = "run"
    FILL = "drop-in on its way"


def _mask(*fields: Field) -> int:
    """Their bits, in their double-word."""
    return sum((1 << field.width) - 1 << field.lsb % 64 for field in fields)


FILL_MASK = {
    2: _mask(Tfh.fillasid, Tfh.dirty, Tfh.gaa),
    3: _mask(Tfh.pfn, Tfh.pagesize),
    4: WORD_MASK,
}


@dataclass
class FaultHandles:
    """128 of them."""

    now_alloc: int = 0

    def __post_init__(self) -> None:
        self.opcodes: dict[int, int] = {}
        self.words: dict[int, dict[int, int]] = {}  # handle -> double-word -> what was written
        self.misses: dict[int, Park] = {}  # the latest of each
        self.reset()

    def reset(self) -> None:
        """Memories keep their contents."""
        self.fmm = self.upm = self.delresp = self.active = 0
        self.pend = self.batch = self.snoop = 0
        self.stage = Stage.IDLE
        self.current = 0
        self.asked = False

    @property
    def missing(self) -> int:
        """Control blocks that wait for an answer to their miss."""
        return self.fmm | self.upm

    @property
    def running_fill(self) -> bool:
        """A drop-in is offered."""
        here = self.stage is Stage.RUN and (bool(self.missing >> self.current & 1) or self.asked)
        return here and self.opcodes.get(self.current) in WRITES

    def expect(self, cycle: Cycle) -> dict[str, int]:
        """Outputs of the cycle that mean something in it."""
        here, opcode = bool(self.missing >> self.current & 1), self.opcodes.get(self.current)
        running = self.stage is Stage.RUN and (here or self.asked)
        filled = self.stage is Stage.FILL and cycle.fill_done is not None
        out = {"fmm0": self.fmm & HALF_MASK, "fmm1": self.fmm >> HALF, "upm0": self.upm & HALF_MASK, "upm1": self.upm >> HALF}
        out |= {"fill_valid": int(self.running_fill), "exc_valid": int(running and opcode == TfhOpc.EXCEPTION)}
        restart = (self.stage is Stage.RUN and opcode == TfhOpc.RESTART) or (filled and opcode == TfhOpc.WRITE_RESTART)
        out["resume"] = int(here and restart)
        out["to_upm"] = int(running and opcode == TfhOpc.USER_POLLING_MODE and bool(self.fmm >> self.current & 1))
        out["tlb_inval"] = int(filled and bool(cycle.fill_done))
        out["cmd_cbr"] = self.current
        out["tfh_snoop"] = int(self.snoop != 0)
        out["tfh_snoop_idx"] = lowest(self.snoop).bit_length() - 1 if self.snoop else 0
        out["tfh_busy"] = int(self.stage is not Stage.IDLE or bool(self.pend) or bool(self.snoop))
        if self.running_fill:
            out |= self._fill()
        if cycle.reg and cycle.reg.unit is Unit.TFH:
            out |= self._read(cycle.reg, cycle.alloc)
        return out

    def _fill(self) -> dict[str, int]:
        miss, words = self.misses[self.current], self.words.get(self.current, {})
        out = {"fill_cbr": self.current, "fill_ctx": miss.ctx, "fill_indexway": miss.indexway}
        names = {
            2: {"fill_asid": Tfh.fillasid, "fill_dirty": Tfh.dirty, "fill_gaa": Tfh.gaa},
            3: {"fill_pfn": Tfh.pfn, "fill_pagesize": Tfh.pagesize},
            4: {"fill_va": Tfh.fillvaddr},
        }
        for dw, fields in names.items():
            if dw in words:
                out |= {name: field.of(words[dw]) for name, field in fields.items()}
        return out

    def state(self, idx: int, alloc: int) -> TfhState:
        """As the handle shows it."""
        if self.stage is Stage.FILL and self.current == idx:
            return TfhState.WRITE_TLB
        if self.fmm >> idx & 1:
            return TfhState.MISS_FMM
        if self.upm >> idx & 1:
            return TfhState.MISS_UPM
        return TfhState.IDLE if alloc >> idx & 1 else TfhState.INACTIVE

    def _read(self, reg: Reg, alloc: int) -> dict[str, int]:
        """What a read gives, if all of the double-word has been defined."""
        idx, miss = reg.idx, self.misses.get(reg.idx)
        words, missing = self.words.get(idx, {}), bool(self.missing >> idx & 1)
        line = [0] * 8
        if reg.dw == 0:
            if miss is None or idx not in self.opcodes:
                return {}
            active = bool(self.active >> idx & 1)
            status = HandleStatus.ACTIVE if active else HandleStatus.EXCEPTION if missing else HandleStatus.IDLE
            cause = TfhCause.NONE if not missing else TfhCause.TLB_MOD if miss.mod else TfhCause.TLB_MISS
            for field, value in (
                (Tfh.cmd, int(active)),
                (Tfh.delresp, self.delresp >> idx & 1),
                (Tfh.opc, self.opcodes[idx]),
                (Tfh.status, status),
                (Tfh.state, self.state(idx, alloc)),
                (Tfh.cause, cause),
                (Tfh.cb_int, int(miss.ima_int)),
                (Tfh.indexway, miss.indexway),
                (Tfh.ctxnum, miss.ctx),
            ):
                field.put(line, value)
        elif reg.dw == 1:
            if miss is None:
                return {}
            line[1] = miss.va
        elif reg.dw in FILL_WORDS:
            if reg.dw not in words or (reg.dw == 2 and miss is None):
                return {}
            line[reg.dw] = words[reg.dw] & FILL_MASK[reg.dw]
            if reg.dw == 2 and miss:
                Tfh.missasid.put(line, miss.asid)
        return {"reg_rdata": line[reg.dw]}

    def clock(self, cycle: Cycle) -> int | None:
        """The cycle ends. The handle whose command is over, if one is."""
        out = self.expect(cycle)
        bit = 1 << self.current
        finish = cycle.fill_done is not None
        if self.stage is not Stage.FILL:
            finish = self.stage is Stage.RUN and (cycle.exc_ready if out["exc_valid"] else not out["fill_valid"])
        ended = self.current if finish else None
        self.asked = bool(out["fill_valid"]) and not cycle.fill_ready
        mask = cycle.restart | cycle.gone
        fmm, upm = self.fmm & ~mask, self.upm & ~mask
        if out["resume"] or (out["exc_valid"] and cycle.exc_ready):
            fmm, upm = fmm & ~bit, upm & ~bit
        if out["to_upm"]:
            fmm, upm = fmm & ~bit, upm | bit
        self.snoop &= ~lowest(self.snoop)
        self._sequence(cycle, bool(out["fill_valid"]))
        if finish:
            self.stage = Stage.IDLE
            self.active &= ~bit
            self.snoop |= bit
        if cycle.park:
            miss = 1 << cycle.park.cbr
            self.snoop |= miss
            self.misses[cycle.park.cbr] = cycle.park
            fmm, upm = (fmm | miss, upm & ~miss) if cycle.park.fault_bit else (fmm & ~miss, upm | miss)
        self.fmm, self.upm = fmm, upm
        return ended

    def _sequence(self, cycle: Cycle, filling: bool) -> None:
        """Commands are written, and the next has its turn: those that waited when the last batch began, lowest number first."""
        idle, pend = self.stage is Stage.IDLE, self.pend
        started = self._written(cycle.reg)
        if idle and pend:
            candidates = pend & self.batch or pend
            self.current = lowest(candidates).bit_length() - 1
            self.stage = Stage.RUN
            self.pend &= ~lowest(candidates)
            self.batch = candidates & ~lowest(candidates)
        elif idle and started is not None:
            self.current, self.stage = started, Stage.RUN
            started = None
        elif self.stage is Stage.RUN and filling and cycle.fill_ready:
            self.stage = Stage.FILL
        if started is not None:
            self.pend |= 1 << started

    def _written(self, reg: Reg | None) -> int | None:
        """A register write; the handle whose command it starts."""
        if reg is None or reg.unit is not Unit.TFH or reg.write is None:
            return None
        idx, bit, word = reg.idx, 1 << reg.idx, reg.write
        if reg.dw == 0:
            self.delresp = self.delresp & ~bit | bit * Tfh.delresp.of(word)
        if self.active & bit:
            return None
        if reg.dw in FILL_WORDS:
            self.words.setdefault(idx, {})[reg.dw] = word
        if reg.dw == 0:
            self.opcodes[idx] = Tfh.opc.of(word)
            if Tfh.cmd.of(word):
                self.active |= bit
                return idx
        return None
