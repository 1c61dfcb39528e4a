"""Regions and pages anywhere: every place of the key cache, keys, domains, addresses and frames of the whole width.

Promises: `visit_everywhere` raises MismatchError when a look-up of a page just mapped is not answered by its frame, when one with a
wrong key or domain is answered otherwise, or when an invalidation leaves something behind.
Needs: a Rig of which nobody has asked anything yet.
Costs: some 100 cycles a region.
"""

from __future__ import annotations

import random

from hwif.gen.hca import KEY_IDX_WIDTH, MPT_ENTRIES, NUM_KEY, TABLE_BITS, TABLE_LEVELS, Mtt, Need, XltResult
from tb.hca_xlt.checked import SLOTS, MismatchError, Shoot, use_of
from tb.hca_xlt.rig import Rig
from tb.hca_xlt.world import PAGE, Inval, Region

__all__ = ["visit_everywhere"]

PAGES = 1 << 52  # of the address space
PFN_BITS = 40
KEY_BITS = 8 + KEY_IDX_WIDTH


def visit_everywhere(it: Rig, draw: random.Random, count: int) -> None:
    """So many regions, one after the other, each with one page."""
    for number in range(count):
        index = number % MPT_ENTRIES + draw.randrange(NUM_KEY // MPT_ENTRIES) * MPT_ENTRIES
        region, page, level = _register(it, draw, index)
        use = use_of(1, number % SLOTS[1], number // SLOTS[1] % 4)
        va = page * PAGE + draw.randrange(PAGE)
        length = draw.randint(1, PAGE - va % PAGE)
        _expect(it, XltResult.OK, use, va, length, region.key, region.pd, draw.choice(list(Need)))
        _expect(it, XltResult.WRONG_PD, use ^ 1, va, length, region.key, region.pd ^ draw.randrange(1, 1 << 24), Need.LOCAL_READ)
        high = draw.randrange(1, 1 << 32 - KEY_BITS) << KEY_BITS
        _expect(it, XltResult.BAD_KEY, use ^ 1, va, length, region.key ^ high, region.pd, Need.LOCAL_READ)
        _remove(it, draw, index, page, level)
        _expect(it, XltResult.BAD_KEY, use, va, length, region.key, region.pd, Need.LOCAL_READ)
        it.world.pages.clear()  # nothing of it is left anywhere


def _register(it: Rig, draw: random.Random, index: int) -> tuple[Region, int, int]:
    """A region of one index with a page in it, and the level of that page's leaf."""
    world = it.world
    levels = draw.randint(1, TABLE_LEVELS)
    level = draw.randrange(min(levels, 3))
    reach = 1 << TABLE_BITS * levels
    first = draw.randrange(PAGES - reach)
    page = first + draw.randrange(1, reach - 1)
    world.next_table = draw.getrandbits(PFN_BITS) | 1
    start = first * PAGE + draw.randrange(PAGE)
    region = Region(
        key=index << 8 | draw.randrange(256),
        root=world.new_table() % (1 << PFN_BITS),
        pd=draw.getrandbits(24),
        start=start,
        length=(first + reach) * PAGE - start,
        levels=levels,
        table_base=first * PAGE + draw.randrange(PAGE),
    )
    world.set_region(index, region)
    at = world.place(index, page, level)
    assert at is not None
    frame = draw.getrandbits(PFN_BITS) >> TABLE_BITS * level << TABLE_BITS * level
    world.put(at, Mtt.read.place(1) | Mtt.write.place(1) | Mtt.pfn.place(frame))
    return region, page, level


def _remove(it: Rig, draw: random.Random, index: int, page: int, level: int) -> None:
    """First the table and its invalidation, by address, then the region and its own."""
    at = it.world.place(index, page, level)
    assert at is not None
    it.world.put(at, 0)
    tag = draw.randrange(32)
    for shoot in (Inval(index, first=page * PAGE, last=page * PAGE + PAGE - 1), Inval(index, whole=True)):
        if shoot.whole:
            it.world.set_region(index, Region(key=0, root=0, valid=0))
        out = it.cycle(shoot=Shoot(tag, shoot))
        while not out.inv_ready:
            out = it.cycle(shoot=Shoot(tag, shoot))


def _expect(it: Rig, what: XltResult, use: int, va: int, length: int, key: int, pd: int, need: Need) -> None:
    got = it.lookup(va, need, use=use, key=key, pd=pd, length=length)
    if got != what:
        raise MismatchError(f"key {key:#x}, domain {pd:#x}, address {va:#x}, {need.name}: {got.name}, not {what.name}")
