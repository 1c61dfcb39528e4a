"""The virtual sequence of the random tests: lookups, ends of accesses, drop-ins and shootdowns, all at once.

Promises: ends when everything that was begun has ended, or after DRAIN cycles without that; what is still open then is the
scoreboard's to report.
"""

from __future__ import annotations

import random

import cocotb
from pyuvm import uvm_sequence

from tb.uvm.tlb.profile import Places
from tb.uvm.tlb.sequences.accesses import AccessEnds
from tb.uvm.tlb.sequences.fills import RandomFills
from tb.uvm.tlb.sequences.lookups import RandomLookups
from tb.uvm.tlb.sequences.shoots import RandomShoots
from tb.uvm.tlb.virtual_sequencer import VirtualSequencer

__all__ = ["Traffic"]

DRAIN = 3000


class Traffic(uvm_sequence):
    """`cycles` of stimulus."""

    def __init__(self, name: str, virtual: VirtualSequencer, cycles: int) -> None:
        super().__init__(name)
        self.virtual = virtual
        self.cycles = cycles

    async def body(self) -> None:
        virtual, ledger, bfm = self.virtual, self.virtual.ledger, self.virtual.bfm
        places = Places(ledger.profile, random.Random(f"{virtual.seed}:places"))
        parts = (
            (RandomLookups, virtual.lookup),
            (AccessEnds, virtual.access),
            (RandomFills, virtual.fill),
            (RandomShoots, virtual.shoot),
        )
        for kind, sequencer in parts:
            cocotb.start_soon(kind(kind.__name__, virtual, places).start_on(sequencer))
        await bfm.wait(self.cycles)
        ledger.stopping = True
        for _ in range(DRAIN):
            await bfm.sample()
            if ledger.quiet:
                break
        await bfm.wait(4)
