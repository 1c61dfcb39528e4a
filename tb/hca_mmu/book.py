"""What the fault queue may hold: a reference for faults, records, tokens and resumes that knows neither states nor cycles.

A fault that is accepted while a command that may end its predecessor is under way is new or merged: its record tells.

Promises: `Book` is told what crossed the ports and what software did, in order, and answers with objections, an empty list for what
is legal: records lost, doubled, out of order or with wrong contents (FQ-1, FQ-3), wrong tokens, wrong statuses of resumes (FQ-4).
Needs: addresses of faults that never come twice; one command under way for a queue pair's direction at a time; `quarantined` ones
left alone until `settled`.
Costs: some us an event.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hwif.gen.hca import QPN_WIDTH, CmdStatus, FaultDir
from tb.hil.hca_lines import Entry

__all__ = ["Book", "Fault", "Who"]

Who = tuple[int, int]
"""Queue pair and direction."""


@dataclass(frozen=True)
class Fault:
    """What a fault says, as its record must: all fields of the record but token and seqno."""

    who: Who
    fields: tuple[tuple[str, int], ...]


@dataclass
class _Entry:
    fault: Fault
    optional: bool
    doubtful: bool = False  # its token may have been forgotten by now


@dataclass
class _Side:
    outstanding: bool = False
    unsure: bool = False  # a fault came while one might have ended: it or none is outstanding
    under_way: set[int] = field(default_factory=set)  # tickets of commands that may end it
    cleared: bool = False  # one of them forgets instead of resuming
    generation: int = 0  # of the last record
    passed: int = 0  # faults that may have had a generation since
    token: int | None = None  # of a record read and not answered
    sure: bool = True  # that the token counts


@dataclass
class Book:
    """The reference. `merged`: faults that certainly were."""

    sides: dict[Who, _Side] = field(default_factory=dict)
    line: deque[_Entry] = field(default_factory=deque)
    merged: int = 0
    accepted: int = 0
    records: int = 0
    forgotten: bool = False  # some were: the numbers no longer add up

    def side(self, who: Who) -> _Side:
        """One direction of a queue pair."""
        return self.sides.setdefault(who, _Side())

    def quarantined(self, who: Who) -> bool:
        """Nothing more may happen to it before `settled`."""
        side = self.side(who)
        return side.cleared and not side.under_way

    def waiting(self) -> int:
        """Records certainly still to come."""
        return sum(not entry.optional for entry in self.line)

    def fault(self, fault: Fault) -> str:
        """The device took one; "new", "merged" or "either"."""
        side = self.side(fault.who)
        self.accepted += 1
        if side.under_way or side.unsure:
            self.line.append(_Entry(fault, optional=True, doubtful=side.cleared))
            side.unsure = True
            return "either"
        if side.outstanding:
            self.merged += 1
            return "merged"
        self.line.append(_Entry(fault, optional=False))
        side.outstanding = True
        return "new"

    def record(self, entry: Entry, index: int) -> list[str]:
        """Software read a record at an index of the queue."""
        who = (entry["qpn"], entry["direction"])
        said = tuple((name, value) for name, value in sorted(entry.items()) if name not in ("token", "seqno"))
        if entry["seqno"] != index:
            return [f"FQ-1: seqno {entry['seqno']} of record {index}"]
        passed, at = 0, -1
        for waiting in self.line:
            at += 1
            if waiting.fault.fields == said:
                break
            if not waiting.optional:
                return [f"FQ-1: record {index} is {who} {dict(said)}, next is {waiting.fault}"]
            passed += waiting.fault.who == who
        else:
            return [f"FQ-1: record {index} of {who} that nobody asked for: {dict(said)}"]
        for skipped in list(self.line)[:at]:
            self.side(skipped.fault.who).passed += 1
        found = self.line[at]
        for _ in range(at + 1):
            self.line.popleft()
        self.records += 1
        side = self.side(who)
        later = [other for other in self.line if other.fault.who == who]
        generation = entry["token"] >> QPN_WIDTH
        wrong = (
            entry["token"] & (1 << QPN_WIDTH) - 1 != who[0] or not side.generation < generation <= side.generation + 1 + side.passed
        )
        side.generation, side.passed = generation, 0
        side.token, side.sure = entry["token"], not found.doubtful
        if not found.doubtful:
            side.outstanding, side.unsure, side.under_way = True, False, set()  # a resume that was under way is carried out
            for other in later:  # merged with this one
                self.line.remove(other)
        return [f"FQ-4: token {entry['token']:#x} of {who}"] if wrong else []

    def resume(self, who: Who, token: int, ticket: int) -> set[CmdStatus]:
        """Software sends a resume with this token: the statuses it may get. `ticket`: names the command."""
        side = self.side(who)
        if token != side.token:
            return {CmdStatus.BAD_TOKEN}
        side.under_way.add(ticket)
        side.token = None
        return {CmdStatus.OK} if side.sure and not side.cleared else {CmdStatus.OK, CmdStatus.BAD_TOKEN}

    def resumed(self, who: Who, ticket: int) -> None:
        """That resume is over."""
        side = self.side(who)
        if ticket in side.under_way:
            side.under_way.remove(ticket)
            side.outstanding = side.outstanding and side.unsure

    def clear(self, who: Who, ticket: int) -> None:
        """Software sends a command that starts this side anew."""
        side = self.side(who)
        side.under_way.add(ticket)
        side.cleared = self.forgotten = True
        side.token = None
        for entry in self.line:
            if entry.fault.who == who:
                entry.optional = entry.doubtful = True

    def cleared(self, who: Who, ticket: int) -> None:
        """That command is over. What was in the line may still have a record, which counts for nothing."""
        side = self.side(who)
        side.under_way.discard(ticket)
        side.outstanding = False
        doubt = side.token is not None or any(entry.fault.who == who for entry in self.line)
        side.unsure, side.sure, side.cleared = doubt, not doubt, doubt

    def settled(self) -> list[str]:
        """Nothing is under way, the queue has been emptied, and every outstanding fault that was in doubt has been answered."""
        lost = [f"FQ-1: no record of {entry.fault}" for entry in self.line if not entry.optional]
        for entry in self.line:
            self.side(entry.fault.who).passed += 1
        self.line.clear()
        for side in self.sides.values():
            if side.unsure or side.cleared:
                side.outstanding, side.unsure, side.cleared, side.sure, side.token = False, False, False, True, None
        return lost

    def outstanding(self) -> list[tuple[Who, int]]:
        """Sides with a token that may count, to be answered before `settled` where in doubt."""
        return [(who, side.token) for who, side in self.sides.items() if side.token is not None]

    def disabled(self) -> None:
        """The device forgot everything."""
        self.sides.clear()
        self.line.clear()
        self.forgotten = True

    @staticmethod
    def made(qpn: int, direction: FaultDir, **fields: int) -> Fault:
        """A fault with the fields of its record."""
        return Fault((qpn, int(direction)), tuple(sorted({"qpn": qpn, "direction": int(direction), **fields}.items())))
