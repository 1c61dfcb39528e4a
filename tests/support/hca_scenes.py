"""Scenes of the HCA driver's tests: traffic over memory that the VM takes away meanwhile, and what is checked afterwards."""

from __future__ import annotations

import random
from collections.abc import Coroutine
from typing import Any

from support.hca_rig import BASE, LOCAL, ODP, PAGE, REMOTE, RW, End, Rig, pair, rdma

from hwif.gen import hca as h
from sw_stack.drivers.hca import Mr
from sw_stack.mm import MmError

__all__ = ["Churn", "Stream"]

PAGES = 12
SLOT = 64


class Churn:
    """Process A writes and reads memory of process B through one region, while B's system drops, moves, shares and reclaims it.
    What is written is looked at by the process itself; pages that are dropped are only read."""

    def __init__(
        self, rig: Rig, seed: int, *, operations: int = 60, implicit: bool = False, policy: h.FaultPolicy | None = None
    ) -> None:
        self.rig = rig
        self.random = random.Random(seed)
        self.operations = operations
        self.implicit = implicit
        self.policy = policy if policy is not None else list(h.FaultPolicy)[seed % 3]
        self.over = False
        self.done = 0

    async def body(self) -> None:
        """The whole scene."""
        left, right = await pair(self.rig, policy=self.policy)
        for end in (left, right):
            await end.mm.mmap(BASE, PAGES * PAGE, RW, fixed=True)
        mine = await left.region(BASE, PAGES, LOCAL | ODP)
        theirs = await self._region(right)
        # Reclaim seldom: a page takes 30,000 cycles to come back from swap.
        upset = [(self._drop, 4000), (self._migrate, 6000), (self._reclaim, 120_000), (self._fork, 20_000)]
        tasks = [self.rig.sched.spawn(self._again(right, act, pause), act.__name__, 20 + n) for n, (act, pause) in enumerate(upset)]
        try:
            for number in range(self.operations):
                await self._operate(left, right, mine, theirs, number)
        finally:
            self.over = True
        for task in tasks:
            await self.rig.sched.join(task)
        await left.close()
        await right.close()
        await left.mm.exit()
        await right.mm.exit()

    async def _region(self, right: End) -> Mr:
        if self.implicit:
            return await right.driver.reg_mr(right.pd, 0, 0, REMOTE | ODP, implicit=True)
        return await right.region(BASE, PAGES, REMOTE | ODP)

    async def _operate(self, left: End, right: End, mine: Mr, theirs: Mr, number: int) -> None:
        """Pages below the middle are written from afar and never dropped; those above are, and only read."""
        page = self.random.randrange(PAGES)
        remote, local = BASE + page * PAGE + SLOT, BASE + (number % (PAGES - 1)) * PAGE
        length = self.random.choice((8, 1000, PAGE - SLOT, PAGE + 500))
        pattern = bytes([number & 0xFF or 1]) * length
        if page + 1 < PAGES // 2:
            await left.mm.store(local, pattern)
            done = await left.do(rdma(h.WrOpcode.RDMA_WRITE, local, length, mine, remote, theirs))
            assert done.status is h.WcStatus.SUCCESS, done
            found = await right.mm.load(remote, length)
            assert found == pattern, f"operation {number}: page {page} has {found[:8]!r}, not {pattern[:8]!r}"
        else:
            length = min(length, BASE + PAGES * PAGE - remote)
            done = await left.do(rdma(h.WrOpcode.RDMA_READ, local, length, mine, remote, theirs))
            assert done.status is h.WcStatus.SUCCESS, done
        self.done += 1

    async def _again(self, right: End, act: Any, pause: int) -> None:
        while not self.over:
            await act(right)
            await self.rig.sched.sleep(self.random.randrange(1, pause))

    async def _drop(self, right: End) -> None:
        first = self.random.randrange(PAGES // 2, PAGES)
        pages = self.random.randrange(1, PAGES - first + 1)
        await right.mm.madvise_dontneed(BASE + first * PAGE, pages * PAGE)

    async def _migrate(self, right: End) -> None:
        await self.rig.b.machine.migrate_page(right.mm, BASE + self.random.randrange(PAGES) * PAGE)

    async def _reclaim(self, right: End) -> None:
        await self.rig.b.machine.reclaim(2)

    async def _fork(self, right: End) -> None:
        try:
            child = await right.mm.fork("child")
        except MmError:
            return
        await self.rig.sched.sleep(self.random.randrange(1, 3000))
        await child.exit()

    def play(self) -> None:
        """Run it, alone."""
        bodies: list[Coroutine[Any, Any, Any]] = [self.body()]
        self.rig.run(*bodies)


class Stream:
    """Process A keeps many accesses to one page of B in flight over a slow memory, while B drops the page again and again: whatever
    of an invalidation is not waited for, some access is in the middle of."""

    def __init__(self, rig: Rig, *, opcode: h.WrOpcode = h.WrOpcode.RDMA_WRITE, rounds: int = 12, phase: int = 0) -> None:
        self.rig = rig
        self.opcode = opcode
        self.rounds = rounds
        self.phase = phase
        self.over = False
        self.completed = 0

    async def body(self) -> None:
        """The whole scene."""
        left, right = await pair(self.rig, policy=h.FaultPolicy.RESTART)
        for end in (left, right):
            await end.mm.mmap(BASE, 2 * PAGE, RW, fixed=True)
        mine, theirs = await left.region(BASE, 2, LOCAL | ODP), await right.region(BASE, 2, REMOTE | ODP)
        sender = self.rig.sched.spawn(self._send(left, mine, theirs), "sender", 4)
        pause = self.phase
        while self.rounds:
            self.rounds -= 1
            pause = (pause + 1371) % 7000
            await self.rig.sched.sleep(3000 + pause)
            await right.mm.madvise_dontneed(BASE, PAGE)
            # The frame freed last is the next to be used.
            await right.mm.store(BASE + PAGE, b"somebody else's")
        self.over = True
        await self.rig.sched.join(sender)
        await left.close()
        await right.close()

    async def _send(self, left: End, mine: Mr, theirs: Mr) -> None:
        while not self.over:
            wrs = [rdma(self.opcode, BASE, PAGE, mine, BASE, theirs) for _ in range(8)]
            await left.driver.post_send(left.qp, *wrs)
            for _ in wrs:
                assert (await left.completion()).status is h.WcStatus.SUCCESS
                self.completed += 1
