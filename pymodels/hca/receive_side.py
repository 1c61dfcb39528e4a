"""The state of a receive side; rtl/hca/hca_qp_recv_step.sv has the same."""

from __future__ import annotations

from hwif.gen.hca import NakSyndrome, QpState
from pymodels.hca.completion import Completion

__all__ = ["RECEIVES", "ReadJob", "ReceiveSide"]

RECEIVES = frozenset((int(QpState.RTR), int(QpState.RTS), int(QpState.SQD)))
"""States in which a receive side takes packets."""


class ReadJob:
    """A READ being answered: what is left of it."""

    __slots__ = ("key", "msn", "offset", "psn", "rest", "va")

    def __init__(self, psn: int, msn: int, offset: int, va: int, rest: int, key: int) -> None:
        self.psn = psn
        self.msn = msn
        self.offset = offset
        self.va = va
        self.rest = rest
        self.key = key


class ReceiveSide:
    """From one loading to the next."""

    __slots__ = (
        *("prod", "epsn", "eoff", "lpsn", "msn", "loff", "flight", "listed", "parked", "suspended", "quiet", "nak", "ack", "reads"),
        *("atomic", "last_atomic", "fails"),
    )

    def __init__(self, psn: int) -> None:
        self.prod = 0
        self.epsn, self.eoff = psn, 0
        """Expected: PSN, and packet of the message."""
        self.lpsn = psn
        """The first PSN that has not landed."""
        self.msn = self.loff = 0
        """Messages landed whole, and packets of the next."""
        self.flight = 0
        """Packets taken and not landed."""
        self.listed = False
        self.parked = False
        """A fault is outstanding."""
        self.suspended = False
        """A SUSPEND is owed or was sent: RESTART at the resume."""
        self.quiet = False
        """A NAK stands: no other for a gap."""
        self.nak = NakSyndrome.NONE
        """Owed, when all that was taken has landed."""
        self.ack = False
        self.reads: ReadJob | None = None
        self.atomic = False
        """The last atomic's answer is owed."""
        self.last_atomic: tuple[int, int, int] | None = None
        """PSN, message and old value of the last atomic, for when it is asked again."""
        self.fails: Completion | None = None
        """A receive's error completion is owed, when all that was taken has landed."""

    def refuse(self, syndrome: NakSyndrome) -> None:
        """It goes to ERR: nothing is owed but the NAK."""
        self.nak = syndrome
        self.ack = self.atomic = False
        self.reads = None

    def owes(self, state: int) -> bool:
        """Something can be sent, or a receive be completed."""
        if (self.nak or self.fails is not None) and not self.flight:
            return True
        return state in RECEIVES and (self.ack or self.atomic or self.reads is not None)
