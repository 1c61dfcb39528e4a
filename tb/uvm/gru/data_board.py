"""Data: every instruction's effect against the plain reference, on the data segment and on what address spaces must contain.

Promises: objects to an instruction that ends otherwise than it must, leaves other bytes, or ends without having been begun; to a
read of the data segment, of avalue or of an idle control block's status that is wrong; at the end to any byte of a spot that is
not what it must be. What an instruction that ended with an exception half way has changed is taken over as it is, and so is what
was stored out of a data segment that nobody had written. `ap` publishes every instruction that was judged.
Needs: events in the order of time; control blocks that do not touch each other's bytes, `Space.shared` double-words aside.
`reset` is called in a reset.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyuvm import uvm_analysis_port

from hwif.fields import Line, new_line
from hwif.gen import gru as g
from tb.uvm.agents.axi.config import MemoryAccess, Resp
from tb.uvm.agents.axi.memory import strobe_runs
from tb.uvm.agents.axil.config import RegisterAccess
from tb.uvm.gru.attributes import refusal
from tb.uvm.gru.handles_board import HandlesBoard
from tb.uvm.gru.reference import Ending, Instruction, execute
from tb.uvm.gru.spaces import Space, Spaces
from tb.uvm.gru.view import Done
from tb.uvm.gru.window import place
from tb.uvm.judging import Judging

__all__ = ["DataBoard", "Judgement"]

READ_FAILED, WRITE_FAILED = 1 << g.CbEcause.RA_RESPONSE_FATAL, 1 << g.CbEcause.HA_RESPONSE_FATAL
OS_FATAL = 1 << g.CbEcause.OS_FATAL_TLB_FAULT


class Segment:
    """A context's data segment: bytes, and which of them are known."""

    def __init__(self, size: int) -> None:
        self.bytes = bytearray(size)
        self.known = bytearray(size)

    def read(self, addr: int, count: int) -> bytes:
        """As a byte store."""
        return bytes(self.bytes[addr : addr + count])

    def write(self, addr: int, data: bytes) -> None:
        """As a byte store."""
        self.bytes[addr : addr + len(data)] = data
        self.known[addr : addr + len(data)] = b"\1" * len(data)

    def forget(self, addr: int, count: int) -> None:
        """Nobody knows what is there."""
        end = min(addr + count, len(self.known))
        if addr < end:
            self.known[addr:end] = bytes(end - addr)


@dataclass
class Running:
    """An instruction under way."""

    ctx: int
    one: Instruction
    begun: int
    failed: int = 0  # ecause of a bus error it met
    fatal: bool = False  # its fault handle was told EXCEPTION


@dataclass(frozen=True)
class Judgement:
    """An instruction that ended, for the coverage."""

    done: Done
    ctx: int
    one: Instruction
    failed: int
    fatal: bool


