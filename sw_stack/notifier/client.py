"""The client's side of the V6 notifier: the operations a driver may implement.

A client overrides what it needs; an operation left alone is not called and costs nothing. `mm` is the address space
(sw_stack.mm.Mm). What a client must keep: after `invalidate_range_begin` returned, and until the matching end, it holds no
translation of the range and makes none; after `invalidate_page` returned it holds none of that page; after `release` none at all.
"""

from __future__ import annotations

from typing import Any

__all__ = ["MmuNotifier", "NotifierError"]


class NotifierError(Exception):
    """The VM or a client broke the notifier contract. The message names the rule."""


class MmuNotifier:
    """Base of every client. `start` is inclusive, `end` exclusive, both byte addresses of whole pages."""

    def __repr__(self) -> str:
        """How the checkers name the client."""
        return f"<{type(self).__name__}>"

    async def release(self, mm: Any) -> None:
        """The address space goes away: drop everything. May sleep. Called once; nothing is called afterwards."""

    async def age_page(self, mm: Any, address: int) -> bool:
        """True if the device has used the page since the last call. Atomic: under the page and pte locks."""
        return False

    async def invalidate_page(self, mm: Any, address: int) -> None:
        """The pte was just cleared: drop the page's translation. Atomic: under the page and pte locks."""

    async def invalidate_range_begin(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        """Drop every translation of the range and make none until the end. May sleep unless `atomic`."""

    async def invalidate_range_try(self, mm: Any, start: int, end: int) -> bool:
        """As `invalidate_range_begin`, for a caller that can do without (the OOM reaper): False if it would have to sleep; nothing
        has been done then, and no end follows. Atomic. The end that follows a True is atomic too."""
        await self.invalidate_range_begin(mm, start, end, True)
        return True

    async def invalidate_range_end(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        """Translations of the range may be made again. May sleep unless `atomic`."""
