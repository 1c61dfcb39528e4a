"""A registration in the cache."""

from __future__ import annotations

from typing import Generic, TypeVar

from sw_stack.mm.types import PAGE_SHIFT

__all__ = ["Entry"]

H = TypeVar("H")


class Entry(Generic[H]):
    """Whole pages [start, end) registered with rights `access`. Made and kept by RegistrationCache; who got it from `get` gives
    it to `put`."""

    __slots__ = ("_handle", "access", "cookie", "end", "indexed", "live", "start", "users")

    def __init__(self, cookie: int, start: int, end: int, access: int) -> None:
        self.cookie = cookie
        """Names it to the source of events. Never used again."""
        self.start = start
        self.end = end
        self.access = access
        self.users = 1  # who has it made
        self.live = True
        """May be found. False: invalidated, replaced or evicted; the last user gives it up."""
        self.indexed = False
        self._handle: H | None = None  # until the adapter has registered it

    def __repr__(self) -> str:
        return f"<Entry {self.cookie} [{self.start:#x}, {self.end:#x}) rights {self.access} users {self.users}>"

    @property
    def registration(self) -> H:
        """The adapter's registration."""
        assert self._handle is not None
        return self._handle

    @registration.setter
    def registration(self, handle: H) -> None:
        self._handle = handle

    @property
    def registered(self) -> bool:
        """The adapter has it."""
        return self._handle is not None

    @property
    def pages(self) -> int:
        return self.end - self.start >> PAGE_SHIFT

    def allows(self, access: int) -> bool:
        """True if it gives all of these rights."""
        return self.access & access == access
