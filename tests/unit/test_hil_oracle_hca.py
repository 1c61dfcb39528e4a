"""The oracle of HCA beats (tb/hil/oracle.cpp), without a simulator: every reason, at its edges, in its order."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from support.hil_shim import MemoryBench

from hwif.gen import hca as h
from hwif.gen import port as p
from hwif.memory import HostMemory
from hwif.port import ViolationReason
from hwif.shadow import READ, WRITE, Shadow

KEY, QPN, MM, PD = 7, 9, 3, 5
START, END = 0x1000_0040, 0x1000_2010  # begins and ends within a line
VPN, FRAME = START >> 12, 4
EVERY = 0b11111
REVOKED, READ_ONLY, NO_REGION, OUT_OF_REGION, WRONG_DOMAIN, NO_RIGHT = (
    ViolationReason[name] for name in ("REVOKED", "READ_ONLY", "NO_REGION", "OUT_OF_REGION", "WRONG_DOMAIN", "NO_RIGHT")
)


class Bench(MemoryBench):
    """A memory with one region, of which three pages are mapped to frames FRAME.."""

    def __init__(self) -> None:
        super().__init__(HostMemory(16), Shadow(16))
        shadow = self.shadow
        self.lib.shim_regions(
            self.handle, shadow.regions.ctypes.data, len(shadow.regions), shadow.qp_pd.ctypes.data, len(shadow.qp_pd)
        )
        shadow.set_region(KEY, MM, PD, START, END, EVERY)
        shadow.set_queue_pair(QPN, PD)
        for page in range(3):
            shadow.grant(FRAME + page, MM, VPN + page, READ | WRITE)

    def judge(self, va: int, count: int = 8, *, need: h.Need = h.Need.REMOTE_WRITE, write: bool | None = None, **other: int) -> int:
        """0, or the reason. Lane and frame follow from the address unless given."""
        wants = need in (h.Need.LOCAL_WRITE, h.Need.REMOTE_WRITE, h.Need.REMOTE_ATOMIC) if write is None else write
        pa = other.get("pa", ((FRAME + (va >> 12) - VPN) << 12) | va & 0xFC0)
        lane, key, qpn = other.get("lane", va & 63), other.get("key", KEY), other.get("qpn", QPN)
        return int(self.lib.shim_judge(self.handle, key, qpn, need, va, pa, wants, lane, count))


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.lib.shim_delete(made.handle)


@pytest.mark.parametrize("need", h.Need)
def test_a_beat_within_its_region_is_legal(bench: Bench, need: h.Need) -> None:
    assert bench.judge(START, 64 - (START & 63), need=need) == 0
    assert bench.judge(END - 16, 16, need=need) == 0
    assert bench.checked == 2


def test_bounds_are_exact_to_the_byte(bench: Bench) -> None:
    assert bench.judge(START - 1, 1) == OUT_OF_REGION
    assert bench.judge(END - 1, 1) == 0
    assert bench.judge(END - 1, 2) == OUT_OF_REGION
    assert bench.judge(END, 1) == OUT_OF_REGION
    assert bench.judge((1 << 64) - 8, 8, pa=FRAME << 12 | 0xFC0) == OUT_OF_REGION


def test_the_sideband_must_describe_the_beat(bench: Bench) -> None:
    assert bench.judge(START + 8, 8, lane=(START + 8 & 63) + 1) == OUT_OF_REGION, "other bytes than it says"
    assert bench.judge(START + 60, 8) == OUT_OF_REGION, "past the line"
    assert bench.judge(START, 0) == OUT_OF_REGION, "no bytes at all"


def test_a_key_without_a_region(bench: Bench) -> None:
    assert bench.judge(START, key=KEY + 1) == NO_REGION
    assert bench.judge(START, key=h.NUM_KEY) == NO_REGION, "past the last key"
    bench.shadow.clear_region(KEY)
    assert bench.judge(START) == NO_REGION


def test_domains_must_agree(bench: Bench) -> None:
    assert bench.judge(START, qpn=QPN + 1) == WRONG_DOMAIN, "of no domain"
    bench.shadow.set_queue_pair(QPN + 1, PD + 1)
    assert bench.judge(START, qpn=QPN + 1) == WRONG_DOMAIN
    bench.shadow.set_region(KEY, MM, 0, START, END, EVERY)
    assert bench.judge(START, qpn=QPN + 2) == WRONG_DOMAIN, "nobody's domain is no domain"


@pytest.mark.parametrize("need", h.Need)
def test_each_need_has_its_right(bench: Bench, need: h.Need) -> None:
    right = {name: getattr(p, f"REGION_{name}") for name in h.Need.__members__}[need.name]
    bench.shadow.set_region(KEY, MM, PD, START, END, EVERY & ~right)
    assert bench.judge(START, need=need) == NO_RIGHT
    bench.shadow.set_region(KEY, MM, PD, START, END, right)
    assert bench.judge(START, need=need) == 0


def test_a_need_has_its_direction(bench: Bench) -> None:
    assert bench.judge(START, need=h.Need.REMOTE_READ, write=True) == NO_RIGHT
    assert bench.judge(START, need=h.Need.LOCAL_WRITE, write=False) == NO_RIGHT
    assert bench.judge(START, need=h.Need.REMOTE_ATOMIC, write=False) == 0, "an atomic reads and writes"


def test_the_frame_must_be_the_pages(bench: Bench) -> None:
    assert bench.judge(START, pa=(FRAME + 1) << 12 | 0x40) == REVOKED, "another page's frame"
    bench.shadow.grant(FRAME, MM, VPN, READ)
    assert bench.judge(START) == READ_ONLY
    assert bench.judge(START, need=h.Need.REMOTE_READ) == 0
    bench.shadow.revoke(FRAME, MM, VPN)
    assert bench.judge(START, need=h.Need.REMOTE_READ) == REVOKED
    assert bench.judge(START + 4096) == 0, "the next page is still there"


def test_the_first_reason_in_order_is_told(bench: Bench) -> None:
    shadow = bench.shadow
    shadow.revoke(FRAME, MM, VPN)
    shadow.set_queue_pair(QPN, PD + 1)
    shadow.set_region(KEY, MM, PD, START, START + 4, 0)
    assert bench.judge(START) == OUT_OF_REGION
    shadow.set_region(KEY, MM, PD, START, END, 0)
    assert bench.judge(START) == WRONG_DOMAIN
    shadow.set_queue_pair(QPN, PD)
    assert bench.judge(START) == NO_RIGHT
    shadow.set_region(KEY, MM, PD, START, END, EVERY)
    assert bench.judge(START) == REVOKED


def test_a_read_is_judged_by_the_bytes_it_uses_and_a_write_by_its_strobes(bench: Bench) -> None:
    last = END - 16  # the first byte of the region's last line
    pa = (FRAME + 2) << 12
    read, write = bench.lib.shim_region_ar, bench.lib.shim_region_aw
    read(bench.handle, 1, KEY, QPN, h.Need.REMOTE_READ, last, pa, 16)
    write(bench.handle, 1, KEY, QPN, h.Need.REMOTE_WRITE, last, pa, 0xFFFF)
    write(bench.handle, 1, KEY, QPN, h.Need.REMOTE_WRITE, last + 4, pa, 0xF0)
    bench.run(40)
    assert not bench.violations and bench.checked == 3
    read(bench.handle, 41, KEY, QPN, h.Need.REMOTE_READ, last, pa, 17)
    write(bench.handle, 41, KEY, QPN, h.Need.REMOTE_WRITE, last, pa, 0x1FFFF)
    write(bench.handle, 41, KEY, QPN, h.Need.REMOTE_WRITE, last, pa, 0xF00F)
    write(bench.handle, 41, KEY, QPN, h.Need.REMOTE_WRITE, last + 4, pa, 0xFF)
    bench.run(40)
    assert [record.reason for record in bench.violations] == [OUT_OF_REGION] * 4
    first = bench.violations[0]
    assert (first.ctx, first.cbr, first.asid, first.mm) == (KEY, QPN, h.Need.REMOTE_WRITE, MM)


@pytest.mark.parametrize("seed", range(5))
def test_random_beats_against_the_rule_as_told(bench: Bench, seed: int) -> None:
    """The rule once more, in the words of hwif/shadow.py."""
    rng = random.Random(seed)
    for _ in range(400):
        rights, domain = rng.randrange(32), rng.choice([PD, PD, PD, 0, PD + 1])
        start, end = START + rng.randrange(-3, 4), START + rng.randrange(0, 80)
        bench.shadow.set_region(KEY, rng.choice([MM, MM, MM, 0, MM + 1]), PD, start, end, rights)
        bench.shadow.set_queue_pair(QPN, domain)
        need, write = rng.choice(list(h.Need)), rng.random() < 0.5
        va, count = START + rng.randrange(0, 60), rng.randrange(1, 20)
        lane = va & 63 if rng.random() < 0.9 else rng.randrange(64)
        mm = int(bench.shadow.regions[KEY][0]) & 0xFFFF_FFFF
        expected = 0
        if mm == 0:
            expected = NO_REGION
        elif not (start <= va and va + count <= end and lane == va & 63 and lane + count <= 64):
            expected = OUT_OF_REGION
        elif domain != PD:
            expected = WRONG_DOMAIN
        elif not rights >> need & 1 or (need is not h.Need.REMOTE_ATOMIC and write != need.name.endswith("WRITE")):
            expected = NO_RIGHT
        elif mm != MM:
            expected = REVOKED
        assert bench.judge(va, count, need=need, write=write, lane=lane) == expected, (va, count, need, write, lane)
