"""The scoreboard: every event on the ports against the untimed oracle.

Promises: events reach the oracle in the order it wants, whatever the order in which the monitors ran. `ap` publishes every event
after it was judged, with the oracle as it then is. What is still open at the end is an objection too.
Needs: all monitors connected; "BFM" in the ConfigDB.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyuvm import ConfigDB, uvm_analysis_port, uvm_subscriber

from pymodels.oracle import LegalTranslations, Objection
from tb.uvm.judging import Judging
from tb.uvm.tlb.bfm import TlbBfm
from tb.uvm.tlb.observed import Acknowledged, Answered, Asked, Ended, FillTaken, Observed, Reported, ShootTaken

__all__ = ["Judged", "Scoreboard"]


@dataclass(frozen=True)
class Judged:
    """An event and the oracle after it."""

    event: Observed
    oracle: LegalTranslations


class Scoreboard(Judging, uvm_subscriber):
    """Between the monitors and the oracle."""

    def build_phase(self) -> None:
        super().build_phase()
        self.ap = uvm_analysis_port("ap", self)
        self.oracle = LegalTranslations()
        self._waiting: list[Observed] = []
        self._last = 0  # cycle of the latest event

    def write(self, seen: Observed) -> None:
        """From every monitor."""
        self._waiting.append(seen)

    async def run_phase(self) -> None:
        bfm: TlbBfm = ConfigDB().get(self, "", "BFM")
        await bfm.ready.wait()
        self.oracle.log_depth = bfm.get("log_depth")
        while True:
            await bfm.drive()  # all monitors have looked
            self.flush()

    def flush(self) -> None:
        """Judge what the monitors saw in the cycle before."""
        waiting, self._waiting = self._waiting, []
        for event in sorted(waiting, key=lambda one: one.order):
            self.judged(event)
            self._last = event.cycle
            for objection in self._judge(event):
                self.object_at(event.cycle, objection.rule, objection.text)
            self.ap.write(Judged(event, self.oracle))

    def _judge(self, event: Observed) -> list[Objection]:
        oracle = self.oracle
        match event:
            case Answered(cbr=cbr, outcome=outcome):
                return oracle.answer(cbr, outcome)
            case Ended(cbr=cbr):
                return oracle.use_done(cbr)
            case Reported(cbr=cbr, dropped=dropped):
                return oracle.fill_done(cbr, dropped=dropped)
            case Acknowledged(handle=handle):
                return oracle.acknowledge(handle)
            case Asked():
                return oracle.lookup(event.cbr, event.asid, event.va, ctx=event.ctx, write=event.write, sizes=event.sizes)
            case FillTaken(cbr=cbr, translation=translation):
                return oracle.fill(cbr, translation)
            case ShootTaken(handle=handle, what=what):
                return oracle.shoot(handle, what)
        raise TypeError(f"no rule for {event}")

    def check_phase(self) -> None:
        """What never came, unless the run was cut short."""
        self.flush()
        if self.enough.is_set():
            return
        for what, numbers in self.oracle.outstanding.items():
            if numbers:
                self.object_at(self._last, "liveness", f"{what} that never ended: {numbers}")
