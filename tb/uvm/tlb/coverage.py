"""Functional coverage of the TLB: which situations the checks have been in (points.py says what there is)."""

from __future__ import annotations

from pyuvm import uvm_subscriber

from hwif.gen.gru import ASID_WIDTH
from pymodels.oracle import ALL_PAGES, Hit, LegalTranslations, NoHit, Scope, Shootdown, Translation
from tb.plan.cover import CoverGroup, Tally
from tb.uvm.tlb.observed import Acknowledged, Answered, Asked, FillTaken, Reported, ShootTaken
from tb.uvm.tlb.points import ALL, EDGE, MANY, MET, RACE, SCOPE, SIZE, size_name
from tb.uvm.tlb.scoreboard import Judged

__all__ = ["Coverage"]


class Coverage(uvm_subscriber):
    """Subscribes to the scoreboard, so that it counts what was judged."""

    def build_phase(self) -> None:
        super().build_phase()
        self.tally = Tally(ALL)
        self._asked: dict[int, Asked] = {}
        self._flying: dict[int, Translation] = {}  # the page an access uses, with the context of the access
        self._missed: dict[int, Asked] = {}
        self._upgrades: set[int] = set()
        self._filling: dict[int, Translation] = {}
        self._shoots: list[ShootTaken] = []  # of this cycle and the one before
        self._accepted = 0  # shootdowns
        self._log_depth = LegalTranslations.LOG_DEPTH
        self._accepted_at: dict[int, int] = {}  # before a control block's last lookup
        self._entered: Translation | None = None  # by the latest report
        self._cycle: tuple[int, list[object]] = (0, [])  # this cycle's events so far
        self._killed: set[tuple[int, int, int]] = set()  # pages shot down
        self._back: set[tuple[int, int, int]] = set()  # and dropped in again
        self._owner: dict[tuple[int, int, int], int] = {}

    def count(self, group: CoverGroup, name: str, when: bool = True) -> None:
        """A bin once more."""
        if when:
            self.tally.hit(group, name)

    def write(self, judged: Judged) -> None:
        """From the scoreboard."""
        event = judged.event
        self._log_depth = judged.oracle.log_depth
        if event.cycle != self._cycle[0]:
            self._cycle = event.cycle, []
            self._shoots = [shoot for shoot in self._shoots if shoot.cycle == event.cycle - 1]
        match event:
            case Answered():
                self._answered(event)
            case Asked():
                self._lookup(event)
            case Reported():
                self._reported(event)
            case FillTaken():
                self._fill(event, judged.oracle)
            case ShootTaken():
                self._shoot(event, judged.oracle)
            case Acknowledged():
                self.count(RACE, "two acknowledgements in a cycle", any(isinstance(e, Acknowledged) for e in self._cycle[1]))
            case _:
                self._flying.pop(getattr(event, "cbr", -1), None)
        self._cycle[1].append(event)

    def _lookup(self, event: Asked) -> None:
        self._asked[event.cbr] = event
        self._accepted_at[event.cbr] = self._accepted
        self.count(EDGE, "lookup of address 0", event.va >> 12 == 0)
        self.count(EDGE, "lookup of the last page", event.va >> 12 == ALL_PAGES)

    def _answered(self, event: Answered) -> None:
        asked = self._asked.pop(event.cbr, None)
        if asked is None:
            return
        if not isinstance(event.outcome, Hit):
            self._missed[event.cbr] = asked
            if event.outcome is NoHit.CLEAN:
                self._upgrades.add(event.cbr)
            self.count(RACE, "many misses outstanding", len(self._missed) >= MANY)
            return
        used = Translation(asked.asid, asked.va, 0, asked.ctx, event.outcome.size)
        self._flying[event.cbr] = used
        self.count(SIZE, f"{size_name(used.size)}, hit")
        self.count(RACE, "shootdown in the cycle of the hit", any(shoot.what.covers(used) for shoot in self._shoots))
        self.count(RACE, "hit after shootdown and new drop-in", _key(used) in self._back)
        self.count(RACE, "access through another context's entry", self._owner.get(_key(used), asked.ctx) != asked.ctx)

    def _fill(self, event: FillTaken, oracle: LegalTranslations) -> None:
        what = event.translation
        self._filling[event.cbr] = what
        self._missed.pop(event.cbr, None)
        together = [e for e in self._cycle[1] if isinstance(e, Asked) and what.translates(e.asid, e.va)]
        self.count(RACE, "drop-in and lookup of its page accepted together", bool(together))
        page = Shootdown(Scope.RANGE, what.asid, what.first, what.last)
        self.count(RACE, "drop-in over another size", any(other.size != what.size for other in oracle.covers_live(page)))

    def _reported(self, event: Reported) -> None:
        what = self._filling.pop(event.cbr, None)
        if what is None:
            return
        decided = [shoot for shoot in self._shoots if shoot.cycle == event.cycle - 1]
        self.count(RACE, "shootdown in the cycle a covered drop-in is decided", any(s.what.covers(what) for s in decided))
        self.count(SIZE, f"{size_name(what.size)}, {'dropped' if event.dropped else 'entered'}")
        if not event.dropped:
            self.count(RACE, "clean entry upgraded", event.cbr in self._upgrades and what.dirty)
            self._owner[_key(what)] = what.ctx
            if _key(what) in self._killed:
                self._back.add(_key(what))
            self._entered = what
        since = self._accepted - self._accepted_at.get(event.cbr, 0)
        self.count(RACE, "drop-in after the log has lapped", since > self._log_depth)
        self._upgrades.discard(event.cbr)

    def _shoot(self, event: ShootTaken, oracle: LegalTranslations) -> None:
        what = event.what
        self._shoots.append(event)
        self._accepted += 1
        live = oracle.covers_live(what)
        flying = [used for used in self._flying.values() if what.covers(used)]
        filling = [one for one in self._filling.values() if what.covers(one)]
        missed = [asked for asked in self._missed.values() if _covers(what, asked)]
        scope = what.scope.name.lower()
        for name, met in zip(MET[1:], (live, flying, filling, missed)):
            self.count(SCOPE, f"{scope}, {name}", bool(met))
        self.count(SCOPE, f"{scope}, nothing", not (live or flying or filling or missed))
        for entry in live:
            self.count(SIZE, f"{size_name(entry.size)}, shot")
            self._killed.add(_key(entry))
            self._back.discard(_key(entry))
        self._shoot_races(event, live, flying)
        self._shoot_edges(what)

    def _shoot_races(self, event: ShootTaken, live: list[Translation], flying: list[Translation]) -> None:
        what = event.what
        for other in self._cycle[1]:
            match other:
                case Answered(cbr=cbr) if cbr in self._flying:
                    self.count(RACE, "shootdown in the cycle of the answer", what.covers(self._flying[cbr]))
                case Asked():
                    self.count(RACE, "shootdown in the cycle a covered lookup is accepted", _covers(what, other))
                case FillTaken(translation=filled):
                    self.count(RACE, "shootdown in the cycle a covered drop-in is accepted", what.covers(filled))
                case Reported():
                    self.count(RACE, "shootdown in the cycle a covered drop-in is reported", self._entered in live)
                case Acknowledged():
                    self.count(RACE, "acknowledgement and acceptance in a cycle")
        self.count(RACE, "shootdown waits for a slot", event.waited > 0)
        if what.scope is Scope.RANGE and what.mask == ALL_PAGES:
            self.count(RACE, "large page partly in range, starts below", any(e.first < what.first for e in live))
            self.count(RACE, "large page partly in range, ends above", any(e.last > what.last for e in live))
            self.count(RACE, "range inside one page", any(e.first < what.first and e.last > what.last for e in live))
            self.count(RACE, "access in flight starts below the range", any(e.first < what.first for e in flying))
            self.count(RACE, "access in flight ends above the range", any(e.last > what.last for e in flying))

    def _shoot_edges(self, what: Shootdown) -> None:
        if what.scope is Scope.CTX:
            self.count(EDGE, "no context", what.ctxbitmap == 0)
            self.count(EDGE, "context 0", bool(what.ctxbitmap & 1))
            self.count(EDGE, "every context", what.ctxbitmap == (1 << 16) - 1)
            return
        self.count(EDGE, "shootdown of asid 0", what.asid == 0)
        self.count(EDGE, "shootdown of the largest asid", what.asid == (1 << ASID_WIDTH) - 1)
        if what.scope is Scope.RANGE:
            hidden = ALL_PAGES ^ what.mask
            self.count(EDGE, "range of one page", what.first == what.last)
            self.count(EDGE, "range from page 0", what.first == 0)
            self.count(EDGE, "range to the last page", what.last == ALL_PAGES)
            self.count(EDGE, "range of everything", (what.first, what.last) == (0, ALL_PAGES))
            self.count(EDGE, "mask hides low bits", bool(hidden) and hidden & hidden + 1 == 0)
            self.count(EDGE, "mask with holes", hidden & hidden + 1 != 0)


def _key(page: Translation) -> tuple[int, int, int]:
    return page.asid, page.size, page.first


def _covers(what: Shootdown, asked: Asked) -> bool:
    return what.covers(Translation(asked.asid, asked.va, 0, asked.ctx))
