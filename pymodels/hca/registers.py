"""The register block of an adapter (spec/hca.rdl) and its interrupt lines.

Promises: an access outside the registers is a bus error, a write to what software may only read does nothing. Lines are levels
  (FQ-6), worked out anew whenever something they depend on changes, or a coalescing delay ends.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from hwif.fields import Field
from hwif.gen.hca import (
    INDEX_WIDTH,
    NODE_IRQS,
    NUM_CQ,
    AsyncEventReg,
    AsyncPopReg,
    AsyncType,
    CmdqBaseReg,
    CmdqConsReg,
    CmdqProdReg,
    CmdqSizeReg,
    CounterReg,
    CqCoalesceReg,
    CqDoorbellReg,
    CqEventReg,
    CtrlReg,
    FqBaseReg,
    FqCoalesceReg,
    FqConsReg,
    FqProdReg,
    FqSizeReg,
    IdReg,
    IrqEnableReg,
    IrqLine,
    MptBaseReg,
    MptSizeReg,
    RetryReg,
    RqDoorbellReg,
    SqDoorbellReg,
    StatusReg,
)

if TYPE_CHECKING:
    from pymodels.hca.node import Node

__all__ = ["Registers"]

MAGIC = 0x48434131
INDEX_MASK = (1 << INDEX_WIDTH) - 1
ASYNC_KEPT = 8
WORD_BITS = 64
_STORED = {
    CtrlReg.offset: (1 << 1) - 1,
    IrqEnableReg.offset: (1 << 3) - 1,
    MptBaseReg.offset: (1 << 52) - 1,
    MptSizeReg.offset: INDEX_MASK,
    CmdqBaseReg.offset: (1 << 52) - 1,
    CmdqSizeReg.offset: INDEX_MASK,
    CmdqProdReg.offset: INDEX_MASK,
    FqBaseReg.offset: (1 << 52) - 1,
    FqSizeReg.offset: INDEX_MASK,
    FqConsReg.offset: INDEX_MASK,
    FqCoalesceReg.offset: INDEX_MASK | 0xFFFFFFFF << 32,
    SqDoorbellReg.offset: (1 << 24) - 1 | INDEX_MASK << 32,
    RqDoorbellReg.offset: (1 << 24) - 1 | INDEX_MASK << 32,
    CqDoorbellReg.offset: (1 << 8) - 1 | INDEX_MASK << 32 | 1 << 63,
    CqCoalesceReg.offset: INDEX_MASK | 0xFFFFFFFF << 32,
    RetryReg.offset: (1 << 64) - 1,
}
"""Registers that keep what was written, and their bits."""
_INDICES = (CmdqProdReg.offset, FqConsReg.offset)
"""Those of software's indices that are 0 while the adapter is disabled."""
_RESET_RETRY = 2000 | 50000 << 32  # spec/hca.rdl


