"""What becomes of packets on the link (tb/hil/link.cpp), without a simulator."""

from __future__ import annotations

import itertools
import weakref
from collections import Counter
from collections.abc import Sequence

import pytest
from support.hil_shim import load

from hwif.gen.hca import PktOp
from tb.hil.abi import Fate, LinkFault

LIB = load()


class Wire:
    """A link; between two packets the clock ticks."""

    def __init__(self, seed: int = 1, loss: int = 0, corrupt: int = 0, truncate: int = 0) -> None:
        self.handle = LIB.shim_links(seed, loss, corrupt, truncate)
        weakref.finalize(self, LIB.shim_links_delete, self.handle)
        LIB.shim_links_tick(self.handle)

    def target(self, direction: int, opcode: int, skip: int, fate: Fate) -> None:
        LIB.shim_links_target(self.handle, direction, opcode, skip, fate)

    def send(self, *opcodes: int, direction: int = 0, ticks: int = 1) -> list[Fate]:
        fates = []
        for opcode in opcodes:
            for _ in range(ticks):
                LIB.shim_links_tick(self.handle)
            fates.append(Fate(LIB.shim_links_packet(self.handle, direction, opcode)))
        return fates

    def counts(self) -> list[int]:
        return [LIB.shim_links_count(self.handle, fate) for fate in Fate]


def fates(wire: Wire, opcodes: Sequence[int], **more: int) -> str:
    return "".join(fate.name[0] for fate in wire.send(*opcodes, **more))


def test_a_sound_link_passes_everything() -> None:
    wire = Wire()
    assert fates(wire, [PktOp.SEND] * 1000) == "P" * 1000 and wire.counts() == [1000, 0, 0, 0]


def test_fates_come_as_often_as_asked_and_independently_of_each_other() -> None:
    wire = Wire(seed=3, loss=100_000, corrupt=50_000, truncate=20_000)
    drawn = wire.send(*[PktOp.WRITE] * 20_000)
    seen = Counter(drawn)
    assert seen[Fate.LOSE] == pytest.approx(2000, rel=0.1)
    assert seen[Fate.CORRUPT] == pytest.approx(1000, rel=0.15)
    assert seen[Fate.TRUNCATE] == pytest.approx(400, rel=0.2)
    pairs = sum(one is two is Fate.LOSE for one, two in itertools.pairwise(drawn))
    assert pairs == pytest.approx(200, rel=0.3)
    assert wire.counts() == [seen[fate] for fate in Fate]


def test_a_fate_depends_on_seed_direction_and_number_alone() -> None:
    opcodes = [PktOp.WRITE, PktOp.ACK] * 500
    settings = {"loss": 200_000, "corrupt": 200_000}
    first = fates(Wire(seed=5, **settings), opcodes)
    assert first == fates(Wire(seed=5, **settings), opcodes[::-1], ticks=7), "neither opcodes nor cycles count"
    assert first != fates(Wire(seed=6, **settings), opcodes)
    assert first != fates(Wire(seed=5, **settings), opcodes, direction=1)


@pytest.mark.parametrize("fate", [Fate.LOSE, Fate.CORRUPT, Fate.TRUNCATE])
def test_a_chosen_packet_is_the_nth_of_its_opcode_in_its_direction(fate: Fate) -> None:
    wire = Wire()
    wire.target(0, PktOp.WRITE, 2, fate)
    letter = fate.name[0]
    assert fates(wire, [PktOp.WRITE], direction=1) == "P"
    sequence = [PktOp.WRITE, PktOp.ACK, PktOp.WRITE, PktOp.ACK, PktOp.WRITE, PktOp.WRITE]
    assert fates(wire, sequence) == f"PPPP{letter}P"


def test_any_opcode() -> None:
    wire = Wire()
    wire.target(1, 0, 1, Fate.LOSE)
    assert fates(wire, [PktOp.ACK, PktOp.NAK, PktOp.SEND], direction=1) == "PLP"


def test_a_fault_asked_for_too_late_meets_the_next_packet() -> None:
    """The pins are a cycle old: what begins in the very cycle of the call has its fate already."""
    wire = Wire()
    wire.target(0, PktOp.WRITE, 0, Fate.LOSE)
    assert LIB.shim_links_packet(wire.handle, 0, PktOp.WRITE) == Fate.PASS
    assert fates(wire, [PktOp.WRITE, PktOp.WRITE]) == "LP"


def test_chosen_fates_go_before_random_ones() -> None:
    wire = Wire(loss=1_000_000)
    wire.target(0, PktOp.ACK, 0, Fate.PASS)
    assert fates(wire, [PktOp.WRITE, PktOp.ACK, PktOp.ACK]) == "LPL"


def test_the_setting_has_every_part() -> None:
    assert LinkFault(Fate.TRUNCATE, 1, PktOp.NAK, 5).setting == 3 | 1 << 8 | PktOp.NAK << 16 | 5 << 32
