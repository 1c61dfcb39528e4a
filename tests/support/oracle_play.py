"""Plays random events to the oracle and to the naive one, until they disagree or something illegal happened.

Small numbers on purpose: two address spaces, three page sizes, the two ends of the address space, so that everything meets.
"""

from __future__ import annotations

import random

from support.naive_oracle import Event, NaiveOracle

from pymodels.oracle import ALL_PAGES, Hit, LegalTranslations, NoHit, Objection, Outcome, Scope, Shootdown, Translation

__all__ = ["LOG_DEPTH", "play"]

LOG_DEPTH = 3
TAGS = range(4)
HANDLES = range(3)
DARING = {"answer": 0.5, "ack": 0.2, "fill_done": 0.02}  # chance that an event is not first made sure to be legal
PAGES = [0, 1, 2, 5, 17, ALL_PAGES - 1, ALL_PAGES]


class Game:
    """Who may do what next."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.state = dict.fromkeys(TAGS, "idle")  # idle, looking, flying, missed, filling
        self.open: set[int] = set()
        self.naive = NaiveOracle(LOG_DEPTH)

    def draw(self) -> Event:
        """An event, now and then an illegal one; most of those would end every game before it begins."""
        while True:
            event = self.any_event()
            if event is not None and (self.rng.random() < DARING.get(event.kind, 0) or self.naive.legal(event)):
                return event

    def any_event(self) -> Event | None:
        rng = self.rng
        tag = rng.choice(TAGS)
        if rng.random() < 0.3:
            handle = rng.choice(HANDLES)
            return Event("ack", handle) if handle in self.open else Event("shoot", handle, self.shootdown())
        match self.state[tag]:
            case "idle":
                where = {"asid": rng.randrange(2), "va": self.address(), "ctx": rng.randrange(3)}
                return Event("lookup", tag, {**where, "write": rng.random() < 0.4, "sizes": rng.choice([7, 7, 7, 1, 2])})
            case "looking":
                return Event("answer", tag, {"outcome": self.answer(tag)})
            case "flying":
                return Event("use_done", tag)
            case "missed":
                return self.fill(tag)
            case "filling":
                return Event("fill_done", tag, {"dropped": rng.random() < 0.3})
        return None

    def address(self) -> int:
        return self.rng.choice(PAGES) << 12 | self.rng.choice([0, 0xABC])

    def answer(self, tag: int) -> object:
        legal = self.naive.outcomes(tag)
        hits = sorted(outcome for outcome in legal if isinstance(outcome, tuple))
        if self.rng.random() < 0.85:
            return self.rng.choice(hits) if hits and self.rng.random() < 0.8 else self.rng.choice(sorted(legal, key=str))
        asked = self.naive.last("lookup", tag)
        assert asked is not None
        fills = [p for p in self.naive.places("fill") if self.naive.history[p].asid == self.naive.history[asked].asid]
        stale = []
        for place in fills:
            try:
                stale.append(self.naive.outcome(asked, place))
            except ValueError:  # not in that page
                continue
        return self.rng.choice(["clean"] + ["miss"] * 3 + stale * 12)

    def fill(self, tag: int) -> Event:
        rng = self.rng
        asked = self.naive.last("lookup", tag)
        assert asked is not None
        lookup = self.naive.history[asked]
        codes = [code for code in range(3) if lookup.sizes >> code & 1]
        what = {"asid": lookup.asid, "va": lookup.va, "ctx": lookup.ctx, "code": rng.choice(codes), "pfn": rng.choice([0, 64, 128])}
        return Event("fill", tag, {**what, "dirty": rng.random() < 0.6})

    def shootdown(self) -> dict[str, object]:
        rng = self.rng
        scope = rng.choice(["range", "range", "range", "range", "asid", "ctx"])
        mask = ALL_PAGES ^ rng.choice([0, 0, 0, 1, 2, 4, 3])
        first, last = sorted([rng.choice(PAGES) & mask, rng.choice(PAGES) & mask])
        if rng.random() < 0.6:
            last = first
        return {"scope": scope, "asid": rng.randrange(2), "first": first, "last": last, "mask": mask, "ctxbitmap": rng.randrange(8)}

    def follow(self, event: Event) -> None:
        after = {"lookup": "looking", "use_done": "idle", "fill": "filling", "fill_done": "idle"}
        if event.kind == "shoot":
            self.open.add(event.tag)
        elif event.kind == "ack":
            self.open.discard(event.tag)
        elif event.kind == "answer":
            self.state[event.tag] = "missed" if event.outcome in ("miss", "clean") else "flying"
        else:
            self.state[event.tag] = after[event.kind]
        self.naive.note(event)


def tell(oracle: LegalTranslations, event: Event) -> list[Objection]:
    tag = event.tag
    match event.kind:
        case "lookup":
            return oracle.lookup(tag, event.asid, event.va, ctx=event.ctx, write=event.write, sizes=event.sizes)
        case "answer":
            named: dict[object, Outcome] = {"miss": NoHit.MISS, "clean": NoHit.CLEAN}
            outcome = event.outcome
            return oracle.answer(tag, Hit(outcome[0], 0, outcome[1]) if isinstance(outcome, tuple) else named[outcome])
        case "use_done":
            return oracle.use_done(tag)
        case "fill":
            return oracle.fill(tag, Translation(event.asid, event.va, event.pfn, event.ctx, event.code, dirty=event.dirty))
        case "fill_done":
            return oracle.fill_done(tag, dropped=event.dropped)
        case "shoot":
            scope = Scope[event.scope.upper()]
            return oracle.shoot(tag, Shootdown(scope, event.asid, event.first, event.last, event.mask, event.ctxbitmap))
    return oracle.acknowledge(tag)


def play(oracle: LegalTranslations, rng: random.Random, steps: int = 100) -> tuple[str | None, str | None]:
    """How they disagree, if they do; and the rule of the objection that ended the game, if one did."""
    game = Game(rng)
    for step in range(steps):
        event = game.draw()
        legal = game.naive.legal(event)
        objections = tell(oracle, event)
        if legal == bool(objections):
            return f"step {step}: {event} is {'legal' if legal else 'illegal'}, the oracle says {list(map(str, objections))}", None
        if not legal:
            return None, objections[0].rule
        game.follow(event)
    return None, None
