"""Random traffic for hca_mmu, judged as it goes: faults of both directions and resumes right and wrong, commands good and bad,
tables that change under look-ups and accesses, fences, interrupts; and the block switched off in the middle of it.

Software, queue pairs, look-ups and completions are generators that yield their inputs of a cycle and are sent its outputs.

Promises: the seed decides everything; legal at every port whatever the block answers. The first objection ends the run
(`WrongError`).
Needs: an Mmu whose queues have the profile's sizes.
Costs: some 60 us a cycle.
"""

from __future__ import annotations

from types import SimpleNamespace

from hwif.gen import hca as h
from tb.block.points_hca import MMU_FULL, MMU_OFF
from tb.hca_mmu.book import Book
from tb.hca_mmu.driver import PATIENCE, Actor, Driver, Profile, WrongError
from tb.hil.hca_lines import word_of

__all__ = ["Profile", "Traffic", "WrongError"]

TRIES = 4000  # reads of an index
OVERFULL = 8  # asynchronous events kept


class Traffic(Driver):
    """Drives one Mmu."""

    def run(self) -> None:
        """To the end of software's program, or an objection."""
        actors = [
            self._software(),
            self._faults(),
            self.tables.accesses(self.profile.ask, self.profile.flight),
            self._completions(),
        ]
        inputs = [next(actor) for actor in actors]
        rng, profile = self.rng, self.profile
        for _ in range(40 * profile.cycles + PATIENCE):
            merged = {name: value for one in inputs for name, value in one.items()}
            if profile.stall and not self.off and rng.random() < profile.stall:
                merged["stall"] = rng.randrange(32)
            out = self.mmu.step(**merged)
            out.stall, out.inputs, out.enabled = merged.get("stall", 0), merged, not self.off
            self.now = int(out.now)
            self._observe(out)
            try:
                inputs = [actor.send(out) for actor in actors]
            except StopIteration:
                return
        self.must(False, "software does not come to its end")

    def _observe(self, out: SimpleNamespace) -> None:
        self.tables.observe(out, self.off)
        self.accept(self.tables.wrong)
        if self.off:
            return
        self.accept(self.orders.observe(out))
        if out.record:
            self.records_at_memory = int(out.record_prod)
            self.judged("record", out.record_prod)
            self.lines.moved = self.now
            self._waiting()
        self.accept(self.lines.objections(self.now, int(out.irq)))
        size = self.mmu.records
        count = self.records_at_memory - self.mmu.consumer & 0xFFFF
        full = (
            "empty"
            if not count
            else "over"
            if count == size and self.book.waiting() > count
            else "full"
            if count == size
            else "some"
        )
        if not (full == "empty" and self.lines.fault.enabled):
            self.tally.hit(MMU_FULL, f"{full}, {self.lines.why(self.now)}")

    def _waiting(self, *, taken: bool = False) -> None:
        count = self.records_at_memory - self.mmu.consumer & 0xFFFF
        self.lines.fault.moved(self.now, count, taken=taken)

    # ---- queue pairs and completion queues --------------------------------------------------------------------------------

    def _faults(self) -> Actor:
        while True:
            who = (self._qpn(), self.rng.randrange(2))
            if self.quiet or self.off or self.rng.random() >= self.profile.fault or self.book.quarantined(who):
                yield {}
                continue
            va = self.rng.randrange(1 << 63) >> 1 | self.rng.randrange(4) << 62
            mix = self.rng.randrange(1 << 64)
            fault = Book.made(
                who[0],
                h.FaultDir(who[1]),
                va=va,
                write=va >> 12 & 1,
                rdma=va >> 13 & 1,
                cause=h.FaultCause.READ_ONLY if mix >> 63 else h.FaultCause.NOT_PRESENT,
                key=0x1234_5678 ^ mix & 0xFFFF_FFFF,
                length=9000 ^ mix >> 31 & 0xFFFF_FFFF,
                packet_length=4096 ^ mix >> 13 & 0x1FFF,
                wqe_index=77 ^ mix >> 32 & 0xFFFF,
            )
            for _ in range(PATIENCE):
                out = yield {"flt_valid": 1, "flt_qpn": who[0], "flt_dir": who[1], "flt_va": va, "flt_mix": mix}
                if self.off:
                    break
                if out.flt_ready:
                    what = self.book.fault(fault)
                    self.judged("fault", who, what)
                    self.overflow_owed |= what == "new" and self.book.waiting() > self.mmu.records
                    break

    def _qpn(self) -> int:
        """Few, spread over all there are."""
        return self.rng.randrange(self.profile.queue_pairs) * 1237 % h.NUM_QP

    def _completions(self) -> Actor:
        while True:
            if self.quiet or self.off or self.rng.random() >= self.profile.event:
                yield {}
                continue
            if self.rng.random() < 0.5:
                cqn = self.rng.choice([0, 63, 64, self.rng.randrange(h.NUM_CQ), h.NUM_CQ - 1])
                self.fired[cqn // 64] |= 1 << cqn % 64
                yield {"fired_valid": 1, "fired": cqn}
            else:
                both, kind, subject = self.rng.choice([1, 2, 3]), self.rng.randrange(256), self.rng.randrange(1 << 24)
                for _ in range(both.bit_count()):
                    if len(self.events) < OVERFULL:
                        self.events.append((kind, subject))
                yield {"async_valid": both, "async_kind": kind, "async_subject": subject}
            self.lines.completion.moved(self.now, sum(word.bit_count() for word in self.fired))
            self.lines.events = len(self.events)
            self.lines.moved = self.now

    # ---- software: the program ----------------------------------------------------------------------------------------------

    def _software(self) -> Actor:
        profile, rng = self.profile, self.rng
        yield from self._start()
        for number in range(profile.off + 1):
            end = self.now + rng.randrange(1, 2 * profile.cycles // (profile.off + 1)) if profile.off else self.now + profile.cycles
            while self.now < end:
                yield from self._something()
            if number < profile.off:
                yield from self._switch_off()
                yield from self._start()
        yield from self._settle()
        yield from self._counters()
        yield from self.wait(rng.randrange(1, 4))

    def _start(self) -> Actor:
        mmu, rng = self.mmu, self.rng
        mmu.commands, mmu.records = rng.choice(self.profile.sizes)
        self.orders.bases()
        keys = self.tables.keys
        yield from self.write(h.MptBaseReg.offset, self.tables.mpt_base)
        yield from self.write(h.MptSizeReg.offset, keys)
        yield from self.write(h.CmdqBaseReg.offset, self.orders.cmdq)
        yield from self.write(h.CmdqSizeReg.offset, mmu.commands)
        yield from self.write(h.FqBaseReg.offset, self.orders.fq)
        yield from self.write(h.FqSizeReg.offset, mmu.records)
        yield from self.write(h.IrqEnableReg.offset, 7)
        yield from self.write(h.CtrlReg.offset, word_of(h.CtrlReg, enable=1))
        mmu.producer = mmu.consumer = self.records_at_memory = 0
        for line in (self.lines.fault, self.lines.completion):
            line.enabled, line.waiting = True, 0
        self.lines.events_enabled = True
        yield from self.wait(h.NUM_QP + 10)  # states of all queue pairs are cleared
        self.off = self.quiet = False
        self.lines.moved = self.now

    def _switch_off(self) -> Actor:
        """In the middle of everything; on again when memory has answered, as hca_axi would have it."""
        under_way = self.orders.under_way()
        for what in ("command", "fence", "context", "record", "walk", "access", "interrupt"):
            busy = {
                "record": self.book.waiting() > 0,
                "walk": bool(self.tables.asked),
                "access": bool(self.tables.flying),
                "interrupt": self.records_at_memory != self.mmu.consumer,
            }.get(what, what in under_way)
            if busy:
                self.tally.hit(MMU_OFF, what)
        self.off = True
        yield from self.write(h.CtrlReg.offset, 0)
        self.book.disabled()
        self.orders.disabled()
        self.events.clear()
        self.fired = [0] * len(self.fired)
        self.overflow_owed = False
        self.lines.events = 0
        out = yield {}
        while out.pending or out.rd_rsp or out.wr_rsp or not out.quiescent:
            out = yield {}
        self.must(out.irq == 0, "a line is up although the block is off")
        for offset in (h.FqProdReg.offset, h.FqConsReg.offset, h.CmdqProdReg.offset, h.CmdqConsReg.offset, h.AsyncEventReg.offset):
            value = yield from self.read(offset)
            self.must(value == 0, f"register {offset:#x} is {value:#x} although the block is off")
        yield from self.write(h.StatusReg.offset, 15)
        self.tables.forgotten()

    def _something(self) -> Actor:
        profile, rng = self.profile, self.rng
        pick = rng.random()
        if pick < 0.35:
            for _ in range(rng.randint(1, max(1, self.orders.room() // 2))):
                if self.orders.room():
                    self.orders.post(profile.resume, profile.wrong, profile.change, profile.clear, self._qpn())
            yield from self.write(h.CmdqProdReg.offset, self.mmu.producer)
        elif pick < 0.55:
            yield from self._retire()
        elif pick < 0.75:
            yield from self._drain(rng.choice([1, 2, self.mmu.records]))
        elif pick < 0.85:
            yield from self.wait(rng.randrange(profile.lazy) + 1)
        elif pick < 0.85 + profile.coalesce:
            yield from self._coalesce()
        elif pick < 0.99:
            yield from rng.choice([self._status, self._events, self._fired, self._doorbell, self._scratch])()
        elif rng.random() < profile.refuse:
            yield from self._refuse()

    def _retire(self) -> Actor:
        consumer = yield from self.read(h.CmdqConsReg.offset)
        objections, judged = self.orders.retire(consumer)
        self.accept(objections)
        for what in judged:
            self.judged(*what)

    def _drain(self, most: int) -> Actor:
        """Read some records and give their entries back."""
        producer = yield from self.read(h.FqProdReg.offset)
        self.must(producer == self.records_at_memory or producer - self.mmu.consumer & 0xFFFF <= self.mmu.records, "FQ_PROD")
        count = min(most, producer - self.mmu.consumer & 0xFFFF)
        for _ in range(count):
            entry = self.orders.record(self.mmu.consumer)
            self.judged("read", *entry.values())
            self.accept(self.book.record(entry, self.mmu.consumer))
            self.mmu.consumer = self.mmu.consumer + 1 & 0xFFFF
        if count or self.rng.random() < 0.2:
            yield from self.write(h.FqConsReg.offset, self.mmu.consumer)
            self._waiting(taken=True)

    def _refuse(self) -> Actor:
        """The fault queue's memory is gone for a while."""
        yield from self.write(h.FqBaseReg.offset, self.orders.outside())
        yield from self.wait(self.rng.randrange(200))
        yield from self.write(h.FqBaseReg.offset, self.orders.fq)

    # ---- software: the end -----------------------------------------------------------------------------------------------

    def _settle(self) -> Actor:
        """Nothing new; everything owed comes."""
        self.quiet = True
        self.tables.quiet = True
        calm = 0
        for _ in range(TRIES):
            yield from self._retire()
            yield from self._drain(self.mmu.records)
            for who, token in self.book.outstanding():
                if self.orders.room():
                    self.orders.resume(who, token)
            yield from self.write(h.CmdqProdReg.offset, self.mmu.producer)
            out = yield {}
            over = out.quiescent and not out.pending and not self.orders.posted and not self.tables.flying and not self.tables.asked
            calm = calm + 1 if over and self.records_at_memory == self.mmu.consumer else 0
            if calm == 4:
                break
            yield from self.wait(20)
        else:
            self.must(False, f"no end: {len(self.orders.posted)} commands, {len(self.tables.asked)} look-ups, {self.book.line}")
        self.accept(self.book.settled())
        yield from self._status()

    def _counters(self) -> Actor:
        """What was counted since power-on is what happened."""
        wanted = {
            h.Counter.COMMANDS: self.orders.done,
            h.Counter.BAD_COMMANDS: self.orders.refused,
            h.Counter.RESUMES: self.orders.resumes,
        }
        if not self.book.forgotten:
            wanted |= {h.Counter.FAULTS: self.book.records, h.Counter.FAULTS_MERGED: self.book.accepted - self.book.records}
        if not self.profile.off:
            for counter, count in wanted.items():
                value = yield from self.read(h.CounterReg.offset + 8 * counter)
                self.must(value == count, f"counter {counter.name} is {value}, not {count}")
                self.judged(counter.name, value)
