"""The driver of the memory side's bench: registers one at a time, and what software sees in them, judged.

Software is generators that yield their inputs of a cycle and are sent its outputs.

Promises: a register that does not say what it must is a `WrongError`. `judged` counts and hashes whatever was compared.
Needs: somebody who runs the generators and tells `now`.
Costs: some us a cycle.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Generator
from dataclasses import dataclass
from types import SimpleNamespace

from hwif.gen import hca as h
from tb.block.points_hca import MMU
from tb.hca_mmu.bench import Mmu
from tb.hca_mmu.book import Book
from tb.hca_mmu.irq import Lines
from tb.hca_mmu.orders import Orders
from tb.hca_mmu.tables import Tables
from tb.hil.hca_lines import word_of
from tb.plan.cover import Tally

__all__ = ["PATIENCE", "Actor", "Driver", "Profile", "WrongError"]

Actor = Generator[dict[str, int], SimpleNamespace, None]
Bus = Generator[dict[str, int], SimpleNamespace, int]
PATIENCE = 30_000
NOT_THERE = 0x0D8  # no register


@dataclass(frozen=True)
class Profile:
    """Rates are chances a cycle; `commands` to `clear` weights of what software does next."""

    cycles: int = 9000
    latency: int = 20
    busy: int = 0
    sizes: tuple[tuple[int, int], ...] = ((16, 64),)  # of the command and the fault queue; drawn anew at each start
    queue_pairs: int = 8
    fault: float = 0.05
    ask: float = 0.15
    event: float = 0.01
    flight: int = 150
    stall: float = 0.0
    lazy: int = 40  # cycles software does nothing, at most
    resume: float = 1.0
    wrong: float = 0.2  # commands that must be refused
    change: float = 1.0
    clear: float = 0.0
    refuse: float = 0.0  # chance that software takes the fault queue's memory away for a while
    off: int = 0  # times the block is switched off
    coalesce: float = 0.1


class WrongError(Exception):
    """The block and a reference disagree."""


class Driver:
    """Software of one Mmu, and the references beside it."""

    def __init__(self, mmu: Mmu, seed: str, profile: Profile) -> None:
        self.mmu, self.profile = mmu, profile
        self.rng = random.Random(seed)
        self.tally = Tally(MMU)
        self.items = 0
        self.now = 0
        self._seen = hashlib.sha256()
        self.book = Book()
        self.lines = Lines()
        self.tables = Tables(mmu, self.rng)
        self.orders = Orders(mmu, self.rng, self.tables, self.book, self.tally)
        self.quiet = False
        self.off = True
        self.fired = [0] * (h.NUM_CQ // 64)
        self.events: list[tuple[int, int]] = []
        self.records_at_memory = 0  # FQ_PROD, as record after record was answered
        self.overflow_owed = False

    @property
    def digest(self) -> str:
        """Of everything judged so far."""
        return self._seen.hexdigest()[:16]

    def judged(self, *what: object) -> None:
        """One more thing was judged."""
        self.items += 1
        self._seen.update(repr((self.now, *what)).encode())

    def must(self, held: bool, text: str) -> None:
        """Raises WrongError if it does not hold."""
        if not held:
            raise WrongError(f"cycle {self.now}: {text}")

    def accept(self, objections: list[str]) -> None:
        """Raises WrongError for the first."""
        if objections:
            raise WrongError(f"cycle {self.now}: {objections[0]}")

    # ---- software: registers ----------------------------------------------------------------------------------------------

    def write(self, offset: int, value: int) -> Bus:
        """A register; its response. The lines may move meanwhile."""
        out = yield {"write": 1, "addr": offset, "data": value}
        self.lines.moved = self.now + PATIENCE
        while not out.bvalid or out.stall >> 3 & 1:
            out = yield {}
        self.lines.moved = self.now
        return int(out.bresp)

    def read(self, offset: int) -> Bus:
        """A register's value."""
        out = yield {"read": 1, "addr": offset}
        while not out.rvalid or out.stall >> 4 & 1:
            out = yield {}
        self.must(out.rresp == 0, f"register {offset:#x} answers with an error")
        return int(out.rdata)

    def wait(self, cycles: int) -> Actor:
        """Software does something else."""
        for _ in range(cycles):
            yield {}

    def _coalesce(self) -> Actor:
        rng = self.rng
        enabled = rng.choice([7, 7, 7, rng.randrange(8)])
        yield from self.write(h.IrqEnableReg.offset, enabled)
        for register, line, bit in ((h.FqCoalesceReg, self.lines.fault, 0), (h.CqCoalesceReg, self.lines.completion, 1)):
            line.enabled = bool(enabled >> bit & 1)
            count, delay = rng.choice([0, 1, 2, 5, rng.randrange(1 << 16)]), rng.choice([0, 50, 300, rng.randrange(1 << 32)])
            yield from self.write(register.offset, count | delay << 32)
            line.count, line.delay = count, delay
        self.lines.events_enabled = bool(enabled >> 2 & 1)

    def _status(self) -> Actor:
        owed = self.overflow_owed
        value = yield from self.read(h.StatusReg.offset)
        self.must(not owed or bool(value & 1), "FQ-1: a fault had to wait and STATUS.fault_overflow does not say so")
        if value:
            yield from self.write(h.StatusReg.offset, value)
            self.overflow_owed = self.overflow_owed and not value & 1

    def _events(self) -> Actor:
        """The oldest asynchronous event, taken. Nobody else's comes meanwhile: a full queue would lose it or not, by the cycle."""
        self.quiet = True
        yield from self.wait(4)
        value = yield from self.read(h.AsyncEventReg.offset)
        wanted = word_of(h.AsyncEventReg, valid=1, kind=self.events[0][0], subject=self.events[0][1]) if self.events else 0
        self.must(value == wanted, f"ASYNC_EVENT is {value:#x}, not {wanted:#x}")
        self.judged("event", value)
        yield from self.write(h.AsyncPopReg.offset, self.rng.randrange(2))
        yield from self.wait(3)
        if self.events:
            self.events.pop(0)
        self.lines.events, self.lines.moved, self.quiet = len(self.events), self.now, False

    def _fired(self) -> Actor:
        """A word of fired completion queues, some of it cleared."""
        self.quiet = True
        yield from self.wait(4)
        word = self.rng.randrange(len(self.fired))
        value = yield from self.read(h.CqEventReg.offset + 8 * word)
        self.must(value == self.fired[word], f"CQ_EVENT {word} is {value:#x}, not {self.fired[word]:#x}")
        self.judged("fired", value)
        clear = value & self.rng.randrange(1 << 64) if self.rng.random() < 0.5 else value
        yield from self.write(h.CqEventReg.offset + 8 * word, clear)
        self.fired[word] &= ~clear
        self.lines.completion.moved(self.now, sum(bits.bit_count() for bits in self.fired), taken=True)
        yield from self.wait(3)
        self.quiet = False

    def _doorbell(self) -> Actor:
        rng = self.rng
        number, index = rng.choice([rng.randrange(h.NUM_QP), h.NUM_QP + rng.randrange(1 << 23)]), rng.randrange(1 << 16)
        before, cqn, arm = len(self.mmu.log), rng.randrange(h.NUM_CQ), rng.randrange(2)
        kind = rng.choice(["sq", "rq", "cqdb"])
        if kind == "cqdb":
            yield from self.write(h.CqDoorbellReg.offset, word_of(h.CqDoorbellReg, cqn=cqn, index=index, arm=arm))
        else:
            register = h.SqDoorbellReg if kind == "sq" else h.RqDoorbellReg
            yield from self.write(register.offset, word_of(register, qpn=number, index=index))
        yield from self.wait(3)
        wanted = [(cqn, index, arm)] if kind == "cqdb" else [(number, index)] if number < h.NUM_QP else []
        seen = [numbers for _, what, numbers in self.mmu.log[before:] if what in ("sq", "rq", "cqdb")]
        self.must(seen == wanted, f"doorbell {kind}: {seen}, not {wanted}")
        self.judged(kind, *seen)
        self.mmu.log.clear()

    def _scratch(self) -> Actor:
        """Registers that keep what is written, and one that is not there."""
        value = self.rng.randrange(1 << 64)
        yield from self.write(h.RetryReg.offset, value)
        got = yield from self.read(h.RetryReg.offset)
        self.must(got == value, f"RETRY is {got:#x}, not {value:#x}")
        answer = yield from self.write(NOT_THERE, value)
        self.must(answer == 2, "a register that is not there takes a value")
