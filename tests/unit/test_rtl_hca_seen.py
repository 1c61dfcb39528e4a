"""The RTL of what a monitor sees of the HCA's translation: every report beside what it reports, in random cycles. The trace, the
oracles and the counters are made of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from hwif.gen.hca import TABLE_BITS, Counter, XltResult
from tb.hca_seen.bench import Seen

PAGE_SHIFT = 12
VPN, KEY, INDEX, USE, PFN, PA, OFF = 52, 32, 12, 8, 40, 52, 18  # bits
CYCLES = 3000


@pytest.fixture
def seen() -> Iterator[Seen]:
    made = Seen()
    yield made
    made.close()


def leaf(vpn: int, off: int, level: int) -> tuple[int, int]:
    """First address and shift of the leaf of which this page is the page of that offset."""
    pages = 1 << TABLE_BITS * level
    return (vpn - off % pages) % (1 << VPN) << PAGE_SHIFT, PAGE_SHIFT + TABLE_BITS * level


def test_reports_say_what_happened(seen: Seen) -> None:
    rng = random.Random(1)
    bits = rng.getrandbits
    for _ in range(CYCLES):
        given = {
            name: bits(1) for name in ("enable", "lkp_valid", "rsp_valid", "walk_valid", "end_valid", "end_drop", "fill_write")
        }
        given |= {"lkp_id": bits(USE), "rsp_id": bits(USE), "rsp_pa": bits(PA), "rsp_result": rng.choice([0, *map(int, XltResult)])}
        given |= {"walk_key": bits(KEY), "walk_va": bits(64), "end_vpn": bits(VPN), "end_key": bits(KEY), "fill_pfn": bits(PFN)}
        given |= {"fill": int(given["end_valid"] and not given["end_drop"]), "kill": rng.choice([0, bits(4)])}
        given |= {"kill_key": bits(INDEX)}
        for what in ("fill", "kill"):
            given |= {f"{what}_vpn": bits(VPN), f"{what}_off": bits(OFF), f"{what}_level": rng.randrange(3)}
        out = seen.step(**given)
        assert (
            out.lkp_valid,
            out.lkp_id,
            out.rsp_valid,
            out.rsp_id,
            out.rsp_pa,
            out.walk_valid,
            out.walk_key,
            out.walk_va,
        ) == tuple(
            given[name] for name in ("lkp_valid", "lkp_id", "rsp_valid", "rsp_id", "rsp_pa", "walk_valid", "walk_key", "walk_va")
        )
        assert out.rsp_ok == (given["rsp_result"] == XltResult.OK)
        assert (out.fill_valid, out.fill_dropped) == (given["end_valid"], given["end_valid"] & given["end_drop"])
        first, shift = leaf(given["fill_vpn"], given["fill_off"], given["fill_level"])
        if given["fill"]:
            pfn = given["fill_pfn"] >> shift - PAGE_SHIFT << shift - PAGE_SHIFT
            assert (out.fill_key, out.fill_va, out.fill_shift) == (given["end_key"], first, shift)
            assert (out.fill_pfn, out.fill_write) == (pfn, given["fill_write"])
        elif out.fill_dropped:
            assert (out.fill_key, out.fill_va) == (given["end_key"], given["end_vpn"] << PAGE_SHIFT)
        assert out.kill_valid == given["kill"]
        if given["kill"]:
            assert (out.kill2_key, out.kill2_va, out.kill2_shift) == (
                given["kill_key"],
                *leaf(given["kill_vpn"], given["kill_off"], given["kill_level"]),
            )
            # The other ways have the complement; of a level that there is not, where no larger one is.
            other = leaf(~given["kill_vpn"] % (1 << VPN), ~given["kill_off"] % (1 << OFF), 3 - given["kill_level"])
            if given["kill_level"]:
                assert (out.kill0_key, out.kill0_va, out.kill0_shift) == (~given["kill_key"] % (1 << INDEX), *other)


def test_killed_translations_are_counted_one_by_one(seen: Seen) -> None:
    """Of any number that die in a cycle; other counters pass as they are; off: none is owed any more."""
    rng = random.Random(2)
    owed = 0
    for cycle in range(CYCLES):
        enable = int(rng.random() < 0.995)
        # Bursts as long as an invalidation's sweep, then calm: at most all that there are.
        kill = rng.getrandbits(4) if cycle % 400 < 100 else 0
        count = rng.getrandbits(32)
        out = seen.step(enable=enable, kill=kill, count=count)
        assert out.busy == (owed > 0)
        assert out.count == count & ~(1 << Counter.KILLED) | (owed > 0) << Counter.KILLED
        owed = owed + kill.bit_count() - (owed > 0) if enable else 0
    assert owed == 0
