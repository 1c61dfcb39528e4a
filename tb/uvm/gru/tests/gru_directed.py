"""Every rule of the shootdown at the chip's edge, one scene each: what a driver would do to see the rule kept.

The boards judge; a scene checks besides that what it wanted to happen did happen, so that it cannot pass by missing its subject.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyuvm

from hwif.gen import gru as g
from hwif.port import LineKind
from tb.uvm.gru.lines import drop_in, shootdown
from tb.uvm.gru.program import instruction
from tb.uvm.gru.software import User
from tb.uvm.gru.spaces import PAGE, Space
from tb.uvm.gru.tests.base import TIMEOUT_US, SoftwareTest

__all__ = ["GruSd1", "GruSd2", "GruSd3", "GruSd4", "GruSd5", "GruSd6", "GruSd7", "GruSd8"]

BASE = 0x400
MEBI2 = 5  # page size code of 2 MiB
GIBI = 10
LAST_VPN = (1 << g.VA_WIDTH - g.PAGE_SHIFT) - 1


class RuleTest(SoftwareTest):
    """A space, a context with four control blocks, faults answered."""

    async def scene(self) -> None:
        self.space = self.chip.spaces.new()
        self.pages()
        self.start_task(self.software.serve_core(0))
        self.user = await self.software.open(self.space, 4, 4, core=0)
        self.answered: list[int] = []
        self.software.on_answer = lambda _opc, cause, _cbr: self.answered.append(cause)
        await self.rule()

    def pages(self) -> None:
        """What is mapped."""
        for n in range(4):
            self.mapped(self.space, BASE + n)

    async def rule(self) -> None:
        """The scene."""
        raise NotImplementedError

    async def load(self, va: int, *, index: int = 0, user: User | None = None, count: int = 1) -> int:
        """Faults that it took."""
        before = len(self.answered)
        line = instruction(g.CbOpc.VLOAD, baddr0=va, nelem=count, stride_op1=1, tri0=index * g.DSR_AU_BYTES)
        await self.software.run(user or self.user, index, line)
        return len(self.answered) - before

    async def store(self, va: int, value: int, *, index: int = 0) -> int:
        """Faults that it took."""
        before = len(self.answered)
        await self.software.run(self.user, index, instruction(g.CbOpc.VSET, baddr0=va, nelem=1, stride_op1=1, baddr1_op2=value))
        return len(self.answered) - before

    async def shoot(self, vpn: int, n: int = 0, *, size: int = 0, space: Space | None = None) -> None:
        """Pages of a space."""
        asid = (space or self.space).asid(vpn >> g.REGION_LSB - g.PAGE_SHIFT)
        await self.software.shoot(shootdown(asid, vpn, n, size=size))

    def must(self, what: str, found: object, wanted: object) -> None:
        """Or the scene has missed its subject."""
        if found != wanted:
            self.env.handles.object_at(self.now(), "scene", f"{what}: {found}, not {wanted}")


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruSd1(RuleTest):
    """After the acknowledgement nothing hits what was covered until it is dropped in again."""

    async def rule(self) -> None:
        """Hit, shoot, miss, hit; and the page's bytes are elsewhere by then."""
        page = self.space.pages[BASE]
        self.must("faults of the first load", await self.load(BASE * PAGE), 1)
        self.must("faults of the second", await self.load(BASE * PAGE), 0)
        for _ in range(8):
            await self.software.migrate(self.space, page)
            self.must("faults after a shootdown", await self.load(BASE * PAGE), 1)
            self.must("faults after the drop-in", await self.load(BASE * PAGE + 8), 0)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruSd2(RuleTest):
    """The acknowledgement waits for accesses in flight."""

    async def rule(self) -> None:
        """Memory takes long; a shootdown in the middle of loads and stores must last as long."""
        for write in (False, True):
            await self.store(BASE * PAGE, 1)
            self.chip.memory.latency = (300, 300)
            started = self.start_task(self._access(write))
            while not self.env.translations.flying:
                await self.chip.clocking.edge
            begun = self.now()
            await self.shoot(BASE)
            self.must("the shootdown lasts as long as the access", self.now() - begun > 200, True)
            begun = self.now()
            await self.shoot(BASE + 2)
            self.must("one beside it does not wait", self.now() - begun < 150, True)
            await started
            self.chip.memory.latency = (4, 12)

    async def _access(self, write: bool) -> None:
        await (self.store(BASE * PAGE, 2) if write else self.load(BASE * PAGE))


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruSd3(RuleTest):
    """A drop-in whose miss was pending when a covering shootdown came is ignored: the access misses again."""

    async def rule(self) -> None:
        """Between miss and drop-in: a covering shootdown, another one, none."""
        software = self.software
        for vpn, wanted in ((BASE, 2), (BASE + 1, 1), (None, 1)):
            await self.shoot(BASE)
            software.on_answer = None
            self.drop_ins = 0
            line = instruction(g.CbOpc.VLOAD, baddr0=BASE * PAGE, nelem=1, stride_op1=1)
            user = self.polling if hasattr(self, "polling") else await self._polling()
            cbr = user.cbrs[0]
            await software.issue(user, 0, line)
            while cbr not in self.env.handles.misses:
                await self.chip.clocking.edge
            if vpn is not None:
                await self.shoot(vpn)
            while True:
                await software.command(
                    LineKind.TFH, cbr, drop_in(self.space, self.space.pages[BASE], g.TfhOpc.WRITE_RESTART, dirty=True)
                )
                self.drop_ins += 1
                await self.chip.clocking.wait(60)
                if cbr not in self.env.handles.misses or self.drop_ins > 3:
                    break
            await software.finish(user, 0)
            self.must(f"drop-ins needed after a shootdown of page {vpn}", self.drop_ins, wanted)

    async def _polling(self) -> User:
        """A context whose faults nobody answers by himself."""
        self.polling = await self.software.open(self.space, 2, 1, core=None)
        return self.polling


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruSd4(RuleTest):
    """Lookups outside the range keep their rate while shootdowns run."""

    async def rule(self) -> None:
        """The same loads take as long with a storm of shootdowns beside them."""
        await self.load(BASE * PAGE, count=256)
        lasted = []
        for storm in (False, True):
            self.storming = storm
            task = self.start_task(self._storm())
            begun = self.now()
            for _ in range(6):
                self.must("faults outside the range", await self.load(BASE * PAGE, count=256), 0)
            lasted.append(self.now() - begun)
            self.storming = False
            await task
        self.must("loads beside shootdowns are as fast, but for the register bus", lasted[1] < 2 * lasted[0], True)

    async def _storm(self) -> None:
        while self.storming:
            await self.shoot(BASE + 2, 1)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruSd5(RuleTest):
    """A shootdown of 4 KiB takes a large page away, wherever it lies in it."""

    def pages(self) -> None:
        """2 MiB and 1 GiB, used at their ends and in the middle."""
        self.large = []
        for size in (MEBI2, GIBI):
            pages = 1 << g.PAGE_SHIFTS[size] - g.PAGE_SHIFT
            first = 2 * pages
            spots = (first, first + pages // 2, first + pages - 1)
            self.large.append(self.mapped(self.space, first, size=size, spots=spots))

    async def rule(self) -> None:
        """First, middle, last; just below and just above are not in it."""
        for page in self.large:
            inside = (page.vpn, page.vpn + page.pages // 2, page.vpn + page.pages - 1)
            await self.load(page.vpn * PAGE)
            for vpn in inside:
                for other in inside:
                    self.must("one entry serves all of it", await self.load(other * PAGE), 0)
                await self.shoot(vpn)
                self.must(f"4 KiB at {vpn:#x} take away the page at {page.vpn:#x}", await self.load(inside[1] * PAGE), 1)
            for vpn in (page.vpn - 1, page.vpn + page.pages):
                await self.shoot(vpn)
                self.must("what lies beside it does not", await self.load(inside[1] * PAGE), 0)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruSd6(RuleTest):
    """Scope is explicit; 0 and the last page are values like others."""

    def pages(self) -> None:
        """Page 0, the last page of the address space, one in between."""
        for vpn in (0, BASE, LAST_VPN):
            self.mapped(self.space, vpn)

    async def rule(self) -> None:
        """n = 0 is one page; another space keeps its entry; context scope; ASID scope; the end of the address space."""
        software, everything = self.software, (0, BASE, LAST_VPN)
        other = self.chip.spaces.new()
        for vpn in everything:
            self.mapped(other, vpn)
        stranger = await software.open(other, 2, 4, core=0)
        for vpn in everything:
            await self._gone(stranger, everything, ())
            await self.shoot(vpn)
            await self._gone(stranger, everything, (vpn,))
        await self.shoot(LAST_VPN - 4, 1000)  # would pass the end
        await self._gone(stranger, everything, (LAST_VPN,))
        await self.shoot(0x12345, g.INVAL_ALL_N)  # region 0
        await self._gone(stranger, everything, (0, BASE))
        await software.shoot(shootdown(0, 0, 0, contexts=1 << self.user.ctx))
        await self._gone(stranger, everything, everything)
        await software.shoot(shootdown(0, 0, 0, contexts=0))
        await self._gone(stranger, everything, ())

    async def _gone(self, stranger: User, pages: Sequence[int], gone: Sequence[int]) -> None:
        for vpn in pages:
            self.must(f"page {vpn:#x} is gone", bool(await self.load(vpn * PAGE)), vpn in gone or not self._warm(self.user, vpn))
            self.must(
                f"the stranger's {vpn:#x} is gone", bool(await self.load(vpn * PAGE, user=stranger)), not self._warm(stranger, vpn)
            )
            self.warm |= {(self.user.ctx, vpn), (stranger.ctx, vpn)}

    def _warm(self, user: User, vpn: int) -> bool:
        """It has been loaded before."""
        self.warm: set[tuple[int, int]] = getattr(self, "warm", set())
        return (user.ctx, vpn) in self.warm


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruSd7(RuleTest):
    """An upgrade replaces the entry: the write goes on, and one shootdown takes both away."""

    async def rule(self) -> None:
        """Clean first; a write; then nothing is left of it after a shootdown."""
        for _ in range(4):
            self.software.answers.clean = 1.0
            self.must("faults of the load", await self.load(BASE * PAGE), 1)
            self.must("faults of the write", await self.store(BASE * PAGE, 5), 1)
            self.must("the cause is the missing right", self.answered[-1], g.TfhCause.TLB_MOD)
            self.must("faults of the next write", await self.store(BASE * PAGE, 6), 0)
            await self.software.migrate(self.space, self.space.pages[BASE])
            self.software.answers.clean = 0.0
            self.must("faults of the write after a shootdown", await self.store(BASE * PAGE, 7), 1)
            await self.software.migrate(self.space, self.space.pages[BASE])


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruSd8(RuleTest):
    """All handles at once: each is acknowledged, and the largest range takes no longer than one page."""

    async def rule(self) -> None:
        """24 side by side, of all lengths."""
        await self.load(BASE * PAGE)
        for n in (0, 1022):
            lasted: list[int] = []
            tasks = [self.start_task(self._timed(BASE, n, lasted)) for _ in range(g.NUM_TGH)]
            for task in tasks:
                await task
            self.must("every handle is acknowledged", len(lasted), g.NUM_TGH)
        alone: list[int] = []
        for n in (0, 1022):
            await self._timed(BASE, n, alone)
        self.must("a large range takes no longer", alone[1] <= alone[0] + 32, True)

    async def _timed(self, vpn: int, n: int, lasted: list[int]) -> None:
        begun = self.now()
        await self.shoot(vpn, n)
        lasted.append(self.now() - begun)
