"""Pages of system A used from other systems without a page table in the adapter: the A/B protocol.

    "The RDMA subsystem on A will then send a message to B notifying it that the memory will be going away. B now has to remove its
    corresponding page from memory (and drop the entry in PtB) and confirm to A that this has happened. RDMA traffic is then stopped
    for this page. Then A can also remove its page … If B accesses the page then … a message [is] sent to A to establish the page
    again. A will create an entry in PtA and will then confirm to B that the page was established."

The messages travel outside of RDMA, on a channel of the two kernels'. A knows who holds each page and asks nobody else, so a
reclaim costs as many messages as the page has users, all under way at once, and none while memory suffices.

        A (Exporter)                                      B (Importer)
        notifier: page goes                  access: entry missing ──── ESTABLISH ──▶ worker: fault in, enter, note the holder
          ── REVOKE ──▶ entry dropped;                       ◀── ESTABLISHED ──
             operations on it end ── CONFIRM ──▶          entry made; RDMA goes
        all confirmed: own table, INVALIDATE, FENCE

Promises: B posts an operation only while it holds entries for all its pages, and A takes a page down only when nobody holds it: no
operation meets a missing page, so no transfer has to be stalled, dropped or restarted. An operation takes its entries all at once
or not at all, so B never keeps one page while it waits for another: what A must reclaim to bring the second in may be the first.
Needs: between `access`'s begin and its end B waits for nothing but the device. Costs: two crossings of the channel to bring a page
in, two to take it away.
"""

from __future__ import annotations

import errno
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

from sw_stack.drivers.hca.enter import enter_pages
from sw_stack.drivers.hca.regions import Mr, Pd, dereg_mr, reg_mr
from sw_stack.drivers.hca.state import DriverCore
from sw_stack.mm.types import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, MmError
from sw_stack.sched import Scheduler, WaitQueue

__all__ = ["Channel", "Exporter", "Importer", "Message", "Verb"]


class Verb(Enum):
    """What a message says."""

    ESTABLISH = "B: I want these pages"
    ESTABLISHED = "A: they are there"
    REFUSED = "A: they cannot be had"
    REVOKE = "A: these pages go away"
    CONFIRM = "B: I hold them no more, and no operation of mine does"
    DETACH = "B: I am gone"


@dataclass(frozen=True, slots=True)
class Message:
    """Pages `first` to `last` (exclusive); `ticket` pairs a CONFIRM with its REVOKE; `error` is an errno."""

    verb: Verb
    first: int = 0
    last: int = 0
    ticket: int = 0
    error: int = 0


class Channel:
    """One direction between two kernels: messages arrive in order, `latency` cycles after they were sent."""

    def __init__(self, sched: Scheduler, name: str, cpu: int, latency: int, receive: Callable[[Message], None]) -> None:
        self._sched = sched
        self._latency = latency
        self._receive = receive
        self._messages: deque[tuple[int, Message]] = deque()
        self._sent = WaitQueue(sched, name)
        self.count = 0
        sched.spawn(self._deliver(), name, cpu, daemon=True)

    def send(self, message: Message) -> None:
        """Returns at once: legal anywhere."""
        self.count += 1
        self._messages.append((self._sched.now + self._latency, message))
        self._sent.wake_all()

    async def _deliver(self) -> None:
        while True:
            await self._sent.wait_event(lambda: bool(self._messages), patient=True)
            due, message = self._messages.popleft()
            if due > self._sched.now:
                await self._sched.sleep(due - self._sched.now)
            self._receive(message)


# ---- A -----------------------------------------------------------------------------------------------------------------


