"""What the shootdown handles do, as a reference to the cycle."""

from __future__ import annotations

from dataclasses import dataclass

from hwif.gen.gru import INVAL_ALL_N, NUM_TGH, PAGE_SHIFT, PAGE_SHIFTS, HandleStatus, Tgh, TghState
from tb.gru_handles.fault_handles import lowest
from tb.gru_handles.inputs import Cycle, Reg, Unit
from tb.tlb.checked import ALL_PAGES, SCOPE_ASID, SCOPE_CTX, SCOPE_RANGE

__all__ = ["Order", "ShootHandles"]

WORDS = (1, 2, 3, 4)


@dataclass(frozen=True)
class Order:
    """What a handle's words ask of the TLB."""

    tgh: int
    scope: int
    asid: int
    first: int
    last: int
    mask: int
    ctxbitmap: int
    clamped: bool
    pagesize: int

    @classmethod
    def of(cls, tgh: int, words: dict[int, int]) -> Order:
        """From the double-words."""
        n, size = Tgh.n.of(words[3]), Tgh.pagesize.of(words[2])
        mask = ALL_PAGES >> Tgh.vaddrmask.width << Tgh.vaddrmask.width | Tgh.vaddrmask.of(words[3])
        first = words[1] >> PAGE_SHIFT & mask
        last = first + (n + 1 << PAGE_SHIFTS[min(size, max(PAGE_SHIFTS))] - PAGE_SHIFT) - 1
        scope = SCOPE_CTX if Tgh.is_global.of(words[2]) else SCOPE_ASID if n == INVAL_ALL_N else SCOPE_RANGE
        end = min(last, ALL_PAGES)
        return cls(tgh, scope, Tgh.asid.of(words[2]), first, end, mask, Tgh.ctxbitmap.of(words[4]), last > ALL_PAGES, size)


class ShootHandles:
    """24 of them."""

    def __init__(self) -> None:
        self.words: list[dict[int, int]] = [{} for _ in range(NUM_TGH)]
        self.reset()

    def reset(self) -> None:
        """Memories keep their contents."""
        self.delresp = self.opcode = self.pend = self.wait = self.batch = self.snoop = 0
        self.out: Order | None = None

    @property
    def active(self) -> int:
        """Handles with a command."""
        return self.pend | self.wait

    def _candidates(self) -> int:
        found = self.pend & self.batch or self.pend
        return found & ~(1 << self.out.tgh) if self.out else found

    def expect(self, cycle: Cycle) -> dict[str, int]:
        """Outputs of the cycle that mean something in it."""
        out = {"shoot_valid": int(self.out is not None), "tgh_snoop": int(self.snoop != 0)}
        out["tgh_busy"] = int(self.out is not None or bool(self._candidates()) or bool(self.snoop))
        if self.snoop:
            out["tgh_snoop_idx"] = lowest(self.snoop).bit_length() - 1
        if self.out:
            names = ("tgh", "scope", "asid", "first", "last", "mask", "ctxbitmap")
            out |= {f"shoot_{name}": getattr(self.out, name) for name in names}
        if cycle.reg and cycle.reg.unit is Unit.TGH:
            out |= self._read(cycle.reg)
        return out

    def _read(self, reg: Reg) -> dict[str, int]:
        if reg.dw in WORDS:
            return {"reg_rdata": self.words[reg.idx][reg.dw]} if reg.dw in self.words[reg.idx] else {}
        line = [0] * 8
        if reg.dw == 0:
            active = bool(self.active >> reg.idx & 1)
            waits, queued = self.wait >> reg.idx & 1, self.pend >> reg.idx & 1
            Tgh.cmd.put(line, int(active))
            Tgh.delresp.put(line, self.delresp >> reg.idx & 1)
            Tgh.opc.put(line, self.opcode >> reg.idx & 1)
            Tgh.status.put(line, HandleStatus.ACTIVE if active else HandleStatus.IDLE)
            Tgh.state.put(line, TghState.WAITDONE if waits else TghState.PE_INVAL if queued else TghState.IDLE)
        return {"reg_rdata": line[reg.dw]}

    def clock(self, cycle: Cycle) -> None:
        """The cycle ends."""
        candidates = self._candidates()
        pick = lowest(candidates)
        nop = pick if pick and not self.opcode & pick else 0
        load = bool(pick) and not nop and (self.out is None or cycle.shoot_ready)
        taken = 1 << self.out.tgh if self.out and cycle.shoot_ready else 0
        if load or nop:
            self.batch = candidates & ~pick
        if load:
            number = pick.bit_length() - 1
            self.out = Order.of(number, self.words[number])
        elif taken:
            self.out = None
        started = self._written(cycle.reg)
        self.pend = self.pend & ~taken & ~nop | started
        self.wait = (self.wait | taken) & ~cycle.shoot_done
        self.snoop = self.snoop & ~lowest(self.snoop) | cycle.shoot_done | nop

    def _written(self, reg: Reg | None) -> int:
        """A register write; the bit of the handle whose command it starts."""
        if reg is None or reg.unit is not Unit.TGH or reg.write is None:
            return 0
        bit, active = 1 << reg.idx, bool(self.active >> reg.idx & 1)
        if reg.dw == 0:
            self.delresp = self.delresp & ~bit | bit * Tgh.delresp.of(reg.write)
        if active:
            return 0
        if reg.dw in WORDS:
            self.words[reg.idx][reg.dw] = reg.write
        if reg.dw == 0:
            self.opcode = self.opcode & ~bit | bit * Tgh.opc.of(reg.write)
            return bit if Tgh.cmd.of(reg.write) else 0
        return 0
