"""A process and a GPU that works on its pages: what the tests of the GPU's driver share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mm_rig import PAGE, NoChoice, Rig

from sw_stack.drivers.gpu import Gpu, GpuPolicy, Operand, Operation
from sw_stack.mm import Mm, MmError
from sw_stack.mm.check import audit

AREA = 0x10_0000_0000
PAGES = 8
RW = 3


def at(page: int) -> int:
    return AREA + page * PAGE


class Scene:
    """A process with PAGES pages at AREA, each with its number in it, and a GPU."""

    def __init__(self, rig: Rig, mm: Mm, gpu: Gpu) -> None:
        self.rig, self.mm, self.gpu = rig, mm, gpu
        self.machine, self.sched = rig.machine, rig.sched

    def spawn(self, body: Any, name: str) -> Any:
        return self.sched.spawn(body, name, 3)

    def pins(self, page: int) -> int:
        """References on the frame of a page."""
        return self.machine.frames[self.mm.shadow.records()[at(page) // PAGE][0]].pins

    async def held(self, operands: list[Operand], during: Callable[[], Awaitable[None]]) -> None:
        """Run something while an operation has these operands pinned."""

        async def work(_op: Operation) -> None:
            await during()

        await self.gpu.submit(self.mm, operands, work)


def stage(body: Callable[[Scene], Awaitable[None]], policy: GpuPolicy | None = None, *, frames: int = 40) -> Scene:
    rig = Rig(frames, chooser=NoChoice())
    scenes: list[Scene] = []

    async def play() -> None:
        mm = rig.machine.new_mm("process")
        await mm.mmap(AREA, PAGES * PAGE, RW, fixed=True)
        for page in range(PAGES):
            await mm.store(at(page), bytes([page + 1]) * 16)
        scenes.append(Scene(rig, mm, Gpu(rig.machine, policy)))
        await body(scenes[0])
        if mm.alive:
            await mm.exit()

    rig.run(play())
    scene = scenes[0]
    nothing_is_left(rig, scene.gpu)
    return scene


def nothing_is_left(rig: Rig, gpu: Gpu) -> None:
    audit(rig.machine, quiet=True)
    assert rig.machine.frames.free == rig.machine.frames.count and rig.machine.swap.used == 0
    assert not rig.shadow.words.any()
    stats = gpu.stats
    assert stats.pages == 0 and stats.pages_pinned == stats.pages_unpinned
    assert stats.submitted == stats.completed + stats.failed
    assert rig.machine.statistic("pinned") == rig.machine.statistic("unpinned")


async def copy(op: Operation) -> bytes:
    """Operand 0 to operand 1, in pieces."""
    total = b""
    for offset in range(0, 16, 4):
        data = await op.read(0, offset, 4)
        await op.compute(50)
        await op.write(1, offset, data)
        total += data
    return total


async def refused(code: int, call: Awaitable[object], match: str | None = None) -> None:
    with pytest.raises(MmError, match=match) as caught:
        await call
    assert caught.value.errno == code
