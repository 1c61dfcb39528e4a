"""Commands that are refused or change nothing, contexts in every state, and what is saved with a context.

`GruCommands`: every cause of a context handle; every command of a fault handle without a miss and with either kind; context
commands beside shootdowns and beside each other. `GruSaved`: an interrupted instruction goes on in another context.
"""

from __future__ import annotations

import pyuvm

from hwif.fields import Line
from hwif.gen import gru as g
from hwif.port import LineKind
from tb.uvm.gru.lines import drop_in, shootdown
from tb.uvm.gru.mix import Mix
from tb.uvm.gru.points import OPCODES
from tb.uvm.gru.program import instruction
from tb.uvm.gru.sequences.worker import Worker
from tb.uvm.gru.software import User
from tb.uvm.gru.spaces import PAGE, Space
from tb.uvm.gru.tests.base import TIMEOUT_US
from tb.uvm.gru.tests.scene import Scene

__all__ = ["GruCommands", "GruSaved"]

VPN = 0x80
SLOW = (400, 400)
ALONE = (4, 12)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruCommands(Scene):
    """One context after the other."""

    async def scene(self) -> None:
        """Causes, fault handles, then everything beside something else."""
        self.space = self.chip.spaces.new()
        for n in range(4):
            self.mapped(self.space, VPN + n)
        await self._causes()
        await self._without_miss()
        await self._with_miss()
        await self._deallocated_busy()
        await self._side_by_side()
        await self._one_after_another()
        await self._held()
        await self._silent_map()

    async def _causes(self) -> None:
        software = self.software
        user = await software.open(self.space, 2, 1, core=None)
        line = list(user.line)
        await self.refused(user, 7, g.CchCause.ILLEGAL_OPCODE)
        await self.refused(user, g.CchOpc.ALLOCATE, g.CchCause.INVALID_ALLOCATION_REQUEST)
        await self.refused(user, g.CchOpc.START, g.CchCause.INVALID_START_REQUEST)
        await self.refused(user, g.CchOpc.DEALLOCATE, g.CchCause.INVALID_DEALLOCATION_REQUEST)
        other = User(9, self.space, [], 0, 0, None, line)
        maps = {"cbr_allocation_map": 0, "dsr_allocation_map": 0}
        for opc in (g.CchOpc.INTERRUPT, g.CchOpc.INTERRUPT_SYNC):
            await self.refused(other, opc, g.CchCause.INVALID_INTERRUPT_REQUEST)
        await self.refused(other, g.CchOpc.ALLOCATE, g.CchCause.NO_CBRS_TO_ALLOCATE, **maps)
        bad = {"cbr_allocation_map": 1 << 40, "tlb_int_enable": 1, "tfm_fault_bit_enable": 0}
        await self.refused(other, g.CchOpc.ALLOCATE, g.CchCause.BAD_TFM_CONFIG, **bad)
        await self.refused(other, g.CchOpc.ALLOCATE, g.CchCause.CBR_RESOURCES_OVERSUBSCRIPED)
        await self.refused(other, g.CchOpc.ALLOCATE, g.CchCause.DSR_RESOURCES_OVERSUBSCRIPED, cbr_allocation_map=1 << 40)
        await software.interrupt(user)
        await self.refused(user, g.CchOpc.START, g.CchCause.BAD_TFM_CONFIG, tlb_int_enable=1, tfm_fault_bit_enable=0)
        await software.close_context(user)

    async def _without_miss(self) -> None:
        """Nothing comes of it, whatever the command; a drop-in least of all."""
        software = self.software
        for opc in g.TfhOpc:
            for cbr in self.rng.sample(range(g.NUM_CBR), 2):
                line: Line = drop_in(self.space, self.space.pages[VPN], opc, dirty=True)
                word = await software.command(LineKind.TFH, cbr, line)
                self.must(f"fault handle {cbr} after {opc.name}", g.Tfh.status.of(word), g.HandleStatus.IDLE)

    async def _with_miss(self) -> None:
        """Every command with a miss of either kind; what stays pending is restarted."""
        software = self.software
        for core in (None, 3):
            user = await software.open(self.space, 2, 1, core=core)
            for opc in g.TfhOpc:
                await software.shoot(shootdown(self.space.asid(), 0, g.INVAL_ALL_N))
                await self._miss(user)
                line = drop_in(self.space, self.space.pages[VPN], opc, dirty=True)
                word = await software.command(LineKind.TFH, user.cbrs[0], line)
                if core is not None:
                    await software.write_words(g.TFM_BASE + core * g.HANDLE_STRIDE, [(1 << 64) - 1] * 2)
                if g.Tfh.status.of(word) == g.HandleStatus.EXCEPTION or opc == g.TfhOpc.RESTART:
                    again = drop_in(self.space, self.space.pages[VPN], g.TfhOpc.WRITE_RESTART, dirty=True)
                    await self.chip.clocking.wait(40)
                    await software.command(LineKind.TFH, user.cbrs[0], again)
                    if core is not None:
                        await software.write_words(g.TFM_BASE + core * g.HANDLE_STRIDE, [(1 << 64) - 1] * 2)
                await software.finish(user, 0)
            await software.interrupt(user)
            await software.close_context(user)

    async def _miss(self, user: User, *, index: int = 0) -> None:
        await self.software.issue(user, index, instruction(g.CbOpc.VLOAD, baddr0=VPN * PAGE, nelem=1, stride_op1=1))
        while user.cbrs[index] not in self.env.handles.misses:
            await self.chip.clocking.edge

    async def _deallocated_busy(self) -> None:
        """With an access in flight it fails; with a miss or a held instruction it does not; nothing is left of either."""
        software, memory = self.software, self.chip.memory
        user = await software.open(self.space, 4, 2, core=None)
        served = instruction(g.CbOpc.VLOAD, baddr0=VPN * PAGE, nelem=1, stride_op1=1)
        await software.run(user, 0, served)
        memory.latency = SLOW
        await software.issue(user, 0, served)
        while not self.env.translations.flying:
            await self.chip.clocking.edge
        await software.interrupt(user)
        await self.refused(user, g.CchOpc.DEALLOCATE, g.CchCause.CBR_DEALLOCATION_ERROR)
        memory.latency = ALONE
        while self.env.translations.flying:
            await self.chip.clocking.edge
        await software.start_context(user)
        await software.finish(user, 0)
        await software.shoot(shootdown(self.space.asid(), 0, g.INVAL_ALL_N))
        await self._miss(user, index=1)
        await software.interrupt(user)
        await software.start_context(user)  # it looks up again, and misses again
        await software.finish(user, 1)
        await software.shoot(shootdown(self.space.asid(), 0, g.INVAL_ALL_N))
        await self._miss(user, index=1)
        await software.interrupt(user)
        await software.issue(user, 0, served)  # held until a START that never comes
        await software.close_context(user)

    async def _side_by_side(self) -> None:
        """Commands of two contexts at once, with a shootdown that waits for a slow access beside them."""
        software, memory = self.software, self.chip.memory
        slow = await software.open(self.space, 2, 1, core=None)
        load = instruction(g.CbOpc.VLOAD, baddr0=VPN * PAGE, nelem=1, stride_op1=1)
        users = [User(ctx, self.space, [], 1 << ctx, 1 << ctx, None, list(slow.line)) for ctx in (11, 12)]
        for user in users:
            g.Cch.cbr_allocation_map.put(user.line, user.units << 8)
            g.Cch.dsr_allocation_map.put(user.line, user.dsr)
        for opc in (
            g.CchOpc.ALLOCATE,
            g.CchOpc.START,
            g.CchOpc.INTERRUPT,
            g.CchOpc.START,
            g.CchOpc.INTERRUPT_SYNC,
            g.CchOpc.DEALLOCATE,
        ):
            await software.run(slow, 0, load)  # the translation is there again
            memory.latency = SLOW
            await software.issue(slow, 0, load)
            while not self.env.translations.flying:
                await self.chip.clocking.edge
            shot = self.start_task(software.shoot(shootdown(self.space.asid(), 0, g.INVAL_ALL_N)))
            await self.chip.clocking.wait(60)
            begun = [self.start_task(self._two(user, opc)) for user in users]
            for task in (*begun, shot):
                await task
            memory.latency = ALONE
            await software.finish(slow, 0)
        for user in users:
            for opc in (
                g.CchOpc.ALLOCATE,
                g.CchOpc.START,
                g.CchOpc.INTERRUPT,
                g.CchOpc.START,
                g.CchOpc.INTERRUPT_SYNC,
                g.CchOpc.DEALLOCATE,
            ):
                await software.context(user, opc)  # with nothing else going on
        await software.interrupt(slow)
        await software.close_context(slow)

    async def _two(self, user: User, opc: g.CchOpc) -> None:
        await self.software.context(user, opc)

    async def _one_after_another(self) -> None:
        """A command while ALLOCATE, which takes longest, runs for another context."""
        software = self.software
        user = await software.open(self.space, 2, 1, core=None)
        other = User(13, self.space, [], 0, 0, None, list(user.line))
        g.Cch.cbr_allocation_map.put(other.line, 1 << 20)
        g.Cch.dsr_allocation_map.put(other.line, 1 << 20)
        commands = (g.CchOpc.INTERRUPT, g.CchOpc.START, g.CchOpc.INTERRUPT_SYNC, g.CchOpc.DEALLOCATE)
        addr = g.CCH_BASE + user.ctx * g.HANDLE_STRIDE
        for opc in commands:
            longest = self.start_task(software.context(other, g.CchOpc.ALLOCATE))
            while self.env.handles.contexts[other.ctx].command is None:
                await self.chip.clocking.edge
            line = list(user.line)
            g.Cch.cmd.put(line, 1)
            g.Cch.opc.put(line, opc)
            await software.bus.write(addr, line[0])
            await longest
            while g.Cch.status.of(await software.bus.read(addr)) == g.HandleStatus.ACTIVE:
                pass
            await software.context(other, g.CchOpc.DEALLOCATE)
        await software.context(user, g.CchOpc.ALLOCATE)
        await software.context(user, g.CchOpc.START)
        await software.interrupt(user)
        await software.close_context(user)

    async def _held(self) -> None:
        """Every opcode, begun while its context is interrupted: it runs from START on."""
        software = self.software
        user = await software.open(self.space, 2, 2, core=None)
        worker = Worker(software, user, 0, (VPN * PAGE, 2 * PAGE), Mix(longest=64, mistakes=0), None)
        for name in OPCODES:
            self.ended = -1
            while self.ended != g.CbIstatus.IDLE:  # a queue may be full
                await software.interrupt(user)
                step = self.start_task(self._step(worker, g.CbOpc[name]))
                while not self.env.data.running:
                    await self.chip.clocking.edge
                await software.start_context(user)
                await step
        await software.interrupt(user)
        await software.close_context(user)

    async def _step(self, worker: Worker, opc: g.CbOpc) -> None:
        self.ended = g.Cb.istatus.of(await worker.step(opc))

    async def _silent_map(self) -> None:
        """Fault bits without an interrupt: the map must be looked at."""
        software = self.software
        user = await software.open(self.space, 2, 1, core=5, tlb_int_enable=0)
        await software.shoot(shootdown(self.space.asid(), 0, 0, contexts=(1 << g.NUM_CTX) - 1))
        await self._miss(user)
        await self.chip.clocking.wait(20)
        self.must("lines that are up", self.env.irq.monitor.levels, 0)
        low, high = await software.read_words(g.TFM_BASE + 5 * g.HANDLE_STRIDE, 2)
        self.must("the map", low | high << 64, 1 << user.cbrs[0])
        await software.answer(user.cbrs[0])
        await software.finish(user, 0)
        await software.write_words(g.TFM_BASE + 5 * g.HANDLE_STRIDE, [low, high])
        await software.interrupt(user)
        await software.close_context(user)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruSaved(Scene):
    """A context is interrupted, read out, deallocated, and comes back as another one with other units."""

    async def scene(self) -> None:
        """The middle of a long load; what it loads must be whole at the end."""
        software, space = self.software, self.chip.spaces.new()
        page = self.mapped(space, VPN)
        self.mapped(space, VPN + 1)
        self.start_task(software.serve_core(0))
        user = await software.open(space, 2, 4)
        lines = 48
        load = instruction(g.CbOpc.VLOAD, baddr0=VPN * PAGE + 40, nelem=lines * 8, stride_op1=1, tri0=16)
        for round_ in range(3):
            await software.issue(user, 0, load)
            await self.chip.clocking.wait(150 + 120 * round_)
            await software.interrupt(user, g.CchOpc.INTERRUPT_SYNC)
            saved = await self._save(user)
            await software.close_context(user)
            if round_ == 1:
                await software.migrate(space, page)
            placeholder = await software.open(space, 2, 4)  # so that it gets other units
            user = await self._restore(space, saved)
            await software.interrupt(placeholder)
            await software.close_context(placeholder)
            await software.finish(user, 0)
            for word in range(lines * 8):
                found = await software.bus.read(software.segment_addr(user, 16 + 8 * word))
                must = int.from_bytes(space.content.read(VPN * PAGE + 40 + 8 * word, 8), "little")
                if found != must:
                    self.must(f"double-word {word} of the load", hex(found), hex(must))

    async def _save(self, user: User) -> tuple[list[int], list[int], list[int]]:
        software = self.software
        block = await software.read_words(software.block_addr(user, 0), 8)
        extension = await software.read_words(g.CBE_BASE + user.cbrs[0] * g.HANDLE_STRIDE, 8)
        segment = await software.read_words(software.segment_addr(user, 0), user.dsr_bytes // 8)
        return block, extension, segment

    async def _restore(self, space: Space, saved: tuple[list[int], list[int], list[int]]) -> User:
        software = self.software
        block, extension, segment = saved
        user = await software.open(space, 2, 4, start=False)
        await software.write_words(software.segment_addr(user, 0), segment)
        block[0] &= ~1  # the extension says whether it is in progress
        await software.write_words(software.block_addr(user, 0), block)
        await software.write_words(g.CBE_BASE + user.cbrs[0] * g.HANDLE_STRIDE, extension)
        await software.start_context(user)
        return user
