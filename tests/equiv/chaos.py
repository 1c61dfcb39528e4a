"""Bare-metal programs without sense: every register, opcode and handle command in random order, drawn from a seed.

They read nothing that hardware leaves undefined, give drop-ins only page sizes that lookups probe, and never wait for an answer
that may not come. What they read is their result, with all data segments, extensions and handles at the end.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from typing import Any

from hwif.fields import Line, new_line
from hwif.gen import gru as g
from hwif.port import Event, MmioDone, MmioRead, MmioSwap, MmioWrite, Request
from hwif.shadow import READ, WRITE
from tb.hil.baremetal import BareMetal, Page, Program

Steps = Generator[int, Sequence[Event], None]
BASE = 0x4000_0000  # first mapped address: aligned for every page size used
SMALL = 24
CONTEXTS = 3
CBS = 6
DSR_UNITS = 4
SIZES = ((0,), (0, 2), (0, 2, 5))  # page size codes of each context's mappings
X = g.CbXtype
ELEMENT = {X.B: 1, X.S: 2, X.W: 4, X.DW: 8, X.CL: 64}


def chaos(seed: int, actions: int = 250) -> Program:
    """`actions` random actions; every request's answer is kept."""

    def program(gru: BareMetal) -> Generator[int, Sequence[Event], list[Any]]:
        run = _Chaos(gru, random.Random(seed))
        yield from run.prepare()
        for _ in range(actions):
            yield from run.act()
        yield from run.wait()
        yield from gru.sleep(2000)
        yield from run.inventory()
        return run.seen

    return program


