"""Functional coverage of the HCA as a chip: what the checks have been in (points.py says what there is).

Promises: counts by what the monitors saw and the mirror knows; nothing here objects.
"""

from __future__ import annotations

from collections import deque

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from tb.hil.abi import Fate
from tb.uvm.agents.axi.config import MemoryAccess, Resp
from tb.uvm.agents.axil.config import RegisterAccess
from tb.uvm.agents.irq.config import IrqChanged
from tb.uvm.agents.link.packet import FLIT, Wire
from tb.uvm.hca.boards.base import Board
from tb.uvm.hca.boards.faults import FaultBoard
from tb.uvm.hca.boards.trace import TraceBoard
from tb.uvm.hca.mirror import INDEX, PSN, Command, QueuePair, Work
from tb.uvm.hca.observed import Record, owner_of
from tb.uvm.hca.points import (
    BAD_PACKET,
    COMMAND,
    COMPLETION,
    DAMAGE,
    INVALIDATION,
    LINE,
    NAK,
    OUTCOME,
    PACKET,
    POLICY,
    QUEUE,
    REFUSED,
    REGISTER,
    REQUESTER,
    RESET,
    TOKEN,
    lower,
    register_names,
)
from tb.uvm.inlet import Inlet

__all__ = ["Coverage"]

LINE_BYTES = h.ENTRY_BYTES
KEPT = 64
REGISTERS = register_names()
REQUESTS = (h.PktOp.SEND, h.PktOp.WRITE, h.PktOp.READ_REQ, h.PktOp.CMP_SWAP, h.PktOp.FETCH_ADD)


