"""The state of a send side, and how it changes; rtl/hca/hca_qp_send_step.sv has the same.

Promises: what is sent is a place (work request, packet of it, PSN, SENDs before it): `cur` the next to send, `una` the first not
  acknowledged. Going back is `cur = una`; what was read ahead then counts no more (`gen`). A READ or atomic has its own place,
  which only its answers move.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from hwif.gen.hca import MAX_UNACKED, QpState, WcStatus
from pymodels.hca.packets import PSN_MASK, psn_ahead
from pymodels.hca.work import INDEX_MASK, WorkRequest

__all__ = ["FOR_EVER", "HEARS", "Place", "SendSide", "Wait"]

FOR_EVER = 7
"""rnr_retry and retry_cnt without a limit."""
HEARS = frozenset((int(QpState.RTS), int(QpState.SQD)))
"""States in which a send side listens; SQD only stops new work requests."""


class Wait(IntEnum):
    """What a send side waits for from the other end."""

    NOTHING = 0
    RNR_DELAY = 1
    RESTART = 2


class Place(NamedTuple):
    """Packet `off` of work request `idx`, its PSN, and the SENDs before that work request."""

    idx: int
    off: int
    psn: int
    ssn: int


class SendSide:
    """From one loading to the next."""

    __slots__ = (
        *(
            "prod",
            "ahead",
            "gen",
            "cur",
            "una",
            "done",
            "top_idx",
            "top_psn",
            "issued",
            "parked",
            "waits",
            "probe",
            "gap",
            "listed",
        ),
        *("ack_timer", "rnr_timer", "progress", "retry", "rnr", "alone", "alone_out", "alone_at", "fails"),
    )

    def __init__(self, psn: int) -> None:
        self.prod = self.done = 0
        self.ahead = 0
        """Next work request to read."""
        self.gen = 0
        """Of what is read ahead: older is thrown away."""
        self.cur = self.una = self.alone_at = Place(0, 0, psn, 0)
        self.top_idx, self.top_psn = 0, psn
        """The farthest `cur` has been."""
        self.issued: dict[int, WorkRequest] = {}
        """Work requests issued and not completed."""
        self.parked = False
        self.waits = Wait.NOTHING
        self.probe = False
        """It went back and does not know whether the other end takes it now: one packet, then its acknowledgement."""
        self.gap = False
        """Missing answers have been asked for again, and none has come since."""
        self.listed = False
        self.ack_timer = self.rnr_timer = False
        self.progress = True
        """Something was acknowledged since the time-out began."""
        self.retry = self.rnr = 0
        self.alone: WorkRequest | None = None
        """The READ or atomic that is issued and not complete."""
        self.alone_out = False
        """It waits for its answer, and nothing else may leave."""
        self.fails: tuple[int, WcStatus, int] | None = None
        """A work request that fails when those before it are complete: index, status, syndrome."""

    @property
    def limit(self) -> int:
        """First work request that may not be sent: not posted, or failed."""
        return self.prod if self.fails is None else self.fails[0]

    @property
    def outstanding(self) -> bool:
        """Something is not acknowledged."""
        return self.una.psn != self.top_psn

    def may_send(self, state: int) -> bool:
        """The next packet may leave."""
        if state != QpState.RTS or self.parked or self.waits or self.alone_out:
            return False
        return not (self.probe and self.cur.psn != self.una.psn)

    def may_read(self, state: int) -> bool:
        """There is a work request to read ahead."""
        return self.ahead != self.limit and (self.ahead - self.done) & INDEX_MASK < MAX_UNACKED and self.may_send(state)

    def forget_ahead(self) -> None:
        """What was read ahead no longer counts."""
        self.ahead = self.cur.idx
        self.gen += 1

    def back(self) -> None:
        """Back to what is not acknowledged."""
        self.cur = self.una
        self.alone_out = False
        self.forget_ahead()

    def fail(self, index: int, status: WcStatus, syndrome: int) -> None:
        """Work request `index` fails. Those before it are sent again, the last asking for an answer, and complete first."""
        self.back()
        self.parked = self.probe = False
        self.waits = Wait.NOTHING
        if self.fails is None or (index - self.una.idx) & INDEX_MASK < (self.fails[0] - self.una.idx) & INDEX_MASK:
            self.fails = (index, status, int(syndrome))

    def acknowledged(self, at: Place) -> None:
        """The other end has all before `at`."""
        if at.psn == self.una.psn:
            return
        self.una = at
        self.retry = self.rnr = 0
        self.probe = self.gap = False
        self.waits = Wait.NOTHING
        self.progress = True
        if psn_ahead(at.psn, self.cur.psn) > 0:
            self.back()

    def again(self, limit: int) -> None:
        """Back after a time-out or a sequence error, if it may once more."""
        if limit != FOR_EVER and self.retry >= limit:
            self.fail(self.una.idx, WcStatus.RETRY_EXC_ERR, 0)
            return
        self.back()
        self.waits = Wait.NOTHING
        self.retry += limit != FOR_EVER

    def told(self, psn: int, msn: int, offset: int) -> Place | None:
        """Where an acknowledgement says the other end is: `psn` is next, in packet `offset` of message `msn`. None: nonsense."""
        una = self.una
        gain = (psn - una.psn) & PSN_MASK
        past_alone = self.alone is not None and psn_ahead(psn, self.alone_at.psn) > 0
        idx = self.alone_at.idx if past_alone else msn & INDEX_MASK
        count = (idx - una.idx) & INDEX_MASK
        if gain > (self.top_psn - una.psn) & PSN_MASK or count > (self.top_idx - una.idx) & INDEX_MASK or count > MAX_UNACKED:
            return None
        if not gain:
            return una
        if past_alone:  # a READ or atomic is complete with its answer, not with an acknowledgement
            return self.alone_at
        request = self.issued.get(idx)
        if request is not None:
            return Place(idx, offset, psn, request.ssn)
        before = self.issued.get((idx - 1) & INDEX_MASK)
        return Place(idx, offset, psn, self.cur.ssn if before is None else before.after)
