"""Entries of the fake GRU's TLB and the shootdowns that remove them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A translation: bytes first..last of an ASID."""

    asid: int
    ctx: int
    first: int
    last: int
    frame: int
    dirty: bool


@dataclass(frozen=True)
class Shoot:
    """A shootdown; `first` None: the whole ASID; `asid` None: every ASID of the contexts."""

    asid: int | None
    contexts: int
    first: int | None
    last: int

    def covers(self, page: Page) -> bool:
        if self.asid is None:
            return bool(self.contexts >> page.ctx & 1)
        return self.asid == page.asid and (self.first is None or not (page.last < self.first or self.last < page.first))