class Coverage(Board):
    """Beside the boards, and called by some."""

    faults: FaultBoard
    traces: TraceBoard

    def build_phase(self) -> None:
        super().build_phase()
        self.accesses = Inlet("accesses", self, self._access)
        self.started = Inlet("started", self, self._started)
        self.records = Inlet("records", self, self._records)
        self.registers = Inlet("registers", self, self._register)
        self.packets = Inlet("packets", self, self._packet)
        self.changes = Inlet("changes", self, self._line)
        self.activity = ""
        """What a test of resets has going on."""
        self._hardware = False
        self.judge.bfm.clocking.on_reset.insert(0, self._in_reset)
        self._clear()

    def _clear(self) -> None:
        self._came: dict[int, deque[Wire]] = {}
        self._flying: dict[int, int] = {}
        self._tokens: dict[tuple[int, int], int] = {}
        self._used: dict[tuple[int, int], list[int]] = {}
        self._consumed: dict[int, int] = {}
        self._armed: set[int] = set()

    def _in_reset(self) -> None:
        self._hardware = True

    def forget(self) -> None:
        """Switched off, on, or reset."""
        if self.activity and (self._hardware or not self.mirror.enabled):
            self.judge.hit(RESET, f"{'hardware' if self._hardware else 'software'}, {self.activity}")
            self.activity = ""
        self._hardware = False
        self._clear()

    # ---- the trace -------------------------------------------------------------------------------------------------------------

    def _records(self, records: list[Record]) -> None:
        for record in records:
            match record[1]:
                case TraceEvent.HDEV_FAULT:
                    self._fault(record)
                case TraceEvent.HDEV_RECORD:
                    self._queue()
                case TraceEvent.HDEV_RESUME:
                    self._resume(record)
                case TraceEvent.HDEV_INVALIDATE:
                    self._invalidate(record)

    def _fault(self, record: Record) -> None:
        _cycle, _event, qpn, direction, key, va, _cause, token = record
        self._tokens[qpn, direction] = token
        self._queue()
        qp = self.mirror.qps.get(qpn)
        if qp is None:
            return
        if direction == h.FaultDir.RESPONDER:
            for wire in reversed(self._came.get(qpn, ())):
                if self._names(qp, wire, key, va):
                    first, last = wire.head["first"], wire.head["last"]
                    place = "only" if first and last else "first" if first else "last" if last else "middle"
                    self.judge.hit(POLICY, f"{lower(h.FaultPolicy(qp.context['policy']))}, {place}")
                    return
            self.judge.hit(REQUESTER, "source of a read")
            return
        for work in qp.sends:
            if any(sge_key == key and start <= va < start + size for sge_key, start, _at, size in work.pieces(0, work.length)):
                names: dict[int, str] = {h.WrOpcode.SEND: "source of a send", h.WrOpcode.RDMA_WRITE: "source of a write"}
                self.judge.hit(REQUESTER, names.get(work.wqe["opcode"], "target of a read"))
                return

    @staticmethod
    def _names(qp: QueuePair, wire: Wire, key: int, va: int) -> bool:
        """The packet's own bytes lie there."""
        head = wire.head
        if head["opcode"] == h.PktOp.SEND:
            work = qp.received.get(head["ssn"])
            pieces = work.pieces(head["offset"] * qp.mtu, head["length"]) if work else []
            return any(sge == key and start <= va < start + size for sge, start, _at, size in pieces)
        return head["opcode"] == h.PktOp.WRITE and head["rkey"] == key and head["va"] <= va < head["va"] + head["length"]

    def _queue(self) -> None:
        mirror = self.mirror
        size, pending = mirror.value(h.FqSizeReg, "entries"), mirror.fault_pending
        if not mirror.enabled or not size:
            return
        waits = bool(self.faults.waiting) and pending >= size
        fill = "overflow" if waits else ["empty", "one", "some"][min(pending, 2)] if pending < size else "full"
        enabled = mirror.value(h.IrqEnableReg, "fault")
        coalescing = mirror.value(h.FqCoalesceReg, "count") > 1
        self.judge.hit(QUEUE, f"{fill}, {'masked' if not enabled else 'coalescing' if coalescing else 'enabled'}")

    def _resume(self, record: Record) -> None:
        _cycle, _event, qpn, direction, token, error, taken = record
        who, other = (qpn, direction), (qpn, 1 - direction)
        used = self._used.setdefault(who, [])
        if taken:
            kind = "right with error" if error else "right"
            self._tokens.pop(who, None)
            used.append(token)
        elif token in used:
            kind = "repeated" if token == used[-1] and who not in self._tokens else "stale"
        else:
            kind = "other direction" if self._tokens.get(other) == token else "forged"
        self.judge.hit(TOKEN, f"{lower(h.FaultDir(direction))}, {kind}")

    def _invalidate(self, record: Record) -> None:
        key, whole = record[3] >> 8, record[6]
        first, last = record[4] >> 12, record[4] + record[5] - 1 >> 12
        name, oracle = "key" if whole else "range", self.traces.oracle
        cached = any(
            whole or (first <= page + (1 << shift - 12) - 1 and page <= last) for page, shift in oracle._entered.get(key, {})
        )
        walking = any(walk.over is None and (whole or first <= walk.page <= last) for walk in oracle._walks.get(key, []))
        flying = self._flying.get(key, 0) > 0
        self.judge.hit(INVALIDATION, f"{name}, cached translation", cached)
        self.judge.hit(INVALIDATION, f"{name}, walk under way", walking)
        self.judge.hit(INVALIDATION, f"{name}, access in flight", flying)
        self.judge.hit(INVALIDATION, f"{name}, nothing", not (cached or walking or flying))

    # ---- memory ---------------------------------------------------------------------------------------------------------------

    def _started(self, access: MemoryAccess) -> None:
        owner = owner_of(access.user)
        if owner.mapped:
            self._flying[owner.key] = self._flying.get(owner.key, 0) + 1

    def _access(self, access: MemoryAccess) -> None:
        owner = owner_of(access.user)
        if owner.mapped:
            self._flying[owner.key] = self._flying.get(owner.key, 0) - 1
        if access.resp in (Resp.SLVERR, Resp.DECERR) and self.mirror.memory.holds(access.addr):
            self.judge.hit(REFUSED, self._place(access))

    def _place(self, access: MemoryAccess) -> str:
        owner, mirror, addr = owner_of(access.user), self.mirror, access.addr
        if owner.mapped:
            if access.lock:
                return "atomic"
            if access.write:
                return "payload write"
            return "source of a read" if owner.need == h.Need.REMOTE_READ else "payload read"
        commands, entries = mirror.command_queue
        if commands <= addr < commands + LINE_BYTES * entries:
            return "command status" if access.write else "command"
        keys = mirror.value(h.MptBaseReg, "addr")
        if keys <= addr < keys + LINE_BYTES * mirror.value(h.MptSizeReg, "entries"):
            return "key entry"
        records = mirror.value(h.FqBaseReg, "addr")
        if records <= addr < records + LINE_BYTES * mirror.value(h.FqSizeReg, "entries"):
            return "fault record"
        for qp in mirror.qps.values():
            for side, name in (("sq", "send request"), ("rq", "receive request")):
                base = qp.context[f"{side}_base"]
                if base <= addr < base + (LINE_BYTES << qp.context[f"{side}_log"]):
                    return name
        if any(cq.base <= addr < cq.base + (LINE_BYTES << cq.log) for cq in mirror.cqs.values()):
            return "completion"
        for command in mirror.rung:
            if addr & -8 == command.entry["addr"] & -8:
                named: dict[int, str] = {h.CmdOp.FENCE: "fence", h.CmdOp.QUERY_QP: "report"}
                return named.get(command.entry["opcode"], "context")
        return "table"

    def completion(self, cqn: int, written: int, log: int) -> None:
        """A completion has gone into its queue as number `written`."""
        fill = written - self._consumed.get(cqn, 0) & INDEX
        armed = "armed" if cqn in self._armed else "not armed"
        size = 1 << log
        where = "into an empty queue" if fill == 0 else "into the last place" if fill == size - 1 else "into a queue with some"
        self.judge.hit(COMPLETION, f"{where}, {armed}")
        self.judge.hit(COMPLETION, f"in a later round, {armed}", written >= size)
        self._armed.discard(cqn)

    def ended(self, qp: QueuePair, work: Work, cqe: dict[str, int]) -> None:
        """A work request has ended."""
        opcode = work.wqe["opcode"]
        name = "receive" if cqe["recv"] else lower(h.WrOpcode(opcode)) if opcode in list(h.WrOpcode) else ""
        bin_ = f"{name}, {lower(h.WcStatus(cqe['status']))}"
        self.judge.hit(OUTCOME, bin_, bin_ in OUTCOME.bins)

    def command(self, command: Command, status: int) -> None:
        """A command has its status."""
        opcode = command.entry["opcode"]
        name = lower(h.CmdOp(opcode)) if opcode in list(h.CmdOp) else "unknown"
        bin_ = f"{name}, {lower(h.CmdStatus(status))}"
        self.judge.hit(COMMAND, bin_, bin_ in COMMAND.bins)

    # ---- the link --------------------------------------------------------------------------------------------------------------

    def _packet(self, wire: Wire) -> None:
        head, side = wire.head, "out" if wire.outbound else "in"
        known = head["opcode"] in list(h.PktOp)
        if wire.good and known:
            self.judge.hit(PACKET, f"{side}, {lower(h.PktOp(head['opcode']))}")
            syndrome = head["syndrome"]
            if head["opcode"] == h.PktOp.NAK and syndrome in list(h.NakSyndrome)[1:]:
                self.judge.hit(NAK, f"{side}, {lower(h.NakSyndrome(syndrome))}")
        if wire.outbound:
            return
        if not wire.good:
            right = 1 + -(-head["length"] // FLIT)
            self.judge.hit(
                BAD_PACKET, "too few flits" if wire.flits < right else "too many flits" if wire.flits > right else "wrong CRC"
            )
            return
        self.judge.hit(BAD_PACKET, "no such opcode", not known)
        qp = self.mirror.qps.get(head["dest_qpn"])
        self.judge.hit(BAD_PACKET, "no such queue pair", qp is None)
        if qp is None or head["opcode"] not in REQUESTS:
            return
        came = self._came.setdefault(qp.qpn, deque(maxlen=KEPT))
        self.judge.hit(BAD_PACKET, "longer than the MTU", head["length"] > qp.mtu)
        if came:
            last = came[-1].head
            span = max(1, -(-last["rest"] // qp.mtu)) if last["opcode"] == h.PktOp.READ_REQ else 1
            ahead = head["psn"] - last["psn"] - span & PSN
            self.judge.hit(BAD_PACKET, "early", 0 < ahead < PSN >> 1)
            self.judge.hit(BAD_PACKET, "late", ahead > PSN >> 1)
        came.append(wire)

    def spoilt(self, opcode: int, fate: Fate) -> None:
        """The cable has decided about a packet."""
        self.judge.hit(DAMAGE, f"{'request' if opcode in REQUESTS else 'answer'}, {lower(fate)}")

    # ---- registers and lines -----------------------------------------------------------------------------------------------------

    def _register(self, access: RegisterAccess) -> None:
        name = REGISTERS.get(access.addr & -8)
        if name is None or not access.okay:
            self.judge.hit(REGISTER, f"no such address, {'written' if access.write else 'read'}", name is None and not access.okay)
            return
        if not access.write:
            self.judge.hit(REGISTER, f"{name}, read")
            if name == "AsyncEvent":
                lost = h.AsyncEventReg.valid.of(access.data) and h.AsyncEventReg.kind.of(access.data) == h.AsyncType.CQ_ERR
                self.judge.hit(COMPLETION, "lost to a full queue", bool(lost))
            if name == "CqEvent":
                self.judge.hit(COMPLETION, "fired", access.data != 0)
            return
        bin_ = f"{name}, written"
        self.judge.hit(REGISTER, bin_ if bin_ in REGISTER.bins else "read-only, written")
        self.judge.hit(REGISTER, "some bytes only", access.strobe not in (0, 0xFF))
        if name == "CqDoorbell":
            self._doorbell(access.data)
        elif name in ("IrqEnable", "FqCons", "FqCoalesce"):
            self._queue()

    def _doorbell(self, word: int) -> None:
        cqn, index = h.CqDoorbellReg.cqn.of(word), h.CqDoorbellReg.index.of(word)
        self._consumed[cqn] = index
        if h.CqDoorbellReg.arm.of(word):
            cq = self.mirror.cqs.get(cqn)
            there = cq is not None and cq.written & INDEX != index
            self.judge.hit(COMPLETION, "armed when entries are there", there)
            if not there:
                self._armed.add(cqn)

    def _line(self, seen: IrqChanged) -> None:
        self.judge.hit(LINE, f"{lower(h.IrqLine(seen.line))}, {'rises' if seen.level else 'falls'}")
