"""Watches the device's link in both directions and publishes whole packets.

Promises: `ap` gets a Wire in the cycle of a packet's last flit, whoever is at the other end. A reset forgets what was under way.
Needs: "config" in the ConfigDB.
Costs: nothing in cycles in which no flit is taken.
"""

from __future__ import annotations

from pyuvm import ConfigDB, uvm_analysis_port, uvm_monitor

from tb.uvm.agents.link.packet import Assembler, Flit
from tb.uvm.hca.bfm import Seen

__all__ = ["LinkMonitor"]


class LinkMonitor(uvm_monitor):
    """Out of the device and into it."""

    def build_phase(self) -> None:
        super().build_phase()
        self.bfm = ConfigDB().get(self, "", "config").bfm
        self.ap = uvm_analysis_port("ap", self)
        self._forget()
        self.bfm.watch(Seen.LINK_OUT, lambda: self._look("link_out", self._out))
        self.bfm.watch(Seen.LINK_IN, lambda: self._look("link_rx", self._in))
        self.bfm.clocking.on_reset.append(self._forget)

    def _forget(self) -> None:
        self._out, self._in = Assembler(outbound=True), Assembler(outbound=False)

    def _look(self, port: str, assembler: Assembler) -> None:
        get = self.bfm.get
        data = get(f"{port}_data").to_bytes(64, "little")
        eop = bool(get(f"{port}_eop"))
        wire = assembler.feed(self.bfm.cycle, Flit(data, bool(get(f"{port}_sop")), eop, get(f"{port}_crc") if eop else 0))
        if wire is not None:
            self.ap.write(wire)
