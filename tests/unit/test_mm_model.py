"""Random lives of two related address spaces under memory pressure, against the plain model, audited after every step."""

from __future__ import annotations

import errno
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm_model import LARGE, LARGE_PAGES, Model, RefusedError
from mm_rig import PAGE, Log, Rig, register

from sw_stack.mm import Mm, MmError
from sw_stack.mm.check import audit

ARENA = 0x10_0000_0  # first page of the arena
PAGES = 24

place = st.integers(0, PAGES - 1)
length = st.integers(1, 7)
prot = st.sampled_from([0, 1, 3, 3, 3])
step = st.one_of(
    st.tuples(st.just("mmap"), place, length, prot),
    st.tuples(st.just("large"), place, st.integers(1, 2), prot),
    st.tuples(st.just("munmap"), place, length),
    st.tuples(st.just("mprotect"), place, length, prot),
    st.tuples(st.just("madvise"), place, length),
    st.tuples(st.just("mremap"), place, length, length, place),
    st.tuples(st.just("fork")),
    st.tuples(st.just("reclaim"), st.integers(1, 12)),
    st.tuples(st.just("migrate"), place),
    st.tuples(st.just("load"), place),
    st.tuples(st.just("store"), place, st.integers(0, PAGE - 8)),
    st.tuples(st.just("fill"), place, length),
    st.tuples(st.just("fill"), place, length),
)
steps = st.lists(st.tuples(st.integers(0, 1), step), max_size=40)


class Life:
    """One address space and its model."""

    def __init__(self, rig: Rig, mm: Mm, model: Model) -> None:
        self.rig, self.mm, self.model = rig, mm, model

    async def both(self, real: Awaitable[Any], model: Callable[[], Any]) -> Any:
        """Do it in both; they must agree on success and errno."""
        expected: Any = None
        code = 0
        try:
            expected = model()
        except RefusedError as refused:
            code = refused.errno
        try:
            found = await real
        except MmError as error:
            assert error.errno == code, f"{error}, expected {errno.errorcode.get(code, 'success')}"
            return None
        assert code == 0, f"expected {errno.errorcode[code]}"
        assert expected is None or found == expected
        return found

    async def access(self, real: Awaitable[Any], vpn: int, model: Callable[[], Any]) -> None:
        """As `both`, but large pages, which cannot be swapped, may have used up the memory."""
        try:
            found = await real
        except MmError as error:
            if error.errno == errno.ENOMEM and any(f.order for f in self.rig.machine.frames.in_use()):
                return
            if error.errno == errno.ENOMEM and self.model.areas[vpn][1] == LARGE:
                return
            with pytest.raises(RefusedError) as refused:
                model()
            assert refused.value.errno == error.errno
            return
        expected = model()
        assert expected is None or found == expected

    async def act(self, name: str, *args: int) -> None:
        mm, model = self.mm, self.model
        first = ARENA + args[0] if args else 0
        start = first * PAGE
        if name == "mmap":
            await self.both(mm.mmap(start, args[1] * PAGE, args[2], fixed=True), lambda: model.mmap(first, args[1], args[2]))
        elif name == "large":
            first &= -LARGE_PAGES
            pages = args[1] * LARGE_PAGES
            await self.both(
                mm.mmap(first * PAGE, pages * PAGE, args[2], fixed=True, huge=LARGE),
                lambda: model.mmap(first, pages, args[2], LARGE),
            )
        elif name == "munmap":
            await self.both(mm.munmap(start, args[1] * PAGE), lambda: model.munmap(first, args[1]))
        elif name == "mprotect":
            await self.both(mm.mprotect(start, args[1] * PAGE, args[2]), lambda: model.mprotect(first, args[1], args[2]))
        elif name == "madvise":
            await self.both(mm.madvise_dontneed(start, args[1] * PAGE), lambda: model.madvise(first, args[1]))
        elif name == "mremap":
            new = ARENA + args[3]
            await self.both(
                mm.mremap(start, args[1] * PAGE, args[2] * PAGE, new=new * PAGE),
                lambda: model.mremap(first, args[1], args[2], new),
            )
        elif name == "load":
            await self.access(mm.load(start, PAGE), first, lambda: model.load(first))
        elif name == "store":
            data = (first * 977 + args[1]).to_bytes(8, "little")
            await self.access(mm.store(start + args[1], data), first, lambda: model.store(first, args[1], data))
        elif name == "fill":
            for vpn in range(first, first + args[1]):
                data = vpn.to_bytes(8, "little") * (PAGE // 8)
                await self.access(mm.store(vpn * PAGE, data), vpn, lambda v=vpn, d=data: model.store(v, 0, d))
        elif name == "migrate" and model.areas.get(first, (0, 12))[1] == 12:
            await self.rig.machine.migrate_page(mm, start)

    async def compare(self) -> None:
        for vpn, (protection, _shift) in sorted(self.model.areas.items()):
            if protection & 1:
                await self.access(self.mm.load(vpn * PAGE, PAGE), vpn, lambda v=vpn: self.model.load(v))


async def play(rig: Rig, script: list[tuple[int, tuple[Any, ...]]], *, quiet: bool) -> None:
    lives: list[Life] = []
    for name in ("a", "b"):
        life = Life(rig, rig.machine.new_mm(name), Model())
        await register(life.mm, Log(rig.sched))
        lives.append(life)
    for which, (name, *args) in script:
        life = lives[which]
        if name == "fork":
            await lives[1 - which].mm.exit()
            child = Life(rig, await life.mm.fork("child"), life.model.fork())
            await register(child.mm, Log(rig.sched))
            lives[1 - which] = child
        elif name == "reclaim":
            await rig.machine.reclaim(args[0])
        else:
            await life.act(name, *args)
        audit(rig.machine, quiet=quiet)
    for life in lives:
        await life.compare()
        audit(rig.machine, quiet=quiet)
    for life in lives:
        await life.mm.exit()


def check_empty(rig: Rig) -> None:
    audit(rig.machine, quiet=True)
    assert rig.machine.frames.free == rig.machine.frames.count and rig.machine.swap.used == 0
    assert not rig.shadow.words.any()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=steps, seed=st.integers(0, 1000), frames=st.sampled_from([12, 20, 64]))
