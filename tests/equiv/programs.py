"""Bare-metal programs that use the whole device, drawn from a seed."""

from __future__ import annotations

import random

from hwif.gen import gru as g
from tb.hil.baremetal import BareMetal, Program, Steps

PAGES = 24
BASE = 0x4000  # first page number
CONTEXTS = 2
CBS = 6
DSR_UNITS = 8  # 1 KiB each: a control block's own segment
SIZES = {g.CbXtype.B: 1, g.CbXtype.S: 2, g.CbXtype.W: 4, g.CbXtype.DW: 8}


def mixed(seed: int, rounds: int = 12) -> Program:
    """Contexts in both fault modes run random instructions over pages that are taken away and come back meanwhile."""

    def program(gru: BareMetal) -> Steps:
        rng = random.Random(seed)
        for frame in range(gru.device.memory.frames):
            gru.device.memory.frame(frame)[:] = frame & 0xFF
        for ctx in range(CONTEXTS):
            yield from gru.start_context(ctx, CBS, DSR_UNITS, core=ctx, sizes=0b101)
            for page in range(PAGES):
                gru.map_page(ctx, BASE + page, 1 + ctx * PAGES + page, write=page % 5 != 4)
        for _ in range(rounds):
            busy = [(ctx, cb) for ctx in range(CONTEXTS) for cb in rng.sample(range(CBS), rng.randint(1, CBS))]
            yield from gru.issue_all([(gru.cb_addr(ctx, cb), _instruction(gru, rng, cb)) for ctx, cb in busy])
            if rng.random() < 0.6:
                yield from _take_away(gru, rng)
            if rng.random() < 0.5:
                yield from gru.sleep(rng.randint(1, 3000))
            for ctx in range(CONTEXTS):
                yield from gru.finish(ctx, [cb for owner, cb in busy if owner == ctx])

    return program


def _take_away(gru: BareMetal, rng: random.Random) -> Steps:
    """Move some pages of a context to other frames: unmap, shoot down, revoke, copy, map."""
    ctx, first = rng.randrange(CONTEXTS), rng.randrange(PAGES)
    pages = [BASE + page for page in range(first, min(PAGES, first + rng.choice((1, 2, 5))))]
    taken = {vpn: gru.unmap_page(ctx, vpn) for vpn in pages if (ctx, vpn) in gru.pages}
    yield from gru.shootdown(rng.randrange(g.NUM_TGH), ctx, pages[0] << g.PAGE_SHIFT, len(pages))
    for vpn, page in taken.items():
        gru.revoke(ctx, vpn, page)
    if rng.random() < 0.8:
        for vpn, page in taken.items():
            frame = page.frame ^ 0x200
            gru.device.memory.copy_frame(page.frame, frame)
            gru.map_page(ctx, vpn, frame, write=page.write)


def _instruction(gru: BareMetal, rng: random.Random, cb: int) -> list[int]:
    opc = rng.choice((g.CbOpc.VSET, g.CbOpc.VLOAD, g.CbOpc.VSTORE, g.CbOpc.BCOPY, g.CbOpc.GAMER, g.CbOpc.NOP))
    xtype = rng.choice(list(SIZES))
    start = (BASE << g.PAGE_SHIFT) + rng.randrange(PAGES * 512 - 512) * 8
    segment = cb * g.DSR_AU_BYTES
    if opc is g.CbOpc.BCOPY:
        target = (BASE << g.PAGE_SHIFT) + rng.randrange(PAGES * 64 - 64) * g.LINE_BYTES
        source = start & -g.LINE_BYTES
        lines = rng.randint(1, 24)
        return gru.instruction(opc, va=source, value=target, count=lines, xtype=g.CbXtype.CL, tri0=segment, tri1=4)
    if opc is g.CbOpc.GAMER:
        return gru.instruction(opc, va=start, exop=g.ExopEr.ADD, value=rng.getrandbits(16), stride=rng.getrandbits(16))
    stride = rng.choice((1, 1, 2, 9))
    count = rng.randint(0, g.DSR_AU_BYTES // SIZES[xtype] // 2)
    return gru.instruction(opc, va=start, count=count, xtype=xtype, tri0=segment, stride=stride, value=rng.getrandbits(64))


def revoked_under_copy(acknowledge: bool = True, frames: int = 8) -> Program:
    """A block copy whose target page is revoked: with a shootdown it faults again, without one it is a violation."""

    def program(gru: BareMetal) -> Steps:
        yield from gru.start_context(0, 2, 2)
        for page in range(frames):
            gru.map_page(0, BASE + page, 1 + page)
        half = frames // 2
        source = BASE << g.PAGE_SHIFT
        target = (BASE + half) << g.PAGE_SHIFT
        yield from gru.issue(
            0, 0, gru.instruction(g.CbOpc.BCOPY, va=source, value=target, count=64 * half, xtype=g.CbXtype.CL, tri1=4)
        )
        yield from gru.serve(lambda: gru.device.memory.read((1 + half) << 12, 1) != b"\0" or gru.answered >= 2)
        taken = gru.unmap_page(0, BASE + half)
        if acknowledge:
            yield from gru.shootdown(0, 0, target, 1)
        gru.revoke(0, BASE + half, taken)
        gru.map_page(0, BASE + half, 100)
        yield from gru.finish(0, [0])

    return program
