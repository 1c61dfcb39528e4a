"""What the random sequences share: their own stream of random numbers, and waiting for something to do.

Promises: a sequence draws its item when the port is free, not before, so that it is drawn from how things are.
Needs: to be started by a virtual sequence (`start_on`).
"""

from __future__ import annotations

import random

from pyuvm import uvm_sequence, uvm_sequencer

from tb.uvm.tlb.ledger import Ledger
from tb.uvm.tlb.profile import Places
from tb.uvm.tlb.virtual_sequencer import VirtualSequencer

__all__ = ["PortSequence"]


class PortSequence(uvm_sequence):
    """A sequence of one port that looks at the ledger."""

    def __init__(self, name: str, virtual: VirtualSequencer, places: Places) -> None:
        super().__init__(name)
        self.ledger: Ledger = virtual.ledger
        self.profile = virtual.ledger.profile
        self.bfm = virtual.bfm
        self.places = places
        self.rng = random.Random(f"{virtual.seed}:{name}")

    async def start_on(self, sequencer: uvm_sequencer) -> None:
        """Run on a port's sequencer."""
        await self.start(sequencer)

    def pause(self, rate: float) -> int:
        """Idle cycles before the next item, so that the port is used at this rate."""
        if rate >= 1:
            return 0
        return min(int(self.rng.expovariate(rate)), 400)
