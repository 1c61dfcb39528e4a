"""Watches what the device shows of itself and publishes it as records of spec/events.toml.

Promises: `ap` gets the records of a cycle at once, in a list, in the order of the harness (tb/hil/hil_hca_top.sv).
"""

from __future__ import annotations

from pyuvm import ConfigDB, uvm_analysis_port, uvm_monitor

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from tb.hil.hca_lines import Entry, entry_of
from tb.uvm.hca.bfm import HcaBfm, Seen
from tb.uvm.hca.observed import Record

__all__ = ["TraceMonitor"]

NAMES: dict[Seen, tuple[TraceEvent, tuple[str, ...]]] = {
    Seen.WALK: (TraceEvent.HDEV_WALK, ("walk_key", "walk_va")),
    Seen.INVALIDATE: (TraceEvent.HDEV_INVALIDATE, ("inv_index", "inv_key", "inv_addr", "inv_length", "inv_whole")),
    Seen.FENCE: (TraceEvent.HDEV_FENCE, ("fence_index", "fence_value")),
    Seen.FAULT: (TraceEvent.HDEV_FAULT, ("fault_qpn", "fault_dir", "fault_key", "fault_va", "fault_cause", "fault_token")),
    Seen.RECORD: (TraceEvent.HDEV_RECORD, ("record_qpn", "record_dir", "record_token", "record_prod")),
    Seen.RESUME: (TraceEvent.HDEV_RESUME, ("resume_qpn", "resume_dir", "resume_token", "resume_error", "resume_ok")),
    Seen.QP: (TraceEvent.HDEV_QP, ("qp_qpn", "qp_state")),
}


class TraceMonitor(uvm_monitor):
    """One list a cycle with something in it."""

    def build_phase(self) -> None:
        super().build_phase()
        self.bfm: HcaBfm = ConfigDB().get(self, "", "BFM")
        self.ap = uvm_analysis_port("ap", self)
        self._records: list[Record] = []
        for seen, (event, names) in NAMES.items():
            self.bfm.watch(seen, lambda event=event, names=names: self._plain(event, names))
        self.bfm.watch(Seen.FILL, self._fill)
        self.bfm.watch(Seen.KILL, self._kill)
        self.bfm.watch(Seen.SENT, lambda: self._packet("sent", 1))
        self.bfm.watch(Seen.TAKEN, lambda: self._packet("taken", 0))
        self.bfm.watch(Seen.LAND, self._land)
        self.bfm.watch(Seen.CQE, self._cqe)
        self.bfm.after(self._publish)

    def _plain(self, event: TraceEvent, names: tuple[str, ...]) -> None:
        get = self.bfm.get
        self._records.append((self.bfm.cycle, int(event), *(get(name) for name in names)))

    def _fill(self) -> None:
        dropped = self.bfm.get("fill_dropped")
        event = TraceEvent.HDEV_FILL_DROPPED if dropped else TraceEvent.HDEV_FILL
        names = ("fill_key", "fill_va") if dropped else ("fill_key", "fill_va", "fill_pfn", "fill_shift", "fill_write")
        self._plain(event, names)

    def _kill(self) -> None:
        get, cycle = self.bfm.get, self.bfm.cycle
        valid, key, va, shift = get("kill_valid"), get("kill_key"), get("kill_va"), get("kill_shift")
        index = (1 << h.KEY_IDX_WIDTH) - 1
        for way in range(h.MTT_WAYS):
            if valid >> way & 1:
                of_way = (key >> h.KEY_IDX_WIDTH * way & index, va >> 64 * way & (1 << 64) - 1, shift >> 6 * way & 63)
                self._records.append((cycle, int(TraceEvent.HDEV_KILL), *of_way))

    def _entry(self, structure: type, name: str) -> Entry:
        return entry_of(structure, self.bfm.get(name).to_bytes(h.ENTRY_BYTES, "little"))

    def _packet(self, name: str, sent: int) -> None:
        head = self._entry(h.Packet, name)
        own = head["src_qpn" if sent else "dest_qpn"]
        if head["opcode"] == h.PktOp.NAK:
            record = (TraceEvent.HDEV_NAK, own, head["psn"], head["syndrome"], sent)
        else:
            record = (TraceEvent.HDEV_PACKET, head["opcode"], own, head["psn"], head["length"], sent)  # type: ignore[assignment]
        self._records.append((self.bfm.cycle, *map(int, record)))

    def _land(self) -> None:
        head = self._entry(h.Packet, "land")
        self._records.append((self.bfm.cycle, int(TraceEvent.HDEV_LAND), head["dest_qpn"], head["psn"], head["va"], head["length"]))

    def _cqe(self) -> None:
        cqe = self._entry(h.Cqe, "cqe")
        told = (self.bfm.get("cqe_cqn"), cqe["qpn"], cqe["status"], cqe["opcode"], cqe["wqe_index"])
        self._records.append((self.bfm.cycle, int(TraceEvent.HDEV_CQE), *told))

    def _publish(self) -> None:
        if self._records:
            self.ap.write(self._records)
            self._records = []
