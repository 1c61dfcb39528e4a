"""What an adapter knows of a queue pair, and the pieces its messages are cut into.

Promises: state only; who changes it: requester.py (send side), responder.py (receive side), receive.py and transmit.py (their
  queues).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from hwif.fields import Line
from hwif.gen.gru import PAGE_SHIFT
from hwif.gen.hca import (
    INDEX_WIDTH,
    MAX_MESSAGE,
    MAX_SGE,
    FaultDir,
    Qpc,
    QpReport,
    QpState,
    WcOpcode,
    WcStatus,
    Wqe,
    WrOpcode,
)
from pymodels.hca.lines import build
from pymodels.hca.packets import PSN_MASK
from pymodels.hca.translation import Segment

if TYPE_CHECKING:
    from pymodels.hca.receive import Inbound
    from pymodels.hca.transmit import Outbound

__all__ = ["INDEX_MASK", "Element", "QueuePair", "ReadJob", "Wait", "WorkRequest", "cut"]

INDEX_MASK = (1 << INDEX_WIDTH) - 1
PAGE = 1 << PAGE_SHIFT
ATOMIC_BYTES = 8
Element = tuple[int, int, int]
"""Address, bytes, key."""
_COMPLETES_AS = {
    int(WrOpcode.RDMA_WRITE): WcOpcode.RDMA_WRITE,
    int(WrOpcode.SEND): WcOpcode.SEND,
    int(WrOpcode.RDMA_READ): WcOpcode.RDMA_READ,
    int(WrOpcode.ATOMIC_CMP_AND_SWP): WcOpcode.COMP_SWAP,
    int(WrOpcode.ATOMIC_FETCH_AND_ADD): WcOpcode.FETCH_ADD,
}
_ATOMIC = frozenset((int(WrOpcode.ATOMIC_CMP_AND_SWP), int(WrOpcode.ATOMIC_FETCH_AND_ADD)))
_ALONE = _ATOMIC | {int(WrOpcode.RDMA_READ)}


class Wait(IntEnum):
    """What the send side waits for from the other end."""

    NOTHING = 0
    RNR_DELAY = 1
    RESTART = 2


def cut(elements: Sequence[Element], start: int, length: int, rest: int, need: int, qpn: int, pd: int) -> list[Segment]:
    """Segments of `length` bytes from byte `start` of the elements; `rest`: bytes of the message from there on."""
    segments: list[Segment] = []
    offset = 0
    for addr, size, key in elements:
        if start >= size:
            start -= size
            continue
        here = min(size - start, length - offset)
        va, left = addr + start, min(size - start, rest - offset)
        while here > 0:
            piece = min(here, PAGE - (va & (PAGE - 1)))
            segments.append(Segment(key, va, piece, need, qpn, pd, offset, left))
            va += piece
            here -= piece
            left -= piece
            offset += piece
        start = 0
        if offset == length:
            break
    return segments


class WorkRequest:
    """A send work request."""

    __slots__ = (
        *("index", "opcode", "completes_as", "signaled", "elements", "length", "packets", "psn", "ssn", "rkey", "remote"),
        *("operand", "swap", "error", "alone", "taken"),
    )

    def __init__(self, index: int, line: Line | None, mtu: int) -> None:
        self.index = index
        self.psn: int | None = None
        self.ssn = 0
        self.taken = 0
        """A READ or atomic: packets of its answer that came."""
        self.error: tuple[WcStatus, int] | None = None
        """Why it cannot be carried out: status and syndrome."""
        if line is None:
            self.error = (WcStatus.LOC_QP_OP_ERR, 0)
            line = [0] * 8
        self.opcode = Wqe.opcode.get(line)
        self.alone = self.opcode in _ALONE
        self.completes_as = _COMPLETES_AS.get(self.opcode, WcOpcode.SEND)
        self.signaled = bool(Wqe.signaled.get(line))
        self.rkey, self.remote = Wqe.rkey.get(line), Wqe.remote_addr.get(line)
        self.operand, self.swap = Wqe.addr1.get(line), Wqe.swap.get(line)
        self.elements = elements_of(line)
        self.length = sum(size for _, size, _ in self.elements)
        count = Wqe.num_sge.get(line)
        if self.opcode not in _COMPLETES_AS or count > MAX_SGE:
            self.error = self.error or (WcStatus.LOC_QP_OP_ERR, 0)
        elif self.opcode in _ATOMIC:
            if count != 1:
                self.error = (WcStatus.LOC_QP_OP_ERR, 0)
            elif self.length < ATOMIC_BYTES:
                self.error = (WcStatus.LOC_LEN_ERR, 0)
            self.length = ATOMIC_BYTES
        elif self.length > MAX_MESSAGE:
            self.error = (WcStatus.LOC_LEN_ERR, 0)
        self.packets = 1 if self.opcode in _ATOMIC else max(1, -(-self.length // mtu))


def elements_of(line: Line) -> list[Element]:
    """The elements a work request names, as many as there can be."""
    count = Wqe.num_sge.get(line)
    elements = [(Wqe.addr0.get(line), Wqe.length0.get(line), Wqe.lkey0.get(line))] if count else []
    if count > 1:
        elements.append((Wqe.addr1.get(line), Wqe.length1.get(line), Wqe.lkey1.get(line)))
    return elements


class ReadJob:
    """A READ being answered."""

    __slots__ = ("key", "msn", "offset", "psn", "rest", "va")

    def __init__(self, psn: int, msn: int, offset: int, va: int, rest: int, key: int) -> None:
        self.psn = psn
        self.msn = msn
        self.offset = offset
        self.va = va
        self.rest = rest
        self.key = key


class QueuePair:
    """A queue pair of one adapter."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.state: int = QpState.RESET
        self.configure([0] * 8)
        self.sq_base = self.rq_base = self.sq_mask = self.rq_mask = 0
        self.tx: tuple[deque[Outbound], deque[Outbound]] = (deque(), deque())
        """Packets of each side (by FaultDir) that hca_tx has in hand, oldest first."""
        self.wanted = [False, False]
        """The side stands in the transmitter's queue."""
        self.rx: deque[Inbound] = deque()
        """Packets that wait for their verdict, oldest first."""
        self.life = [0, 0]
        """How often each side was loaded: what an older life left behind is recognized by it."""
        self.busy = 0
        """Reads of its queues and accesses in its name that are on their way."""
        self.quiet: Callable[[], None] | None = None
        """Told when there are none."""
        self.start_send(0)
        self.start_receive(0)

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

    def start_send(self, psn: int) -> None:
        """The send side starts anew."""
        self.life[FaultDir.REQUESTER] += 1
        self.sq_prod = self.sq_fetched = self.sq_next = self.sq_offset = self.sq_done = 0
        self.next_psn = self.una_psn = psn
        self.done_offset = 0
        """Packets of the oldest unfinished message the other end has."""
        self.ssn = 0
        self.requests: dict[int, WorkRequest] = {}
        self.fetching = False
        self.parked = False
        self.wait = Wait.NOTHING
        self.reading: WorkRequest | None = None
        """The READ or atomic that is under way."""
        self.asked_again = False
        self.force_ack = False
        self.rnr_used = self.retries_used = 0
        self.deadline = 0
        """When the acknowledgement is late; 0: none is awaited."""
        self.timer_set = False
        self.back_to = (0, 0)

    def start_receive(self, psn: int) -> None:
        """The receive side starts anew."""
        self.life[FaultDir.RESPONDER] += 1
        self.rq_prod = 0
        self.epsn = psn
        self.landed_psn = (psn - 1) & PSN_MASK
        self.msn = self.moffset = 0
        self.landing = 0
        """Packets taken whose payload is not in memory yet."""
        self.nak_stands = False
        self.ack_owed = False
        self.nak_owed: tuple[int, tuple[int, int, int] | None] | None = None
        """A NAK's syndrome, and its PSN, message and offset when it is not the packet expected."""
        self.reads: deque[ReadJob] = deque()
        self.atomic_owed: deque[tuple[int, int, int]] = deque()
        """PSN, message and old value of atomics to answer."""
        self.last_atomic: tuple[int, int] | None = None
        self.rx_faulted = False
        self.suspended: list[tuple[int, int, int] | None] = []
        """Positions whose sender waits for RESTART."""

    def report(self, *, rx_outstanding: bool) -> bytes:
        """What QUERY_QP writes."""
        return build(
            (QpReport.state, self.state),
            (QpReport.sq_parked, self.parked),
            (QpReport.rq_parked, rx_outstanding),
            (QpReport.sq_waiting, self.wait != Wait.NOTHING),
            (QpReport.sq_prod, self.sq_prod),
            (QpReport.sq_next, self.sq_next),
            (QpReport.sq_done, self.sq_done),
            (QpReport.rq_prod, self.rq_prod),
            (QpReport.next_psn, self.next_psn),
            (QpReport.una_psn, self.una_psn),
            (QpReport.epsn, self.epsn),
            (QpReport.msn, self.msn),
        )
