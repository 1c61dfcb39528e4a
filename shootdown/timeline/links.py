"""What software and device have to know of each other for the arrows: who posted a shootdown, whose miss a drop-in answers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from shootdown.timeline.story import Entry

__all__ = ["Block", "Links", "Shootdown"]


@dataclass(slots=True)
class Shootdown:
    """A shootdown from the driver's command to its status. `callback`: the notifier call it serves."""

    driver: Entry
    post: Entry
    callback: Entry | None
    drain: Entry | None = None


@dataclass(slots=True)
class Block:
    """A control block: its instruction, and the miss it is parked in."""

    instruction: Entry | None = None
    thread: int = -1
    miss: Entry | None = None
    missed_at: int = 0
    parked: Entry | None = None
    interrupted: bool = False
    """The miss has been followed to an interrupt line."""
    polling: Entry | None = None
    dropin: Entry | None = None
    fill: Entry | None = None
    answer: Entry | None = None
    """What let the block go on: its restart, or the driver's exception."""
    done: Entry | None = None


@dataclass
class Links:
    """The state both halves share."""

    shootdowns: dict[int, Shootdown] = field(default_factory=dict)
    blocks: defaultdict[int, Block] = field(default_factory=lambda: defaultdict(Block))
    lines: dict[int, Entry] = field(default_factory=dict)
    """Interrupt lines: the latest time each was up, until a handler has taken it."""
    waiting: list[Block] = field(default_factory=list)
    """Blocks whose miss has not been followed to an interrupt line."""
