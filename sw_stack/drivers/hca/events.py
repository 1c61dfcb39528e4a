"""The two other interrupts: completion queues that have fired, and asynchronous events.

Promises: an event of a queue pair puts it into ERR here too. Those of its receive side begin the flush of what was posted; QP_FATAL
does not, since the failed request's own completion is on its way and comes first. A stopped command queue is an error of the
driver and raises HcaError. Costs two or more bus transfers an interrupt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from sw_stack.drivers.hca.commands import Order
from sw_stack.drivers.hca.errors import HcaError
from sw_stack.drivers.hca.queues import announce, begin_flush
from sw_stack.drivers.hca.state import AsyncEvent, DriverCore
from sw_stack.sched import WaitQueue
from sw_stack.sched.scheduler import PRIORITY_IRQ

__all__ = ["Events"]

COMPLETION_CPU, ASYNC_CPU = 1, 0
EVENT_BITS = 64


class Events:
    """Handlers, and the asynchronous events nobody has taken yet."""

    def __init__(self, drv: DriverCore) -> None:
        self._drv = drv
        self._queue: deque[AsyncEvent] = deque()
        self._wait = WaitQueue(drv.sched, f"asynchronous event of node {drv.node}")

    def start(self) -> None:
        """Spawn the handlers."""
        for line, name, cpu, body in (
            (h.IrqLine.COMPLETION, "hca_cq_intr", COMPLETION_CPU, self._completions),
            (h.IrqLine.ASYNC, "hca_async_intr", ASYNC_CPU, self._asynchronous),
        ):
            drv = self._drv
            drv.sched.spawn(self._handler(line, body), f"{name}{drv.node}", drv.cpu(cpu), daemon=True, priority=PRIORITY_IRQ)

    def take(self) -> list[AsyncEvent]:
        """Every event so far that was not taken."""
        events = list(self._queue)
        self._queue.clear()
        return events

    async def wait(self, *, patient: bool = False) -> AsyncEvent:
        """The oldest event, waited for."""
        await self._wait.wait_event(lambda: bool(self._queue), patient=patient)
        return self._queue.popleft()

    async def _handler(self, line: h.IrqLine, body: Callable[[], Awaitable[None]]) -> None:
        sched = self._drv.sched
        task = sched.task()
        while True:
            await sched.wait_irq(self._drv.line(line))
            task.atomic += 1
            try:
                await body()
            finally:
                task.atomic -= 1

    async def _completions(self) -> None:
        drv, reg = self._drv, h.CqEventReg
        fired = await drv.regs.read_all(reg.offset, reg.copies)
        for index, bits in enumerate(fired):
            if not bits:
                continue
            await drv.regs.write(reg.offset + 8 * index, bits)
            for bit in range(EVENT_BITS):
                cq = drv.cqs.get(EVENT_BITS * index + bit) if bits >> bit & 1 else None
                if cq is not None:
                    announce(drv, cq)

    async def _asynchronous(self) -> None:
        drv, reg = self._drv, h.AsyncEventReg
        while True:
            word = await drv.regs.read(reg.offset)
            if not reg.valid.of(word):
                return
            await drv.regs.write(h.AsyncPopReg.offset, 1)
            await self._note(AsyncEvent(h.AsyncType(reg.kind.of(word)), reg.subject.of(word)))

    async def _note(self, event: AsyncEvent) -> None:
        drv = self._drv
        drv.stats.async_events += 1
        if event.kind is h.AsyncType.COMMAND_QUEUE:
            raise HcaError(f"node {drv.node}: the command queue stopped")
        if event.kind is not h.AsyncType.CQ_ERR:
            drv.emit(TraceEvent.HCA_QP_ERROR, event.subject, event.kind)
            await self._failed(event)
        self._queue.append(event)
        self._wait.wake_all()

    async def _failed(self, event: AsyncEvent) -> None:
        """A queue pair has failed. The event may be older than the life it leads now, so the device is asked:

        device: fails, event queued      user: RESET, INIT      handler: event read: not this life's
        """
        drv = self._drv
        (ticket,) = await drv.commands.ring(Order(h.CmdOp.QUERY_QP, qpn=event.subject))
        _status, line = await drv.commands.report(ticket)
        qp = drv.qps.get(event.subject)
        if qp is None or h.QpReport.state.get(line) != h.QpState.ERR:
            return
        qp.state = h.QpState.ERR
        if event.kind is not h.AsyncType.QP_FATAL:
            begin_flush(drv, qp)
