"""Who may do what next: the control blocks and shootdown handles, as the ports have shown them.

Promises: stimulus drawn from it is legal whatever the TLB answers, so a broken one can be driven too. Every control block is in one
place: idle, looking up, in flight, missed, dropping in.
Needs: "PROFILE", "SEED" and "BFM" in the ConfigDB.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

from pyuvm import ConfigDB, uvm_subscriber

from hwif.gen.gru import NUM_CBR, NUM_TGH, PAGE_SHIFT
from pymodels.oracle import ALL_PAGES, Hit, NoHit
from tb.uvm.tlb.bfm import TlbBfm
from tb.uvm.tlb.observed import Acknowledged, Answered, Asked, Ended, FillTaken, Observed, Reported, ShootTaken
from tb.uvm.tlb.profile import SLOWER, Profile

__all__ = ["Ledger", "Missed"]

RECENT = 24


@dataclass(frozen=True)
class Missed:
    """A miss that waits for its drop-in."""

    due: int
    asked: Asked
    clean: bool  # it was a write to a clean entry


class Ledger(uvm_subscriber):
    """The book."""

    def build_phase(self) -> None:
        super().build_phase()
        self.profile: Profile = ConfigDB().get(self, "", "PROFILE")
        self._bfm: TlbBfm = ConfigDB().get(self, "", "BFM")
        self._rng = random.Random(f"{ConfigDB().get(self, '', 'SEED')}:ledger")
        self.stopping = False
        self._idle = list(range(NUM_CBR))
        self._looking: dict[int, Asked] = {}
        self._flying: dict[int, tuple[int, Asked]] = {}  # cycle it ends
        self._missed: list[Missed] = []
        self._filling: dict[int, FillTaken] = {}
        self._handles = list(range(NUM_TGH))
        self._drawn: set[int] = set()  # handles given out or open
        self.recent: deque[tuple[int, int]] = deque(maxlen=RECENT)  # (asid, page) shot down or dropped in lately

    # ---- what the ports show ------------------------------------------------------------------------------------------------

    def write(self, seen: Observed) -> None:
        """From every monitor."""
        match seen:
            case Asked(cbr=cbr):
                self._looking[cbr] = seen
            case Answered(cbr=cbr, outcome=outcome) if cbr in self._looking:
                self._answered(seen.cycle, self._looking.pop(cbr), outcome)
            case Ended(cbr=cbr):
                self._idle.append(cbr)
            case FillTaken(cbr=cbr):
                self._filling[cbr] = seen
            case Reported(cbr=cbr) if cbr in self._filling:
                what = self._filling.pop(cbr).translation
                self.recent.append((what.asid, what.va >> PAGE_SHIFT))
                self._idle.append(cbr)
            case ShootTaken(what=what):
                self.recent.append((what.asid, what.first))
                if self.profile.beside:  # and what stands next to it
                    self.recent += [(what.asid, page & ALL_PAGES) for page in (what.first - 1, what.last + 1)]
            case Acknowledged(handle=handle) if handle in self._drawn:
                self._drawn.remove(handle)
                self._handles.append(handle)

    def _answered(self, cycle: int, asked: Asked, outcome: Hit | NoHit) -> None:
        profile, rng = self.profile, self._rng
        if isinstance(outcome, Hit):
            self._flying[asked.cbr] = cycle + rng.randrange(1, profile.flight + 1), asked
            return
        think = profile.think * (SLOWER if rng.random() < profile.slow else 1)
        self._missed.append(Missed(cycle + rng.randrange(1, think + 1), asked, outcome is NoHit.CLEAN))

    # ---- what may be done -----------------------------------------------------------------------------------------------------

    def take_idle(self) -> int | None:
        """A control block without an access."""
        return self._idle.pop(self._rng.randrange(len(self._idle))) if self._idle else None

    def take_ended(self) -> tuple[int, ...]:
        """Up to two accesses whose time is over."""
        due = [cbr for cbr, (cycle, _asked) in self._flying.items() if cycle <= self._bfm.cycle][:2]
        for cbr in due:
            del self._flying[cbr]
        return tuple(due)

    def take_missed(self) -> Missed | None:
        """A miss whose drop-in is due. Some are answered without one: the control block just goes on."""
        due = [missed for missed in self._missed if missed.due <= self._bfm.cycle]
        # The TLB takes mixed page sizes slowly. Rather than let every control block queue for it, give up the oldest.
        while len(due) > self.profile.backlog:
            self._give_up(due.pop(0))
        if not due:
            return None
        chosen = self._rng.choice(due)
        if self._rng.random() < self.profile.unanswered:
            self._give_up(chosen)
            return None
        self._missed.remove(chosen)
        return chosen

    def _give_up(self, missed: Missed) -> None:
        self._missed.remove(missed)
        self._idle.append(missed.asked.cbr)

    def take_handle(self) -> int | None:
        """A shootdown handle that is free."""
        if not self._handles:
            return None
        handle = self._handles.pop(self._rng.randrange(len(self._handles)))
        self._drawn.add(handle)
        return handle

    def going_on(self) -> list[tuple[int, int]]:
        """(asid, page) of lookups, accesses, misses and drop-ins under way."""
        asked = [*self._looking.values(), *(asked for _end, asked in self._flying.values())]
        asked += [missed.asked for missed in self._missed]
        found = [(one.asid, one.va >> PAGE_SHIFT) for one in asked]
        return found + [(fill.translation.asid, fill.translation.va >> PAGE_SHIFT) for fill in self._filling.values()]

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        return len(self._idle) == NUM_CBR and not self._drawn
