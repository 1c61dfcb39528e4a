"""Frames: what the VM knows of each, and a buddy allocator over them.

Promises: a frame is handed out once until it is freed; a block of 2**order frames is aligned to its size; the order of hand-outs
is a function of the calls alone (last freed, first used: the hardest case for whoever keeps a stale translation). Freeing a frame
that is mapped, pinned or on a list raises FrameError.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from sw_stack.sched import Mutex, Scheduler

if TYPE_CHECKING:
    from sw_stack.mm.files import File
    from sw_stack.mm.mm import Mm
    from sw_stack.mm.swap import Slot

__all__ = ["Frame", "FrameAllocator", "FrameError", "Lru", "Mappings", "PageFlag"]


class FrameError(Exception):
    """The VM's own accounting of a frame is broken."""


class PageFlag:
    """What the VM has noted of a page: bits of `Frame.flags`. Plain numbers: an IntFlag costs a microsecond a test."""

    DIRTY: Final = 1  # a file's page that differs from what is stored
    LOCKED: Final = 2  # mlocked somewhere: reclaim leaves it alone
    KSM: Final = 4  # merged: write-protected wherever it is mapped


class Lru(IntEnum):
    """The list a frame is on."""

    NONE = 0
    ACTIVE = 1
    INACTIVE = 2


Mappings = dict[tuple[int, int], "Mm"]
"""(address space, vpn) of entries that name a frame."""


_NOT_MOVING: Final[Mappings] = {}  # shared by all frames that do not move: never written to


class Frame:
    """A block of 2**order frames in use, named by its first. Small: there may be a million."""

    __slots__ = (
        "_lock", "_one", "_one_vpn", "_rmap", "_sched",
        "clean", "exported", "file", "flags", "index", "isolated", "kernel", "lru", "moving", "order", "pfn", "pins", "reserved",
        "slot",
    )  # fmt: skip

    def __init__(self, sched: Scheduler, pfn: int, order: int) -> None:
        self._sched = sched
        self._lock: Mutex | None = None
        # One mapping stands in the frame itself, more in a dictionary.
        self._one: Mm | None = None
        self._one_vpn = 0
        self._rmap: Mappings | None = None
        self.clean = False
        """Its bytes are zeros: nobody has used these frames yet. Only for the task that was just given it."""
        self.pfn = pfn
        self.order = order
        self.kernel = False
        self.reserved = False  # a block of an execute-in-place file, or its page of zeros: never moves, is on no list
        self.exported = False  # PG_external_rmap: a driver keeps reverse maps of its own and wants to be told
        self.lru = Lru.NONE
        self.isolated = False  # reclaim has it in hand
        self.pins = 1  # references that are no mapping: the allocating task, a fault at work, isolation by reclaim, a driver
        self.moving: Mappings = _NOT_MOVING  # migration entries
        self.slot: Slot | None = None  # swap cache: the slot that belongs to this content
        self.file: File | None = None  # page cache: whose page it is,
        self.index = 0  # and which
        self.flags = 0  # of PageFlag

    @property
    def mapcount(self) -> int:
        if self._rmap is not None:
            return len(self._rmap)
        return int(self._one is not None)

    @property
    def mapped(self) -> bool:
        return self._one is not None or bool(self._rmap)

    def mappings(self) -> list[tuple[Mm, int]]:
        """Address space and page of every entry that maps the block, oldest first."""
        if self._rmap is not None:
            return [(mm, vpn) for (_number, vpn), mm in self._rmap.items()]
        return [] if self._one is None else [(self._one, self._one_vpn)]

    def maps(self, mm: Mm, vpn: int) -> bool:
        """True if that entry maps the block."""
        if self._rmap is not None:
            return (mm.id, vpn) in self._rmap
        return self._one is mm and self._one_vpn == vpn

    def add_moving(self, mm: Mm, vpn: int) -> None:
        """A migration entry stands for it."""
        if self.moving is _NOT_MOVING:
            self.moving = {}
        self.moving[mm.id, vpn] = mm

    @property
    def lock(self) -> Mutex:
        """The page lock. Most pages never need one."""
        if self._lock is None:
            self._lock = _PageLock(self._sched, self.pfn)
        return self._lock

    def map(self, mm: Mm, vpn: int) -> None:
        """An entry now maps the block."""
        if self.maps(mm, vpn):
            raise FrameError(f"frame {self.pfn} is mapped twice at page {vpn:#x} of {mm.name}")
        if self._rmap is not None:
            self._rmap[mm.id, vpn] = mm
        elif self._one is None:
            self._one, self._one_vpn = mm, vpn
        else:
            self._rmap = {(self._one.id, self._one_vpn): self._one, (mm.id, vpn): mm}
            self._one = None

    def unmap(self, mm: Mm, vpn: int) -> None:
        """An entry no longer maps the block."""
        if not self.maps(mm, vpn):
            raise FrameError(f"frame {self.pfn} is not mapped at page {vpn:#x} of {mm.name}")
        if self._rmap is None:
            self._one = None
        else:
            del self._rmap[mm.id, vpn]
            if not self._rmap:
                self._rmap = None


class _PageLock(Mutex):
    """A page lock is made at a page's first fault: it must cost little, so its name waits until somebody reads it."""

    def __init__(self, sched: Scheduler, pfn: int) -> None:
        super().__init__(sched, "page_lock")
        self._pfn = pfn

    @property
    def name(self) -> str:
        return f"page_lock[{self._pfn}]"

    @name.setter
    def name(self, value: str) -> None:
        """The base class gives one; the class is all that is kept of it."""


