"""Keys and translation tables of one HCA node, written by hand: what the driver does with locks and notifiers, without them.

Promises: tells the oracle what it must know of them: kernel frames for tables, regions, a record for each page that `map` puts
into a table. `unmap` leaves the record, for the device may use the page until its fence; `revoke` takes it away.
Needs: frames enough, of which nothing is given back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hwif.gen import hca as h
from hwif.gen import port as p
from hwif.gen.gru import PAGE_SHIFT
from hwif.memory import FRAME_BYTES, HostMemory
from hwif.shadow import READ, WRITE, Shadow
from tb.hil.hca_lines import line_of, raw_of

__all__ = ["BareError", "Frames", "Tables"]

LINE_BYTES = h.ENTRY_BYTES
FIRST_FRAME = 1  # frame 0 stays empty: a forgotten address shows
WHOLE_END = 1 << h.HCA_VA_BITS
PD = 1
MM = 1


class BareError(Exception):
    """The device refused, hung, or touched what it must not."""


@dataclass
class _Region:
    """A key and its table."""

    index: int
    levels: int
    table_base: int
    mm: int
    root: int
    tables: dict[tuple[int, int], int] = field(default_factory=dict)
    """Frame of the table at (level, page number of its first entry)."""
    pages: dict[int, tuple[int, int, bool]] = field(default_factory=dict)
    """What is mapped, by address: first frame, shift, write."""


class Frames:
    """Hands out a node's frames, in order."""

    def __init__(self, number: int, memory: HostMemory, shadow: Shadow) -> None:
        self.number = number
        self.memory = memory
        self.shadow = shadow
        self._frame = FIRST_FRAME

    def alloc(self, frames: int) -> int:
        """First of `frames` consecutive frames of the kernel's."""
        first = self.alloc_user(frames)
        for frame in range(first, first + frames):
            self.shadow.grant_kernel(frame)
        return first

    def alloc_bytes(self, count: int) -> int:
        """Physical address of kernel memory."""
        return self.alloc(-(-count // FRAME_BYTES)) << PAGE_SHIFT

    def alloc_user(self, frames: int, *, aligned: int = 1) -> int:
        """First of consecutive frames nobody may touch until they are mapped."""
        first = -(-self._frame // aligned) * aligned
        if first + frames > self.memory.frames:
            raise BareError(f"node {self.number}: {frames} frames more than host memory's {self.memory.frames} has")
        self._frame = first + frames
        return first


class Tables(Frames):
    """The key table and the tables of its keys."""

    def __init__(self, number: int, memory: HostMemory, shadow: Shadow, keys: int) -> None:
        super().__init__(number, memory, shadow)
        self.regions: dict[int, _Region] = {}
        self.key_table = self.alloc_bytes(keys * LINE_BYTES) if keys else 0

    def key(
        self,
        index: int,
        start: int,
        length: int,
        *,
        variant: int = 1,
        pd: int = PD,
        mm: int = MM,
        levels: int = h.TABLE_LEVELS,
        table_base: int = 0,
        on_demand: bool = True,
        whole: bool = False,
        local_write: bool = True,
        remote_write: bool = True,
        remote_read: bool = True,
        remote_atomic: bool = True,
    ) -> int:
        """Write a key table entry with an empty table, and tell the oracle; the key."""
        key = index << 8 | variant
        region = _Region(index, levels, table_base, mm, self.alloc(1))
        self.regions[index] = region
        rights = {
            "local_write": (local_write, p.REGION_LOCAL_WRITE),
            "remote_write": (remote_write, p.REGION_REMOTE_WRITE),
            "remote_read": (remote_read, p.REGION_REMOTE_READ),
            "remote_atomic": (remote_atomic, p.REGION_REMOTE_ATOMIC),
        }
        flags = {name: int(granted) for name, (granted, _bit) in rights.items()}
        bounds = {"start": start, "length": length, "whole": int(whole), "on_demand": int(on_demand)}
        place = {"levels": levels, "root": region.root, "table_base": table_base}
        self.write_key(index, valid=1, key=key, pd=pd, **flags, **bounds, **place)
        first, end = (0, WHOLE_END) if whole else (start, start + length)
        granted = p.REGION_LOCAL_READ | sum(bit for wanted, bit in rights.values() if wanted)
        self.shadow.set_region(index, mm, pd, first, end, granted)
        return key

    def write_key(self, index: int, **fields: int) -> None:
        """Write a key table entry as it stands (hca.Mpt), without the oracle; all zeros: no region."""
        self.memory.write(self.key_table + LINE_BYTES * index, raw_of(line_of(h.Mpt, **fields)))

    def region(self, index: int, va: int, pages: int, *, write: bool = True, fill: int | None = None, **more: Any) -> int:
        """A key over whole pages, all of them mapped to new consecutive frames; `fill` is written to each byte."""
        key = self.key(index, va, pages * FRAME_BYTES, **more)
        first = self.alloc_user(pages)
        for page in range(pages):
            self.map(key, va + page * FRAME_BYTES, first + page, write=write)
            if fill is not None:
                self.memory.frame(first + page)[:] = fill
        return key

    def map(self, key: int, va: int, pfn: int, *, write: bool = True, shift: int = PAGE_SHIFT, grant: bool = True) -> None:
        """Write a leaf (4 KiB, 2 MiB or 1 GiB) into the key's table; the oracle hears of its frames (unless `grant` is off)."""
        region = self.regions[key >> 8]
        region.pages[va] = (pfn, shift, write)
        self.write_entry(key, va, pfn << PAGE_SHIFT | write << 1 | 1, shift=shift)
        if grant:
            for offset in range(1 << shift - PAGE_SHIFT):
                self.shadow.grant(pfn + offset, region.mm, (va >> PAGE_SHIFT) + offset, READ | (WRITE if write else 0))

    def unmap(self, key: int, va: int) -> int:
        """Take a leaf out of the table; the oracle still allows it until `revoke`. Its first frame."""
        pfn, shift, _write = self.regions[key >> 8].pages[va]
        self.write_entry(key, va, 0, shift=shift)
        return pfn

    def revoke(self, key: int, va: int) -> None:
        """From now on the page's frames are nobody's."""
        region = self.regions[key >> 8]
        pfn, shift, _write = region.pages.pop(va)
        for offset in range(1 << shift - PAGE_SHIFT):
            self.shadow.revoke(pfn + offset, region.mm, (va >> PAGE_SHIFT) + offset)

    def write_entry(self, key: int, va: int, entry: int, *, shift: int = PAGE_SHIFT) -> None:
        """Any value in the place of the table's entry for `va`, in the level of pages of 2**shift bytes."""
        region = self.regions[key >> 8]
        page = (va >> PAGE_SHIFT) - (region.table_base >> PAGE_SHIFT)
        table = region.root
        depth = (shift - PAGE_SHIFT) // h.TABLE_BITS  # levels left out at the bottom
        for level in range(region.levels - 1, depth, -1):
            above = page >> h.TABLE_BITS * level
            following = region.tables.get((level, above))
            if following is None:
                following = region.tables[level, above] = self.alloc(1)
            self._entry(table, above, following << PAGE_SHIFT | h.Mtt.table.place(1))
            table = following
        self._entry(table, page >> h.TABLE_BITS * depth, entry)

    def frame_at(self, key: int, va: int) -> int:
        """The frame the table has for `va` (as `map` was told)."""
        for start, (pfn, shift, _write) in self.regions[key >> 8].pages.items():
            if start <= va < start + (1 << shift):
                return pfn + ((va - start) >> PAGE_SHIFT)
        raise BareError(f"{va:#x} is not mapped by key {key:#x}")

    def peek(self, key: int, va: int, count: int) -> bytes:
        """Bytes as the table maps them."""
        found = b""
        while len(found) < count:
            at = va + len(found)
            chunk = min(count - len(found), FRAME_BYTES - at % FRAME_BYTES)
            found += self.memory.read((self.frame_at(key, at) << PAGE_SHIFT) + at % FRAME_BYTES, chunk)
        return found

    def poke(self, key: int, va: int, data: bytes) -> None:
        """Store bytes as the table maps them."""
        done = 0
        while done < len(data):
            at = va + done
            chunk = min(len(data) - done, FRAME_BYTES - at % FRAME_BYTES)
            self.memory.write((self.frame_at(key, at) << PAGE_SHIFT) + at % FRAME_BYTES, data[done : done + chunk])
            done += chunk

    def _entry(self, table: int, index: int, value: int) -> None:
        self.memory.write((table << PAGE_SHIFT) + 8 * (index % (1 << h.TABLE_BITS)), value.to_bytes(8, "little"))
