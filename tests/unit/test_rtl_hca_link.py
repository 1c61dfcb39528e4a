"""The RTL of the cable between two HCAs: latency, rate, order, the fates of packets, and that idle time may be skipped."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from hwif.gen.hca import ENTRY_BYTES, Packet
from tb.hca_link.bench import DEPTH, Crossed, Flit, Link
from tb.hil.hca_lines import line_of

PASS, LOSE, CORRUPT, TRUNCATE = range(4)
LEAST = 2  # cycles of latency
CRC = (1 << 32) - 1


@contextmanager
def link(latency: int = LEAST, cycles_per_flit: int = 1) -> Iterator[Link]:
    made = Link(latency, cycles_per_flit)
    try:
        yield made
    finally:
        made.close()


def packet(length: int, rng: random.Random) -> list[Flit]:
    """A head and its payload."""
    count = 1 + -(-length // ENTRY_BYTES)
    data = [tuple(line_of(Packet, length=length)), *(tuple(rng.getrandbits(64) for _ in range(8)) for _ in range(count - 1))]
    return [Flit(words, number == 0, number == count - 1, rng.getrandbits(32)) for number, words in enumerate(data)]


def always(_: int) -> bool:
    return True


def offered(flits: Sequence[Flit], fate: int = PASS) -> list[tuple[int, Flit, int]]:
    return [(0, flit, fate) for flit in flits]


@pytest.mark.parametrize("latency", [0, 1, 2, 3, 9, 40])
@pytest.mark.parametrize("rate", [0, 1, 2, 7])
def test_latency_and_rate(latency: int, rate: int) -> None:
    """Each flit at its own time: not before, not after; offered at once or late."""
    rng = random.Random(latency)
    flits = [flit for _ in range(6) for flit in packet(64 * rng.randrange(4), rng)]
    offers, at = [], 0
    for flit in flits:
        at += rng.choice([0, 0, 0, 30])
        offers.append((at, flit, PASS))
    with link(latency, rate) as cable:
        crossed = cable.cross(offers, always, 4000)
    time = -max(rate, 1)
    for (at, _, _), taken in zip(offers, crossed.taken, strict=True):
        room = taken - max(at, time + max(rate, 1))
        assert room == 0 or latency >= DEPTH, "only a cable that is full makes a sender wait longer"
        time = taken
    assert [flit for _, flit in crossed.came] == flits
    assert [came for came, _ in crossed.came] == [taken + max(latency, LEAST) for taken in crossed.taken]
    assert len(crossed.asked) == 6


def test_a_receiver_that_stops_stops_the_sender_and_loses_nothing() -> None:
    rng = random.Random(1)
    flits = [flit for _ in range(20) for flit in packet(100, rng)]
    with link() as cable:
        crossed = cable.cross(offered(flits), lambda now: now >= 100, 400)
    assert crossed.taken[: DEPTH + 1] == [*range(DEPTH), crossed.taken[DEPTH]]
    assert crossed.taken[DEPTH] > 100
    assert [flit for _, flit in crossed.came] == flits
    assert [came for came, _ in crossed.came] == list(range(100, 100 + len(flits))), "then one a cycle"


def fated(flits: list[Flit], fate: int) -> list[Flit]:
    """What comes out."""
    last = flits[-1]
    if fate == LOSE:
        return []
    if fate == CORRUPT:
        word, bit = divmod(last.crc % 512, 64)
        words = list(last.data)
        words[word] ^= 1 << bit
        return [*flits[:-1], replace(last, data=tuple(words))]
    if fate == TRUNCATE and len(flits) == 1:
        return [replace(last, crc=last.crc ^ CRC)]
    if fate == TRUNCATE:
        kept = flits[: 1 + (len(flits) - 1) // 2]
        return [*kept[:-1], replace(kept[-1], eop=True)]
    return flits


@pytest.mark.parametrize("fate", [PASS, LOSE, CORRUPT, TRUNCATE])
def test_a_fate_is_of_one_whole_packet(fate: int) -> None:
    """Of every length; what is offered after the first flit counts no more; the next packet has its own."""
    rng = random.Random(fate)
    lengths = [0, 1, 63, 64, 65, 127, 128, 129, 192, 256, 1000, 2048, 4032, 4033, 4096, *(rng.randrange(4097) for _ in range(10))]
    offers: list[tuple[int, Flit, int]] = []
    wanted: list[Flit] = []
    firsts: list[int] = []
    for length in lengths:
        for of_this in (fate, PASS, rng.randrange(4)):
            flits = packet(length, rng)
            firsts.append(len(offers))
            offers += [(0, flit, of_this if flit.sop else rng.randrange(4)) for flit in flits]
            wanted += fated(flits, of_this)
    with link() as cable:
        crossed = cable.cross(offers, always, len(offers) + 50)
    assert [flit for _, flit in crossed.came] == wanted
    assert crossed.asked == [crossed.taken[first] for first in firsts]


@pytest.mark.parametrize(("latency", "rate"), [(2, 1), (30, 1), (300, 9), (5, 60)])
def test_skipping_idle_time_changes_nothing(latency: int, rate: int) -> None:
    rng = random.Random(rate)
    offers, at = [], 0
    for _ in range(40):
        at += rng.choice([0, 1, 2, 500])
        fate = rng.choice([PASS, PASS, LOSE, TRUNCATE])
        offers += [(at, flit, fate) for flit in packet(rng.randrange(300), rng)]

    def played(*, skip: bool) -> Crossed:
        with link(latency, rate) as cable:
            return cable.cross(offers, lambda now: now // 64 % 3 != 0, 20_000, skip=skip)

    every, some = played(skip=False), played(skip=True)
    assert (some.taken, some.asked, some.came) == (every.taken, every.asked, every.came)
    assert some.steps < every.steps // 2


def test_nothing_is_claimed_that_moves() -> None:
    """Quiescent: until the deadline the outputs stay as they are. The deadline: a flit that is due, or room for the next."""
    rng = random.Random(5)
    with link(latency=20, cycles_per_flit=6) as cable:
        (flit,) = packet(0, rng)
        assert cable.tick().quiescent
        assert not cable.tick(**flit.inputs()).quiescent
        began = cable.now - 1
        assert not cable.tick().quiescent, "it is on its way into the ring"
        out = cable.tick()
        assert (out.quiescent, out.ready, out.valid, out.deadline) == (1, 0, 0, began + 6)
        cable.now = out.deadline
        out = cable.tick()
        assert (out.quiescent, out.ready, out.valid, out.deadline) == (1, 1, 0, began + 20)
        cable.now = out.deadline
        out = cable.tick()
        assert (out.quiescent, out.valid, out.deadline) == (1, 1, (1 << 64) - 1), "who takes it wakes the rest"
        assert not cable.tick(ready=1).quiescent
        assert cable.tick().valid == 0
