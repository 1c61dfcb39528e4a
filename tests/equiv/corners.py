"""Bare-metal programs for corners random ones seldom reach: the log that laps, every handle at once, full sets, all page sizes."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from hwif.fields import Line
from hwif.gen import gru as g
from hwif.port import Event
from tb.hil.baremetal import BareMetal, Program

Steps = Generator[int, Sequence[Event], None]
BASE = 0x4000_0000
VPN = BASE >> g.PAGE_SHIFT
PAGE = 1 << g.PAGE_SHIFT


def _store(gru: BareMetal, va: int, count: int = 1) -> Line:
    return gru.instruction(g.CbOpc.VSET, va=va, count=count, value=0x1234)


def _shoot_all(gru: BareMetal, vas: Sequence[int], pages: int = 1) -> Steps:
    """Shootdowns, as many at once as there are handles."""
    for first in range(0, len(vas), g.NUM_TGH):
        batch = list(enumerate(vas[first : first + g.NUM_TGH]))
        yield from gru.issue_all([(g.TGH_BASE + tgh * g.HANDLE_STRIDE, gru.shootdown_line(0, va, pages)) for tgh, va in batch])
        yield from gru.sleep(600)


def lapped(shootdowns: int) -> Program:
    """That many shootdowns of other pages between a miss and its drop-in."""

    def program(gru: BareMetal) -> Steps:
        yield from gru.start_context(0, 2, 2, core=None)
        gru.map_page(0, VPN, 5)
        yield from gru.issue(0, 0, _store(gru, BASE))
        yield from gru.sleep(100)
        yield from _shoot_all(gru, [BASE + PAGE * (1 + number) for number in range(shootdowns)])
        for _ in range(2):
            yield from gru.write(g.TFH_BASE, gru.fill_line(0, VPN, gru.pages[0, VPN]))
            yield from gru.sleep(600)

    return program


def every_handle() -> Program:
    """All 24 shootdown handles at once, twice, over pages that 32 control blocks are writing."""

    def program(gru: BareMetal) -> Steps:
        yield from gru.start_context(0, 32, 1)
        for page in range(24):
            gru.map_page(0, VPN + page, 5 + page)
        for round_ in range(2):
            yield from gru.issue_all([(gru.cb_addr(0, cb), _store(gru, BASE + PAGE * (cb % 24), 512)) for cb in range(32)])
            yield from gru.serve(lambda seen=24 * round_: gru.answered >= seen + 20)  # type: ignore[misc]
            lines = [gru.shootdown_line(0, BASE + PAGE * page, 1 + page % 3) for page in range(24)]
            yield from gru.issue_all([(g.TGH_BASE + tgh * g.HANDLE_STRIDE, line) for tgh, line in enumerate(lines)])
            yield from gru.finish(0, range(32))

    return program


def full_sets(pages: int) -> Program:
    """Pages of one set of the TLB, more than it has ways, in an order that tells one replacement from another."""

    def program(gru: BareMetal) -> Steps:
        yield from gru.start_context(0, 2, 1)
        for page in range(pages):
            gru.map_page(0, VPN + 128 * page, 5 + page)
        order = [page for turn in range(6) for page in (*range(pages), turn % pages, 0, (2 * turn) % pages)]
        for page in order:
            yield from gru.issue(0, 0, _store(gru, BASE + PAGE * 128 * page))
            yield from gru.finish(0, [0])

    return program


def all_sizes() -> Program:
    """A context that uses every page size: drop-ins above and below each other, and shootdowns through the middle of them."""

    def program(gru: BareMetal) -> Steps:
        sizes = (1 << len(g.PAGE_SHIFTS)) - 1
        yield from gru.start_context(0, 4, 1, sizes=sizes, core=None)
        for turn in range(3):
            for size, shift in (*g.PAGE_SHIFTS.items(), *reversed(g.PAGE_SHIFTS.items())):
                va = BASE + (turn << 13)
                vpn = va >> shift << (shift - g.PAGE_SHIFT)
                if turn == 0:  # every size has its turn; later ones overlap
                    yield from gru.shootdown(23, 0, va, 1, everything=True)
                gru.pages.clear()
                gru.map_page(0, vpn, 0, size=size)
                cb = size % 4
                yield from gru.issue(0, cb, _store(gru, va))
                yield from gru.sleep(150)
                yield from gru.answer_fault(gru.cbr(0, cb))
                yield from gru.sleep(30 if turn else 400)
                if size % 3 == turn:
                    yield from gru.shootdown(size, 0, va + (size << 12), 2)

    return program


def contended() -> Program:
    """Control blocks that add to one word, and senders to one queue, all started in the same cycle: exclusive writes fail."""

    def program(gru: BareMetal) -> Steps:
        memory = gru.device.memory
        yield from gru.start_context(0, 32, 2, core=None)
        gru.map_page(0, VPN, 5)
        memory.write((5 << g.PAGE_SHIFT) + 512, (1 | 12 << 32).to_bytes(8, "little"))
        for cb in range(16):
            yield from gru.issue(0, cb, gru.instruction(g.CbOpc.GAMIR, va=BASE + 8 * (cb % 2), exop=g.ExopIr.INC))
            sent = gru.instruction(g.CbOpc.MESQ, va=BASE + 512, count=1, xtype=g.CbXtype.CL, tri0=64 * cb)
            yield from gru.issue(0, 16 + cb, sent)
        yield from gru.sleep(200)
        yield from gru.write(g.TFH_BASE, gru.fill_line(0, VPN, gru.pages[0, VPN], g.TfhOpc.WRITE_ONLY))
        yield from gru.sleep(50)
        (word,) = yield from gru.read(g.CCH_BASE)
        for opc in (g.CchOpc.INTERRUPT_SYNC, g.CchOpc.START):
            word = word & ~(g.Cch.opc.place(7)) | g.Cch.opc.place(opc) | g.Cch.cmd.place(1)
            yield from gru.write(g.CCH_BASE, [word])
            yield from gru.sleep(100)
        yield from gru.sleep(6000)

    return program


def shared_entry() -> Program:
    """Two contexts with one address space: a shootdown of one's context while it is on its way through the other's entry."""

    def program(gru: BareMetal) -> Steps:
        gru.asid = lambda _ctx, region=0: 8 + region  # type: ignore[method-assign]
        for ctx in range(2):
            yield from gru.start_context(ctx, 2, 1)
            gru.map_page(ctx, VPN, 5)
            gru.device.shadow.grant(6, ctx + 1, VPN + 1, 3)
        yield from gru.issue(0, 0, _store(gru, BASE))
        yield from gru.finish(0, [0])
        for contexts in (0b10, 0b01, 0b100):
            yield from gru.issue(1, 0, _store(gru, BASE))
            yield from gru.sleep(10)
            line = gru.shootdown_line(1, BASE, 1, everything=True)
            g.Tgh.ctxbitmap.put(line, contexts)
            yield from gru.write(g.TGH_BASE, line)
            yield from gru.sleep(400)
            yield from gru.finish(1, [0])

    return program
