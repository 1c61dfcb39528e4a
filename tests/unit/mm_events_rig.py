"""An address space with a client that writes down its calls: what the tests of the VM's events and lookups share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mm_rig import PAGE, Log, Rig, register

from sw_stack.mm import Mm
from sw_stack.mm.check import audit

RW = 3
AREA = 0x10_0000_0000


class Scene:
    """An address space with `pages` written pages at AREA and a client that logs."""

    def __init__(self, rig: Rig, mm: Mm, log: Log) -> None:
        self.rig, self.mm, self.log = rig, mm, log


def stage(body: Callable[[Scene], Awaitable[None]], *, pages: int = 4, frames: int = 64, prot: int = RW) -> Scene:
    rig = Rig(frames)
    scene = Scene(rig, rig.machine.new_mm("a"), Log(rig.sched))

    async def play() -> None:
        await scene.mm.mmap(AREA, pages * PAGE, prot, fixed=True)
        for page in range(pages):
            if prot & 2:
                await scene.mm.store(at(page), bytes([page + 1]) * 16)
        await register(scene.mm, scene.log)
        scene.log.take()
        await body(scene)

    rig.run(play())
    audit(rig.machine, quiet=True)
    return scene


def at(page: int) -> int:
    return AREA + page * PAGE


def span(first: int, last: int, kind: str, atomic: bool = False) -> tuple[Any, ...]:
    return (kind, at(first), at(last), atomic)


def record(mm: Mm, page: int) -> tuple[int, int] | None:
    return mm.shadow.records().get(at(page) // PAGE)