class FrameAllocator:
    """Frames 0 .. count-1."""

    MAX_ORDER = 18  # 1 GiB

    def __init__(self, sched: Scheduler, count: int) -> None:
        self._sched = sched
        self.count = count
        self.free = count
        self._used: list[Frame | None] = [None] * count
        self._dirty = bytearray(count)  # frames that have been in use
        self._isolated: list[tuple[int, int]] = []  # stretches out of service
        self._held: dict[tuple[int, int], list[int]] = {}  # their free frames
        # Dictionaries as ordered sets: popitem takes the block freed last.
        self._lists: list[dict[int, None]] = [{} for _ in range(self.MAX_ORDER + 1)]
        blocks = []
        pfn = 0
        while pfn < count:
            order = min(self.MAX_ORDER, (count - pfn).bit_length() - 1, (pfn & -pfn).bit_length() - 1 if pfn else self.MAX_ORDER)
            blocks.append((pfn, order))
            pfn += 1 << order
        for pfn, order in reversed(blocks):
            self._lists[order][pfn] = None

    def __getitem__(self, pfn: int) -> Frame:
        """The block in use that contains frame `pfn`."""
        frame = self._used[pfn]
        if frame is None:
            raise FrameError(f"frame {pfn} is not in use")
        return frame

    def in_use(self) -> list[Frame]:
        """Every block in use, in order."""
        return [f for n, f in enumerate(self._used) if f is not None and f.pfn == n]

    def in_use_as(self, frame: Frame) -> bool:
        """True while the block is in use and `frame` describes it."""
        return self._used[frame.pfn] is frame

    def used_in(self, first: int, last: int) -> list[Frame]:
        """Every block in use that has frames in first..last-1."""
        found: dict[int, Frame] = {}
        for frame in self._used[first:last]:
            if frame is not None:
                found[frame.pfn] = frame
        return list(found.values())

    def isolate(self, first: int, last: int) -> bool:
        """Hand out none of frames first..last-1 any more, free now or freed later. False, and nothing done, if one is isolated."""
        if any(low < last and first < high for low, high in self._isolated):
            return False
        self._isolated.append((first, last))
        for order, blocks in enumerate(self._lists):
            for pfn in [pfn for pfn in blocks if pfn < last and pfn + (1 << order) > first]:
                del blocks[pfn]
                self.free -= 1 << order
                self._put(pfn, order)
        return True

    def unisolate(self, first: int, last: int) -> None:
        """Put frames back into service. ValueError unless exactly these were isolated."""
        self._isolated.remove((first, last))
        for pfn in self._held.pop((first, last), ()):
            self._put(pfn, 0)

    def _put(self, pfn: int, order: int) -> None:
        """Free a block, to the lists or, what is isolated of it, frame by frame to where it is held."""
        for low, high in self._isolated:
            if pfn < high and pfn + (1 << order) > low:
                if order:
                    half = 1 << order - 1
                    self._put(pfn, order - 1)
                    self._put(pfn + half, order - 1)
                else:
                    self._held.setdefault((low, high), []).append(pfn)
                return
        self.free += 1 << order
        while order < self.MAX_ORDER and pfn ^ (1 << order) in self._lists[order]:
            del self._lists[order][pfn ^ (1 << order)]
            pfn &= ~(1 << order)
            order += 1
        self._lists[order][pfn] = None

    def alloc(self, order: int = 0) -> Frame | None:
        """A block with one pin, contents undefined; None if there is none."""
        for available in range(order, self.MAX_ORDER + 1):
            if self._lists[available]:
                break
        else:
            return None
        pfn, _ = self._lists[available].popitem()
        while available > order:
            available -= 1
            self._lists[available][pfn + (1 << available)] = None
        frame = Frame(self._sched, pfn, order)
        if order:
            frame.clean = self._dirty.find(1, pfn, pfn + (1 << order)) < 0
            self._used[pfn : pfn + (1 << order)] = [frame] * (1 << order)
        else:
            frame.clean = not self._dirty[pfn]
            self._used[pfn] = frame
        self.free -= 1 << order
        return frame

    def split(self, frame: Frame) -> list[Frame]:
        """Turn a block that nothing maps into single frames, each with one pin."""
        singles = [Frame(self._sched, frame.pfn + i, 0) for i in range(1 << frame.order)]
        self._used[frame.pfn : frame.pfn + len(singles)] = singles
        return singles

    def release(self, frame: Frame) -> None:
        """Take a block back."""
        if frame.mapped or frame.moving or frame.pins or frame.slot is not None or frame.file or frame.lru is not Lru.NONE:
            raise FrameError(
                f"frame {frame.pfn} is freed with {frame.mapcount} mappings, {len(frame.moving)} migration entries, "
                f"{frame.pins} pins, list {frame.lru.name}, swap cache {frame.slot is not None}, "
                f"page cache {frame.file is not None}"
            )
        if self._used[frame.pfn] is not frame:
            raise FrameError(f"frame {frame.pfn} is freed twice")
        pfn, order = frame.pfn, frame.order
        if order:
            self._used[pfn : pfn + (1 << order)] = [None] * (1 << order)
            self._dirty[pfn : pfn + (1 << order)] = b"\1" * (1 << order)
        else:
            self._used[pfn] = None
            self._dirty[pfn] = 1
        self._put(pfn, order)
