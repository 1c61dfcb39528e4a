"""A process and a pinned adapter: what the tests of the adapter share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from mm_rig import PAGE, Rig

from sw_stack.drivers.pinned import Access, PinnedAdapter, PinnedPolicy
from sw_stack.drivers.pinned.policy import Mutant
from sw_stack.mm import PROT_READ, PROT_WRITE, Mm, MmError
from sw_stack.mm.check import audit
from sw_stack.mm.pagetable import VALUE_SHIFT
from sw_stack.mm.types import PAGE_SHIFT

RW = PROT_READ | PROT_WRITE
BOTH = Access.READ | Access.WRITE
BASE = 0x10_0000_0000


def at(page: int) -> int:
    return BASE + page * PAGE


class Scene:
    """A process with `pages` written pages at BASE, and an adapter."""

    def __init__(self, frames: int, pages: int, mutant: Mutant | None, seed: int | None) -> None:
        self.rig = Rig(frames, seed=seed)
        self.machine = self.rig.machine
        self.mm = self.machine.new_mm("process")
        self.adapter = PinnedAdapter(self.machine, PinnedPolicy(mutant))
        self.pages = pages

    async def fill(self) -> None:
        await self.mm.mmap(BASE, self.pages * PAGE, RW, fixed=True)
        for page in range(self.pages):
            await self.mm.store(at(page), bytes([page + 1]) * PAGE)

    def frame(self, mm: Mm, page: int) -> int:
        """The frame the process has there now."""
        return mm.page_table.get(at(page) >> PAGE_SHIFT) >> VALUE_SHIFT


def stage(
    *bodies: Callable[[Scene], Awaitable[None]],
    frames: int = 64,
    pages: int = 4,
    mutant: Mutant | None = None,
    seed: int | None = None,
) -> Scene:
    """Play the bodies together, then let everything go: nothing may be left."""
    scene = Scene(frames, pages, mutant, seed)

    async def play(body: Callable[[Scene], Awaitable[None]]) -> None:
        await body(scene)

    async def end() -> None:
        for mm in list(scene.machine.mms.values()):
            if mm.alive:
                await mm.exit()
            await scene.adapter.close(mm)
        await scene.adapter.close(scene.mm)

    scene.rig.run(scene.fill())
    scene.rig.run(*map(play, bodies))
    audit(scene.machine)
    scene.rig.run(end())
    audit(scene.machine, quiet=True)
    counts = scene.machine.statistics()
    assert counts["pinned"] == counts["unpinned"]
    assert scene.adapter.stats.pages_pinned == scene.adapter.stats.pages_unpinned
    assert scene.machine.frames.free == scene.machine.frames.count
    assert not scene.rig.shadow.words.any()
    assert scene.mm.locked_vm == 0 and scene.adapter.regions() == []
    return scene


@contextmanager
def refused(code: int, kind: type[MmError] = MmError) -> Iterator[None]:
    with pytest.raises(kind) as caught:
        yield
    assert caught.value.errno == code, caught.value