class Exporter:
    """A's side: a region that others use; made by `Exporter.open`. The guard of its region."""

    def __init__(self, drv: DriverCore, mr: Mr) -> None:
        self._drv = drv
        self.mr = mr
        self._importers: list[Importer] = []
        self._holders: dict[int, set[Importer]] = {}
        self._young: set[int] = set()
        self._tickets = 0
        self._unconfirmed: dict[int, set[Importer]] = {}
        self._confirmed = WaitQueue(drv.sched, f"confirmations for region {mr.key:#x}")
        self._wanted: deque[tuple[Importer, Message]] = deque()
        self._work = WaitQueue(drv.sched, f"pages wanted of region {mr.key:#x}")
        self.revoked = 0
        """REVOKE messages sent."""
        drv.sched.spawn(self._worker(), f"hca_export{drv.node}", drv.cpu(1), daemon=True)

    @classmethod
    async def open(cls, drv: DriverCore, pd: Pd, start: int, length: int, access: int) -> Exporter:
        """Export memory of the domain's process. `access`: hca.Access flags, ON_DEMAND among them, for it must not be pinned."""
        mr = await reg_mr(drv, pd, start, length, access, implicit=False)
        if not mr.on_demand:
            await dereg_mr(drv, mr)
            raise MmError(errno.EINVAL, "pages that are pinned cannot be taken back from anybody")
        exporter = mr.guard = cls(drv, mr)
        return exporter

    async def close(self) -> None:
        """Give it up. Every importer must have detached."""
        if self._importers:
            raise MmError(errno.EBUSY, f"{len(self._importers)} systems use {self.mr}")
        await dereg_mr(self._drv, self.mr)

    def holders(self, va: int) -> int:
        """How many hold the page of an address."""
        return len(self._holders.get(va >> PAGE_SHIFT, ()))

    def attach(self, importer: Importer) -> None:
        """A new user."""
        self._importers.append(importer)

    def receive(self, importer: Importer, message: Message) -> None:
        """A message has come. Never sleeps: who waits for a CONFIRM may hold what a sleeper needs."""
        if message.verb is Verb.CONFIRM:
            self._settle(message.ticket, importer)
        elif message.verb is Verb.ESTABLISH:
            self._wanted.append((importer, message))
            self._work.wake_all()
        elif message.verb is Verb.DETACH:
            self._importers.remove(importer)
            for holders in self._holders.values():
                holders.discard(importer)
            for ticket in list(self._unconfirmed):
                self._settle(ticket, importer)
            importer.forgotten()

    def _settle(self, ticket: int, importer: Importer) -> None:
        holders = self._unconfirmed.get(ticket, set())  # a confirmation may come after its sender has detached
        holders.discard(importer)
        if not holders:
            self._confirmed.wake_all()

    async def _worker(self) -> None:
        while True:
            await self._work.wait_event(lambda: bool(self._wanted), patient=True)
            importer, message = self._wanted.popleft()
            try:
                await self._establish(importer, message)
                answer = Message(Verb.ESTABLISHED, message.first, message.last)
            except MmError as error:
                answer = Message(Verb.REFUSED, message.first, message.last, error=error.errno)
            importer.down.send(answer)

    async def _establish(self, importer: Importer, message: Message) -> None:
        drv, mr = self._drv, self.mr
        start, end = message.first << PAGE_SHIFT, message.last << PAGE_SHIFT
        if start < mr.first_page or end > mr.end_page or not mr.live:
            raise MmError(errno.EFAULT, f"pages {start:#x} to {end:#x} are not in {mr}")
        subs, step = drv.space(mr.mm).subs, drv.policy.fault_pages * PAGE_SIZE
        assert mr.sub is not None
        while True:
            seq = await subs.read_begin(mr.sub)
            with mr.using():
                for first in range(start, end, step):
                    stop = min(first + step, end)
                    try:
                        await enter_pages(drv, mr, max(first, mr.start), stop, stop, mr.writable)
                    except MmError as error:
                        if error.errno != errno.EAGAIN:
                            raise
            if not subs.read_retry(mr.sub, seq):
                break
        if importer not in self._importers:
            return
        # No cycle since: an invalidation that begins now finds the holder.
        for page in range(message.first, message.last):
            self._holders.setdefault(page, set()).add(importer)
            self._young.add(page)

    async def going(self, start: int, end: int) -> tuple[int, int]:
        """Ask every holder, at once, and spin until all have confirmed. The region's own table comes after."""
        first, last = max(start, self.mr.first_page) >> PAGE_SHIFT, min(end + PAGE_MASK, self.mr.end_page) >> PAGE_SHIFT
        asked: set[Importer] = set()
        for page in [page for page in self._holders if first <= page < last]:
            asked |= self._holders.pop(page)
            self._young.discard(page)
        if not asked:
            return start, end
        self._tickets += 1
        ticket = self._tickets
        self._unconfirmed[ticket] = asked
        for importer in sorted(asked, key=self._importers.index):
            self.revoked += 1
            importer.down.send(Message(Verb.REVOKE, first, last, ticket))
        await self._confirmed.wait_event(lambda: not self._unconfirmed[ticket], spin=True)
        del self._unconfirmed[ticket]
        return start, end

    def used(self, address: int) -> bool:
        """Used since the last question if it was established since: what B does with an entry it holds, nobody sees."""
        page = address >> PAGE_SHIFT
        young = page in self._young
        self._young.discard(page)
        return young


