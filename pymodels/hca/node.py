"""An adapter: its blocks, put together anew whenever it is enabled.

Promises: what was scheduled before CTRL.enable fell never runs; registers and counters stay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hwif.fields import Line
from hwif.gen.events import TraceEvent
from hwif.gen.hca import AsyncType, Counter, FaultDir, Qpc, QpState
from hwif.gen.port import LineKind
from hwif.gen.timing import HCA_IRQ
from hwif.memory import HostMemory
from hwif.port import Irq, Snoop
from hwif.shadow import Shadow
from pymodels.hca.commands import Commands
from pymodels.hca.completion import CompletionUnit
from pymodels.hca.faults import Faults
from pymodels.hca.link import Link
from pymodels.hca.memory import MemoryPort
from pymodels.hca.packets import Packet
from pymodels.hca.queue_pair import QueuePair
from pymodels.hca.receive import Receive
from pymodels.hca.receive_side import RECEIVES, ReceiveSide
from pymodels.hca.registers import Registers
from pymodels.hca.requester import Requester
from pymodels.hca.responder import Responder
from pymodels.hca.send_side import SendSide
from pymodels.hca.timeline import Life, Timeline
from pymodels.hca.translation import Translation
from pymodels.hca.transmit import Transmit

if TYPE_CHECKING:
    from pymodels.hca.device import Recorder

__all__ = ["Node"]


class Node:
    """One of the adapters of a device."""

    def __init__(
        self,
        number: int,
        memory: HostMemory,
        shadow: Shadow,
        timeline: Timeline,
        recorder: Recorder,
        outgoing: Link,
        incoming: Link,
    ) -> None:
        self.number = number
        self.timeline = timeline
        self.enabled = False
        self.count = [0] * len(Counter)
        self.packets_sent = 0
        self.hits = self.refusals = self.hit_latency_min = self.hit_latency_max = self.hit_latency_sum = 0
        self._recorder = recorder
        self._outgoing = outgoing
        self._incoming = incoming
        self._life = Life()
        self._lines = Life()
        self.memory = MemoryPort(self, number, memory, shadow)
        self.memory.oracle.objection = recorder.objection
        self._build()
        self.registers = Registers(self, number)
        incoming.deliver = self._deliver
        outgoing.room = self._room

    def _build(self) -> None:
        self._queue_pairs: dict[int, QueuePair] = {}
        self.translation = Translation(self)
        self.faults = Faults(self)
        self.commands = Commands(self)
        self.completion = CompletionUnit(self)
        self.requester = Requester(self)
        self.responder = Responder(self)
        self.transmit = Transmit(self, self._outgoing)
        self.receive = Receive(self, self._incoming)

    def enable(self, on: bool) -> None:
        """CTRL was written."""
        if on or not self.enabled:
            self.enabled = on
            return
        self.enabled = False
        self._life.alive = False
        self._life = Life()
        self._build()
        self.registers.clear()
        self._incoming.retry()

    def hit(self, latency: int) -> None:
        """A look-up was answered with a translation after `latency` cycles."""
        self.hits += 1
        self.hit_latency_sum += latency
        self.hit_latency_max = max(self.hit_latency_max, latency)
        if latency < self.hit_latency_min or self.hits == 1:
            self.hit_latency_min = latency

    # ---- what the blocks share -----------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """Present cycle."""
        return self.timeline.now

    def at(self, cycle: int, call: Callable[..., Any], *args: Any) -> None:
        """Run something later, unless the adapter is disabled before."""
        self.timeline.at(self._life, cycle, call, *args)

    def emit(self, event: TraceEvent, *args: int) -> None:
        """Record an event of the trace."""
        self._recorder.trace(self.number, self.timeline.now, event, args)

    def snoop(self, kind: LineKind, index: int) -> None:
        """A line that a processor may hold has changed."""
        self._recorder.event(Snoop(self.timeline.now, kind, index, self.number))

    def interrupt(self, line: int, level: int) -> None:
        """An interrupt line has changed."""
        self.timeline.at(self._lines, self.timeline.now + HCA_IRQ, self._show, line, level)

    def _show(self, line: int, level: int) -> None:
        self._recorder.event(Irq(self.timeline.now, line, level))

    def _deliver(self, packet: Packet) -> bool:
        return self.receive.arrive(packet) if self.enabled else True

    def _room(self) -> None:
        self.transmit.room()

    # ---- queue pairs ---------------------------------------------------------------------------------------------------

    def queue_pair(self, number: int) -> QueuePair:
        """The queue pair of that number."""
        qp = self._queue_pairs.get(number)
        if qp is None:
            qp = self._queue_pairs[number] = QueuePair(number)
        return qp

    def modify_qp(self, number: int, qpc: Line, *, load_sq: bool, load_rq: bool, done: Callable[[], None]) -> None:
        """MODIFY_QP; `done` when it is over: to RESET, when nothing of the queue pair is in flight."""
        qp = self.queue_pair(number)
        state = Qpc.state.get(qpc)
        leaves = qp.state in RECEIVES and state not in RECEIVES
        qp.configure(qpc)
        if load_sq or load_rq or leaves:
            self._flush(qp)
        if load_sq:
            self.faults.forget(number, FaultDir.REQUESTER)
            qp.load_send(qpc)
        elif state == QpState.RESET:
            qp.send = SendSide(0)
        elif leaves:
            qp.send.back()  # packets that waited are gone
        if load_rq:
            self.faults.forget(number, FaultDir.RESPONDER)
            qp.load_receive(qpc)
        elif state == QpState.RESET:
            qp.recv = ReceiveSide(0)
        self._set_state(qp, state)
        self.receive.again(qp)
        self.requester.settle(qp)
        self.responder.settle(qp)
        if state == QpState.RESET and qp.busy:
            qp.quiet = done
        else:
            done()

    def _set_state(self, qp: QueuePair, state: int) -> None:
        if qp.state != state:
            qp.state = state
            self.emit(TraceEvent.HDEV_QP, qp.number, state)

    def _flush(self, qp: QueuePair) -> None:
        """Drop what waits to be sent."""
        self.transmit.flush(qp, FaultDir.REQUESTER)
        self.transmit.flush(qp, FaultDir.RESPONDER)

    def stop_qp(self, qp: QueuePair, event: AsyncType) -> None:
        """A queue pair goes to ERR by itself."""
        if qp.state in (QpState.ERR, QpState.RESET):
            return
        self.count[Counter.QP_ERRORS] += 1
        self._set_state(qp, QpState.ERR)
        self._flush(qp)
        self.registers.asynchronous(event, qp.number)
        self.receive.again(qp)

    def report_qp(self, number: int) -> bytes:
        """What QUERY_QP writes."""
        return self.queue_pair(number).report()
