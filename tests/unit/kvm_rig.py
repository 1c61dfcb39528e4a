"""A virtual machine on an address space, and what the VM may do to its first page: what the tests of the hypervisor share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mm_rig import PAGE, NoChoice, Rig

from sw_stack.drivers.kvm import Kvm, KvmPolicy, Style
from sw_stack.mm import Mm, MmError, filemap
from sw_stack.mm.check import audit
from sw_stack.mm.historical import Historical

AREA = 0x10_0000_0000
PAGES = 8
RW = 3
STYLES: tuple[Style, ...] = ("2008", "modern")
POLICIES = [KvmPolicy(style, accessed_bit) for style in STYLES for accessed_bit in (True, False)]
IDS = [f"{policy.style}-{'A' if policy.accessed_bit else 'noA'}" for policy in POLICIES]

every_policy = pytest.mark.parametrize("policy", POLICIES, ids=IDS)
every_style = pytest.mark.parametrize("style", STYLES)


class Slow(NoChoice):
    """Delays the tasks named in `tasks` at every preemption point, by the longest step."""

    def __init__(self) -> None:
        self.rig: Rig | None = None
        self.tasks: set[str] = set()

    def choose(self, kind: str, n: int) -> int:
        current = self.rig.sched.current if self.rig is not None else None
        return n - 1 if kind == "preempt" and current is not None and current.name in self.tasks else 0


class Scene:
    """A virtual machine whose guest frames 0..PAGES-1 are the pages at AREA, each with its number in it, and one vcpu."""

    def __init__(self, rig: Rig, mm: Mm, kvm: Kvm, slow: Slow) -> None:
        self.rig, self.mm, self.kvm, self.slow = rig, mm, kvm, slow
        self.machine, self.sched = rig.machine, rig.sched
        self.vcpu = kvm.create_vcpu()

    async def warm(self, pages: int = PAGES) -> None:
        """Let the guest use its first pages, writing: sptes and TLB entries are writable."""
        for page in range(pages):
            await self.vcpu.write(page * PAGE + 8, b"guest")

    def spawn(self, body: Any, name: str) -> Any:
        return self.sched.spawn(body, name, 3)

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(100_000):
            if condition():
                return
            await self.sched.charge(1)
        raise AssertionError("it never came to that")


def stage(
    body: Callable[[Scene], Awaitable[None]],
    policy: KvmPolicy | None = None,
    *,
    frames: int = 40,
    historical: Historical | None = None,
    **area: Any,
) -> Scene:
    slow = Slow()
    rig = slow.rig = Rig(frames, chooser=slow, historical=historical)
    scenes: list[Scene] = []

    async def play() -> None:
        mm = rig.machine.new_mm("vm")
        await mm.mmap(AREA, PAGES * PAGE, RW, fixed=True, **area)
        for page in range(PAGES):
            await mm.store(at(page), bytes([page + 1]) * 8)
        kvm = await Kvm.create(mm, policy)
        await kvm.add_slot(0, 0, PAGES * PAGE, AREA)
        scenes.append(Scene(rig, mm, kvm, slow))
        await body(scenes[0])
        if mm.alive:
            await mm.exit()
        for page in sorted(area["file"].pages) if area.get("file") else ():
            await filemap.punch(area["file"], page, page + 1)

    rig.run(play())
    scene = scenes[0]
    audit(rig.machine, quiet=True)
    assert rig.machine.frames.free == rig.machine.frames.count and rig.machine.swap.used == 0
    assert not rig.shadow.words.any()
    assert scene.kvm.stats.references == 0 and len(scene.kvm.sptes) == 0
    assert scene.kvm.stats.sptes_made == scene.kvm.stats.sptes_dropped
    assert scene.kvm.mn_active_invalidate_count == 0
    return scene


def at(page: int) -> int:
    return AREA + page * PAGE


def number(page: int) -> bytes:
    return bytes([page + 1]) * 8


async def refused(code: int, call: Awaitable[object], match: str | None = None) -> None:
    with pytest.raises(MmError, match=match) as caught:
        await call
    assert caught.value.errno == code


# ---- what the VM does to the first page ----------------------------------------------------------------------------------


async def unmaps(s: Scene) -> None:
    await s.mm.munmap(at(0), PAGE)


async def protects(s: Scene) -> None:
    await s.mm.mprotect(at(0), PAGE, 0)


async def drops(s: Scene) -> None:
    await s.mm.madvise_dontneed(at(0), PAGE)


async def moves(s: Scene) -> None:
    await s.mm.mremap(at(0), PAGE, PAGE, new=at(64))


async def forks(s: Scene) -> None:
    child = await s.mm.fork("child")
    await s.mm.store(at(0), b"copied")
    await child.exit()


async def reclaims(s: Scene) -> None:
    await s.machine.reclaim(PAGES)


async def replaces(s: Scene) -> None:
    await s.mm.munmap(at(0), PAGE)
    await s.mm.mmap(at(0), PAGE, RW, fixed=True)


async def migrates(s: Scene) -> None:
    await s.machine.migrate_page(s.mm, at(0))


async def takes_for_a_device(s: Scene) -> None:
    async with s.mm.mmap_lock.reading():
        await s.mm.make_device_exclusive(at(0))


async def merges(s: Scene) -> None:
    for page in (0, 1):
        await s.mm.store(at(page), bytes(16))
    await s.mm.madvise_mergeable(AREA, PAGES * PAGE)
    await s.machine.ksm_scan()
    assert s.machine.statistic("ksm_merged") == 1


ANON = [unmaps, protects, drops, moves, forks, reclaims, migrates, takes_for_a_device]


async def truncates(s: Scene) -> None:
    await filemap.truncate(s.file, 0)  # type: ignore[attr-defined]


async def punches(s: Scene) -> None:
    await filemap.punch(s.file, 0, 1)  # type: ignore[attr-defined]


async def writes_back(s: Scene) -> None:
    await filemap.writeback(s.file)  # type: ignore[attr-defined]


async def reorders(s: Scene) -> None:
    await s.mm.remap_file_pages(at(0), PAGE, 5)


FILE = [truncates, punches, writes_back, reorders, *ANON[:4], reclaims, migrates]