# ---- B -----------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Revoke:
    """A REVOKE that operations keep from being confirmed."""

    message: Message
    pages: range = field(init=False)

    def __post_init__(self) -> None:
        self.pages = range(self.message.first, self.message.last)


class Importer:
    """B's side: which pages of A's region it may use. `latency`: of a message, each way."""

    def __init__(self, drv: DriverCore, exporter: Exporter, *, latency: int) -> None:
        self._sched = drv.sched
        self._exporter = exporter
        self._pages: set[int] = set()
        self._used: Counter[int] = Counter()
        self._revokes: list[_Revoke] = []
        self._asked: set[int] = set()
        self._errors: dict[int, int] = {}
        self._changed = WaitQueue(drv.sched, f"pages of region {exporter.mr.key:#x} at node {drv.node}")
        self.down = Channel(drv.sched, f"hca_import{drv.node}", drv.cpu(3), latency, self._receive)
        self._up = Channel(drv.sched, f"hca_import{drv.node} up", drv.cpu(3), latency, lambda m: exporter.receive(self, m))
        self._forgotten = False
        self.established = 0
        """Pages asked for and got."""
        exporter.attach(self)

    @property
    def mr(self) -> Mr:
        """A's region: what operations name."""
        return self._exporter.mr

    def holds(self, va: int) -> bool:
        """There is an entry for the page of an address."""
        return va >> PAGE_SHIFT in self._pages

    @asynccontextmanager
    async def access(self, va: int, length: int) -> AsyncIterator[Mr]:
        """A's region, with entries for all of [va, va + length), for the operations of the block. MmError if A cannot have them."""
        pages = range(va >> PAGE_SHIFT, (va + max(length, 1) - 1 >> PAGE_SHIFT) + 1)
        while not self._pages.issuperset(pages):
            await self._want(pages)
        # No cycle since the entries were looked at.
        self._used.update(pages)
        try:
            yield self.mr
        finally:
            self._used.subtract(pages)
            self._confirm()

    async def detach(self) -> None:
        """Use it no more. No operation may be under way."""
        self._pages.clear()
        self._up.send(Message(Verb.DETACH))
        await self._changed.wait_event(lambda: self._forgotten)

    def forgotten(self) -> None:
        """A has taken note of the DETACH."""
        self._forgotten = True
        self._changed.wake_all()

    async def _want(self, pages: range) -> None:
        missing = [page for page in pages if page not in self._pages and page not in self._asked]
        for page in missing:
            self._errors.pop(page, None)
            self._asked.add(page)
            self._up.send(Message(Verb.ESTABLISH, page, page + 1))
        await self._changed.wait_event(lambda: not self._asked.intersection(pages))
        for page in pages:
            if page in self._errors:
                raise MmError(self._errors[page], f"page {page << PAGE_SHIFT:#x} of {self.mr} cannot be established")

    def _receive(self, message: Message) -> None:
        pages = range(message.first, message.last)
        if message.verb is Verb.REVOKE:
            self._pages.difference_update(pages)
            self._revokes.append(_Revoke(message))
            self._confirm()
            return
        self._asked.difference_update(pages)
        if message.verb is Verb.ESTABLISHED:
            self._pages.update(pages)
            self.established += len(pages)
        else:
            self._errors.update(dict.fromkeys(pages, message.error))
        self._changed.wake_all()

    def _confirm(self) -> None:
        """Answer every REVOKE whose pages no operation uses."""
        for revoke in list(self._revokes):
            if not any(self._used[page] for page in revoke.pages):
                self._revokes.remove(revoke)
                self._up.send(Message(Verb.CONFIRM, revoke.message.first, revoke.message.last, revoke.message.ticket))
