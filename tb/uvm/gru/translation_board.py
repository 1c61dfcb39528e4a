"""Which translations memory traffic may use, told from the chip's own buses alone.

It is told drop-ins and shootdowns as software writes them to the handles, acknowledgements as software reads them, and every
access on the memory bus with its sideband (whose translation it used). It knows nothing of what happens in between.

Promises: objects to an access through a translation that was never dropped in, or that a shootdown covered whose acknowledgement
has been read (SD-1; SD-5 and SD-6 follow, for what is covered is the oracle's word); to a write through a clean translation; to
an access still on the bus when the acknowledgement of a covering shootdown is read (SD-2); to a second access of one control
block.
Needs: RegisterAccess and MemoryAccess events in the order of time. `reset` is called in a reset.
Costs: microseconds an event.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwif.fields import Line, new_line
from hwif.gen import gru as g
from pymodels.oracle import Scope, Shootdown, Translation
from tb.uvm.agents.axi.config import MemoryAccess
from tb.uvm.agents.axil.config import RegisterAccess
from tb.uvm.gru.window import place
from tb.uvm.judging import Judging

__all__ = ["Sideband", "TranslationBoard", "sideband"]

VA_LSB, ASID_LSB = 0, g.VA_WIDTH
CBR_LSB = ASID_LSB + g.ASID_WIDTH
CBR_BITS = (g.NUM_CBR - 1).bit_length()
CTX_LSB = CBR_LSB + CBR_BITS
CTX_BITS = (g.NUM_CTX - 1).bit_length()
FILLS = (g.TfhOpc.WRITE_ONLY, g.TfhOpc.WRITE_RESTART)


@dataclass(frozen=True)
class Sideband:
    """axi_user_t: whose translation an access used."""

    mapped: bool
    ctx: int
    cbr: int
    asid: int
    va: int


def sideband(user: int) -> Sideband:
    """Out of the bus's user bits."""
    return Sideband(
        bool(user >> CTX_LSB + CTX_BITS & 1),
        user >> CTX_LSB & (1 << CTX_BITS) - 1,
        user >> CBR_LSB & (1 << CBR_BITS) - 1,
        user >> ASID_LSB & (1 << g.ASID_WIDTH) - 1,
        user & (1 << g.VA_WIDTH) - 1,
    )


@dataclass
class _Grant:
    what: Translation
    since: int  # number of the shootdowns begun before it


@dataclass
class _Flying:
    access: MemoryAccess
    who: Sideband
    since: int


class TranslationBoard(Judging):
    """The black box."""

    def build_phase(self) -> None:
        super().build_phase()
        self.reset()

    def reset(self) -> None:
        """Nothing is granted, nothing is under way."""
        self._grants: list[_Grant] = []
        self._words: dict[tuple[str, int], Line] = {}  # unit and handle -> what software wrote
        self._begun = 0
        self._shoots: dict[int, tuple[int, Shootdown]] = {}  # TGH -> its number, what
        self.flying: dict[int, _Flying] = {}  # by control block

    # ---- the register bus -------------------------------------------------------------------------------------------------------

    def asked(self, access: RegisterAccess) -> None:
        """A register access has begun: from now on a command may act."""
        unit, index, dw = place(access.addr)
        if not access.write or unit not in ("tgh", "tfh"):
            return
        line = self._words.setdefault((unit, index), new_line())
        line[dw] = access.data
        if dw == 0 and access.data & 1:
            if unit == "tgh":
                self._shoot(access, index, line)
            else:
                self._fill(access, line)

    def answered(self, access: RegisterAccess) -> None:
        """A register access has ended: software knows what it read."""
        unit, index, dw = place(access.addr)
        if not access.write and access.okay and unit == "tgh" and dw == 0:
            self._status(access, index)

    def _fill(self, access: RegisterAccess, line: Line) -> None:
        if g.Tfh.opc.get(line) not in FILLS:
            return
        self.judged(access)
        what = Translation(
            g.Tfh.fillasid.get(line),
            g.Tfh.fillvaddr.get(line),
            g.Tfh.pfn.get(line),
            0,
            g.Tfh.pagesize.get(line),
            g.Tfh.gaa.get(line),
            bool(g.Tfh.dirty.get(line)),
        )
        self._grants = [grant for grant in self._grants if grant.what != what]
        self._grants.append(_Grant(what, self._begun))

    def _shoot(self, access: RegisterAccess, handle: int, line: Line) -> None:
        if g.Tgh.opc.get(line) != g.TghOpc.TLBINV or handle in self._shoots:
            return
        self.judged(access)
        self._begun += 1
        what = Shootdown.from_handle(
            g.Tgh.asid.get(line),
            g.Tgh.vaddr.get(line),
            g.Tgh.n.get(line),
            g.Tgh.pagesize.get(line),
            g.Tgh.vaddrmask.get(line),
            for_contexts=bool(g.Tgh.is_global.get(line)),
            ctxbitmap=g.Tgh.ctxbitmap.get(line),
        )
        self._shoots[handle] = self._begun, what

    def _status(self, access: RegisterAccess, handle: int) -> None:
        if handle not in self._shoots or g.Tgh.status.of(access.data) == g.HandleStatus.ACTIVE:
            return
        self.judged(access)
        number, what = self._shoots.pop(handle)
        # What was dropped in before the shootdown began and is covered is dead; of context scope the owner is not known here.
        if what.scope is not Scope.CTX:
            self._grants = [one for one in self._grants if one.since >= number or not what.covers(one.what)]
        for one in self.flying.values():
            if not one.who.mapped or one.since >= number:
                continue
            if what.names_context(one.who.ctx) or (what.scope is not Scope.CTX and not self._legal(one.access, one.who)):
                text = f"shootdown {handle} is acknowledged while control block {one.who.cbr} accesses {one.who.va:#x}"
                self.object_at(access.cycle, "SD-2", text)

    # ---- the memory bus -------------------------------------------------------------------------------------------------

    def began(self, access: MemoryAccess) -> None:
        """An access goes out."""
        who = sideband(access.user)
        self.judged(access)
        if who.cbr != access.ident:
            self.object_at(access.issued, "bus", f"ID {access.ident} for control block {who.cbr}")
        other = self.flying.get(who.cbr)
        if other is not None:
            self.object_at(access.issued, "bus", f"control block {who.cbr} has two accesses on the bus")
        self.flying[who.cbr] = _Flying(access, who, self._begun)
        if who.mapped and not self._legal(access, who):
            kind = "write" if access.write else "read"
            text = f"{kind} of {access.addr:#x} for {who.va:#x} of ASID {who.asid:#x}: no such translation is alive"
            self.object_at(access.issued, "SD-1", text)

    def ended(self, access: MemoryAccess) -> None:
        """Its response was taken."""
        self.judged(access)
        self.flying.pop(access.ident, None)

    def _legal(self, access: MemoryAccess, who: Sideband) -> bool:
        line = access.addr & -g.LINE_BYTES
        for grant in self._grants:
            what = grant.what
            if (
                what.translates(who.asid, who.va)
                and what.physical(who.va) & -g.LINE_BYTES == line
                and (what.dirty or not access.write)
            ):
                return True
        return False
