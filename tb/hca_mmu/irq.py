"""What the interrupt lines must say, while software leaves their registers alone.

Promises: `Lines.objections` compares all three lines with the queues behind them in every cycle in which nothing has moved for some
time and no delay is about to pass: a line that is down while it must be up is a lost interrupt (FQ-6), one that is up without a
reason is one too many.
Needs: to be told what software writes (`writing`) and what comes in.
Costs: some us a cycle.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hwif.gen.hca import INDEX_WIDTH, IrqLine

__all__ = ["Coalesced", "Lines"]

STILL = 12
INDEX_MASK = (1 << INDEX_WIDTH) - 1


@dataclass
class Coalesced:
    """A line with a count and a delay."""

    enabled: bool = True
    count: int = 0
    delay: int = 0
    waiting: int = 0
    since: int = 0  # the queue came out of emptiness, or software took something

    def moved(self, now: int, waiting: int, *, taken: bool = False) -> None:
        """So many wait now."""
        if taken or (waiting and not self.waiting):
            self.since = now
        self.waiting = waiting

    def state(self, now: int) -> bool | None:
        """Up, down, or None about the time the delay passes."""
        if not self.enabled or not self.waiting:
            return False
        if self.waiting >= self.count:
            return True
        due = self.since + self.delay
        if not self.delay or now < due - STILL:
            return False
        return True if now > due + STILL else None


@dataclass
class Lines:
    """All three."""

    fault: Coalesced = field(default_factory=Coalesced)
    completion: Coalesced = field(default_factory=Coalesced)
    events: int = 0
    events_enabled: bool = True
    moved: int = 0  # the last cycle anything did

    def why(self, now: int) -> str:
        """The fault line's reason, as a bin."""
        if not self.fault.enabled:
            return "disabled"
        return "up" if self.fault.state(now) else "down by coalescing"

    def objections(self, now: int, pins: int) -> list[str]:
        """Of this cycle."""
        if now - self.moved < STILL:
            return []
        wanted = {
            IrqLine.FAULT: self.fault.state(now),
            IrqLine.COMPLETION: self.completion.state(now),
            IrqLine.ASYNC: self.events_enabled and self.events > 0,
        }
        return [
            f"FQ-6: line {line.name} is {pins >> line & 1}, {self}"
            for line, up in wanted.items()
            if up is not None and bool(pins >> line & 1) != up
        ]
