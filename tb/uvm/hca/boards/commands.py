"""Commands: each gets one status, in order, and the one its fields deserve (docs/hca.md section 3); a resume what the trace says of
its token (FQ-4)."""

from __future__ import annotations

from collections import deque

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from tb.hil.hca_lines import entry_of
from tb.uvm.agents.axi.config import MemoryAccess, Resp
from tb.uvm.hca.boards.base import Board
from tb.uvm.hca.coverage import Coverage
from tb.uvm.hca.mirror import Command
from tb.uvm.hca.observed import Record
from tb.uvm.inlet import Inlet

__all__ = ["CommandBoard"]

LINE = h.ENTRY_BYTES
STATUS_LANES = 0xFF << 56
PA_BITS = 52
ALIGNED = {h.CmdOp.MODIFY_QP: LINE, h.CmdOp.MODIFY_CQ: LINE, h.CmdOp.QUERY_QP: LINE, h.CmdOp.FENCE: 8}
OF_A_QP = (h.CmdOp.MODIFY_QP, h.CmdOp.QUERY_QP, h.CmdOp.RESUME)
OF_A_KEY = (h.CmdOp.INVALIDATE_KEY, h.CmdOp.INVALIDATE_RANGE)


class CommandBoard(Board):
    """Statuses in memory."""

    cover: Coverage

    def build_phase(self) -> None:
        super().build_phase()
        self.accesses = Inlet("accesses", self, self._access)
        self.records = Inlet("records", self, self._records)
        self._resumes: deque[bool] = deque()
        self.memory_refuses = False
        """A test lets memory refuse what commands name: BAD_ADDRESS is right too."""

    def forget(self) -> None:
        """A new device."""
        self._resumes.clear()

    def _records(self, records: list[Record]) -> None:
        self._resumes += [bool(record[6]) for record in records if record[1] == TraceEvent.HDEV_RESUME]

    def _access(self, access: MemoryAccess) -> None:
        base, size = self.mirror.command_queue
        if (
            not access.write
            or not base <= access.addr < base + LINE * size
            or access.resp != Resp.OKAY
            or access.issued < self.since
        ):
            return
        if not self.mirror.rung:
            self.judge.object("order", f"a status at {access.addr:#x} for a command that was not rung")
            return
        command = self.mirror.rung.pop(0)
        if access.addr & -LINE != command.pa or access.strobe != STATUS_LANES:
            where = f"{access.addr:#x}, strobes {access.strobe:#x}"
            self.judge.object("order", f"the status of command {command.index} belongs to {command.pa:#x}, not {where}")
            return
        written = entry_of(h.Command, access.data)
        status, wanted = written["status"], self._wanted(command)
        self.judge.note("command", command.index, command.entry["opcode"], status)
        if not written["done"]:
            self.judge.object("order", f"the status of command {command.index} without its done bit")
        refused = self.memory_refuses and status == h.CmdStatus.BAD_ADDRESS
        if status != wanted and not refused:
            name = h.CmdStatus(status).name if status in list(h.CmdStatus) else status
            self.judge.object("status", f"command {command.index} {command.entry} ended with {name}, not {wanted.name}")
        self.cover.command(command, status)
        if status == h.CmdStatus.OK:
            self.mirror.apply(command)

    def _wanted(self, command: Command) -> h.CmdStatus:
        """As the checks of the device are ordered."""
        entry = command.entry
        opcode = entry["opcode"]
        if opcode not in list(h.CmdOp):
            return h.CmdStatus.BAD_OPCODE
        if (opcode in OF_A_QP and entry["qpn"] >= h.NUM_QP) or (opcode == h.CmdOp.MODIFY_CQ and entry["qpn"] >= h.NUM_CQ):
            return h.CmdStatus.BAD_NUMBER
        if opcode in OF_A_KEY and entry["key"] >> 8 >= h.NUM_KEY:
            return h.CmdStatus.BAD_NUMBER
        if opcode in ALIGNED:
            if entry["addr"] % ALIGNED[h.CmdOp(opcode)]:
                return h.CmdStatus.BAD_CONTEXT
            if not self.mirror.memory.holds(entry["addr"]):
                return h.CmdStatus.BAD_ADDRESS
        if opcode == h.CmdOp.RESUME:
            return h.CmdStatus.OK if self._resumes and self._resumes.popleft() else h.CmdStatus.BAD_TOKEN
        if opcode == h.CmdOp.MODIFY_QP and self._bad_qp(command):
            return h.CmdStatus.BAD_CONTEXT
        if opcode == h.CmdOp.MODIFY_CQ and self._bad_cq(command):
            return h.CmdStatus.BAD_CONTEXT
        return h.CmdStatus.OK

    @staticmethod
    def _bad_base(base: int) -> bool:
        return base % LINE != 0 or base >> PA_BITS != 0

    def _bad_qp(self, command: Command) -> bool:
        context = entry_of(h.Qpc, command.context)
        unknown = context["state"] not in list(h.QpState) or context["policy"] not in list(h.FaultPolicy)
        bad_mtu = not h.MTU_SHIFT_MIN <= context["mtu_shift"] <= h.MTU_SHIFT_MAX
        bad_sq = bool(command.entry["load_sq"]) and self._bad_base(context["sq_base"])
        bad_rq = bool(command.entry["load_rq"]) and self._bad_base(context["rq_base"])
        return unknown or bad_mtu or bad_sq or bad_rq

    def _bad_cq(self, command: Command) -> bool:
        context = entry_of(h.Cqc, command.context)
        return bool(context["valid"]) and self._bad_base(context["base"])

    def check_phase(self) -> None:
        """Every command that was rung has ended."""
        if (
            self.mirror.rung
            and not self.mirror.stopped
            and not self.judge.enough.is_set()
            and not self.mirror.bfm.clocking.in_reset
        ):
            self.judge.object("liveness", f"commands without a status: {[command.index for command in self.mirror.rung]}")
