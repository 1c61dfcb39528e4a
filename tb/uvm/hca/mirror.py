"""What software has told the device, as the register bus and memory show it: registers, commands rung, queue pairs, completion
queues, work requests.

Promises: a command is captured with its context when it is rung, a work request when its doorbell is; a queue pair is what the
last MODIFY_QP that ended well says. `on_restart` is called when the device is switched off or reset, and nothing of before is
kept but the registers.
Needs: software writes a queue's entry before it rings, and rings no more than the queue holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pyuvm import ConfigDB, uvm_subscriber

from hwif.gen import hca as h
from hwif.memory import HostMemory
from tb.hil.hca_lines import Entry, entry_of
from tb.uvm.agents.axil.config import RegisterAccess
from tb.uvm.hca.bfm import HcaBfm

__all__ = ["Command", "Cq", "Mirror", "QueuePair", "Work"]

LINE = h.ENTRY_BYTES
INDEX = (1 << h.INDEX_WIDTH) - 1
PSN = (1 << h.PSN_WIDTH) - 1
ATOMICS = (h.WrOpcode.ATOMIC_CMP_AND_SWP, h.WrOpcode.ATOMIC_FETCH_AND_ADD)


@dataclass
class Work:
    """A work request as it was when its doorbell was rung."""

    index: int
    wqe: Entry
    psn: int = 0  # of its first packet (send)
    packets: int = 1

    @property
    def length(self) -> int:
        """Bytes of its elements."""
        return sum(self.wqe[f"length{at}"] for at in range(min(self.wqe["num_sge"], h.MAX_SGE)))

    def pieces(self, offset: int, length: int) -> list[tuple[int, int, int, int]]:
        """Where bytes `offset`.. of the message lie: key, address, place from `offset` on, bytes."""
        found, at = [], 0
        for sge in range(min(self.wqe["num_sge"], h.MAX_SGE)):
            size = self.wqe[f"length{sge}"]
            low, high = max(at, offset), min(at + size, offset + length)
            if low < high:
                found.append((self.wqe[f"lkey{sge}"], self.wqe[f"addr{sge}"] + low - at, low - offset, high - low))
            at += size
        return found


@dataclass
class QueuePair:
    """`sends`, `receives`: rung and not completed, by the boards' count; `sent`, `received`: all, by index. `failed`: sides that
    have completed one with an error (1: receives)."""

    qpn: int
    context: Entry
    sq_seen: int = 0
    rq_seen: int = 0
    next_psn: int = 0
    sends: list[Work] = field(default_factory=list)
    receives: list[Work] = field(default_factory=list)
    sent: dict[int, Work] = field(default_factory=dict)
    received: dict[int, Work] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)

    @property
    def mtu(self) -> int:
        """Of the path, bytes."""
        return 1 << self.context["mtu_shift"]


@dataclass
class Cq:
    """A completion queue."""

    base: int
    log: int
    written: int = 0


@dataclass
class Command:
    """A command as it was when it was rung; `context` are the 64 bytes at its address."""

    index: int
    pa: int
    entry: Entry
    context: bytes


class Mirror(uvm_subscriber):
    """Subscribes to the register monitor."""

    memory: HostMemory

    def build_phase(self) -> None:
        super().build_phase()
        self.bfm: HcaBfm = ConfigDB().get(self, "", "BFM")
        self.on_restart: list[Callable[[], None]] = []
        self.registers: dict[int, int] = {}
        self._forget()
        self.bfm.clocking.on_reset.append(self._in_reset)

    def _forget(self) -> None:
        self.qps: dict[int, QueuePair] = {}
        self.cqs: dict[int, Cq] = {}
        self.rung: list[Command] = []
        """Commands whose status has not been seen."""
        self._commands_seen = 0
        self.fault_produced = 0  # by the trace: the fault board keeps it
        self.stopped = False  # commands: until CMDQ_SIZE is written
        self.reloaded: set[int] = set()
        """Queue pairs of which a side was loaded anew while they had one."""
        self.overflow_cleared = False

    def _in_reset(self) -> None:
        self.registers.clear()
        self._restart()

    def _restart(self) -> None:
        self._forget()
        for listener in self.on_restart:
            listener()

    # ---- registers -------------------------------------------------------------------------------------------------------

    def value(self, register: type, name: str) -> int:
        """A field of what was last written to a register."""
        found: int = getattr(register, name).of(self.registers.get(register.offset, 0))  # type: ignore[attr-defined]
        return found

    @property
    def enabled(self) -> bool:
        """CTRL.enable."""
        return bool(self.value(h.CtrlReg, "enable"))

    @property
    def fault_pending(self) -> int:
        """Records that software has not taken."""
        return (self.fault_produced - self.value(h.FqConsReg, "index")) & INDEX

    @property
    def fault_room(self) -> bool:
        """The fault queue takes another record."""
        size = self.value(h.FqSizeReg, "entries")
        return bool(size) and size & size - 1 == 0 and self.fault_pending < size

    def write(self, access: RegisterAccess) -> None:
        """From the register monitor."""
        if not access.write or not access.okay:
            return
        mask = sum(0xFF << 8 * lane for lane in range(8) if access.strobe >> lane & 1)
        offset = access.addr & -8
        was_enabled = self.enabled
        self.registers[offset] = self.registers.get(offset, 0) & ~mask | access.data & mask
        if offset == h.CtrlReg.offset:
            if was_enabled != self.enabled:
                for gone in (h.CmdqProdReg.offset, h.FqConsReg.offset):
                    self.registers[gone] = 0
                self._restart()
        elif offset == h.StatusReg.offset:
            self.overflow_cleared = self.overflow_cleared or bool(access.data & mask & h.StatusReg.fault_overflow.place(1))
        elif offset == h.CmdqSizeReg.offset:
            self._commands_seen = 0
            self.registers[h.CmdqProdReg.offset] = 0
            self.stopped = False
        elif self.enabled and offset == h.CmdqProdReg.offset:
            self._ring_commands()
        elif self.enabled and offset == h.SqDoorbellReg.offset:
            self._ring(self.value(h.SqDoorbellReg, "qpn"), self.value(h.SqDoorbellReg, "index"), send=True)
        elif self.enabled and offset == h.RqDoorbellReg.offset:
            self._ring(self.value(h.RqDoorbellReg, "qpn"), self.value(h.RqDoorbellReg, "index"), send=False)

    def _entry(self, structure: type, pa: int) -> Entry:
        return entry_of(structure, self.memory.read(pa, LINE).ljust(LINE, b"\0"))

    # ---- commands --------------------------------------------------------------------------------------------------------

    @property
    def command_queue(self) -> tuple[int, int]:
        """Base and entries."""
        return self.value(h.CmdqBaseReg, "addr"), self.value(h.CmdqSizeReg, "entries")

    def _ring_commands(self) -> None:
        base, size = self.command_queue
        if not size or size & size - 1 or base % LINE or self.stopped:
            self.stopped = True
            return
        while self._commands_seen != self.value(h.CmdqProdReg, "index"):
            pa = base + LINE * (self._commands_seen % size)
            entry = self._entry(h.Command, pa)
            context = self.memory.read(entry["addr"], LINE).ljust(LINE, b"\0") if self.memory.holds(entry["addr"]) else b""
            self.rung.append(Command(self._commands_seen, pa, entry, context))
            self._commands_seen = self._commands_seen + 1 & INDEX

    def apply(self, command: Command) -> None:
        """A command has ended well."""
        entry = command.entry
        if entry["opcode"] == h.CmdOp.MODIFY_CQ:
            context = entry_of(h.Cqc, command.context)
            self.cqs.pop(entry["qpn"], None)
            if context["valid"]:
                self.cqs[entry["qpn"]] = Cq(context["base"], context["log"])
        elif entry["opcode"] == h.CmdOp.MODIFY_QP:
            self._modify(entry, entry_of(h.Qpc, command.context))

    def _modify(self, entry: Entry, context: Entry) -> None:
        old = self.qps.get(entry["qpn"])
        if old is not None and (entry["load_sq"] or entry["load_rq"]):
            self.reloaded.add(entry["qpn"])
        qp = QueuePair(entry["qpn"], context)
        if old is not None:
            qp.failed = {side for side in old.failed if not entry["load_rq" if side else "load_sq"]}
        if old is not None and not entry["load_sq"]:
            qp.sq_seen, qp.next_psn, qp.sends, qp.sent = old.sq_seen, old.next_psn, old.sends, old.sent
        else:
            qp.next_psn = context["sq_psn"]
        if old is not None and not entry["load_rq"]:
            qp.rq_seen, qp.receives, qp.received = old.rq_seen, old.receives, old.received
        self.qps[entry["qpn"]] = qp

    # ---- work requests ---------------------------------------------------------------------------------------------------

    def _ring(self, qpn: int, index: int, *, send: bool) -> None:
        qp = self.qps.get(qpn)
        if qp is None:
            return
        base, log = (qp.context["sq_base"], qp.context["sq_log"]) if send else (qp.context["rq_base"], qp.context["rq_log"])
        seen = qp.sq_seen if send else qp.rq_seen
        while seen != index:
            work = Work(seen, self._entry(h.Wqe, base + LINE * (seen % (1 << log))))
            if send:
                work.psn = qp.next_psn
                work.packets = 1 if work.wqe["opcode"] in ATOMICS else max(1, -(-work.length // qp.mtu))
                qp.next_psn = qp.next_psn + work.packets & PSN
                qp.sends.append(work)
                qp.sent[seen] = work
            else:
                qp.receives.append(work)
                qp.received[seen] = work
            seen = seen + 1 & INDEX
        if send:
            qp.sq_seen = seen
        else:
            qp.rq_seen = seen
