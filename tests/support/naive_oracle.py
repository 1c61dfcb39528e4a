"""The rules of pymodels.oracle once more, the slow way: every question is answered from the whole history, page by page.

`NaiveOracle.legal(event)` says whether an event may follow what came before; `note(event)` adds it. Page numbers are sets,
nothing is forgotten, and nothing is shared with the oracle but the meaning of a page size code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hwif.gen.gru import PAGE_SHIFTS

__all__ = ["Event", "NaiveOracle"]


@dataclass
class Event:
    """`kind`: lookup, answer, use_done, fill, fill_done, shoot, ack."""

    kind: str
    tag: int
    fields: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(name) from None


def pages_of(va: int, code: int) -> set[int]:
    count = 1 << PAGE_SHIFTS[code] - 12
    start = (va >> 12) // count * count
    return set(range(start, start + count))


class NaiveOracle:
    def __init__(self, log_depth: int) -> None:
        self.log_depth = log_depth
        self.history: list[Event] = []
        self.explained: dict[int, list[int]] = {}  # place of an answer -> places of the drop-ins that explain it

    # ---- looking back -------------------------------------------------------------------------------------------------------

    def last(self, kind: str, tag: int, before: int | None = None) -> int | None:
        for place in range(len(self.history) - 1 if before is None else before - 1, -1, -1):
            if self.history[place].kind == kind and self.history[place].tag == tag:
                return place
        return None

    def places(self, kind: str) -> list[int]:
        return [place for place, event in enumerate(self.history) if event.kind == kind]

    def end(self, place: int, kind: str) -> int | None:
        """The next event of that kind with the same tag."""
        tag = self.history[place].tag
        return next(
            (p for p in range(place + 1, len(self.history)) if (self.history[p].kind, self.history[p].tag) == (kind, tag)), None
        )

    def covers(self, shoot: Event, fill: Event) -> bool:
        if shoot.scope == "ctx":
            return bool(shoot.ctxbitmap >> fill.ctx & 1)
        if shoot.asid != fill.asid:
            return False
        return shoot.scope == "asid" or any(shoot.first <= page & shoot.mask <= shoot.last for page in pages_of(fill.va, fill.code))

    def may_cover(self, shoot: Event, fill: Event) -> bool:
        if shoot.scope != "range" or shoot.asid != fill.asid:
            return self.covers(shoot, fill)
        masked = {page & shoot.mask for page in pages_of(fill.va, fill.code)}
        return min(masked) <= shoot.last and max(masked) >= shoot.first

    def entered(self, place: int) -> int | None:
        """When the drop-in's report said it entered."""
        report = self.end(place, "fill_done")
        return report if report is not None and not self.history[report].dropped else None

    def dropped(self, place: int) -> bool:
        report = self.end(place, "fill_done")
        return report is not None and self.history[report].dropped

    def replaced(self, place: int) -> int | None:
        """When a later report replaced it."""
        mine, since = self.history[place], self.entered(place)
        if since is None:
            return None
        found = []
        for other in self.places("fill"):
            report, theirs = self.entered(other), self.history[other]
            if report is None or report < since or theirs.asid != mine.asid or other == place:
                continue
            if pages_of(theirs.va, theirs.code) & pages_of(mine.va, mine.code):
                found.append(report)
        return min(found, default=None)

    def revokers(self, place: int) -> list[int]:
        """Shootdowns that cover it, accepted after it entered."""
        since = self.entered(place)
        if since is None:
            return []
        return [shot for shot in self.places("shoot") if shot > since and self.covers(self.history[shot], self.history[place])]

    def acknowledged(self, place: int) -> bool:
        return any(self.end(shot, "ack") is not None for shot in self.revokers(place))

    # ---- lookups ------------------------------------------------------------------------------------------------------------

    def candidates(self, asked: int) -> list[int]:
        lookup = self.history[asked]
        found = []
        for place in self.places("fill"):
            fill = self.history[place]
            if fill.asid != lookup.asid or lookup.va >> 12 not in pages_of(fill.va, fill.code) or not lookup.sizes >> fill.code & 1:
                continue
            gone = self.replaced(place)
            if not self.dropped(place) and not self.acknowledged(place) and (gone is None or gone >= asked):
                found.append(place)
        return found

    def outcome(self, asked: int, place: int) -> object:
        """(pa, code), or "clean"."""
        lookup, fill = self.history[asked], self.history[place]
        if lookup.write and not fill.dirty:
            return "clean"
        inside = sorted(pages_of(fill.va, fill.code)).index(lookup.va >> 12)
        count = len(pages_of(fill.va, fill.code))
        return (fill.pfn // count * count + inside) * 4096 + lookup.va % 4096, fill.code

    def seen(self, place: int) -> int | None:
        """The latest time at which it is known to have been there."""
        times = [self.entered(place)]
        for answer, found in self.explained.items():
            if found == [place]:
                times.append(self.last("lookup", self.history[answer].tag, answer))
        return max((time for time in times if time is not None), default=None) if self.entered(place) is not None else None

    def must_be_there(self, asked: int, place: int) -> bool:
        seen = self.seen(place)
        if seen is None or seen >= asked or self.replaced(place) is not None:
            return False
        since = self.entered(place) or 0
        if any(shot > since and self.may_cover(self.history[shot], self.history[place]) for shot in self.places("shoot")):
            return False
        for other in self.places("fill"):
            report = self.end(other, "fill_done")
            if report is None or (report > seen and not self.history[report].dropped):
                return False
        return True

    def outcomes(self, tag: int) -> set[object]:
        asked = self.last("lookup", tag)
        assert asked is not None
        found = self.candidates(asked)
        legal = {self.outcome(asked, place) for place in found}
        return legal if any(self.must_be_there(asked, place) for place in found) else legal | {"miss"}

    # ---- the rules ----------------------------------------------------------------------------------------------------------

    def legal(self, event: Event) -> bool:
        match event.kind:
            case "answer":
                return event.outcome in self.outcomes(event.tag)
            case "fill_done":
                return self.fill_done_is_legal(event)
            case "ack":
                return self.ack_is_legal(event)
        return True

    def since_miss(self, fill: int) -> tuple[list[Event], list[Event]]:
        """Shootdowns after the miss was answered, and after its lookup was accepted."""
        answer = self.last("answer", self.history[fill].tag, fill)
        assert answer is not None
        asked = self.last("lookup", self.history[fill].tag, answer)
        assert asked is not None
        shots = self.places("shoot")
        return [self.history[shot] for shot in shots if shot > answer], [self.history[shot] for shot in shots if shot > asked]

    def fill_done_is_legal(self, event: Event) -> bool:
        place = self.last("fill", event.tag)
        assert place is not None
        fill = self.history[place]
        after_answer, after_asking = self.since_miss(place)
        if not event.dropped:
            return not any(self.covers(shot, fill) for shot in after_answer)
        lapped = len(after_asking) > self.log_depth
        used = any(found == [place] for found in self.explained.values())
        return not used and (lapped or any(self.may_cover(shot, fill) for shot in after_asking))

    def flying(self) -> list[int]:
        """Places of the hits whose access has not ended."""
        return [
            place
            for place in self.places("answer")
            if self.history[place].outcome not in ("miss", "clean") and self.end(place, "use_done") is None
        ]

    def ack_is_legal(self, event: Event) -> bool:
        shot = self.last("shoot", event.tag)
        assert shot is not None
        for answer in self.flying():
            asked = self.last("lookup", self.history[answer].tag, answer)
            assert asked is not None
            shoot, lookup = self.history[shot], self.history[asked]
            if shoot.scope == "ctx" and shoot.ctxbitmap >> lookup.ctx & 1 and answer < shot:
                return False
            found = self.explained[answer]
            if found and all(shot in self.revokers(place) for place in found):
                return False
        return True

    def note(self, event: Event) -> None:
        if event.kind == "answer":
            asked = self.last("lookup", event.tag)
            assert asked is not None
            self.explained[len(self.history)] = [p for p in self.candidates(asked) if self.outcome(asked, p) == event.outcome]
        self.history.append(event)
