"""What no untimed oracle can say: that the ports stay open and that nothing waits for what it need not.

Promises: objects, once an occasion, to a lookup port closed for longer than its widest lookup takes (SD-4), a shootdown offered for
longer than two sweeps (SD-8), and an acknowledgement that stays away with no access left to wait for (SD-2).
Needs: "BFM" in the ConfigDB, the scoreboard's oracle. Bounds, not latencies: the block test has those to the cycle.
"""

from __future__ import annotations

from pyuvm import ConfigDB, uvm_subscriber

from hwif.gen.gru import PAGE_SHIFTS
from tb.uvm.tlb.bfm import TlbBfm
from tb.uvm.tlb.observed import Acknowledged, ShootTaken
from tb.uvm.tlb.scoreboard import Judged, Scoreboard

__all__ = ["PortRules"]

PORT_CLOSED = (len(PAGE_SHIFTS) + 1) // 2  # cycles of the widest lookup
SLOT_WAIT = 64  # beside two sweeps of a set a cycle
ACK_WAIT = 16
LOOK_EVERY = 4


class PortRules(uvm_subscriber):
    """Subscribes to the scoreboard and watches ready."""

    def build_phase(self) -> None:
        super().build_phase()
        self._bfm: TlbBfm = ConfigDB().get(self, "", "BFM")
        self.scoreboard: Scoreboard | None = None  # the environment connects it
        self._free_since: dict[int, int] = {}  # handle -> cycle since which it has nothing to wait for

    def write(self, judged: Judged) -> None:
        """From the scoreboard."""
        match judged.event:
            case ShootTaken(handle=handle):
                self._free_since[handle] = judged.event.cycle
            case Acknowledged(handle=handle):
                self._free_since.pop(handle, None)

    async def run_phase(self) -> None:
        closed = offered = 0
        bfm = self._bfm
        await bfm.ready.wait()
        slot_wait = 2 * bfm.get("entries") // bfm.get("ways") + SLOT_WAIT
        while True:
            await bfm.sample()
            closed = closed + 1 if bfm.pin("lkp_valid") and not bfm.get("lkp_ready") else 0
            offered = offered + 1 if bfm.pin("shoot_valid") and not bfm.get("shoot_ready") else 0
            if closed == PORT_CLOSED:
                self._object("SD-4", f"the lookup port has been closed for {closed} cycles")
            if offered == slot_wait:
                self._object("SD-8", f"a shootdown has been offered for {offered} cycles")
            if bfm.cycle % LOOK_EVERY == 0:
                self._look_at_handles()

    def _look_at_handles(self) -> None:
        assert self.scoreboard is not None
        now = self._bfm.cycle
        for handle, since in list(self._free_since.items()):
            if self.scoreboard.oracle.holders(handle):
                self._free_since[handle] = now
            elif now - since > ACK_WAIT:
                del self._free_since[handle]
                self._object("SD-2", f"handle {handle} has nothing to wait for and is not acknowledged after {now - since} cycles")

    def _object(self, rule: str, text: str) -> None:
        assert self.scoreboard is not None
        self.scoreboard.object_at(self._bfm.cycle, rule, text)
