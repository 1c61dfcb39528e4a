"""One direction of the wire.

Promises: packets arrive in the order of sending, `link_latency` cycles after their flits went; those lost leave no trace, those
  spoilt arrive `broken`. A receiver without room keeps them on the wire, and a full wire stops the sender.
Needs: the receiver takes what `deliver` offers, or calls `retry` when it has room again.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from hwif.gen.hca import MTU_SHIFT_MAX
from pymodels.hca.options import MILLION
from pymodels.hca.packets import Packet, flits_of
from pymodels.hca.timeline import Life, Timeline

__all__ = ["PASS", "Link"]

PASS, LOSE, CORRUPT, TRUNCATE = range(4)  # what is done to a packet
_LARGEST = flits_of(1 << MTU_SHIFT_MAX)


class Link:
    """From one adapter to another, or back to itself."""

    def __init__(self, timeline: Timeline) -> None:
        self.latency = self.cycles_per_flit = 1
        self.rates = [0, 0, 0]
        """Lost, corrupted, truncated: packets of a million."""
        self.free = 0
        """Cycle in which the next packet may begin."""
        self.packets = self.lost = self.corrupted = self.truncated = 0
        self.deliver: Callable[[Packet], bool] = lambda _packet: True
        """The receiver: takes the packet, or says that it has no room."""
        self.room: Callable[[], None] = lambda: None
        """Tells the sender that the wire has room again."""
        self._timeline = timeline
        self._life = Life()
        self._random = random.Random(1)
        self._waiting: deque[Packet] = deque()
        self._on_wire = 0
        self._chosen: list[list[int]] = []
        """Packets to come with a fate: how many before it, its opcode (0: any), the fate."""

    def seed(self, seed: int) -> None:
        """Start the injection's random numbers anew."""
        self._random = random.Random(seed)

    def choose(self, ahead: int, opcode: int, action: int) -> None:
        """Do `action` to a packet of `opcode` (0: any): to the next one, but for `ahead` of them."""
        self._chosen.append([ahead, opcode, action])

    @property
    def full(self) -> bool:
        """The wire holds as much as it can: its latency's worth, and a packet being delivered."""
        return self._on_wire > self.latency // self.cycles_per_flit + _LARGEST

    def send(self, packet: Packet, end: int) -> None:
        """The packet's last flit goes in the cycle before `end`; the sender has moved `free`."""
        self.packets += 1
        flits = flits_of(packet.length)
        action = self._fate(packet) if self._chosen else PASS
        if action == PASS and any(self.rates):
            action = self._draw()
        if action == LOSE:
            self.lost += 1
            return
        if action == CORRUPT:
            self.corrupted += 1
            packet.broken = True
        elif action == TRUNCATE:
            self.truncated += 1
            packet.broken = True
        self._on_wire += flits
        self._timeline.at(self._life, end - 1 + self.latency, self._arrive, packet)

    def _fate(self, packet: Packet) -> int:
        """The fate chosen for this packet."""
        fate = PASS
        for chosen in list(self._chosen):
            if chosen[1] in (0, packet.opcode):
                if not chosen[0]:
                    fate = chosen[2]
                    self._chosen.remove(chosen)
                chosen[0] -= 1
        return fate

    def _draw(self) -> int:
        for action, rate in zip((LOSE, CORRUPT, TRUNCATE), self.rates, strict=True):
            if rate and self._random.randrange(MILLION) < rate:
                return action
        return PASS

    def _arrive(self, packet: Packet) -> None:
        self._waiting.append(packet)
        if len(self._waiting) == 1:
            self.retry()

    def retry(self) -> None:
        """Offer what waits."""
        waiting = self._waiting
        was_full = self.full
        while waiting and self.deliver(waiting[0]):
            self._on_wire -= flits_of(waiting.popleft().length)
        if was_full and not self.full:
            self.room()