class _Chaos:
    def __init__(self, gru: BareMetal, rng: random.Random) -> None:
        self.gru = gru
        self.rng = rng
        self.seen: list[Any] = []
        self.waiting: set[int] = set()
        self.lines: dict[int, Line] = {}

    # ---- setting up --------------------------------------------------------------------------------------------------

    def prepare(self) -> Steps:
        """Contexts in every mode, mappings of every size, and defined contents everywhere."""
        gru, rng = self.gru, self.rng
        memory = gru.device.memory
        for frame in range(memory.frames):
            memory.frame(frame)[:] = (frame * 7) & 0xFF
        gru.device.shadow.grant_kernel(1)
        for ctx in range(CONTEXTS):
            sizes = sum(1 << size for size in SIZES[ctx])
            yield from gru.start_context(ctx, CBS, DSR_UNITS, core=(0, None, 5)[ctx], sizes=sizes, unmapped=ctx == 2)
            for page in range(SMALL):
                gru.map_page(ctx, (BASE >> 12) + page, 2 + ctx * SMALL + page, write=page % 4 != 3)
            if 2 in SIZES[ctx]:
                gru.map_page(ctx, (BASE >> 12) + 32, 128 + 16 * ctx, size=2)
            if 5 in SIZES[ctx]:
                gru.map_page(ctx, (BASE >> 12) + 512, 512, size=5, write=False)
            for offset in range(0, DSR_UNITS * g.DSR_AU_BYTES, 64):
                yield from gru.write(gru.dsr_addr(ctx, offset), [rng.getrandbits(20) for _ in range(8)])
            for cb in range(CBS):
                yield from gru.write(gru.cb_addr(ctx, cb), new_line())
        for tgh in range(g.NUM_TGH):
            yield from gru.write(g.TGH_BASE + tgh * g.HANDLE_STRIDE, new_line())

    # ---- one action --------------------------------------------------------------------------------------------------

    def act(self) -> Steps:
        """Something, once or many times at once, and perhaps a pause."""
        kinds = (
            (self.instruction, 30),
            (self.answer, 30),
            (self.shoot, 14),
            (self.command, 6),
            (self.look, 12),
            (self.swap, 8),
            (self.restore, 2),
            (self.segment, 3),
            (self.rights, 3),
        )
        for _ in range(self.rng.choice((1, 1, 1, 2, 5, 12))):
            (kind,) = self.rng.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
            kind()
        if self.rng.random() < 0.5:
            yield from self.wait()
        if self.rng.random() < 0.4:
            yield from self.pause(self.rng.choice((1, 3, 20, 200, 900)))

    def ask(self, request: Request) -> None:
        """Submit and remember to note the answer."""
        self.waiting.add(request.serial)
        self.gru.device.submit(request)

    def at(self) -> tuple[int, int]:
        """When, and under which number, the next request comes."""
        return self.gru.device.cycle + self.rng.choice((0, 0, 0, 1, 7, 40)), self.gru.next_serial()

    def put(self, addr: int, words: Sequence[int]) -> None:
        """Write a line or a part of it."""
        self.ask(MmioWrite(*self.at(), addr, tuple(words)))

    def get(self, addr: int, count: int) -> None:
        """Read words."""
        self.ask(MmioRead(*self.at(), addr, count))

    def wait(self) -> Steps:
        """All answers so far."""
        while self.waiting:
            self.note((yield self.gru.device.cycle + 10_000))

    def pause(self, cycles: int) -> Steps:
        """Time passes."""
        until = self.gru.device.cycle + cycles
        while self.gru.device.cycle < until:
            self.note((yield until))

    def note(self, events: Sequence[Event]) -> None:
        """Keep what came."""
        self.gru.log.extend(events)
        for event in events:
            if isinstance(event, MmioDone):
                self.waiting.discard(event.serial)
                self.seen.append((event.serial, event.data, event.error))
                if event.serial in self.lines:
                    self.lines[event.serial][: len(event.data)] = event.data

    # ---- what it may be ----------------------------------------------------------------------------------------------

    def place(self) -> tuple[int, int]:
        """A context's control block."""
        return self.rng.randrange(CONTEXTS), self.rng.randrange(CBS)

    def va(self, ctx: int, element: int) -> int:
        """An address: in a small page, a large one, or (rarely) anywhere."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.03:
            return rng.getrandbits(64)
        area = rng.choice(
            [(0, SMALL * 4096), *([(32 * 4096, 65536)] if ctx else []), *([(512 * 4096, 1 << 21)] if ctx == 2 else [])]
        )
        return BASE + area[0] + rng.randrange(area[1] // element) * element

    def instruction(self) -> None:
        """Any opcode, sensible most of the time."""
        gru, rng = self.gru, self.rng
        ctx, cb = self.place()
        opc = rng.choice(list(g.CbOpc))
        xtype = rng.choice(list(X))
        if opc is g.CbOpc.MESQ:
            xtype = X.CL
        if opc in (g.CbOpc.GAMIR, g.CbOpc.GAMIRR, g.CbOpc.GAMER, g.CbOpc.GAMERR):
            xtype = rng.choice((X.W, X.DW, X.DW, xtype))
        element = ELEMENT[xtype]
        exop = rng.choice([*g.ExopIr, *g.ExopEr])
        limit = DSR_UNITS * g.DSR_AU_BYTES
        line = gru.instruction(
            opc,
            va=self.va(ctx, element),
            value=self.va(ctx, element) if opc is g.CbOpc.BCOPY else rng.choice((0, rng.getrandbits(20), rng.getrandbits(64))),
            count=rng.choice((0, 1, rng.randint(1, 40), rng.randint(1, 4096 // element))),
            xtype=xtype,
            tri0=rng.randrange(0, limit // element) * element if rng.random() < 0.95 else rng.getrandbits(22),
            tri1=rng.choice((1, 4)) if opc is g.CbOpc.BCOPY else rng.randrange(0, limit // 8) * 8,
            stride=rng.choice((1, 1, 2, 9, rng.getrandbits(64))),
            exop=int(exop),
            ima=rng.choice((0, 0, 0, g.CbIma.INTERRUPT, g.CbIma.UNMAPPED)),
        )
        if g.Cb.ima.get(line) & g.CbIma.UNMAPPED and rng.random() < 0.8:
            g.Cb.baddr0.put(line, 4096 + rng.randrange(4096 // element) * element)
        if rng.random() < 0.03:
            g.Cb.iaa0.put(line, 1)
        self.put(gru.cb_addr(ctx, cb), line)

    def answer(self) -> None:
        """A command of any kind to a fault handle, from the page table as it is."""
        gru, rng = self.gru, self.rng
        ctx, cb = self.place()
        weights = {"WRITE_RESTART": 12, "WRITE_ONLY": 3, "RESTART": 2, "USER_POLLING_MODE": 2, "EXCEPTION": 2, "NOOP": 1}
        opc = g.TfhOpc[rng.choices(list(weights), list(weights.values()))[0]]
        va = self.va(ctx, 64)
        words = self.lines.get(-(ctx * CBS + cb) - 1)
        if words is not None and rng.random() < 0.7:
            va = g.Tfh.missvaddr.get(words)
        found = gru.lookup(ctx, va) or ((BASE >> 12), gru.pages[ctx, BASE >> 12])
        line = gru.fill_line(ctx, *found, opc)
        g.Tfh.dirty.put(line, int(found[1].write and rng.random() < 0.8))
        addr = g.TFH_BASE + gru.cbr(ctx, cb) * g.HANDLE_STRIDE
        if rng.random() < 0.7:  # see what missed, for this answer or a later one
            at, serial = self.at()
            self.lines[-(ctx * CBS + cb) - 1] = self.lines[serial] = new_line()
            self.ask(MmioRead(at, serial, addr, 3))
        self.put(addr, line)

    def shoot(self) -> None:
        """A shootdown of any scope, with any mask, that takes nothing from the oracle's view."""
        gru, rng = self.gru, self.rng
        ctx = rng.randrange(CONTEXTS)
        line = gru.shootdown_line(ctx, self.va(ctx, 4096), rng.choice((1, 2, 8, 600, 1024)), size=rng.choice((0, 0, 0, 2, 5, 10)))
        g.Tgh.is_global.put(line, int(rng.random() < 0.1))
        g.Tgh.ctxbitmap.put(line, rng.choice((1 << ctx, 0, 7, 0xFFFF)))
        if rng.random() < 0.2:
            g.Tgh.vaddrmask.put(line, rng.getrandbits(39))
        if rng.random() < 0.05:
            g.Tgh.opc.put(line, g.TghOpc.NOP)
        g.Tgh.delresp.put(line, rng.getrandbits(1))
        self.put(g.TGH_BASE + rng.randrange(g.NUM_TGH) * g.HANDLE_STRIDE, line)

    def command(self) -> None:
        """A context command of any kind, with the context's own configuration; one that stops it is mostly followed by START."""
        gru, rng = self.gru, self.rng
        ctx = rng.randrange(CONTEXTS)
        addr = g.CCH_BASE + ctx * g.HANDLE_STRIDE
        stop = rng.choice((g.CchOpc.INTERRUPT, g.CchOpc.INTERRUPT_SYNC, g.CchOpc.INTERRUPT, *g.CchOpc))
        for opc in (stop, *([g.CchOpc.ALLOCATE] if stop is g.CchOpc.DEALLOCATE else []), g.CchOpc.START):
            if opc is g.CchOpc.START and rng.random() < 0.1:
                return
            self.put(addr, [g.Cch.cmd.place(1) | g.Cch.opc.place(opc) | self.configuration(ctx)])
            gru.next_serial()

    def configuration(self, ctx: int) -> int:
        """Double-word 0 of a context handle: its segment units and where its faults and completions go."""
        word = ((1 << DSR_UNITS) - 1) << (ctx * DSR_UNITS + g.Cch.dsr_allocation_map.lsb)
        core = (0, None, 5)[ctx]
        if core is not None:
            word |= g.Cch.tfm_fault_bit_enable.place(1) | g.Cch.tlb_int_select.place(core)
            word |= g.Cch.tlb_int_enable.place(int(self.rng.random() < 0.6))
        word |= g.Cch.cb_int_enable.place(self.rng.getrandbits(1)) | g.Cch.tfm_done_bit_enable.place(self.rng.getrandbits(1))
        return word | g.Cch.unmap_enable.place(int(ctx == 2))

    def look(self) -> None:
        """Read any register."""
        gru, rng = self.gru, self.rng
        ctx, cb = self.place()
        handle = gru.cbr(ctx, cb) * g.HANDLE_STRIDE
        addr = rng.choice(
            (
                gru.cb_addr(ctx, cb),
                gru.dsr_addr(ctx, 64 * rng.randrange(DSR_UNITS * 16)),
                g.CBE_BASE + handle,
                g.TFH_BASE + handle,
                g.TGH_BASE + rng.randrange(g.NUM_TGH) * g.HANDLE_STRIDE,
                g.TFM_BASE + rng.randrange(6) * g.HANDLE_STRIDE,
                g.CCH_BASE + ctx * g.HANDLE_STRIDE,
                g.CCH_BASE + 16 * g.HANDLE_STRIDE,
            )
        )
        self.get(addr, rng.randint(1, 8))

    def swap(self) -> None:
        """Take a fault map."""
        words = self.rng.choice(((0, 2), (0, 2), (32, 2)))
        self.ask(MmioSwap(*self.at(), g.TFM_BASE + self.rng.choice((0, 5)) * g.HANDLE_STRIDE + words[0], words[1]))

    def restore(self) -> None:
        """Write an extension, which counts while its control block does nothing."""
        rng = self.rng
        words = [rng.getrandbits(24) for _ in range(7)] + [g.Cbe.cbrstate.place(rng.choice((0, 1, 5, 6, 8)))]
        self.put(g.CBE_BASE + self.gru.cbr(*self.place()) * g.HANDLE_STRIDE, words)

    def segment(self) -> None:
        """Write a line of a data segment."""
        ctx, _ = self.place()
        self.put(self.gru.dsr_addr(ctx, 64 * self.rng.randrange(DSR_UNITS * 16)), [self.rng.getrandbits(16) for _ in range(8)])

    def rights(self) -> None:
        """The oracle hears of a revoked or granted page, whatever the device holds: it may object."""
        rng = self.rng
        ctx, _ = self.place()
        vpn = (BASE >> 12) + rng.randrange(SMALL)
        page: Page = self.gru.pages[ctx, vpn]
        if rng.random() < 0.3:
            self.gru.device.shadow.revoke(page.frame, ctx + 1, vpn)
        else:
            self.gru.device.shadow.grant(page.frame, ctx + 1, vpn, rng.choice((READ, READ | WRITE, READ | WRITE)))

    # ---- the end -----------------------------------------------------------------------------------------------------

    def inventory(self) -> Steps:
        """Everything that can be read."""
        gru = self.gru
        for ctx in range(CONTEXTS):
            for offset in range(0, DSR_UNITS * g.DSR_AU_BYTES, 64):
                self.get(gru.dsr_addr(ctx, offset), 8)
            for cb in range(CBS):
                self.get(gru.cb_addr(ctx, cb), 8)
                self.get(g.CBE_BASE + gru.cbr(ctx, cb) * g.HANDLE_STRIDE, 8)
                self.get(g.TFH_BASE + gru.cbr(ctx, cb) * g.HANDLE_STRIDE, 8)
            self.get(g.CCH_BASE + ctx * g.HANDLE_STRIDE, 8)
        for tgh in range(g.NUM_TGH):
            self.get(g.TGH_BASE + tgh * g.HANDLE_STRIDE, 8)
        yield from self.wait()
