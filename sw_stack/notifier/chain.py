"""The notifier chain of one address space: dispatch, and the rules of the contract (MN-1 .. MN-5).

Promises: begin and end pair, also when a callback or the operation between them raises; they nest and run concurrently; a client
sees the end of exactly those ranges whose begin it saw, unless it is released in between; atomic callbacks run with the task
marked atomic, so a sleep raises; release reaches each client once and nothing follows it. Needs the caller to hold what the
operation's row in the V6 table says; register and unregister need the mmap lock for writing. Costs SW_NOTIFIER_CALL cycles a
callback, and nothing without clients.

The observer is told, with no cycle in between, when a callback series has *returned*: that is the instant from which the oracle
holds the clients to the contract.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Protocol

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from hwif.trace import Trace
from sw_stack.notifier.client import MmuNotifier, NotifierError
from sw_stack.notifier.mistakes import ChainMistakes
from sw_stack.notifier.underway import ActiveRange, Range, Walk
from sw_stack.sched import LockdepError, RwSem, Scheduler, Task, WaitQueue
from sw_stack.sched.callchain import call_chain
from sw_stack.sched.task import DONE

__all__ = ["MmuNotifierChain", "TranslationObserver"]

_OPERATIONS: Final = ("release", "age_page", "invalidate_page", "invalidate_range_begin", "invalidate_range_end")
ADDRESS_END: Final = 1 << 64


class TranslationObserver(Protocol):
    """Who keeps the record of what clients may still hold (sw_stack.mm.shadow_feed)."""

    def range_begun(self, start: int, end: int) -> None:
        """invalidate_range_begin returned."""
        ...

    def range_ending(self, start: int, end: int) -> None:
        """invalidate_range_end is about to be dispatched: clients may establish again from here on."""
        ...

    def page_invalidated(self, address: int) -> None:
        """invalidate_page returned."""
        ...

    def released(self) -> None:
        """release returned."""
        ...


class MmuNotifierChain:
    """The clients of one address space. `owner` is the Mm handed to them, `mm_id` its number in the trace."""

    def __init__(
        self,
        sched: Scheduler,
        trace: Trace,
        owner: Any,
        mm_id: int,
        mmap_lock: RwSem,
        observer: TranslationObserver,
        *,
        mistakes: ChainMistakes | None = None,
    ) -> None:
        self._sched = sched
        self._trace = trace
        self._owner = owner
        self._mm_id = mm_id
        self._mmap_lock = mmap_lock
        self._observer = observer
        self._clients: list[MmuNotifier] = []
        self._implements: dict[MmuNotifier, frozenset[str]] = {}
        self._active: list[ActiveRange] = []
        self._calls: Counter[str] = Counter()
        self._in_flight: Counter[MmuNotifier] = Counter()
        self._quiescent = WaitQueue(sched, f"mmu_notifier callbacks of mm {mm_id}")
        self._released = False
        self._let_go: set[MmuNotifier] = set()
        """Clients whose release has been called."""
        self._mistakes = mistakes if mistakes is not None else ChainMistakes()

    # ---- clients ---------------------------------------------------------------------------------------------------

    def register(self, client: MmuNotifier) -> None:
        """Add a client. It sees operations that begin from now on (MN-5)."""
        self._need_mmap_write("register")
        self._need_unreleased("register")
        if client in self._clients:
            raise NotifierError(f"MN-5: client {client!r} is already registered on mm {self._mm_id}")
        self._sched.touch(self._quiescent)
        self._clients.insert(0, client)
        kind = type(client)
        self._implements[client] = frozenset(op for op in _OPERATIONS if getattr(kind, op) is not getattr(MmuNotifier, op))

    async def unregister(self, client: MmuNotifier) -> None:
        """Remove a client and wait until no pass over the list can call it. If exit has begun: a client whose release has not been
        called is not called any more; one whose release runs is waited for; after its release there is nothing to do."""
        self._need_mmap_write("unregister")
        self._sched.touch(self._quiescent)
        if self._mistakes.unregister_releases and client in self._clients:
            await self._call_release(client)
        if self._mistakes.unregister_at_once:
            if client in self._clients:
                self._clients.remove(client)
                del self._implements[client]
            return
        if client not in self._clients:
            if self._released:
                return
            raise NotifierError(f"MN-5: client {client!r} is not registered on mm {self._mm_id}")
        task = self._sched.current
        if any(client in active.clients and active.task is task for active in self._active):
            raise NotifierError(f"MN-1: client {client!r} unregisters between a begin it saw and its end{self._blame()}")
        # Truncate needs no mmap lock: a range of another task may be open, and the client must hear its end.
        await self._quiescent.wait_event(lambda: self._leaving(client) or not any(client in seen.clients for seen in self._active))
        if self._leaving(client):
            # A release that unregisters its own client would wait for itself.
            await self._quiescent.wait_event(
                lambda: client not in self._clients or ("release", client) in self._sched.task().inside
            )
            return
        self._clients.remove(client)
        self._let_go.discard(client)
        # Reclaim calls without the mmap lock, so a pass may be under way: the client must outlive it.
        await self._quiescent.wait_event(lambda: not self._in_flight[client])
        del self._implements[client]
        del self._in_flight[client]

    def _leaving(self, client: MmuNotifier) -> bool:
        """Exit has called its release."""
        return self._released and client in self._let_go

    @property
    def has_clients(self) -> bool:
        return bool(self._clients)

    def active_ranges(self) -> tuple[ActiveRange, ...]:
        """Ranges whose begin has been dispatched and whose end has not."""
        return tuple(self._active)

    def statistics(self) -> dict[str, int]:
        """Callbacks made, by operation."""
        return {op: self._calls[op] for op in _OPERATIONS}

    # ---- dispatch --------------------------------------------------------------------------------------------------

    async def release(self) -> None:
        """The address space is being torn down. A client stays on the list until its release has returned: reclaim and migration
        still unmap pages meanwhile, and the client may still be using them."""
        self._need_unreleased("release")
        self._released = True
        self._sched.touch(self._quiescent)
        task = self._sched.current
        own = [active for active in self._active if active.task is task]
        if own:
            raise NotifierError(f"MN-4: release of mm {self._mm_id} with {len(own)} ranges active{self._blame()}")
        if self._clients:
            self._emit(TraceEvent.MN_RELEASE)
        clients = tuple(self._clients)
        for client in clients:
            if client in self._clients:  # else somebody has unregistered it meanwhile
                await self._call_release(client)
            if client in self._clients:
                self._clients.remove(client)
        if clients:
            self._emit(TraceEvent.MN_RELEASE_DONE)
        self._sched.touch_memory()
        self._observer.released()

    async def age_page(self, address: int) -> bool:
        """True if a client's device has used the page. Every client is asked: the question also clears."""
        if not self._clients:
            return False
        young = False
        with self._walk(tuple(self._clients)) as clients:
            for client in clients:
                young |= bool(await self._call(client, "age_page", True, partial(client.age_page, self._owner, address)))
        self._emit(TraceEvent.MN_AGE_PAGE, address, int(young))
        return young

    async def invalidate_page(self, address: int) -> None:
        """The pte at `address` was cleared and flushed; its page is not reused before this returned (MN-3)."""
        if self._clients:
            self._emit(TraceEvent.MN_INVALIDATE_PAGE, address)
            with self._walk(tuple(self._clients)) as clients:
                for client in clients:
                    await self._call(client, "invalidate_page", True, partial(client.invalidate_page, self._owner, address))
            self._emit(TraceEvent.MN_INVALIDATE_PAGE_DONE, address)
        self._sched.touch_memory()
        self._observer.page_invalidated(address)

    async def range_begin(self, start: int, end: int, atomic: bool) -> ActiveRange:
        """Begin a range; hand the result to `range_end`. Prefer `range`, which cannot forget the end."""
        self._check_range(start, end)
        task = self._sched.current
        if not atomic and task is not None and task.atomic:
            self._sched.lockdep.may_sleep(task, "invalidate_range_begin with atomic=0")
        active = ActiveRange(start, end, atomic, task)
        self._active.append(active)
        if self._clients:
            self._emit(TraceEvent.MN_RANGE_BEGIN, start, end, int(atomic))
            try:
                with self._walk(tuple(self._clients)) as clients:
                    for client in clients:
                        if client not in self._clients:
                            continue  # it went while others were called, and may be gone when the range ends
                        # Noted first: a client whose begin raises half way may have closed its gate and needs the end to open it.
                        active.clients.append(client)
                        await self._call(
                            client,
                            "invalidate_range_begin",
                            atomic,
                            partial(client.invalidate_range_begin, self._owner, start, end, atomic),
                        )
            except BaseException:
                self._active.remove(active)
                await self._dispatch_end(active)
                raise
            self._emit(TraceEvent.MN_RANGE_BEGIN_DONE, start, end)
        self._sched.touch_memory()
        self._observer.range_begun(start, end)
        return active

    async def try_range(self, start: int, end: int) -> ActiveRange | None:
        """Begin a range that may not sleep and may fail: None if a client would have had to sleep. Those that had agreed before it
        have been told the end; the caller must not touch the range, and calls no end. Source: the -EAGAIN of a non-blockable
        mmu_notifier_invalidate_range_start, whose only caller is the OOM reaper."""
        self._check_range(start, end)
        active = ActiveRange(start, end, True, self._sched.current)
        self._active.append(active)
        if self._clients:
            self._emit(TraceEvent.MN_RANGE_BEGIN, start, end, 1)
            agreed = True
            try:
                with self._walk(tuple(self._clients)) as clients:
                    for client in clients:
                        if client not in self._clients:
                            continue
                        active.clients.append(client)  # it stays until it has answered
                        agreed = await self._call(
                            client,
                            "invalidate_range_begin",
                            True,
                            partial(client.invalidate_range_try, self._owner, start, end),
                        )
                        if agreed is False:
                            active.clients.remove(client)
                            break
            except BaseException:
                self._active.remove(active)
                await self._dispatch_end(active)
                raise
            self._emit(TraceEvent.MN_RANGE_BEGIN_DONE, start, end)
            if agreed is False:
                self._emit(TraceEvent.MN_RANGE_FAILED, start, end)
                self._active.remove(active)
                if not self._mistakes.refusal_ends_nothing:
                    await self._dispatch_end(active)
                return None
        self._sched.touch_memory()
        self._observer.range_begun(start, end)
        return active

    def forget_range(self, active: ActiveRange) -> None:
        """The end of a range never comes: a mistake of V6. The observer is told, the clients are not."""
        self._need_active(active)
        self._active.remove(active)
        self._sched.touch_memory()
        self._observer.range_ending(active.start, active.end)

    def range_end(self, active: ActiveRange) -> Awaitable[None]:
        """End a range: await the result at once."""
        self._need_active(active)
        self._active.remove(active)
        if active.clients:
            return self._end(active)
        self._sched.touch_memory()
        self._observer.range_ending(active.start, active.end)
        return DONE

    async def _end(self, active: ActiveRange) -> None:
        # Before the callbacks: the first client may establish as soon as its own end has run.
        try:
            self._sched.touch_memory()
            self._observer.range_ending(active.start, active.end)
        finally:
            await self._dispatch_end(active)

    def range(self, start: int, end: int, atomic: bool = False) -> Range:
        """`async with mm.notifiers.range(start, end):` begin, body, end; the end also when the body raises."""
        return Range(self, start, end, atomic)

    # ---- inside ----------------------------------------------------------------------------------------------------

    async def _dispatch_end(self, active: ActiveRange) -> None:
        start, end = active.end_said or (active.start, active.end)
        with self._walk(tuple(active.clients)) as clients:
            for client in clients:
                await self._call(
                    client,
                    "invalidate_range_end",
                    active.atomic,
                    partial(client.invalidate_range_end, self._owner, start, end, active.atomic),
                )
        if active.clients:
            self._emit(TraceEvent.MN_RANGE_END, start, end)

    async def _call_release(self, client: MmuNotifier) -> None:
        if client in self._let_go:
            raise NotifierError(f"MN-4: release of {client!r} on mm {self._mm_id} is called a second time{self._blame()}")
        self._let_go.add(client)
        with self._walk((client,)):
            await self._call(client, "release", False, partial(client.release, self._owner))

    async def _call(self, client: MmuNotifier, operation: str, atomic: bool, start: Callable[[], Any]) -> Any:
        if operation not in self._known(client, operation):
            return None
        task = self._sched.task()
        atomic = atomic or self._mistakes.dispatch_under_rcu
        task.atomic += atomic
        task.inside.append((operation, client))
        try:
            await self._sched.charge(timing.SW_NOTIFIER_CALL)
            self._known(client, operation)
            if client not in self._clients and (self._released or operation != "invalidate_range_end"):
                return None  # released since this pass began: it holds nothing, and nothing is called afterwards (MN-4)
            self._calls[operation] += 1
            answer = await start()
            self._known(client, operation)
            return answer
        finally:
            task.atomic -= atomic
            task.inside.pop()

    def _known(self, client: MmuNotifier, operation: str) -> frozenset[str]:
        """The operations of a client that a pass has in hand. Whoever unregistered it may have freed it already."""
        implements = self._implements.get(client)
        if implements is None:
            raise NotifierError(
                f"MN-5: {operation} of mm {self._mm_id} uses {client!r}, which was unregistered while the pass was under way "
                f"and may be freed{self._blame()}"
            )
        return implements

    def _walk(self, clients: tuple[MmuNotifier, ...]) -> Walk:
        """`with self._walk(clients) as clients:` one pass over the list: none of them may go away before it is over."""
        self._sched.touch(self._quiescent)
        return Walk(clients, self._in_flight, self._quiescent)

    def _emit(self, event: TraceEvent, *args: int) -> None:
        self._trace.emit(self._sched.now, event, self._mm_id, *args)

    def _need_mmap_write(self, what: str) -> None:
        task: Task = self._sched.task()
        if not self._mmap_lock.held_for_write(task):
            lock = self._mmap_lock.name
            raise LockdepError(
                f"{task.name} (CPU {task.cpu}): MN-5: mmu_notifier {what} without {lock} held for writing"
                f"{self._holder()}; called by {call_chain()}"
            )

    def _need_unreleased(self, what: str) -> None:
        if self._released:
            raise NotifierError(f"MN-4: {what} on mm {self._mm_id} after its release{self._blame()}")

    def _need_active(self, active: ActiveRange) -> None:
        if active not in self._active:
            raise NotifierError(
                f"MN-1: end of [{active.start:#x}, {active.end:#x}) on mm {self._mm_id} without its begin{self._blame()}"
            )

    def _check_range(self, start: int, end: int) -> None:
        if 0 <= start < end <= ADDRESS_END:
            return
        what = "empty range" if start == end else "range past the end of the address space" if start < end else "wrapping range"
        raise NotifierError(f"MN-1: {what} [{start:#x}, {end:#x}) on mm {self._mm_id}{self._blame()}")

    def _holder(self) -> str:
        """Who has the mmap lock instead."""
        lock = self._mmap_lock
        if lock.writer is not None:
            return f", which {lock.writer.name} holds"
        readers = ", ".join(task.name for task in lock.readers)
        return f", held for reading by {readers}" if readers else ", which nobody holds"

    def _blame(self) -> str:
        """Who did it, and whom it concerns."""
        task = self._sched.current
        who = f" by {task.name} (CPU {task.cpu})" if task is not None else ""
        clients = ", ".join(repr(client) for client in self._clients) or "no clients"
        return f"{who}, before {clients}; called by {call_chain()}"
