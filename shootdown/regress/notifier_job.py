"""The software stack alone, at random: ranges that nest, overlap and may not sleep, clients that come and go beside them, and
memory that runs out.

A life is an address space with a client that stays and four tasks: one uses its memory, one truncates (ranges without the mmap
lock, one inside the other), one registers and unregisters further clients, one reclaims, tries ranges that may fail, and in the
end is the OOM killer. Then it exits. (Without a client that stays nobody could tell from the trace that nobody had to be told.)

Promises: the steps depend on test, seed and scale alone. Every call of a client is judged by LegalClient, the trace by
LegalNotifiers; what the stack's own checks raise is the run's crash. Items are the calls judged.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Coroutine
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwif.memory import HostMemory
from hwif.shadow import Shadow
from hwif.trace import Trace
from pymodels.oracle.notifier_client import LegalClient
from pymodels.oracle.records import Objection
from shootdown.regress.cosim_oracle import NotifierJudge
from shootdown.regress.cosim_points import LIFE, Watcher
from sw_stack.mm import PROT_READ, PROT_WRITE, Machine, Mm, MmError
from sw_stack.mm.oom import oom_kill
from sw_stack.notifier import MmuNotifier
from sw_stack.sched import Scheduler, SeededChooser, run_alone
from tb.plan.run import RunConfig, RunResult

__all__ = ["play"]

PAGE = 4096
AREA = 0x10_0000
PAGES = 12
FRAMES = 96
LIVES = 30
STEPS = 20
CLIENTS = 4  # at once
KEPT = 20


def play(config: RunConfig) -> RunResult:
    """One run."""
    stack = _Stack(config)
    for number in range(max(1, round(LIVES * config.scale))):
        stack.life(f"life {number}")
    stack.trace.flush()
    said = [*stack.objections, *stack.judge.objections()]
    return RunResult(stack.sched.now, stack.calls, len(said), said[:KEPT], stack.watcher.counts(), stack.digest.hexdigest()[:16])


class _Stack:
    """A machine, and who listens to it."""

    def __init__(self, config: RunConfig) -> None:
        self.draw = random.Random(f"{config.test}.{config.seed}:steps")
        self.sched = Scheduler(SeededChooser(config.seed))
        self.trace, self.watcher, self.judge = Trace(), Watcher(), NotifierJudge()
        self.digest = hashlib.sha256()
        for listener in (self.watcher, self.judge, self._keep):
            self.trace.subscribe(listener)
        self.machine = Machine(self.sched, HostMemory(FRAMES), Shadow(FRAMES, 8 * FRAMES), self.trace, oom_killer=True)
        self.calls = 0
        self.objections: list[str] = []

    def _keep(self, records: NDArray[np.uint64]) -> None:
        self.digest.update(records.tobytes())

    def heard(self, found: list[Objection]) -> None:
        """A client was called, and what is wrong with that."""
        self.calls += 1
        self.objections += [f"cycle {self.sched.now}: {one.rule}: {one.text}" for one in found]

    def span(self) -> tuple[int, int]:
        """Some pages of the area."""
        first = self.draw.randrange(PAGES)
        return AREA + first * PAGE, AREA + self.draw.randint(first + 1, PAGES) * PAGE

    def life(self, name: str) -> None:
        """An address space, from its first page to its exit."""
        mm = self.machine.new_mm(name)
        here: list[_Client] = []
        self._run(self._begins(mm, here))
        self._run(self._uses(mm), self._truncates(mm), self._comes_and_goes(mm, here), self._takes(mm))
        for client in here:
            self.heard(client.legal.rests())
        self._run(mm.exit())
        for client in here:
            self.heard(client.legal.outlives())

    def _run(self, *bodies: Coroutine[Any, Any, Any]) -> None:
        for cpu, body in enumerate(bodies):
            self.sched.spawn(body, f"task {cpu}", cpu)
        run_alone(self.sched)

    # ---- tasks ---------------------------------------------------------------------------------------------------------

    async def _begins(self, mm: Mm, here: list[_Client]) -> None:
        await mm.mmap(AREA, PAGES * PAGE, PROT_READ | PROT_WRITE, fixed=True)
        async with mm.mmap_lock.writing():
            self._comes(mm, here)

    def _comes(self, mm: Mm, here: list[_Client]) -> None:
        open_now = mm.notifiers.active_ranges()
        self.watcher.tally.hit(LIFE, "comes beside a range" if open_now else "comes")
        here.append(_Client(self, LegalClient((one.start, one.end) for one in open_now)))
        mm.notifiers.register(here[-1])

    async def _uses(self, mm: Mm) -> None:
        try:
            for _ in range(STEPS):
                start, end = self.span()
                match self.draw.randrange(6):
                    case 0:
                        await mm.mprotect(start, end - start, PROT_READ)
                        await mm.mprotect(AREA, PAGES * PAGE, PROT_READ | PROT_WRITE)
                    case 1:
                        await mm.madvise_dontneed(start, end - start)
                    case _:
                        await mm.store(start, bytes([self.draw.randrange(256)]))
                await self.sched.sleep(self.draw.randint(1, 2000))
        except MmError:
            if not mm.oom_victim:  # whose memory is gone
                raise

    async def _truncates(self, mm: Mm) -> None:
        for _ in range(STEPS // 2):
            async with mm.notifiers.range(*self.span()):
                await self.sched.sleep(self.draw.randint(1, 3000))
                if self.draw.random() < 0.5:
                    async with mm.notifiers.range(*self.span(), self.draw.random() < 0.5):
                        await self.sched.charge(self.draw.randint(1, 1000))
            await self.sched.sleep(self.draw.randint(1, 1000))

    async def _comes_and_goes(self, mm: Mm, here: list[_Client]) -> None:
        for _ in range(STEPS // 2):
            async with mm.mmap_lock.writing():
                if len(here) > 1 and self.draw.random() < 0.4:
                    client = here.pop(self.draw.randrange(1, len(here)))
                    await mm.notifiers.unregister(client)
                    self.heard(client.legal.leaves())
                elif len(here) < CLIENTS:
                    self._comes(mm, here)
            await self.sched.sleep(self.draw.randint(1, 2000))

    async def _takes(self, mm: Mm) -> None:
        for _ in range(STEPS):
            if self.draw.random() < 0.5:
                await self.machine.reclaim(1)
            elif (active := await mm.notifiers.try_range(*self.span())) is not None:
                await self.sched.charge(self.draw.randint(1, 500))
                await mm.notifiers.range_end(active)
            await self.sched.sleep(self.draw.randint(1, 2000))
        await oom_kill(self.machine)


class _Client(MmuNotifier):
    """Takes its time, sleeps where it may, and sometimes will not let a range begin."""

    def __init__(self, stack: _Stack, legal: LegalClient) -> None:
        self.legal = legal
        self._stack = stack

    def _held(self) -> bool:
        return self._stack.sched.task().atomic > 0

    async def _works(self, atomic: bool) -> None:
        await self._stack.sched.charge(self._stack.draw.randint(1, 200))
        if not atomic:
            await self._stack.sched.sleep(self._stack.draw.randint(1, 500))

    async def invalidate_range_try(self, mm: Any, start: int, end: int) -> bool:
        if self._stack.draw.random() < 0.2:
            return False
        return await super().invalidate_range_try(mm, start, end)

    async def invalidate_range_begin(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        self._stack.heard(self.legal.begins(start, end, atomic=atomic, held=self._held()))
        await self._works(atomic)

    async def invalidate_range_end(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        self._stack.heard(self.legal.ends(start, end, atomic=atomic, held=self._held()))
        await self._works(atomic)

    async def invalidate_page(self, mm: Any, address: int) -> None:
        self._stack.heard(self.legal.asked("invalidate_page", held=self._held()))

    async def age_page(self, mm: Any, address: int) -> bool:
        self._stack.heard(self.legal.asked("age_page", held=self._held()))
        return self._stack.draw.random() < 0.2

    async def release(self, mm: Any) -> None:
        self._stack.heard(self.legal.releases())
        await self._works(False)
