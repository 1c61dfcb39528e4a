"""The rmap notifier of V6-5: for drivers that keep reverse maps of their own and may have to sleep to take a page away (XPMEM).

One list for the machine. A driver marks a page with `export`; when the VM has taken the page out of its own address spaces
(try_to_unmap, at its end) or write-protected it everywhere (page_mkclean), every client is told, and the mark goes. The driver then
gives up its references; a page it keeps stays in memory.

Promises: `invalidate_page` is called with the page lock held and no spinlock, so it may sleep; possibly by a task that is
reclaiming memory, so it must not wait for any. A client that unregisters while a pass is under way is waited for.
Needs: `export` under the page lock. Costs SW_NOTIFIER_CALL cycles a client and exported page.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from hwif.trace import Trace
from sw_stack.notifier.client import NotifierError
from sw_stack.sched import LockdepError, Scheduler, WaitQueue
from sw_stack.sched.callchain import call_chain

__all__ = ["MmuRmapNotifier", "RmapNotifiers"]


class MmuRmapNotifier:
    """Base of every client (struct mmu_rmap_notifier)."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    async def invalidate_page(self, page: Any) -> None:
        """`page` (sw_stack.mm.frames.Frame) has left the address spaces of this machine: let go of it. May sleep."""


class RmapNotifiers:
    """The clients of one machine (mmu_rmap_notifier_list)."""

    def __init__(self, sched: Scheduler, trace: Trace) -> None:
        self._sched = sched
        self._trace = trace
        self._clients: list[MmuRmapNotifier] = []
        self._in_flight: Counter[MmuRmapNotifier] = Counter()
        self._quiescent = WaitQueue(sched, "rmap notifier callbacks")
        self.calls = 0
        """Callbacks made."""

    def register(self, client: MmuRmapNotifier) -> None:
        """Add a client."""
        if client in self._clients:
            raise NotifierError(f"MN-5: rmap client {client!r} is already registered; called by {call_chain()}")
        self._clients.insert(0, client)

    async def unregister(self, client: MmuRmapNotifier) -> None:
        """Remove a client and wait until no pass can call it."""
        if client not in self._clients:
            raise NotifierError(f"MN-5: rmap client {client!r} is not registered; called by {call_chain()}")
        self._clients.remove(client)
        await self._quiescent.wait_event(lambda: not self._in_flight[client])
        del self._in_flight[client]

    def export(self, page: Any) -> None:
        """mmu_rmap_export_page: be told when the page goes. Needs its lock."""
        task = self._sched.task()
        if page.lock not in task.held:
            raise LockdepError(
                f"{task.name} (CPU {task.cpu}): MN-5: page {page.pfn} exported without its lock; called by {call_chain()}"
            )
        page.exported = True

    async def invalidate_page(self, page: Any) -> None:
        """Tell everybody, if the page is exported. Needs its lock and no spinlock."""
        if not page.exported:
            return
        task = self._sched.task()
        self._sched.lockdep.may_sleep(task, "rmap notifier")
        page.exported = False  # first: who exports it again from here on wants to be told again
        self._trace.emit(self._sched.now, TraceEvent.MN_RMAP_PAGE, page.pfn)
        clients = tuple(self._clients)
        self._in_flight.update(clients)
        try:
            for client in clients:
                task.inside.append(("rmap invalidate_page", client))
                try:
                    await self._sched.charge(timing.SW_NOTIFIER_CALL)
                    self.calls += 1
                    await client.invalidate_page(page)
                finally:
                    task.inside.pop()
        finally:
            self._in_flight.subtract(clients)
            self._quiescent.wake_all()
        self._trace.emit(self._sched.now, TraceEvent.MN_RMAP_PAGE_DONE, page.pfn)
