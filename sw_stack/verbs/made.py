"""Objects whose making takes the kernel's help: `pd = await PD(ctx)`.

pyverbs makes an object and the kernel's part of it in one call. Here the kernel is a coroutine, so the call gives the object and
awaiting it makes the kernel's part. Everything else about a name (arguments, attributes, methods) is pyverbs'.

Promises: an object is made once, however often it is awaited; one that is used before, or after `close`, says so.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Self

from sw_stack.verbs.errors import PyverbsUserError

__all__ = ["Made"]


class Made:
    """Base of PD, MR, CQ and QP."""

    def __init__(self) -> None:
        self._state = "not made yet: await it"

    async def _make(self) -> None:
        """The kernel's part."""
        raise NotImplementedError

    async def close(self) -> None:
        """Give the kernel's part up. Once is enough, twice is harmless."""
        raise NotImplementedError

    def __await__(self) -> Generator[Any, Any, Self]:
        if self._state:
            yield from self._make().__await__()
            self._state = ""
        return self

    def _need_made(self) -> None:
        if self._state:
            raise PyverbsUserError(f"{type(self).__name__} {self._state}")

    def _closed(self) -> None:
        self._state = "is closed"

    @property
    def made(self) -> bool:
        """Whether it exists in the kernel."""
        return not self._state
