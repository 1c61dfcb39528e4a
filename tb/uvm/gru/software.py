"""What a driver and its users do with the chip, as calls: handles, contexts, shootdowns, faults, instructions.

Promises: the driver's rules are kept (a page leaves the table before its shootdown begins; its bytes move after the
acknowledgement; a fault is answered from the table as it is; a context is not restarted while one of its faults is being
answered), so whatever then goes wrong is the chip's fault. Waiting is by coherence probe, with a look now and then. What takes
longer than PATIENCE is an objection.
Needs: a virtual sequencer with an active register agent.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from cocotb.triggers import First, Lock, Timer
from pyuvm import uvm_sequence

from hwif.fields import Line, new_line
from hwif.gen import gru as g
from hwif.port import LineKind
from tb.uvm.agents.axil.item import RegisterItem
from tb.uvm.agents.axil.sequence import RefusedError, RegisterSequence, ResetError, settled
from tb.uvm.gru.lines import drop_in, fault_command, shootdown
from tb.uvm.gru.spaces import Page, Space
from tb.uvm.gru.virtual_sequencer import VirtualSequencer

__all__ = ["Answers", "LostError", "Software", "User"]

PATIENCE = 40_000  # cycles
LOOK_NS = 799.5  # between looks without a probe
WORDS = {LineKind.TGH: 5, LineKind.TFH: 5, LineKind.CCH: 8, LineKind.CB: 6}
BASES = {LineKind.TGH: g.TGH_BASE, LineKind.TFH: g.TFH_BASE, LineKind.CCH: g.CCH_BASE}


class LostError(Exception):
    """Something never ends. It has been objected to."""


@dataclass
class Answers:
    """How faults are answered: odds of each way but the usual one, WRITE_RESTART. `clean`: odds that a page that may be written
    is first entered clean. `think`: cycles before the answer, at most."""

    restart: float = 0.0
    write_only: float = 0.0
    polling: float = 0.0
    exception: float = 0.0
    noop: float = 0.0
    clean: float = 0.15
    think: int = 0


@dataclass
class User:
    """A context in use. `core` None: user polling mode."""

    ctx: int
    space: Space
    cbrs: list[int]
    units: int
    dsr: int
    core: int | None
    line: Line
    lock: Lock = field(default_factory=Lock)
    running: bool = False

    @property
    def dsr_bytes(self) -> int:
        """Of its data segment."""
        return self.dsr.bit_count() * g.DSR_AU_BYTES


class Software(uvm_sequence):
    """One chip's driver."""

    def __init__(self, name: str, virtual: VirtualSequencer, answers: Answers | None = None) -> None:
        super().__init__(name)
        self.virtual = virtual
        self.config = virtual.config
        self.clocking = virtual.config.clocking
        self.bus = RegisterSequence("bus")
        self.answers = answers or Answers()
        self.rng = random.Random(f"{virtual.config.seed}:{name}")
        self.users: dict[int, User] = {}
        self.owner: dict[int, User] = {}  # control block
        self.handles = list(range(g.NUM_TGH))
        self._frame = 16
        self._units = self._dsr = 0  # taken
        self._serving: set[int] = set()
        self.on_answer: Callable[[int, int, int], None] | None = None  # opcode, cause, control block

    async def body(self) -> None:
        """Open the bus."""
        await self.bus.start(self.virtual.registers)

    def lost(self, what: str) -> LostError:
        """Object, and something to raise."""
        self.virtual.env.handles.object_at(self.clocking.cycle, "liveness", f"{what} has not ended after {PATIENCE} cycles")
        return LostError(what)

    async def guarded(self, steps: Coroutine[Any, Any, Any]) -> None:
        """Steps that a reset ends, and that a broken chip ends with an objection."""
        try:
            await steps
        except (ResetError, LostError):
            pass
        except RefusedError as error:
            self.virtual.env.handles.object_at(self.clocking.cycle, "bus", str(error))

    # ---- lines ------------------------------------------------------------------------------------------------------------------

    async def read_words(self, addr: int, count: int) -> list[int]:
        """Double-words from `addr` upwards."""
        items = [await self.bus.asking(RegisterItem(addr=addr + 8 * dw)) for dw in range(count)]
        for item in items:
            await item.done.wait()
        return [settled(item).data for item in items]

    async def write_words(self, addr: int, words: Iterable[int]) -> None:
        """Double-words, the highest address first."""
        numbered = list(enumerate(words))
        items = [await self.bus.asking(RegisterItem(write=True, addr=addr + 8 * dw, data=word)) for dw, word in reversed(numbered)]
        for item in items:
            await item.done.wait()
            settled(item)

    async def wait_line(self, kind: LineKind, index: int, addr: int, busy: Callable[[int], bool], what: str) -> int:
        """Spin on a line's double-word 0 while it is busy."""
        event = self.virtual.probes.event(kind, index)
        begun = self.clocking.cycle
        while True:
            event.clear()
            word = await self.bus.read(addr)
            if not busy(word):
                return word
            if self.clocking.cycle - begun > PATIENCE:
                raise self.lost(what)
            await First(event.wait(), Timer(LOOK_NS, "ns"))

    async def command(self, kind: LineKind, index: int, line: Line) -> int:
        """Write a handle and wait for its end: its double-word 0."""
        addr = BASES[kind] + index * g.HANDLE_STRIDE
        await self.write_words(addr, line[: WORDS[kind]])
        return await self.wait_line(kind, index, addr, _active, f"{kind.name} {index}")

    # ---- contexts ---------------------------------------------------------------------------------------------------------------

    def new_frame(self, size: int = 0) -> int:
        """Of a page nobody has."""
        pages = 1 << g.PAGE_SHIFTS[size] - g.PAGE_SHIFT
        self._frame = -(-self._frame // pages) * pages + pages
        return self._frame - pages

    def take(self, count: int, used: int, of: int) -> int:
        """Free units for a context, a bit each: the lowest."""
        return _take(count, used, of)

    def next_context(self) -> int:
        """A free one: the lowest."""
        return next(number for number in range(g.NUM_CTX) if number not in self.users)

    async def open(
        self,
        space: Space,
        cbs: int,
        dsr_units: int,
        *,
        core: int | None = 0,
        sizes: int | None = None,
        start: bool = True,
        **more: int,
    ) -> User:
        """Allocate and start a context. `more`: further fields of the handle."""
        units = self.take(-(-cbs // g.CBR_AU), self._units, g.NUM_CBR // g.CBR_AU)
        dsr = self.take(dsr_units, self._dsr, g.DSR_BYTES // g.DSR_AU_BYTES)
        ctx = self.next_context()
        line = new_line()
        g.Cch.cbr_allocation_map.put(line, units)
        g.Cch.dsr_allocation_map.put(line, dsr)
        g.Cch.asid.put(line, sum(space.asid(region) << 32 * region for region in range(g.NUM_REGION)))
        mask = space.sizes if sizes is None else sizes
        g.Cch.sizeavail.put(line, sum(mask << 16 * region for region in range(g.NUM_REGION)))
        g.Cch.tlb_int_enable.put(line, int(core is not None))
        g.Cch.tfm_fault_bit_enable.put(line, int(core is not None))
        g.Cch.tlb_int_select.put(line, core or 0)
        for name, value in more.items():
            getattr(g.Cch, name).put(line, value)
        cbrs = [cbr for cbr in range(g.NUM_CBR) if units >> cbr // g.CBR_AU & 1][:cbs]
        user = User(ctx, space, cbrs, units, dsr, core, line)
        self._units |= units
        self._dsr |= dsr
        self.users[ctx] = user
        self.owner.update(dict.fromkeys(cbrs, user))
        self.config.spaces.of[ctx] = space
        await self.context(user, g.CchOpc.ALLOCATE)
        if start:
            await self.start_context(user)
        return user

    async def context(self, user: User, opc: g.CchOpc) -> int:
        """A command to a context: its double-word 0 afterwards."""
        line = list(user.line)
        g.Cch.cmd.put(line, 1)
        g.Cch.opc.put(line, opc)
        return await self.command(LineKind.CCH, user.ctx, line)

    async def start_context(self, user: User) -> None:
        """START, while no fault of it is being answered."""
        async with user.lock:
            await self.context(user, g.CchOpc.START)
            user.running = True

    async def interrupt(self, user: User, opc: g.CchOpc = g.CchOpc.INTERRUPT) -> None:
        """Faults of it must be answered meanwhile."""
        await self.context(user, opc)
        user.running = False

    async def close_context(self, user: User) -> int:
        """Deallocate one that is not running."""
        async with user.lock:
            word = await self.context(user, g.CchOpc.DEALLOCATE)
        if g.Cch.status.of(word) == g.HandleStatus.IDLE:
            self._units &= ~user.units
            self._dsr &= ~user.dsr
            del self.users[user.ctx]
            for cbr in user.cbrs:
                del self.owner[cbr]
        return word

    # ---- shootdowns and pages ---------------------------------------------------------------------------------------------------

    async def shoot(self, line: Line) -> None:
        """With the next free handle, to its acknowledgement."""
        while not self.handles:
            await self.clocking.edge
            if self.bus.closed:
                raise ResetError
        handle = self.handles.pop(self.rng.randrange(len(self.handles)))
        await self.command(LineKind.TGH, handle, line)
        self.handles.append(handle)

    async def revoke(self, space: Space, page: Page) -> None:
        """Take a page out of the table and shoot it down: pages of its size, single pages of it, or much more."""
        page.present = False
        asid, kind = space.asid(page.vpn >> g.REGION_LSB - g.PAGE_SHIFT), self.rng.random()
        if kind < 0.5:
            line = shootdown(asid, page.vpn, 0, size=page.size)
        elif kind < 0.8:  # any of its 4 KiB takes it away
            line = shootdown(asid, page.vpn + self.rng.randrange(page.pages), 0)
        elif kind < 0.9:
            line = shootdown(asid, page.vpn, g.INVAL_ALL_N)
        else:
            contexts = sum(1 << user.ctx for user in self.users.values() if user.space is space)
            line = shootdown(asid, 0, 0, contexts=contexts)
        await self.shoot(line)

    async def migrate(self, space: Space, page: Page) -> None:
        """Its bytes go elsewhere."""
        await self.revoke(space, page)
        space.move(page, self.new_frame(page.size))
        page.present = True

    async def protect(self, space: Space, page: Page, cycles: int) -> None:
        """Nobody writes to it for a time."""
        page.write = False
        await self.revoke(space, page)
        page.present = True
        await self.clocking.wait(cycles)
        page.write = True

    # ---- faults -----------------------------------------------------------------------------------------------------------------

    async def serve_core(self, core: int) -> None:
        """Answer the faults of a core's map, for ever."""
        monitor, addr = self.virtual.env.irq.monitor, g.TFM_BASE + core * g.HANDLE_STRIDE
        while True:
            if not monitor.levels >> core & 1:
                await monitor.changed.wait()
                continue
            words = await self.read_words(addr, 2)
            done = await self.read_words(addr + 32, 2)
            await self.write_words(addr, words)
            await self.write_words(addr + 32, done)
            faults = words[0] | words[1] << 64
            found = [cbr for cbr in range(g.NUM_CBR) if faults >> cbr & 1]
            self.rng.shuffle(found)
            for cbr in found:
                await self.answer(cbr)

    def _way(self, cause: int) -> g.TfhOpc:
        answers, draw = self.answers, self.rng.random()
        for odds, opc in (
            (answers.restart, g.TfhOpc.RESTART),
            (answers.write_only, g.TfhOpc.WRITE_ONLY),
            (answers.polling, g.TfhOpc.USER_POLLING_MODE),
            (answers.exception, g.TfhOpc.EXCEPTION),
            (answers.noop, g.TfhOpc.NOOP),
        ):
            if draw < odds:
                return opc
            draw -= odds
        return g.TfhOpc.WRITE_RESTART

    async def answer(self, cbr: int) -> None:
        """The pending miss of a control block, from its space's page table."""
        user = self.owner.get(cbr)
        if user is None or cbr in self._serving:
            return
        self._serving.add(cbr)
        if self.answers.think:
            await self.clocking.wait(self.rng.randrange(self.answers.think))
        done = False
        while not done:
            async with user.lock:
                done = await self._answer_once(user, cbr)
            if not done:
                await self.clocking.wait(40)
        self._serving.discard(cbr)

    async def _answer_once(self, user: User, cbr: int) -> bool:
        """Whether nothing is left to do."""
        addr = g.TFH_BASE + cbr * g.HANDLE_STRIDE
        word, va = await self.read_words(addr, 2)
        if g.Tfh.status.of(word) != g.HandleStatus.EXCEPTION or self.owner.get(cbr) is not user:
            return True
        cause, space = g.Tfh.cause.of(word), user.space
        page = space.page(va)
        opc = self._way(cause) if page is not None else g.TfhOpc.EXCEPTION
        mod = cause == g.TfhCause.TLB_MOD
        if page is not None and (not page.present or (mod and not page.write)) and opc is not g.TfhOpc.EXCEPTION:
            return False
        if page is None or opc not in (g.TfhOpc.WRITE_ONLY, g.TfhOpc.WRITE_RESTART):
            line = fault_command(opc)
        else:
            line = drop_in(space, page, opc, dirty=page.write and (mod or self.rng.random() >= self.answers.clean))
        if self.on_answer is not None:
            self.on_answer(opc, cause, cbr)
        await self.command(LineKind.TFH, cbr, line)
        if opc in (g.TfhOpc.WRITE_ONLY, g.TfhOpc.NOOP):
            await self.answer_with(cbr, g.TfhOpc.RESTART)
        return True

    async def answer_with(self, cbr: int, opc: g.TfhOpc) -> int:
        """A command without a drop-in."""
        return await self.command(LineKind.TFH, cbr, fault_command(opc))

    # ---- instructions -----------------------------------------------------------------------------------------------------------

    def block_addr(self, user: User, index: int) -> int:
        """Of a context's control block."""
        return user.ctx * g.GSEG_STRIDE + g.CB_OFFSET + index * g.HANDLE_STRIDE

    def segment_addr(self, user: User, offset: int) -> int:
        """Of a byte of a context's data segment."""
        return user.ctx * g.GSEG_STRIDE + g.DSR_OFFSET + offset

    async def issue(self, user: User, index: int, line: Line) -> None:
        """Begin an instruction."""
        await self.write_words(self.block_addr(user, index), line[: WORDS[LineKind.CB]])

    async def finish(self, user: User, index: int) -> int:
        """Wait for its end; a miss that is told to the user is brought to the driver. Double-word 0."""
        cbr, addr = user.cbrs[index], self.block_addr(user, index)
        while True:
            word = await self.wait_line(LineKind.CB, cbr, addr, _in_progress, f"control block {cbr}")
            if g.Cb.istatus.of(word) != g.CbIstatus.CALL_OS:
                return word
            await self.answer(cbr)

    async def run(self, user: User, index: int, line: Line) -> int:
        """Both."""
        await self.issue(user, index, line)
        return await self.finish(user, index)


def _active(word: int) -> bool:
    return g.Tgh.status.of(word) == g.HandleStatus.ACTIVE  # the same place in every handle


def _in_progress(word: int) -> bool:
    return g.Cb.istatus.of(word) == g.CbIstatus.ACTIVE


def _take(count: int, used: int, of: int) -> int:
    """The lowest free units, a bit each."""
    found = 0
    for unit in range(of):
        if count and not used >> unit & 1:
            found |= 1 << unit
            count -= 1
    if count:
        raise ValueError("no units left")
    return found
