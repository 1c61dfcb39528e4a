"""The virtual sequencer: where the sequences of the four ports meet."""

from __future__ import annotations

from pyuvm import uvm_sequencer

from tb.uvm.tlb.bfm import TlbBfm
from tb.uvm.tlb.ledger import Ledger

__all__ = ["VirtualSequencer"]


class VirtualSequencer(uvm_sequencer):
    """Handles to the ports' sequencers, the ledger and the clock; the environment fills them in."""

    lookup: uvm_sequencer
    access: uvm_sequencer
    fill: uvm_sequencer
    shoot: uvm_sequencer
    ledger: Ledger
    bfm: TlbBfm
    seed: str  # of every stream of random numbers: the test's name and its seed
