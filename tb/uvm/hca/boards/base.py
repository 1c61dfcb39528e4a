"""What boards share: the judge, and the mirror of what software has told the device."""

from __future__ import annotations

from pyuvm import ConfigDB, uvm_component

from tb.uvm.hca.judge import Judge
from tb.uvm.hca.mirror import Mirror

__all__ = ["Board"]


class Board(uvm_component):
    """Subclasses make their inlets in `build_phase`."""

    def build_phase(self) -> None:
        super().build_phase()
        self.judge: Judge = ConfigDB().get(self, "", "JUDGE")
        self.mirror: Mirror = ConfigDB().get(self, "", "MIRROR")
        self.since = 0
        """The device's memory begins here: answers to what it asked before are nobody's any more."""
        self.mirror.on_restart.append(self._restart)

    def _restart(self) -> None:
        self.since = self.cycle
        self.forget()

    @property
    def cycle(self) -> int:
        """The present one."""
        return self.judge.bfm.cycle

    def forget(self) -> None:
        """The device has been switched off or reset: it begins anew."""
