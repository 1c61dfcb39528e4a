"""The software stack alone, no device: VM operations a second, what a notifier call costs, what a large machine weighs.

An operation is a system call on an address space or a fault; a program's accesses that find their entry are not counted. The mix
is the shipped program's: of a hundred operations about 72 are faults (half of them the first store after a page was made writable
again, 3 copies), 11 mprotect, 10 brk, and the rest mmap, munmap, mremap, madvise; one in a thousand is a fork. Times are
processor time of one core, the best of a few rounds: a shared machine can only add to it. Memory is the peak resident size of a
process of its own.

Promises: nothing is left out of what a run does; trace, oracle and lock checking are on. Costs: a quarter of a minute.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from hwif.memory import HostMemory
from hwif.shadow import Shadow
from hwif.trace import Trace
from sw_stack.mm import PROT_READ, PROT_WRITE, Machine, Mm
from sw_stack.notifier import MmuNotifier
from sw_stack.sched import Scheduler, SeededChooser, run_alone

__all__ = ["large", "measure"]

PAGE: Final = 4096
RW: Final = PROT_READ | PROT_WRITE
ROUNDS: Final = 5
LIVES: Final = 40
PAGES: Final = 32
FORK_EVERY: Final = 10
CALLS: Final = 20_000
CLIENTS: Final = (0, 1, 4)
LARGE_FRAMES: Final = 1_000_000
LARGE_SPACES: Final = 100
OPERATIONS: Final = (
    "mmap", "munmap", "mprotect", "mremap", "brk", "madvise", "fork", "exit",
    "fault_anon", "fault_swapin", "fault_cow", "fault_reuse", "fault_file",
)  # fmt: skip


def machine(frames: int, spaces: int = 16) -> Machine:
    """A machine with nothing below it."""
    return Machine(Scheduler(SeededChooser(1)), HostMemory(frames), Shadow(frames, spaces * frames // 8), Trace())


def play(on: Machine, body: Coroutine[Any, Any, Any]) -> Any:
    """Run one task to its end."""
    task = on.sched.spawn(body, "bench", 0)
    run_alone(on.sched)
    return task.result


def measure() -> dict[str, Any]:
    """All of it."""
    return {
        "vm_ops_per_s": max(_life_rate() for _ in range(ROUNDS)),
        "per_s": {name: max(_rate(body) for _ in range(ROUNDS)) for name, body in KINDS.items()},
        **_dispatch(),
        **large(),
    }


# ---- operations --------------------------------------------------------------------------------------------------------


async def _life(mm: Mm, *, forks: bool = False) -> None:
    """What a program does with its memory, in the proportions of the shipped one; now and then it forks."""
    base = await mm.mmap(None, PAGES * PAGE, RW)
    for page in range(PAGES):
        await mm.touch(base + page * PAGE, write=True)
    await mm.mprotect(base, PAGES * PAGE, PROT_READ)
    await mm.mprotect(base, PAGES * PAGE, RW)
    for page in range(PAGES):
        await mm.touch(base + page * PAGE, write=True)
    for page in range(8):
        await mm.mprotect(base + page * PAGE, PAGE, PROT_READ if page % 2 else RW)
    heap = await mm.brk(0)
    for step in range(10):
        await mm.brk(heap + step * PAGE)
    await mm.brk(heap)
    if forks:
        child = await mm.fork("child")
        for page in range(8, PAGES):
            await mm.touch(base + page * PAGE, write=True)  # copies, the child shares every page
        await child.exit()
    for page in (12, 14):
        await mm.madvise_dontneed(base + page * PAGE, PAGE)
    moved = await mm.mremap(base + 20 * PAGE, 4 * PAGE, 8 * PAGE)
    await mm.munmap(moved, 8 * PAGE)
    await mm.munmap(base, PAGES * PAGE)


def _life_rate() -> float:
    on = machine(4096)
    mm = on.new_mm("program")

    async def body() -> float:
        await _life(mm)  # warm
        before, began = _operations(on), time.process_time()
        for number in range(LIVES):
            await _life(mm, forks=number % FORK_EVERY == 0)
        return (_operations(on) - before) / (time.process_time() - began)

    return float(play(on, body()))


def _operations(on: Machine) -> int:
    return sum(on.statistic(name) for name in OPERATIONS)


Timed = Callable[[Mm, int], Awaitable[float]]
COUNT: Final = 2000


async def _faults(mm: Mm, base: int) -> float:
    await mm.mmap(base, COUNT * PAGE, RW, fixed=True)
    began = time.process_time()
    for page in range(COUNT):
        await mm.touch(base + page * PAGE, write=True)
    return time.process_time() - began


async def _reuses(mm: Mm, base: int) -> float:
    await _faults(mm, base)
    await mm.mprotect(base, COUNT * PAGE, PROT_READ)
    await mm.mprotect(base, COUNT * PAGE, RW)
    began = time.process_time()
    for page in range(COUNT):
        await mm.touch(base + page * PAGE, write=True)
    return time.process_time() - began


async def _mmaps(mm: Mm, base: int) -> float:
    began = time.process_time()
    for page in range(COUNT):
        await mm.mmap(base + 2 * page * PAGE, PAGE, RW, fixed=True)
    return time.process_time() - began


async def _munmaps(mm: Mm, base: int) -> float:
    await _faults(mm, base)
    began = time.process_time()
    for page in range(COUNT):
        await mm.munmap(base + page * PAGE, PAGE)
    return time.process_time() - began


async def _mprotects(mm: Mm, base: int) -> float:
    await _faults(mm, base)
    began = time.process_time()
    for turn in range(COUNT):
        await mm.mprotect(base + turn % 64 * PAGE, PAGE, RW if turn // 64 % 2 else PROT_READ)
    return time.process_time() - began


KINDS: Final[dict[str, Timed]] = {
    "fault": _faults, "reuse_fault": _reuses, "mmap": _mmaps, "munmap": _munmaps, "mprotect": _mprotects,
}  # fmt: skip


def _rate(body: Timed) -> float:
    on = machine(4096)
    mm = on.new_mm("program")

    async def run() -> float:
        return COUNT / await body(mm, 1 << 40)

    return float(play(on, run()))


# ---- notifier calls ----------------------------------------------------------------------------------------------------


class _Quiet(MmuNotifier):
    """A client that does nothing."""

    async def invalidate_page(self, mm: Mm, address: int) -> None:
        pass

    async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        pass

    async def invalidate_range_end(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        pass


def _dispatch() -> dict[str, Any]:
    """Microseconds of an invalidate_page, and of a begin and its end, with so many clients; no page is mapped there."""
    page = {str(count): min(_call_us(count, ranges=False) for _ in range(ROUNDS)) for count in CLIENTS}
    pair = {str(count): min(_call_us(count, ranges=True) for _ in range(ROUNDS)) for count in CLIENTS}
    last = CLIENTS[-1]
    return {
        "dispatch_us": page,
        "dispatch_range_us": {count: value / 2 for count, value in pair.items()},
        "further_client_us": (page[str(last)] - page["1"]) / (last - 1),
    }


def _call_us(clients: int, *, ranges: bool) -> float:
    on = machine(64)
    mm = on.new_mm("program")

    async def body() -> float:
        async with mm.mmap_lock.writing():
            for _ in range(clients):
                mm.notifiers.register(_Quiet())
        chain, address = mm.notifiers, 1 << 40
        began = time.process_time()
        if ranges:
            for _ in range(CALLS):
                await chain.range_end(await chain.range_begin(address, address + PAGE, atomic=False))
        else:
            for _ in range(CALLS):
                await chain.invalidate_page(address)
        return (time.process_time() - began) / CALLS * 1e6

    return float(play(on, body()))


# ---- a large machine ---------------------------------------------------------------------------------------------------


def large(frames: int = LARGE_FRAMES, spaces: int = LARGE_SPACES) -> dict[str, Any]:
    """A process of its own fills a machine of so many frames with the pages of so many address spaces, and says how large it is."""
    done = subprocess.run([sys.executable, "-m", "bench.vm", str(frames), str(spaces)], check=True, capture_output=True, text=True)
    mib, used, live = done.stdout.split()
    return {"resident_mib": float(mib), "large": {"frames": int(used), "address_spaces": int(live)}}


def _fill(frames: int, spaces: int) -> None:
    """The process: every frame in use and mapped, each with its record in the oracle."""
    on = machine(frames, spaces=1)
    share = frames // spaces

    async def body() -> None:
        for number in range(spaces):
            mm = on.new_mm(f"program {number}")
            base = await mm.mmap(None, share * PAGE, RW)
            for page in range(share):
                await mm.touch(base + page * PAGE, write=True)

    play(on, body())
    used = on.frames.count - on.frames.free
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, used, len(on.mms))


if __name__ == "__main__":
    _fill(int(sys.argv[1]), int(sys.argv[2]))
