"""Commands of the memory side's bench: what software posts, what status each may get, and what must happen because of it.

Promises: `retire` compares every command done with what was expected of it: status, report, fence's value, and that queue pairs and
completion queues were told exactly what was accepted, in order (FQ-5). `observe` sees to invalidations and fences by the cycle:
each is accepted in its turn, a fence is written when nothing covered is in flight (SD-2), and not much later.
Needs: `posted` commands rung by the caller.
Costs: some us a cycle.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from types import SimpleNamespace

from hwif.gen import hca as h
from tb.block.points_hca import MMU_COMMAND, MMU_FENCE, MMU_TOKEN, bin_name
from tb.hca_mmu.bench import CMDQ, FQ, OUTSIDE, Mmu
from tb.hca_mmu.book import Book, Who
from tb.hca_mmu.tables import Tables
from tb.hca_xlt.world import Inval
from tb.hil.hca_lines import Entry, entry_of, line_of, raw_of
from tb.plan.cover import Tally

__all__ = ["Order", "Orders"]

CONTEXT, REPORT, FENCE = 0x3_0000, 0x3_4000, 0x3_8000
INDEX_MASK = (1 << h.INDEX_WIDTH) - 1
TOP = (1 << 64) - 1
FAR_BITS = 52  # addresses from here on are nobody's
AGAIN = 24  # memory repeats itself
OK = h.CmdStatus.OK
INVALIDATIONS = (h.CmdOp.INVALIDATE_RANGE, h.CmdOp.INVALIDATE_KEY)
Wanted = frozenset[h.CmdStatus]


@dataclass
class Order:
    """A command that is posted and not retired."""

    index: int
    op: int
    want: Wanted
    at: int = 0  # where it writes
    value: int = 0
    who: Who = (0, 0)
    told: tuple[int, ...] | None = None  # what a queue pair or a completion queue must hear if it is OK
    clears: tuple[Who, ...] = ()
    consumes: bool = False  # a resume whose token was the outstanding one
    inval: Inval | None = None
    accepted: bool = False
    written: bool = False  # a fence: told by its probe, or it never will be
    since: int = -1  # a fence: the cycle from which nothing holds it


class Orders:
    """Of one Mmu."""

    def __init__(self, mmu: Mmu, rng: random.Random, tables: Tables, book: Book, tally: Tally) -> None:
        self.mmu, self.rng, self.tables, self.book, self.tally = mmu, rng, tables, book, tally
        self.posted: list[Order] = []
        self.done = self.refused = self.resumes = 0
        self.told: list[tuple[int, ...]] = []
        self.used: list[tuple[Who, int]] = []  # tokens that have been answered
        self.snooped = 0
        self.now = 0
        self.late = 4000 + 60 * mmu.latency
        self.bases()

    def bases(self) -> None:
        """Queues at the same memory, by other addresses."""
        self.cmdq, self.fq = (base | self._again() for base in (CMDQ, FQ))

    def _again(self) -> int:
        return self.rng.randrange(1 << FAR_BITS - AGAIN) << AGAIN

    def outside(self) -> int:
        """An address without memory, aligned."""
        return OUTSIDE + self.rng.randrange(1 << 12) * h.ENTRY_BYTES | self._again()

    def room(self) -> int:
        """Commands that can be posted."""
        return self.mmu.commands - len(self.posted)

    def record(self, index: int) -> Entry:
        """A record of the fault queue."""
        return self.mmu.record(index)

    def under_way(self) -> set[str]:
        """Of commands, for a reset in the middle."""
        found = {"command"} if self.posted else set()
        found |= {"fence" for order in self.posted if order.op == h.CmdOp.FENCE and not order.written}
        return found | {"context" for order in self.posted if order.op in (h.CmdOp.MODIFY_QP, h.CmdOp.MODIFY_CQ)}

    def disabled(self) -> None:
        """The block was switched off."""
        self.posted.clear()
        self.told.clear()
        self.used.clear()
        self.snooped = 0

    # ---- posting --------------------------------------------------------------------------------------------------------

    def _put(self, op: int, want: set[h.CmdStatus], fields: dict[str, int], **order: object) -> None:
        index = self.mmu.command(op, **fields)
        self.posted.append(Order(index, op, frozenset(want), **order))  # type: ignore[arg-type]

    def post(self, resume: float, wrong: float, change: float, clear: float, qpn: int) -> None:
        """Any command."""
        rng = self.rng
        kinds = {self._any_resume: 3 * resume, self._invalidate: 2 * change, self._fence: 1.5, self._nop: 0.5}
        kinds |= {self._query: 0.7, self._modify_cq: 0.7, self._modify_qp: 0.7}
        chosen = rng.choices(list(kinds), list(kinds.values()))[0]
        if clear and rng.random() < clear:
            self._clear(qpn)
        else:
            chosen(qpn, rng.random() < wrong)

    def _slot(self, area: int) -> int:
        return area + self.mmu.producer % self.mmu.commands * h.ENTRY_BYTES | self._again()

    def _nop(self, _qpn: int, bad: bool) -> None:
        if bad:
            self._put(self.rng.randrange(len(h.CmdOp), 256), {h.CmdStatus.BAD_OPCODE}, {})
        else:
            self._put(h.CmdOp.NOP, {OK}, {"key": self.rng.randrange(1 << 32), "length": self.rng.randrange(1 << 64)})

    def _invalidate(self, _qpn: int, bad: bool) -> None:
        rng = self.rng
        if bad:
            op = rng.choice([h.CmdOp.INVALIDATE_RANGE, h.CmdOp.INVALIDATE_KEY])
            self._put(op, {h.CmdStatus.BAD_NUMBER}, {"key": 1 << rng.randrange(20, 32), "length": 1})
            return
        if rng.random() < 0.1:
            self._put(h.CmdOp.INVALIDATE_RANGE, {OK}, {"key": 1 << 8, "addr": rng.randrange(1 << 64)})  # nothing
            return
        inval = self.tables.change() if rng.random() < 0.7 else self.tables.needless()
        key = inval.index << 8 | rng.randrange(256)
        if inval.whole:
            self._put(h.CmdOp.INVALIDATE_KEY, {OK}, {"key": key, "length": rng.randrange(1 << 64)}, inval=inval)
        else:
            length = TOP if inval.last == TOP else inval.last - inval.first + 1
            self._put(h.CmdOp.INVALIDATE_RANGE, {OK}, {"key": key, "addr": inval.first, "length": length}, inval=inval)

    def _fence(self, _qpn: int, bad: bool) -> None:
        rng, value = self.rng, self.rng.randrange(1 << 64)
        at = self._slot(FENCE) + 8 * rng.randrange(8)
        if not bad:
            self._put(h.CmdOp.FENCE, {OK}, {"addr": at, "length": value}, at=at, value=value)
        elif rng.random() < 0.4:
            self._put(h.CmdOp.FENCE, {h.CmdStatus.BAD_CONTEXT}, {"addr": at + rng.randrange(1, 8), "length": value}, written=True)
        elif rng.random() < 0.5:
            far = at | 1 << rng.randrange(FAR_BITS, 64)
            self._put(h.CmdOp.FENCE, {h.CmdStatus.BAD_ADDRESS}, {"addr": far, "length": value}, written=True)
        else:
            self._put(h.CmdOp.FENCE, {h.CmdStatus.BAD_ADDRESS}, {"addr": self.outside(), "length": value}, written=True)

    def _bad_place(self, op: h.CmdOp, numbers: int, fields: dict[str, int], area: int) -> None:
        rng = self.rng
        kind = rng.randrange(4)
        if kind == 0:
            self._put(
                op, {h.CmdStatus.BAD_NUMBER}, fields | {"qpn": numbers + rng.randrange(1 << 20), "addr": rng.randrange(1 << 64)}
            )
        elif kind == 1:
            self._put(op, {h.CmdStatus.BAD_CONTEXT}, fields | {"addr": self._slot(area) + rng.randrange(1, 64)})
        else:
            far = self._slot(area) | 1 << rng.randrange(FAR_BITS, 64)
            self._put(
                op,
                {h.CmdStatus.BAD_ADDRESS},
                fields | {"addr": far if kind == 2 else self.outside()},
                told=None if kind == 2 else (),
            )

    def _query(self, qpn: int, bad: bool) -> None:
        if bad:
            self._bad_place(h.CmdOp.QUERY_QP, h.NUM_QP, {"qpn": qpn}, REPORT)
            if self.posted[-1].told == ():
                self.posted[-1].told = (h.CmdOp.QUERY_QP, qpn)  # its report is refused when the queue pair has made it
            return
        at = self._slot(REPORT)
        self._put(h.CmdOp.QUERY_QP, {OK}, {"qpn": qpn, "addr": at}, at=at, value=qpn, told=(h.CmdOp.QUERY_QP, qpn))

    def _modify_cq(self, _qpn: int, bad: bool) -> None:
        rng, cqn = self.rng, self.rng.randrange(h.NUM_CQ)
        if bad and rng.random() < 0.7:
            self._bad_place(h.CmdOp.MODIFY_CQ, h.NUM_CQ, {"qpn": cqn}, CONTEXT)
            self.posted[-1].told = None
            return
        at, valid = self._slot(CONTEXT), 1 if bad else rng.randrange(2)
        base = (
            rng.choice([1 << rng.randrange(6), 1 << rng.randrange(FAR_BITS, 64)])
            if bad or not valid
            else rng.randrange(1 << 46) << 6
        )
        self._poke(at, raw_of(line_of(h.Cqc, valid=valid, log=rng.randrange(16), base=base)))
        told = (h.CmdOp.MODIFY_CQ, cqn)
        self._put(h.CmdOp.MODIFY_CQ, {h.CmdStatus.BAD_CONTEXT if bad else OK}, {"qpn": cqn, "addr": at}, told=None if bad else told)

    def _modify_qp(self, qpn: int, bad: bool) -> None:
        rng = self.rng
        if bad and rng.random() < 0.5:
            self._bad_place(h.CmdOp.MODIFY_QP, h.NUM_QP, {"qpn": qpn}, CONTEXT)
            self.posted[-1].told = None
            return
        load: dict[str, int] = {}
        context = self._context()
        if bad:
            side = rng.choice(["sq", "rq"])
            worse = {"state": rng.randrange(7, 16), "policy": 3, "mtu_shift": rng.choice([0, 7, 13, 15])}
            name = rng.choice([*worse, f"{side}_base"])
            if name in worse:
                context[name] = worse[name]
            else:
                context[name] = rng.choice([1 << rng.randrange(6), 1 << rng.randrange(FAR_BITS, 64)])
                load = {f"load_{side}": 1}
        at = self._slot(CONTEXT)
        self._poke(at, raw_of(line_of(h.Qpc, **context)))
        told = None if bad else (h.CmdOp.MODIFY_QP, qpn)
        self._put(h.CmdOp.MODIFY_QP, {h.CmdStatus.BAD_CONTEXT if bad else OK}, {"qpn": qpn, "addr": at, **load}, told=told)

    def _context(self) -> dict[str, int]:
        rng = self.rng
        bits = {"rnr_retry": 3, "retry_cnt": 3, "pd": 24, "dest_qpn": 24, "send_cqn": 8, "recv_cqn": 8, "sq_psn": 24, "rq_psn": 24}
        context = {name: rng.randrange(1 << width) for name, width in bits.items()}
        return context | {
            "state": rng.randrange(7), "policy": rng.randrange(3), "mtu_shift": rng.randrange(8, 13),
            "sq_base": rng.randrange(1 << 46) << 6, "rq_base": rng.randrange(1 << 46) << 6,
        }  # fmt: skip

    def _clear(self, qpn: int) -> None:
        """MODIFY_QP that starts sides anew: their faults are forgotten."""
        sides = self.rng.choice([(0,), (1,), (0, 1)])
        if any(self.book.side((qpn, side)).under_way or self.book.quarantined((qpn, side)) for side in sides):
            return self._nop(qpn, bad=False)
        at = self._slot(CONTEXT)
        self._poke(at, raw_of(line_of(h.Qpc, **self._context())))
        clears = tuple((qpn, side) for side in sides)
        for who in clears:
            self.book.clear(who, self.mmu.producer)
        load = {"load_sq": int(0 in sides), "load_rq": int(1 in sides)}
        self._put(h.CmdOp.MODIFY_QP, {OK}, {"qpn": qpn, "addr": at, **load}, told=(h.CmdOp.MODIFY_QP, qpn), clears=clears)

    # ---- resumes ----------------------------------------------------------------------------------------------------------

    def _any_resume(self, qpn: int, bad: bool) -> None:
        rng = self.rng
        there = [
            (who, token)
            for who, token in self.book.outstanding()
            if not self.book.quarantined(who) and not self.book.side(who).under_way
        ]
        if bad and rng.random() < 0.2:
            fields = {"qpn": h.NUM_QP + rng.randrange(1 << 20), "token": rng.randrange(1 << 32)}
            return self._put(h.CmdOp.RESUME, {h.CmdStatus.BAD_NUMBER}, fields)
        if bad and self.used and rng.random() < 0.3:
            return self._wrong(*rng.choice(self.used), "repeated")
        if not there:
            return self._wrong((qpn, rng.randrange(2)), 0x5_0000 << h.QPN_WIDTH | qpn, "none outstanding")
        who, token = rng.choice(there)
        if not bad:
            return self.resume(who, token)
        kind = rng.choice(["stale", "forged", "other queue pair", "other direction"])
        changed = {"stale": token - (1 << h.QPN_WIDTH), "forged": token ^ rng.randrange(1, 1 << 20) << h.QPN_WIDTH}.get(kind, token)
        if kind == "other direction":  # where the number has been used up: a new fault might get it
            spent = [((number, 1 - side), told) for (number, side), told in there if self._spent((number, 1 - side), told)]
            if spent:
                who, changed = rng.choice(spent)
            else:
                kind, changed = "forged", token ^ 1 << 31
        if kind == "other queue pair":
            who = ((who[0] + 1) % h.NUM_QP, who[1])
        return self._wrong(who, changed, kind)

    def _spent(self, who: Who, token: int) -> bool:
        side = self.book.side(who)
        return token >> h.QPN_WIDTH < side.generation or (token >> h.QPN_WIDTH == side.generation and not side.outstanding)

    def _wrong(self, who: Who, token: int, kind: str) -> None:
        error = self.rng.randrange(2)
        fields = {"qpn": who[0], "direction": who[1], "token": token, "error": error}
        self._put(h.CmdOp.RESUME, {h.CmdStatus.BAD_TOKEN}, fields)
        self.tally.hit(MMU_TOKEN, f"{kind}, {'error' if error else 'resume'}, {bin_name(h.FaultDir(who[1]))}")

    def resume(self, who: Who, token: int) -> None:
        """With the token of a record."""
        error = self.rng.randrange(2)
        want = self.book.resume(who, token, self.mmu.producer)
        self.used = [*self.used[-20:], (who, token)]
        fields = {"qpn": who[0], "direction": who[1], "token": token, "error": error}
        self._put(h.CmdOp.RESUME, want, fields, who=who, consumes=OK in want, told=(h.CmdOp.RESUME, *who, error))
        self.tally.hit(MMU_TOKEN, f"right, {'error' if error else 'resume'}, {bin_name(h.FaultDir(who[1]))}")

    # ---- what the block did -----------------------------------------------------------------------------------------------

    def _poke(self, at: int, data: bytes) -> None:
        self.mmu.poke(at & (1 << AGAIN) - 1, data)

    def observe(self, o: SimpleNamespace) -> list[str]:
        """A cycle's outputs."""
        self.now = int(o.now)
        wrong: list[str] = []
        if o.resume_valid and not o.stall & 1:
            self.told.append((h.CmdOp.RESUME, o.resume_qpn, o.resume_dir, o.resume_error))
        if o.qp_cmd_valid and not o.stall & 2:
            self.told.append((o.qp_cmd_op, o.qp_cmd_qpn))
        if o.cq_cmd_valid and not o.stall & 4:
            self.told.append((h.CmdOp.MODIFY_CQ, o.cq_cmd_cqn))
        if o.inv:
            wrong += self._invalidated(int(o.inv_index))
        if o.fence_snoop:
            wrong += self._fenced()
        if o.cmd_snoop:
            if o.cmd_snoop_index != self.snooped % self.mmu.commands:
                wrong.append(f"probe of command {o.cmd_snoop_index}, not {self.snooped % self.mmu.commands}")
            self.snooped += 1
        fence = next((order for order in self.posted if order.op == h.CmdOp.FENCE and not order.written), None)
        if fence and not self._holds(fence):
            fence.since = self.now if fence.since < 0 else fence.since
            if self.now - fence.since > self.late:
                wrong.append(f"SD-2: fence {fence.index} waits although nothing it covers is in flight since cycle {fence.since}")
        return wrong

    def _before(self, fence: Order) -> list[Order]:
        at = self.posted.index(fence)
        return [order for order in self.posted[:at] if order.inval]

    def _holds(self, fence: Order) -> bool:
        return any(not order.accepted for order in self._before(fence)) or any(self.tables.waits.values())

    def _invalidated(self, index: int) -> list[str]:
        order = next(
            (order for order in self.posted if order.op in INVALIDATIONS and OK in order.want and not order.accepted), None
        )
        if order is None or (order.index - index) % self.mmu.commands:
            return [f"SD-8: invalidation {index} is accepted out of turn"]
        order.accepted = True
        if order.inval:  # else of nothing
            self.tables.invalidated(order.index, order.inval)
        return []

    def _fenced(self) -> list[str]:
        fence = next((order for order in self.posted if order.op == h.CmdOp.FENCE and not order.written), None)
        if fence is None:
            return ["a fence nobody asked for"]
        fence.written = True
        late = [order.index for order in self._before(fence) if not order.accepted]
        early = {
            number: uses for number, uses in self.tables.waits.items() if uses and (fence.index - number & INDEX_MASK) < 1 << 15
        }
        waited = "was held" if any(self.tables.waits.values()) or (fence.since > 0 and self.now - fence.since < 100) else "was free"
        self.tally.hit(MMU_FENCE, waited)
        return ([f"SD-1: fence {fence.index} before invalidation {late[0]}"] if late else []) + (
            [f"SD-2: fence {fence.index} while accesses are in flight that invalidations covered: {early}"] if early else []
        )

    def retire(self, consumer: int) -> tuple[list[str], list[tuple[object, ...]]]:
        """Everything before this index is done: objections, and what was judged."""
        wrong: list[str] = []
        judged: list[tuple[object, ...]] = []
        while self.posted and (consumer - self.posted[0].index - 1 & INDEX_MASK) < 1 << 15:
            order = self.posted.pop(0)
            status = self.mmu.status(order.index)
            judged.append((order.index, order.op, status))
            self.done += 1
            self.refused += status != OK
            name = bin_name(h.CmdOp(order.op)) if order.op < len(h.CmdOp) else "unknown"
            if status not in order.want:
                wrong.append(f"command {order}: status {status}")
                break
            self.tally.hit(MMU_COMMAND, f"{name}, {bin_name(h.CmdStatus(status))}")
            wrong += self._happened(order, status)
            if order.inval:
                if not order.accepted:
                    wrong.append(f"SD-1: command {order} is done and was never accepted")
                if not self.tables.waits.get(order.index):
                    self.tables.waits.pop(order.index, None)
        return wrong, judged

    def _happened(self, order: Order, status: int) -> list[str]:
        wrong = []
        refused_report = order.op == h.CmdOp.QUERY_QP and status == h.CmdStatus.BAD_ADDRESS
        if order.told and (status == OK or refused_report):
            if not self.told or self.told[0] != tuple(map(int, order.told)):
                wrong.append(f"FQ-5: {order} was accepted, told was {self.told[:2]}")
            else:
                self.told.pop(0)
        if order.op == h.CmdOp.RESUME and status == OK:
            self.resumes += 1
        if order.consumes:
            self.book.resumed(order.who, order.index)
        for who in order.clears:
            self.book.cleared(who, order.index)
        memory = order.at & (1 << AGAIN) - 1
        if order.op == h.CmdOp.FENCE and status == OK and int.from_bytes(self.mmu.peek(memory, 8), "little") != order.value:
            wrong.append(f"SD-2: {order} is done and its value is not there")
        if order.op == h.CmdOp.QUERY_QP and status == OK:
            report = entry_of(h.QpReport, self.mmu.peek(memory, h.ENTRY_BYTES))
            if (report["sq_prod"], report["una_psn"]) != (order.value, ~order.value & 0xFFFFFF):
                wrong.append(f"{order} is done, its report is {report}")
        return wrong
