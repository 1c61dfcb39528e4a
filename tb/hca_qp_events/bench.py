"""Queue pairs alone, one call a clock cycle: commands, packets and completions in the cycles a test chooses.

Promises: `Events()` is a reset hca_qp with the assertions of rtl/props/hca_qp_props.sv bound. What leaves it is noted: packets,
completions, flushes. Work requests are signaled RDMA WRITEs of one packet. `finish` waits for the end of everything that goes on; a
wait that nothing ends is a StuckError.
Needs: as tb/block/stepped.py.
Costs: about a minute to build; some 40 us a cycle with Python.
"""

from __future__ import annotations

from types import SimpleNamespace

from hwif.gen import hca as h
from tb.block.stepped import Block, Library
from tb.toolchain import ROOT

__all__ = ["Events", "StuckError"]

HCA = ROOT / "rtl/hca"
HERE = ROOT / "tb/hca_qp_events"
PROPS = [ROOT / "rtl/props/hca_qp_props.sv"]
PACKAGES = [HCA / "gen/hca_pkg.sv", HCA / "hca_int_pkg.sv", HCA / "hca_qp_pkg.sv"]
LIBRARY = Library(
    "hca_qp_events",
    "qp_events_tb",
    [
        ROOT / "rtl/lint/waivers.vlt",
        *PACKAGES,
        *sorted((ROOT / "rtl/common").glob("*.sv")),
        *sorted(path for path in HCA.glob("hca_qp*.sv") if path not in PACKAGES),
        *PROPS,
        HERE / "qp_events_tb.sv",
    ],
    PROPS,
    HERE / "events_lib.cpp",
    allow=["PINCONNECTEMPTY", "DECLFILENAME", "SYNCASYNCNET"],
)
PATIENCE = 1000
ENOUGH = 40
BYTES = 64
"""Of every packet."""


class StuckError(Exception):
    """What was waited for did not come."""


class Events(Block):
    """One block under test. Whoever is at the other end of a queue pair has its number and PEER more."""

    PEER = 0x100

    def __init__(self) -> None:
        super().__init__(LIBRARY, 0, 1)
        self.takes = True
        """Completions are taken."""
        self.sent: list[SimpleNamespace] = []
        """qpn, opcode, syndrome, psn of each packet."""
        self.completed: list[tuple[int, int]] = []
        """Queue pair and index of the work request."""
        self.flushed: list[int] = []

    def step(self, **inputs: int) -> SimpleNamespace:
        """One clock cycle. Inputs not named are zero."""
        out = super().step(cq_ready=self.takes, **inputs)
        if out.tx:
            self.sent.append(SimpleNamespace(qpn=out.tx_qpn, opcode=out.tx_opcode, syndrome=out.tx_syndrome, psn=out.tx_psn))
        if out.cqe and self.takes:
            self.completed.append((out.cqe_qpn, out.cqe_index))
        if out.flush:
            self.flushed.append(out.flush_qpn)
        return out

    def finish(self) -> None:
        """To the end of what goes on by itself, or, while completions wait, long enough for it."""
        if not self.takes:
            for _ in range(ENOUGH):
                self.step()
            return
        calm = 0
        for _ in range(PATIENCE):
            calm = calm + 1 if self.step().quiescent else 0
            if calm == 3:
                return
        raise StuckError("it does not come to rest")

    # ---- commands ------------------------------------------------------------------------------------------------------

    def modify(self, qpn: int, **changed: int) -> dict[str, int]:
        """Inputs of MODIFY_QP: by default to RTS, with both sides loaded."""
        context = {"load": 1, "state": h.QpState.RTS, "mtu_shift": h.MTU_SHIFT_MAX, "dest": qpn + self.PEER} | changed
        fields = {f"cmd_{name}": int(value) for name, value in context.items()}
        return {"cmd": 1, "cmd_op": h.CmdOp.MODIFY_QP, "cmd_qpn": qpn, **fields}

    def do(self, **command: int) -> SimpleNamespace:
        """A command, to its answer."""
        given = command
        for _ in range(PATIENCE):
            out = self.step(**given)
            if given and out.cmd_ready:
                given = {}
            if out.done:
                return out
        raise StuckError("a command has no answer")

    def query(self, qpn: int) -> SimpleNamespace:
        """QUERY_QP: the cycle of its answer."""
        return self.do(cmd=1, cmd_op=h.CmdOp.QUERY_QP, cmd_qpn=qpn)

    # ---- packets -------------------------------------------------------------------------------------------------------

    def packet(self, qpn: int, opcode: h.PktOp, **head: int) -> dict[str, int]:
        """Inputs of a packet for a queue pair."""
        length = BYTES if opcode is h.PktOp.WRITE else 0
        fields = {"opcode": opcode, "qpn": qpn, "src": qpn + self.PEER, "length": length, "rest": length} | head
        return {"pkt": 1, **{f"pkt_{name}": int(value) for name, value in fields.items()}}

    def hear(self, qpn: int, opcode: h.PktOp, **head: int) -> None:
        """Such a packet, to the end of what it causes."""
        for _ in range(PATIENCE):
            if self.step(**self.packet(qpn, opcode, **head)).pkt_ready:
                self.finish()
                return
        raise StuckError("a packet is not taken")

    def resume(self, qpn: int) -> None:
        """A receive side goes on, to the end of what it does then."""
        for _ in range(PATIENCE):
            if self.step(resume=1, resume_qpn=qpn).resume_ready:
                self.finish()
                return
        raise StuckError("a resume is not taken")

    def write(self, qpn: int, posted: int) -> None:
        """So many work requests have been posted: all are sent and acknowledged."""
        self.step(bell=1, bell_qpn=qpn, bell_index=posted)
        before = len(self.sent)
        self.finish()
        last = self.sent[before:][-1]
        self.hear(qpn, h.PktOp.ACK, psn=last.psn, msn=posted)
