"""What an adapter knows of a queue pair.

Promises: state only; who changes it: requester.py (`send`), responder.py (`recv`), transmit.py and receive.py (`tx`, `rx`). Loading
  a side replaces its object, so what an older life left behind is recognized by it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from hwif.fields import Line
from hwif.gen.hca import Qpc, QpReport, QpState
from pymodels.hca.lines import build
from pymodels.hca.receive_side import ReceiveSide
from pymodels.hca.send_side import SendSide, Wait

if TYPE_CHECKING:
    from pymodels.hca.receive import Inbound
    from pymodels.hca.transmit import Outbound

__all__ = ["QueuePair"]


class QueuePair:
    """A queue pair of one adapter."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.state: int = QpState.RESET
        self.configure([0] * 8)
        self.sq_base = self.rq_base = self.sq_mask = self.rq_mask = 0
        self.send = SendSide(0)
        self.recv = ReceiveSide(0)
        self.tx: tuple[deque[Outbound], deque[Outbound]] = (deque(), deque())
        """Packets of each side (by FaultDir) that wait to be sent, oldest first."""
        self.rx: deque[Inbound] = deque()
        """Packets that wait for their verdict, oldest first."""
        self.landing: deque[Inbound] = deque()
        """Packets being carried out, oldest first: they land in this order."""
        self.busy = 0
        """Reads of its queues and accesses in its name that are on their way."""
        self.quiet: Callable[[], None] | None = None
        """Told when there are none."""

    def leave(self) -> None:
        """One of the things on their way is over."""
        self.busy -= 1
        if not self.busy and self.quiet is not None:
            quiet, self.quiet = self.quiet, None
            quiet()

    def configure(self, qpc: Line) -> None:
        """The fields every MODIFY_QP sets, but the state."""
        self.policy = Qpc.policy.get(qpc)
        self.mtu = 1 << Qpc.mtu_shift.get(qpc)
        self.rnr_retry = Qpc.rnr_retry.get(qpc)
        self.retry_cnt = Qpc.retry_cnt.get(qpc)
        self.allow_read = bool(Qpc.allow_read.get(qpc))
        self.allow_write = bool(Qpc.allow_write.get(qpc))
        self.allow_atomic = bool(Qpc.allow_atomic.get(qpc))
        self.pd = Qpc.pd.get(qpc)
        self.dest = Qpc.dest_qpn.get(qpc)
        self.send_cqn, self.recv_cqn = Qpc.send_cqn.get(qpc), Qpc.recv_cqn.get(qpc)

    def load_send(self, qpc: Line) -> None:
        """The send side starts anew."""
        self.sq_base, self.sq_mask = Qpc.sq_base.get(qpc), (1 << Qpc.sq_log.get(qpc)) - 1
        self.send = SendSide(Qpc.sq_psn.get(qpc))

    def load_receive(self, qpc: Line) -> None:
        """The receive side starts anew."""
        self.rq_base, self.rq_mask = Qpc.rq_base.get(qpc), (1 << Qpc.rq_log.get(qpc)) - 1
        self.recv = ReceiveSide(Qpc.rq_psn.get(qpc))

    def report(self) -> bytes:
        """What QUERY_QP writes."""
        send, recv = self.send, self.recv
        return build(
            (QpReport.state, self.state),
            (QpReport.sq_parked, send.parked),
            (QpReport.rq_parked, recv.parked),
            (QpReport.sq_waiting, send.waits != Wait.NOTHING),
            (QpReport.sq_prod, send.prod),
            (QpReport.sq_next, send.cur.idx),
            (QpReport.sq_done, send.done),
            (QpReport.rq_prod, recv.prod),
            (QpReport.next_psn, send.cur.psn),
            (QpReport.una_psn, send.una.psn),
            (QpReport.epsn, recv.epsn),
            (QpReport.msn, recv.msn),
        )