class DataBoard(Judging):
    """The reference's other half."""

    handles: HandlesBoard
    spaces: Spaces

    def build_phase(self) -> None:
        super().build_phase()
        self._cycle = 0
        self.running: dict[int, Running] = {}  # by control block
        self.ap = uvm_analysis_port("ap", self)
        self.reset()

    def reset(self) -> None:
        """Nothing runs; data segments are unknown."""
        self.running.clear()
        self._rows: dict[int, Line] = {}
        self._segments: dict[int, Segment] = {}
        self._endings: dict[int, tuple[int, Ending | None]] = {}  # control block -> istatus, what it should have been
        self._reads: list[tuple[int, int, str]] = []  # value, mask, what
        self._restored: set[int] = set()

    # ---- the register bus -------------------------------------------------------------------------------------------------------

    def segment(self, ctx: int) -> Segment:
        """Of a context, as large as it is now."""
        size = self.handles.contexts[ctx].dsr.bit_count() * g.DSR_AU_BYTES
        found = self._segments.get(ctx)
        if found is None or len(found.bytes) != size:
            found = self._segments[ctx] = Segment(size)
        return found

    def control_block(self, ctx: int, index: int) -> int | None:
        """Physical number of a context's control block."""
        unit, half = divmod(index, g.CBR_AU)
        units = self.handles.contexts[ctx].units
        for number in range(units.bit_length()):
            if units >> number & 1:
                if unit == 0:
                    return g.CBR_AU * number + half
                unit -= 1
        return None

    def asked(self, access: RegisterAccess) -> None:
        """An access is taken."""
        expected = (0, 0, "")
        if access.addr < g.TFM_BASE:
            ctx, offset = divmod(access.addr, g.GSEG_STRIDE)
            if g.DSR_OFFSET <= offset < g.DSR_OFFSET + g.DSR_BYTES:
                expected = self._segment_access(access, ctx, offset - g.DSR_OFFSET)
            elif offset < g.DSR_OFFSET and offset % g.HANDLE_STRIDE < g.HANDLE_BYTES:
                cbr = self.control_block(ctx, offset // g.HANDLE_STRIDE)
                if cbr is not None:
                    expected = self._block_access(access, ctx, cbr, offset % g.HANDLE_STRIDE // 8)
        elif access.write and access.whole:
            unit, index, dw = place(access.addr)
            if unit == "cbe":
                self._restored.add(index)
            elif unit == "tfh" and dw == 0 and index in self.running:
                self.running[index].fatal |= bool(access.data & 1) and g.Tfh.opc.of(access.data) == g.TfhOpc.EXCEPTION
        if not access.write:
            self._reads.append(expected)

    def answered(self, access: RegisterAccess) -> None:
        """An access has ended."""
        if access.write or not self._reads:
            return
        value, mask, what = self._reads.pop(0)
        if not access.okay or not mask:
            return
        self.judged(access)
        if (access.data ^ value) & mask:
            text = f"{what} at {access.addr:#x} reads {access.data & mask:#x}, not {value & mask:#x}"
            self.object_at(access.cycle, "data", text)

    def _segment_access(self, access: RegisterAccess, ctx: int, offset: int) -> tuple[int, int, str]:
        segment = self.segment(ctx)
        offset &= -8
        if offset >= len(segment.bytes):
            return 0, 0, ""
        if access.write:
            data = access.data.to_bytes(8, "little")
            for first, last in strobe_runs(access.strobe):
                segment.write(offset + first, data[first:last])
            return 0, 0, ""
        for one in self.running.values():
            start, length = one.one.loads()
            if one.ctx == ctx and start < offset + 8 and offset < start + length:
                return 0, 0, ""
        mask = int.from_bytes(bytes(0xFF if known else 0 for known in segment.known[offset : offset + 8]), "little")
        return int.from_bytes(segment.read(offset, 8), "little"), mask, "data segment"

    def _block_access(self, access: RegisterAccess, ctx: int, cbr: int, dw: int) -> tuple[int, int, str]:
        if access.write:
            if cbr not in self.running:
                self._block_write(access, ctx, cbr, dw)
            return 0, 0, ""
        if cbr in self.running or cbr not in self._endings or cbr in self._restored:
            return 0, 0, ""
        istatus, ending = self._endings[cbr]
        if dw == 0:
            return g.Cb.istatus.place(istatus), g.Cb.istatus.place((1 << g.Cb.istatus.width) - 1), "istatus"
        if dw == 7 and ending is not None and ending.avalue is not None:
            return ending.avalue, (1 << 64) - 1, "avalue"
        return 0, 0, ""

    def _block_write(self, access: RegisterAccess, ctx: int, cbr: int, dw: int) -> None:
        row = self._rows.setdefault(cbr, new_line())
        data, mask = access.data, 0
        for first, last in strobe_runs(access.strobe):
            mask |= (1 << 8 * last) - (1 << 8 * first)
        row[dw] = row[dw] & ~mask | data & mask
        self._endings.pop(cbr, None)
        if dw or not row[0] & 1:
            return
        row[0] &= ~1  # the next write of other bytes is not another start
        one = Instruction(list(row))
        self.running[cbr] = Running(ctx, one, access.issued)
        self._restored.discard(cbr)
        if one.ima & g.CbIma.INTERRUPT:
            self.handles.interrupting.add(cbr)
        else:
            self.handles.interrupting.discard(cbr)

    # ---- memory and ends --------------------------------------------------------------------------------------------------------

    def ended(self, access: MemoryAccess) -> None:
        """A response was taken."""
        running = self.running.get(access.ident)
        if running is not None and access.resp in (Resp.SLVERR, Resp.DECERR):
            running.failed |= WRITE_FAILED if access.write else READ_FAILED

    def freed(self, ctx: int, cbrs: list[int]) -> None:
        """A context is gone, and what it ran with it."""
        for cbr in cbrs:
            running = self.running.pop(cbr, None)
            self._endings.pop(cbr, None)
            self._rows.pop(cbr, None)
            if running is not None:
                self._take_over(running)
        self._segments.pop(ctx, None)

    def done(self, done: Done) -> None:
        """An instruction ended."""
        running = self.running.pop(done.cbr, None)
        if running is None:
            self._endings.pop(done.cbr, None)
            if done.cbr not in self._restored:
                self.object_at(done.cycle, "data", f"control block {done.cbr} ends an instruction that was not begun")
            self._restored.discard(done.cbr)
            for ctx, context in enumerate(self.handles.contexts):
                if context.holds(done.cbr):  # it was saved elsewhere: what it loaded is not known here
                    self._segments.pop(ctx, None)
            return
        self.judged(done)
        self._cycle = done.cycle
        one = running.one
        self.ap.write(Judgement(done, running.ctx, one, running.failed, running.fatal))
        ending: Ending | None = None
        if running.failed or (running.fatal and done.ecause == OS_FATAL):
            must = running.failed or OS_FATAL
            if (done.istatus, done.ecause) != (g.CbIstatus.EXCEPTION, must):
                self._ends_wrong(done, one, g.CbIstatus.EXCEPTION, must)
            self._take_over(running)
        else:
            ending = self._execute(done, running)
        self._endings[done.cbr] = done.istatus, ending

    def _space(self, running: Running) -> Space | None:
        """Where its addresses lead."""
        return self.spaces.bare if running.one.unmapped else self.spaces.of.get(running.ctx)

    def _ends_wrong(self, done: Done, one: Instruction, istatus: int, ecause: int) -> None:
        text = f"control block {done.cbr}, opcode {one.opc}: ends with status {done.istatus}, ecause {done.ecause:#x}"
        self.object_at(done.cycle, "data", f"{text}, not with {int(istatus)}, {ecause:#x}")

    def _execute(self, done: Done, running: Running) -> Ending | None:
        one, space = running.one, self._space(running)
        segment = self.segment(running.ctx)
        if space is None:
            self._take_over(running)
            return None
        written = one.writes(segment)
        source, length = one.stores()
        guessed = not all(segment.known[source : source + length])
        allowed = bool(g.Cch.unmap_enable.get(self.handles.contexts[running.ctx].config))
        refused = refusal(one, segment, space, len(segment.bytes), unmap=allowed)
        ending = Ending(refused) if refused else execute(one, segment, space.content, len(segment.bytes))
        if (done.istatus, done.ecause) != (ending.istatus, ending.ecause):
            self._ends_wrong(done, one, ending.istatus, ending.ecause)
        if ending.ecause:
            self._take_over(running)
            return ending
        if one.opc == g.CbOpc.BCOPY:
            segment.forget(*one.loads())
        if one.opc == g.CbOpc.MESQ and ending.avalue is not None and not ending.limit:
            written.append((one.first + g.LINE_BYTES * (ending.avalue & 0xFFFF_FFFF), one.count * g.LINE_BYTES))
        if one.first & -8 in space.shared:
            return Ending(avalue=None)
        for addr, count in written:
            if guessed:  # bytes nobody ever wrote to the data segment
                space.content.write(addr, space.actual(addr, count))
                continue
            self._compare(done.cycle, space, addr, count, f"opcode {one.opc} of control block {done.cbr}")
        return ending

    def _compare(self, cycle: int, space: Space, addr: int, count: int, who: str) -> None:
        must, found = space.content.read(addr, count), space.actual(addr, count)
        if must != found:
            at = next(place for place in range(count) if must[place] != found[place])
            text = f"after {who}: {addr + at:#x} of space {space.number} is {found[at]:#x}, not {must[at]:#x}"
            self.object_at(cycle, "data", text)
            space.content.write(addr, found)

    def _take_over(self, running: Running) -> None:
        """It ended half way: what it may have changed is as it is."""
        one, segment, space = running.one, self.segment(running.ctx), self._space(running)
        if space is not None and one.count < 1 << 16:
            for addr, count in one.writes(segment):
                self._adopt(space, addr, count)
            if one.opc == g.CbOpc.MESQ:
                head = int.from_bytes(space.actual(one.first, 4), "little") if space.page(one.first) else 0
                for line in range(max(0, head - one.count), head):
                    self._adopt(space, one.first + g.LINE_BYTES * line, g.LINE_BYTES)
        segment.forget(*one.loads())

    def _adopt(self, space: Space, addr: int, count: int) -> None:
        try:
            space.content.write(addr, space.actual(addr, count))
        except KeyError:
            return  # not a spot: it cannot have been written

    def check_phase(self) -> None:
        """Every byte of every spot, unless the run was cut short."""
        if self.enough.is_set():
            return
        for cbr in sorted(self.running):
            self._take_over(self.running[cbr])
        for space in (*self.spaces.all, self.spaces.bare):
            for vpn in space.content.spots:
                self._compare(self._cycle, space, vpn << g.PAGE_SHIFT, 1 << g.PAGE_SHIFT, "everything")
