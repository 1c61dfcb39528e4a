"""A file mapped where the scenes of mm_context have their memory."""

from __future__ import annotations

from mm_context import AREA, RW, Scene, at
from mm_rig import PAGE


async def file_area(s: Scene, pages: int = 4, *, shared: bool = True, write: bool = True, xip: bool = False):  # type: ignore[no-untyped-def]
    """A file mapped at page 0 of the area, its pages touched."""
    file = s.machine.new_file("file", pages, xip=xip)
    await s.mm.mmap(AREA, pages * PAGE, RW, fixed=True, file=file, shared=shared)
    for number in range(pages):
        if write:
            await s.mm.store(at(number), bytes([number + 1]) * 16)
        else:
            await s.mm.load(at(number), 1)
    s.log.take()
    return file