def test_alone(script: list[tuple[int, tuple[Any, ...]]], seed: int, frames: int) -> None:
    rig = Rig(frames, seed=seed, swap=400)
    rig.run(play(rig, script, quiet=True))
    check_empty(rig)


async def disturb(rig: Rig, seed: int, done: list[bool]) -> None:
    """Migration and reclaim at any moment."""
    rng = random.Random(seed)
    while not done:
        await rig.sched.sleep(rng.randrange(1, 20000))
        alive = [mm for mm in rig.machine.mms.values() if mm.alive]
        if rng.random() < 0.5 or not alive:
            await rig.machine.reclaim(rng.randrange(1, 6))
        else:
            try:
                await rig.machine.migrate_page(rng.choice(alive), (ARENA + rng.randrange(PAGES)) * PAGE)
            except MmError as error:
                assert error.errno in (errno.EINVAL, errno.ENOMEM)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=steps, seed=st.integers(0, 1000), frames=st.sampled_from([16, 20, 64]))
def test_while_pages_migrate_and_are_reclaimed(script: list[tuple[int, tuple[Any, ...]]], seed: int, frames: int) -> None:
    rig = Rig(frames, seed=seed, swap=400)
    run_disturbed(rig, script, seed)
    check_empty(rig)


def run_disturbed(rig: Rig, script: list[tuple[int, tuple[Any, ...]]], seed: int) -> None:
    done: list[bool] = []

    async def life() -> None:
        try:
            await play(rig, script, quiet=False)
        finally:
            done.append(True)

    rig.machine.start_kswapd(3)
    rig.run(life(), disturb(rig, seed, done), disturb(rig, seed + 1, done))
    while rig.sched.step():  # kswapd may be at work still
        pass
    for _ in range(10_000):
        deadline = rig.sched.next_deadline()
        if deadline is None:
            break
        rig.sched.advance_to(deadline)
        while rig.sched.step():
            pass


def draw_script(rng: random.Random, count: int) -> list[tuple[int, tuple[Any, ...]]]:
    """A long script: hypothesis prefers short ones, and pressure takes time to build up."""
    weights = {"fill": 6, "store": 5, "load": 5, "mmap": 3, "munmap": 2, "mprotect": 2, "madvise": 1, "mremap": 3, "fork": 1,
               "reclaim": 3, "migrate": 3, "large": 1}  # fmt: skip
    script: list[tuple[int, tuple[Any, ...]]] = []
    for name in rng.choices(list(weights), list(weights.values()), k=count):
        first, pages = rng.randrange(PAGES), rng.randrange(1, 8)
        extra = {
            "mmap": (first, pages, rng.choice([0, 1, 3, 3, 3])), "large": (first, rng.randrange(1, 3), 3),
            "mprotect": (first, pages, rng.choice([0, 1, 3])),
            "mremap": (first, pages, rng.randrange(1, 8), rng.randrange(PAGES)), "fork": (), "reclaim": (rng.randrange(1, 12),),
            "migrate": (first,), "load": (first,), "store": (first, rng.randrange(PAGE - 8)),
        }  # fmt: skip
        script.append((rng.randrange(2), (name, *extra.get(name, (first, pages)))))
    return [(0, ("mmap", 0, PAGES, 3)), (1, ("mmap", 0, PAGES, 3)), *script]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("disturbed", [False, True])
def test_long_lives(seed: int, disturbed: bool) -> None:
    rng = random.Random(seed)
    rig = Rig(rng.choice([16, 24, 40]), seed=seed, swap=400)
    script = draw_script(rng, 150)
    if not disturbed:
        rig.run(play(rig, script, quiet=True))
    else:
        run_disturbed(rig, script, seed)
    check_empty(rig)
    statistics = rig.machine.statistics()
    assert statistics["swapped_in"] and statistics["fault_cow"] + statistics["fault_reuse"]
