"""Random traffic for the handles: misses, commands of every kind, drop-ins, interrupts, maps cleared, contexts that come and go,
shootdowns.

Promises: legal at every port, whatever the handles answer: what is legal is read off the references. The seed decides everything.
Needs: nothing. `Style` chooses the mix.
Costs: some 40 us a cycle.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

from hwif.fields import new_line
from hwif.gen.gru import ASID_WIDTH, INVAL_ALL_N, NUM_CBR, NUM_IRQ, NUM_TGH, PAGE_SHIFT, Tfh, Tgh
from tb.gru_handles.fault_handles import Stage
from tb.gru_handles.inputs import HALF_MASK, Cycle, Done, Park, Reg, Unit
from tb.gru_handles.watched import WatchedHandles

__all__ = ["Style", "Traffic"]

BLOCKS = 8  # control blocks of a context
CONTEXTS = NUM_CBR // BLOCKS
TGH_LAST_WORD = 4


@dataclass(frozen=True)
class Style:
    """Rates are chances a cycle."""

    contexts: int = CONTEXTS  # in use
    cores: int = NUM_IRQ
    miss: float = 0.2
    done: float = 0.1
    restart: float = 0.02
    fault_map: float = 0.7  # contexts whose misses go to a fault map
    commands: float = 0.5  # of register programs: to fault handles
    shoots: float = 0.2  # to shootdown handles
    maps: float = 0.2  # to fault maps; the rest reads anything
    rest: float = 0.1  # nothing on the register bus
    fill_ready: float = 0.7
    fill_done: float = 0.2
    exc_ready: float = 0.3
    shoot_ready: float = 0.5
    drain: float = 0.1


@dataclass
class _Context:
    allocated: bool
    fault_bit: bool
    interrupt: bool
    done_bit: bool
    core: int


class Traffic:
    """Drives one WatchedHandles."""

    def __init__(self, handles: WatchedHandles, seed: int, style: Style) -> None:
        self.handles = handles
        self.rng = random.Random(seed)
        self.style = style
        self.forget()

    def forget(self) -> None:
        """After a reset: nothing is under way."""
        self.program: deque[Reg] = deque()
        self.contexts = [self._context() for _ in range(self.style.contexts)]
        self.swapped: Reg | None = None  # a map's double-word that was read and will be written back

    def _context(self) -> _Context:
        rng = self.rng
        fault_bit = rng.random() < self.style.fault_map
        return _Context(True, fault_bit, rng.random() < 0.7, rng.random() < 0.7, rng.randrange(self.style.cores))

    def run(self, cycles: int) -> None:
        """That many cycles."""
        for _ in range(cycles):
            self.step()

    def finish(self) -> None:
        """Let every command end."""
        self.program.clear()
        tfh, tgh = self.handles.tfh, self.handles.tgh
        for _ in range(1000):
            if not (tfh.active or tgh.active or tfh.snoop or tgh.snoop):
                return
            taken = 1 << tgh.out.tgh if tgh.out else 0
            done = False if tfh.stage is Stage.FILL else None
            self.handles.cycle(Cycle(None, None, None, True, done, True, self._alloc(), 0, 0, True, tgh.wait | taken))
        raise AssertionError(f"commands do not end: fault handles {tfh.active:#x}, shootdown handles {tgh.active:#x}")

    def step(self) -> None:
        """One cycle."""
        rng, style = self.rng, self.style
        tfh, tgh = self.handles.tfh, self.handles.tgh
        reg = self._reg()
        restart = gone = 0
        if rng.random() < style.restart:
            number = rng.randrange(len(self.contexts))
            context = self.contexts[number]
            if tfh.fmm & _blocks(number):
                pass  # locked: its START or DEALLOCATE is not carried out
            elif not context.allocated:
                self.contexts[number] = self._context()
            elif rng.random() < 0.7:
                restart = _blocks(number)
                self.contexts[number] = self._context()
            else:
                gone = _blocks(number)
                context.allocated = False
        park = self._park(reg, gone) if rng.random() < style.miss else None
        done = self._done(reg) if rng.random() < style.done else None
        fill_done = None
        if tfh.stage is Stage.FILL and rng.random() < style.fill_done:
            fill_done = rng.random() < 0.4
        ready = rng.random() < style.shoot_ready
        drained = tgh.wait | (1 << tgh.out.tgh if tgh.out and ready else 0)
        drained = sum(1 << idx for idx in range(NUM_TGH) if drained >> idx & 1 and rng.random() < style.drain)
        fill_ready, exc_ready = rng.random() < style.fill_ready, rng.random() < style.exc_ready
        self.handles.cycle(Cycle(reg, park, done, fill_ready, fill_done, exc_ready, self._alloc(), restart, gone, ready, drained))

    def _alloc(self) -> int:
        return sum(_blocks(number) for number, context in enumerate(self.contexts) if context.allocated)

    # ---- events ----------------------------------------------------------------------------------------------------------------

    def _park(self, reg: Reg | None, gone: int) -> Park | None:
        rng, tfh = self.rng, self.handles.tfh
        number = rng.randrange(len(self.contexts))
        cbr = number * BLOCKS + rng.randrange(BLOCKS)
        aim = rng.random() < 0.4
        if aim and reg and reg.unit is Unit.TFH and reg.idx // BLOCKS < len(self.contexts):
            cbr = reg.idx
        elif aim and reg and reg.unit is Unit.TFM and reg.write and reg.dw < 2:
            cbr = 64 * reg.dw + rng.choice([bit for bit in range(64) if reg.write >> bit & 1])
        context = self.contexts[cbr // BLOCKS] if cbr // BLOCKS < len(self.contexts) else None
        offered = tfh.asked and tfh.current == cbr  # a miss keeps what a drop-in that waits is about
        if context is None or not context.allocated or tfh.missing >> cbr & 1 or offered or gone >> cbr & 1:
            return None
        core = reg.idx % NUM_IRQ if aim and reg and reg.unit is Unit.TFM else context.core
        stale = [other for other in range(NUM_IRQ) if self.handles.tfm.fault[other] >> cbr & 1]
        if stale and not context.fault_bit:  # from before its context asked for no bit; which core is nothing to it
            core = rng.choice(stale)
        where = rng.choice([0, 1, (1 << 64) - 1, rng.getrandbits(64)])
        asid = rng.choice([0, (1 << ASID_WIDTH) - 1, rng.getrandbits(ASID_WIDTH)])
        flags = (rng.random() < 0.3, rng.random() < 0.5)
        return Park(cbr, where, asid, cbr // BLOCKS, rng.getrandbits(12), *flags, context.fault_bit, context.interrupt, core)

    def _done(self, reg: Reg | None) -> Done:
        rng = self.rng
        cbr = rng.randrange(len(self.contexts) * BLOCKS)
        context = self.contexts[cbr // BLOCKS]
        core = context.core
        if reg and reg.unit is Unit.TFM and rng.random() < 0.5:
            core = reg.idx % NUM_IRQ
            if reg.write and reg.dw >= 4:
                cbr = 64 * (reg.dw & 1) + rng.choice([bit for bit in range(64) if reg.write >> bit & 1])
        return Done(cbr, rng.random() < 0.8, context.done_bit, core)

    # ---- registers -------------------------------------------------------------------------------------------------------------

    def _reg(self) -> Reg | None:
        rng, style = self.rng, self.style
        if self.swapped:
            reg, self.swapped = self.swapped, None
            return Reg(reg.unit, reg.idx, reg.dw, self._swap_value(reg))
        if not self.program:
            if rng.random() < style.rest:
                return None
            kind = rng.random()
            if kind < style.commands:
                self._command()
            elif kind < style.commands + style.shoots:
                self._shoot()
            elif kind < style.commands + style.shoots + style.maps:
                self._map()
            else:
                self._read()
        return self.program.popleft()

    def _swap_value(self, reg: Reg) -> int:
        """What was read a cycle ago, or something else."""
        kind = self.rng.random()
        return self._read_back if kind < 0.7 else self.rng.getrandbits(64) if kind < 0.9 else HALF_MASK

    def _command(self) -> None:
        """To a handle with a miss mostly."""
        rng, tfh = self.rng, self.handles.tfh
        waiting = [idx for idx in range(NUM_CBR) if (tfh.missing & ~tfh.active) >> idx & 1]
        idx = rng.choice(waiting) if waiting and rng.random() < 0.8 else rng.randrange(len(self.contexts) * BLOCKS)
        if tfh.active and rng.random() < 0.1:
            idx = rng.choice([other for other in range(NUM_CBR) if tfh.active >> other & 1])
        line = new_line()
        miss = tfh.misses.get(idx)
        Tfh.fillasid.put(line, miss.asid if miss else rng.getrandbits(ASID_WIDTH))
        Tfh.fillvaddr.put(line, miss.va if miss else rng.getrandbits(64))
        Tfh.dirty.put(line, rng.getrandbits(1))
        Tfh.gaa.put(line, rng.getrandbits(2))
        Tfh.pfn.put(line, rng.getrandbits(Tfh.pfn.width))
        Tfh.pagesize.put(line, rng.randrange(11))
        Tfh.opc.put(line, rng.randrange(8))
        Tfh.delresp.put(line, rng.getrandbits(1))
        Tfh.cmd.put(line, rng.random() < 0.95)
        for field, most in ((Tfh.status, 3), (Tfh.state, 7), (Tfh.cause, 63)):  # ignored
            field.put(line, rng.randint(0, most))
        self.program.extend(Reg(Unit.TFH, idx, dw, line[dw]) for dw in (4, 3, 2, 1) if rng.random() < 0.6)
        self.program.append(Reg(Unit.TFH, idx, 0, line[0]))

    def _shoot(self) -> None:
        rng, tgh = self.rng, self.handles.tgh
        free = [idx for idx in range(NUM_TGH) if not tgh.active >> idx & 1]
        idx = rng.choice(free) if free and rng.random() < 0.9 else rng.randrange(NUM_TGH)
        line = new_line()
        page = rng.choice([0, 0, (1 << 52) - 1 - rng.randrange(1100), rng.getrandbits(52)])
        Tgh.vaddr.put(line, page << PAGE_SHIFT | rng.getrandbits(PAGE_SHIFT))
        Tgh.asid.put(line, rng.choice([0, rng.getrandbits(ASID_WIDTH)]))
        Tgh.pagesize.put(line, rng.choice([0, 0, 0, rng.randrange(11), 31]))
        Tgh.is_global.put(line, rng.random() < 0.3)
        every = (1 << Tgh.vaddrmask.width) - 1
        Tgh.vaddrmask.put(line, rng.choice([every, every, every & ~0xFF, rng.getrandbits(Tgh.vaddrmask.width)]))
        Tgh.n.put(line, rng.choice([0, 0, 1, rng.randrange(INVAL_ALL_N), INVAL_ALL_N, INVAL_ALL_N]))
        Tgh.ctxbitmap.put(line, rng.choice([0, 1 << rng.randrange(16), (1 << 16) - 1]))
        Tgh.opc.put(line, rng.random() < 0.85)
        Tgh.delresp.put(line, rng.getrandbits(1))
        Tgh.cmd.put(line, 1)
        Tgh.status.put(line, rng.getrandbits(2))
        Tgh.state.put(line, rng.getrandbits(3))
        known = all(dw in tgh.words[idx] for dw in range(1, TGH_LAST_WORD + 1))
        words = [dw for dw in range(TGH_LAST_WORD, 0, -1) if not known or rng.random() < 0.7]
        self.program.extend(Reg(Unit.TGH, idx, dw, line[dw]) for dw in words)
        self.program.append(Reg(Unit.TGH, idx, 0, line[0]))

    def _map(self) -> None:
        """Read and write back, as a processor's exchange does; mostly of a core whose line is up."""
        rng, tfm = self.rng, self.handles.tfm
        up = [core for core in range(NUM_IRQ) if tfm.bits(core)]
        core = rng.choice(up) if up and rng.random() < 0.9 else rng.randrange(NUM_IRQ)
        held = [dw for dw in (0, 1, 4, 5) if tfm.word(Reg(Unit.TFM, core, dw))]
        dw = rng.choice(held) if held and rng.random() < 0.9 else rng.randrange(8)
        reg = Reg(Unit.TFM, core, dw)
        self._read_back = tfm.word(reg)
        self.swapped = reg
        self.program.appendleft(reg)

    def _read(self) -> None:
        rng = self.rng
        unit = rng.choice([Unit.TFH, Unit.TFH, Unit.TFM, Unit.TGH])
        most = {Unit.TFH: len(self.contexts) * BLOCKS, Unit.TFM: NUM_IRQ, Unit.TGH: NUM_TGH}[unit]
        self.program.append(Reg(unit, rng.randrange(most), rng.randrange(8)))


def _blocks(number: int) -> int:
    """Control blocks of a context."""
    return ((1 << BLOCKS) - 1) << number * BLOCKS
