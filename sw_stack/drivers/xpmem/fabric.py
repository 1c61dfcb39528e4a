"""The channels between partitions: ordered, reliable, LINK_LATENCY each way.

Promises: messages from one partition to another arrive in the order in which they were sent, each handled before the next is looked
at. Translations rest on that: a fill and the invalidation that follows it never change places. Sending waits for nothing and is
legal in atomic context.

Needs: a port's `receive` waits for nothing that another message brings about. Else nobody takes that message: the input of a
partition would be contingent on its own output (Gunthorpe, linux-mm, 12 February 2008).

Costs: LINK_LATENCY, and LINK_CYCLES_PER_FLIT for each 64 bytes on the same channel. A message is a flit; an invalidation a flit for
each eight pages.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final, Protocol

from hwif.gen import timing
from sw_stack.drivers.xpmem.messages import Invalidate, Message
from sw_stack.sched import Scheduler, WaitQueue

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine

__all__ = ["Fabric", "Port"]

WORDS_PER_FLIT: Final = 8


class Port(Protocol):
    """A partition, as the fabric sees it."""

    partid: int
    machine: Machine
    """Its memory can be reached from every partition (cross-partition global addresses)."""
    cpu: int
    """The processor that takes its messages."""

    async def receive(self, source: int, message: Message) -> None:
        """A message from partition `source` has arrived."""
        ...


class _Channel:
    """One direction between two partitions, and the task at its end."""

    def __init__(self, sched: Scheduler, source: int, target: Port) -> None:
        self._sched = sched
        self._source = source
        self._target = target
        self._queue: deque[tuple[int, Message]] = deque()
        self._free_at = 0
        self._arrival = WaitQueue(sched, f"messages from partition {source} to {target.partid}")
        sched.spawn(self._run(), f"xpmem_recv{source}{target.partid}", target.cpu, daemon=True)

    def send(self, message: Message) -> None:
        flits = 1
        if isinstance(message, Invalidate):
            flits += len(message.pages) // WORDS_PER_FLIT
        self._free_at = max(self._sched.now, self._free_at) + flits * timing.LINK_CYCLES_PER_FLIT
        self._queue.append((self._free_at + timing.LINK_LATENCY, message))
        self._arrival.wake_all()

    async def _run(self) -> None:
        while True:
            await self._arrival.wait_event(lambda: bool(self._queue), patient=True)
            due, message = self._queue[0]
            if due > self._sched.now:
                await self._sched.sleep(due - self._sched.now)
            self._queue.popleft()
            await self._target.receive(self._source, message)


class Fabric:
    """All partitions of one system."""

    def __init__(self, sched: Scheduler) -> None:
        self._sched = sched
        self._ports: dict[int, Port] = {}
        self._channels: dict[tuple[int, int], _Channel] = {}
        self._sent: Counter[str] = Counter()

    def join(self, port: Port) -> None:
        """Connect a partition with all that have joined before. ValueError if its number is taken."""
        if port.partid in self._ports:
            raise ValueError(f"partition {port.partid} is there already")
        for other in self._ports.values():
            self._channels[port.partid, other.partid] = _Channel(self._sched, port.partid, other)
            self._channels[other.partid, port.partid] = _Channel(self._sched, other.partid, port)
        self._ports[port.partid] = port

    def reaches(self, partid: int) -> bool:
        """True if there is such a partition."""
        return partid in self._ports

    def machine(self, partid: int) -> Machine:
        """The machine whose memory the global addresses of a partition mean."""
        return self._ports[partid].machine

    def send(self, source: int, target: int, message: Message) -> None:
        """Put a message on its way."""
        self._sent[type(message).__name__] += 1
        self._channels[source, target].send(message)

    def statistics(self) -> dict[str, int]:
        """Messages sent, by kind."""
        return dict(self._sent)
