"""What a notifier chain is in the middle of: ranges between their begin and end, and passes over its list of clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sw_stack.notifier.client import MmuNotifier
from sw_stack.sched import Task, WaitQueue

if TYPE_CHECKING:
    from sw_stack.notifier.chain import MmuNotifierChain

__all__ = ["ActiveRange", "Range", "Walk"]


@dataclass(eq=False)
class ActiveRange:
    """A range between its begin and its end, and the clients that saw the begin."""

    start: int
    end: int
    atomic: bool
    task: Task | None = None
    """Who began it. A truncate may hold one on an address space that another task is tearing down."""
    clients: list[MmuNotifier] = field(default_factory=list)
    end_said: tuple[int, int] | None = None
    """What the clients are told at the end, if that differs: a mistake of V6 (sw_stack.mm.historical)."""


class Range(AbstractAsyncContextManager["ActiveRange"]):
    """A range as a block of the program."""

    __slots__ = ("_active", "_arguments", "_chain")

    def __init__(self, chain: MmuNotifierChain, *arguments: Any) -> None:
        self._chain = chain
        self._arguments = arguments

    async def __aenter__(self) -> ActiveRange:
        self._active = await self._chain.range_begin(*self._arguments)
        return self._active

    def __aexit__(self, *_exc: object) -> Awaitable[None]:  # type: ignore[override]
        return self._chain.range_end(self._active)


class Walk:
    """Clients in use by one pass over the list."""

    __slots__ = ("_clients", "_in_flight", "_quiescent")

    def __init__(self, clients: tuple[MmuNotifier, ...], in_flight: Counter[MmuNotifier], quiescent: WaitQueue) -> None:
        self._clients = clients
        self._in_flight = in_flight
        self._quiescent = quiescent
        for client in clients:
            in_flight[client] += 1

    def __enter__(self) -> tuple[MmuNotifier, ...]:
        return self._clients

    def __exit__(self, *_exc: object) -> None:
        for client in self._clients:
            self._in_flight[client] -= 1
        self._quiescent.wake_all()
