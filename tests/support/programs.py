"""Small programs for end-to-end tests: written as traces, dense in memory calls, the same at every call."""

from __future__ import annotations

import random
from pathlib import Path

from sw_stack.workloads.trace import Exit, Fork, Madvise, Mmap, Mprotect, Mremap, Munmap, TraceInfo, TraceWriter

__all__ = ["write_program"]

PAGE = 4096
READ, WRITE = 1, 2
DONTNEED = 4
AREA = 0x7F00_0000_0000
MOVED = 0x7E00_0000_0000
STRIDE = 0x10_0000


def write_program(path: Path, steps: int = 600, seed: int = 1, runs: int = 60) -> Path:
    """A trace of `steps` memory calls with `runs` page runs after each, over a few areas that come and go."""
    rng = random.Random(seed)
    areas: list[tuple[int, int]] = []
    with TraceWriter(path, TraceInfo("synthetic")) as trace:
        for step in range(steps):
            _call(trace, rng, areas, step)
            for _ in range(runs):
                start, pages = rng.choice(areas[-6:])
                trace.run(start // PAGE + rng.randrange(pages), rng.random() < 0.5, rng.randrange(PAGE), 3)
        trace.event(Exit())
        trace.close()
    return path


def _call(trace: TraceWriter, rng: random.Random, areas: list[tuple[int, int]], step: int) -> None:
    draw = rng.random()
    if draw < 0.2 or len(areas) < 2:
        areas.append((AREA + step * STRIDE, rng.choice((4, 16, 40))))
        trace.event(Mmap(areas[-1][0], areas[-1][1] * PAGE, READ | WRITE, 0x22))
        return
    index = rng.randrange(len(areas))
    start, pages = areas[index]
    if draw < 0.3:
        del areas[index]
        trace.event(Munmap(start, pages * PAGE))
    elif draw < 0.36:
        trace.event(Mprotect(start, pages * PAGE, READ))
        for page in range(pages):
            trace.run(start // PAGE + page, False, 0, 1)
        trace.event(Mprotect(start, pages * PAGE, READ | WRITE))
    elif draw < 0.42:
        trace.event(Madvise(start, pages * PAGE, DONTNEED))
    elif draw < 0.44:
        trace.event(Fork())
    elif draw < 0.5:
        areas[index] = (MOVED + step * STRIDE, pages)
        trace.event(Mremap(start, pages * PAGE, areas[index][0], pages * PAGE))