class Registers:
    """What software reads and writes."""

    def __init__(self, node: Node, number: int) -> None:
        self._node = node
        self._id = MAGIC | number << IdReg.node.lsb
        self._line_base = NODE_IRQS * number
        self._words = dict.fromkeys(_STORED, 0)
        self._words[RetryReg.offset] = _RESET_RETRY
        self._status = 0
        self._levels = [0, 0, 0]
        self._decode()
        self.clear()

    def clear(self) -> None:
        """CTRL.enable fell: everything but the registers themselves."""
        self._async: deque[tuple[int, int]] = deque()
        self.fired = 0
        for offset in _INDICES:
            self._words[offset] = 0
        self._decode()
        self._since = [0, 0]
        """When the fault queue, and the set of queues that fired, was last empty or served."""
        self._some = [False, False]

    def _decode(self) -> None:
        words = self._words
        self.mpt_base, self.mpt_size = words[MptBaseReg.offset], words[MptSizeReg.offset]
        self.cmdq_base, self.cmdq_size = words[CmdqBaseReg.offset], words[CmdqSizeReg.offset]
        self.fq_base, self.fq_size = words[FqBaseReg.offset], words[FqSizeReg.offset]
        self.cmdq_producer = words[CmdqProdReg.offset]
        self.fq_consumer = words[FqConsReg.offset]
        self.rnr_delay = RetryReg.rnr_delay.of(words[RetryReg.offset])
        self.ack_timeout = RetryReg.ack_timeout.of(words[RetryReg.offset])

    @staticmethod
    def queue_size(entries: int) -> int:
        """Entries of a queue, 0 when the number is impossible."""
        return entries if entries and not entries & (entries - 1) else 0

    # ---- the bus -------------------------------------------------------------------------------------------------------

    def read(self, offset: int) -> tuple[int, bool]:
        """A double-word and whether the access is an error."""
        if offset in self._words:
            return self._words[offset], False
        if CounterReg.offset <= offset < CounterReg.offset + 8 * CounterReg.copies:
            return self._node.count[(offset - CounterReg.offset) // 8] & (1 << WORD_BITS) - 1, False
        if CqEventReg.offset <= offset < CqEventReg.offset + 8 * CqEventReg.copies:
            return self.fired >> 8 * (offset - CqEventReg.offset) & (1 << WORD_BITS) - 1, False
        node = self._node
        if offset == IdReg.offset:
            return self._id, False
        if offset == StatusReg.offset:
            return self._status, False
        if offset == CmdqConsReg.offset:
            return node.commands.consumer, False
        if offset == FqProdReg.offset:
            return node.faults.producer, False
        if offset == AsyncEventReg.offset:
            return self._oldest(), False
        if offset == AsyncPopReg.offset:
            return 0, False
        return 0, True

    def _oldest(self) -> int:
        if not self._async:
            return 0
        kind, subject = self._async[0]
        return AsyncEventReg.valid.place(1) | AsyncEventReg.kind.place(kind) | AsyncEventReg.subject.place(subject)

    def write(self, offset: int, word: int) -> bool:
        """Write a double-word. True for an error."""
        if offset in self._words:
            forgets = offset in _INDICES and not self._node.enabled
            self._words[offset] = 0 if forgets else word & _STORED[offset]
            self._decode()
            self._act(offset, word)
        elif offset == StatusReg.offset:
            self._status &= ~word
        elif CqEventReg.offset <= offset < CqEventReg.offset + 8 * CqEventReg.copies:
            self._clear_fired(word << 8 * (offset - CqEventReg.offset))
        elif offset == AsyncPopReg.offset:
            if self._async:
                self._async.popleft()
        else:
            return self.read(offset)[1]
        self.lines()
        return False

    def _act(self, offset: int, word: int) -> None:
        """What a write does beside changing the register."""
        node = self._node
        if offset == CtrlReg.offset:
            node.enable(bool(CtrlReg.enable.of(word)))
            return
        if not node.enabled:
            return
        if offset == SqDoorbellReg.offset:
            node.requester.rung(SqDoorbellReg.qpn.of(word), SqDoorbellReg.index.of(word))
        elif offset == RqDoorbellReg.offset:
            node.responder.rung(RqDoorbellReg.qpn.of(word), RqDoorbellReg.index.of(word))
        elif offset == CqDoorbellReg.offset:
            node.completion.rung(CqDoorbellReg.cqn.of(word), CqDoorbellReg.index.of(word), arm=bool(CqDoorbellReg.arm.of(word)))
        elif offset == CmdqProdReg.offset:
            node.commands.rung()
        elif offset == CmdqSizeReg.offset:
            self._words[CmdqProdReg.offset] = self.cmdq_producer = 0
            node.commands.restarted()
        elif offset in (FqBaseReg.offset, FqConsReg.offset, FqSizeReg.offset):
            if offset == FqConsReg.offset:
                self._since[IrqLine.FAULT] = node.now
            node.faults.consumed()

    # ---- conditions ----------------------------------------------------------------------------------------------------

    def set_status(self, field: Field) -> None:
        """A sticky condition arose."""
        self._status |= field.place(1)

    def asynchronous(self, kind: AsyncType, subject: int) -> None:
        """Keep an asynchronous event."""
        if len(self._async) == ASYNC_KEPT:
            self.set_status(StatusReg.async_overflow)
        else:
            self._async.append((int(kind), subject))
        self.lines()

    def fire(self, cqn: int) -> None:
        """A completion queue fired."""
        self.fired |= 1 << cqn
        self.lines()

    def _clear_fired(self, bits: int) -> None:
        self.fired &= ~bits & (1 << NUM_CQ) - 1
        self._since[IrqLine.COMPLETION] = self._node.now

    # ---- interrupt lines -----------------------------------------------------------------------------------------------

    def lines(self) -> None:
        """Work out the three lines; tell those that changed."""
        enable = self._words[IrqEnableReg.offset]
        faults = self._node.faults
        waiting = (faults.producer - self.fq_consumer) & INDEX_MASK
        levels = [0, 0, 0]
        faulted = self._coalesced(IrqLine.FAULT, FqCoalesceReg.offset, waiting)
        fired = self._coalesced(IrqLine.COMPLETION, CqCoalesceReg.offset, self.fired.bit_count())
        levels[IrqLine.FAULT] = int(faulted and bool(IrqEnableReg.fault.of(enable)))
        levels[IrqLine.COMPLETION] = int(fired and bool(IrqEnableReg.completion.of(enable)))
        levels[IrqLine.ASYNC] = int(bool(IrqEnableReg.asynchronous.of(enable) and self._async))
        for line, level in enumerate(levels):
            if level != self._levels[line]:
                self._levels[line] = level
                self._node.interrupt(self._line_base + line, level)

    def _coalesced(self, line: IrqLine, offset: int, waiting: int) -> bool:
        """Enough wait, or nothing has moved for long enough; else look again when that will be so."""
        some, self._some[line] = self._some[line], bool(waiting)
        if not waiting:
            return False
        if not some:
            self._since[line] = self._node.now
        word = self._words[offset]
        count, delay = FqCoalesceReg.count.of(word), FqCoalesceReg.delay.of(word)
        if waiting >= count:
            return True
        due = self._since[line] + delay
        if delay and self._node.now < due:
            self._node.at(due, self.lines)
        return bool(delay) and self._node.now >= due
