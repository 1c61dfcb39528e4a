"""A client that writes down each callback with its context: which locks its caller holds, and whether it may sleep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mm_rig import PAGE, Rig, register

from sw_stack.mm import Mm
from sw_stack.mm.check import audit
from sw_stack.mm.frames import Frame
from sw_stack.mm.historical import Historical
from sw_stack.mm.pagetable import VALUE_SHIFT
from sw_stack.notifier import MmuNotifier, MmuRmapNotifier
from sw_stack.sched import Scheduler, Task
from sw_stack.sched.locks import RwSem

AREA = 0x10_0000_0000
RW = 3
MMAP_W, MMAP_R, PAGE_LOCK, I_MMAP, PTE = "mmap_lock:w", "mmap_lock:r", "page_lock", "i_mmap_lock", "pte_lock"


def at(page: float) -> int:
    """Address of page `page` of the area."""
    return AREA + int(page * PAGE)


@dataclass(frozen=True)
class Call:
    """One callback. `locks`: lock classes of the caller, outermost first; `sleep`: it may."""

    what: str
    args: tuple[Any, ...]
    locks: tuple[str, ...]
    sleep: bool

    def __repr__(self) -> str:
        places = [hex(arg) if isinstance(arg, int) and not isinstance(arg, bool) else str(arg) for arg in self.args]
        return f"{self.what}({', '.join(places)}) under {'+'.join(self.locks) or 'nothing'}{', may sleep' if self.sleep else ''}"


def begin(first: float, last: float, locks: tuple[str, ...] = (MMAP_W,)) -> Call:
    """invalidate_range_begin of pages first..last-1 with atomic=0."""
    return Call("begin", (at(first), at(last), False), locks, True)


def end(first: float, last: float, locks: tuple[str, ...] = (MMAP_W,)) -> Call:
    return Call("end", (at(first), at(last), False), locks, True)


def atomic_begin(first: float, last: float, locks: tuple[str, ...]) -> Call:
    return Call("begin", (at(first), at(last), True), locks, False)


def atomic_end(first: float, last: float, locks: tuple[str, ...]) -> Call:
    return Call("end", (at(first), at(last), True), locks, False)


def page(number: float, locks: tuple[str, ...] = (PAGE_LOCK, PTE)) -> Call:
    """invalidate_page."""
    return Call("page", (at(number),), locks, False)


def age(number: float, locks: tuple[str, ...] = (PAGE_LOCK, PTE)) -> Call:
    return Call("age", (at(number),), locks, False)


def _locks(task: Task) -> tuple[str, ...]:
    return tuple(
        f"{lock.lock_class}:{'w' if lock.held_for_write(task) else 'r'}" if isinstance(lock, RwSem) else lock.lock_class
        for lock in task.held
    )


class ContextLog(MmuNotifier):
    """Every callback of one address space."""

    def __init__(self, sched: Scheduler, *, young: bool = False) -> None:
        self.sched = sched
        self.young = young
        self.calls: list[Call] = []

    def _note(self, what: str, *args: Any) -> None:
        task = self.sched.task()
        self.calls.append(Call(what, args, _locks(task), task.atomic == 0))

    async def release(self, mm: Mm) -> None:
        self._note("release")

    async def age_page(self, mm: Mm, address: int) -> bool:
        self._note("age", address)
        return self.young

    async def invalidate_page(self, mm: Mm, address: int) -> None:
        self._note("page", address)

    async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        self._note("begin", start, end, atomic)

    async def invalidate_range_end(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        self._note("end", start, end, atomic)

    def take(self) -> list[Call]:
        """The calls since the last time."""
        calls, self.calls = self.calls, []
        return calls


class RmapLog(MmuRmapNotifier):
    """Callbacks of the rmap notifier, put down in another client's list so that their order shows."""

    def __init__(self, log: ContextLog) -> None:
        self.log = log

    async def invalidate_page(self, page: Frame) -> None:
        self.log._note("rmap", page.pfn)


class Scene:
    """An address space with `pages` written pages at AREA, and a client that logs."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.machine = rig.machine
        self.mm = rig.machine.new_mm("a")
        self.log = ContextLog(rig.sched)

    def frame(self, number: float) -> Frame:
        """The frame behind a page of the area now."""
        entry = self.mm.page_table.lookup(at(number) // PAGE)
        assert entry is not None, f"page {number} is not mapped"
        return self.machine.frames[entry.pte >> VALUE_SHIFT]


def stage(
    body: Callable[[Scene], Awaitable[None]],
    *,
    pages: int = 4,
    frames: int = 64,
    historical: Historical | None = None,
    seed: int | None = None,
    quiet: bool = True,
    memory: bool = True,
    oom_killer: bool = False,
    swap: int | None = None,
) -> Scene:
    """Run `body` on a scene; `memory`: with the written pages. Audited afterwards."""
    rig = Rig(frames, historical=historical, seed=seed, oom_killer=oom_killer, swap=swap)
    scene = Scene(rig)

    async def play() -> None:
        if memory:
            await scene.mm.mmap(AREA, pages * PAGE, RW, fixed=True)
            for number in range(pages):
                await scene.mm.store(at(number), bytes([number + 1]) * 16)
        await register(scene.mm, scene.log)
        scene.log.take()
        await body(scene)

    rig.run(play())
    audit(rig.machine, quiet=quiet)
    return scene
