"""Page tables: an integer per entry, in leaves of 512, and one dictionary per large page size.

An entry is 0 or a value << VALUE_SHIFT with flags. Present: the value is the frame, READ and WRITE are what the hardware allows.
SWAP: the value is the slot. MIGRATION: the value is the frame being moved, WAS_WRITE whether the entry may write again.
EXCLUSIVE: the value is the frame a device has to itself, still mapped here for the reverse map. FILE: the value is a page of the
area's file (remap_file_pages). READ and WRITE imply PRESENT, so one test decides an access. A large page has one entry, at its
first page number; sizes never overlap.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sw_stack.mm.types import PAGE_SHIFT

__all__ = [
    "ACCESSED",
    "DIRTY",
    "EXCLUSIVE",
    "FILE",
    "FLAGS",
    "LEAF_ENTRIES",
    "MIGRATION",
    "PRESENT",
    "READ",
    "SWAP",
    "VALUE_SHIFT",
    "WAS_WRITE",
    "WRITE",
    "Entry",
    "PageTable",
    "make",
]

PRESENT: Final = 1
READ: Final = 2
WRITE: Final = 4
ACCESSED: Final = 8
DIRTY: Final = 16
SWAP: Final = 32
MIGRATION: Final = 64
WAS_WRITE: Final = 128
EXCLUSIVE: Final = 256
FILE: Final = 512
VALUE_SHIFT: Final = 10
FLAGS: Final = (1 << VALUE_SHIFT) - 1

LEAF_SHIFT: Final = 9
LEAF_ENTRIES: Final = 1 << LEAF_SHIFT
_LEAF_MASK: Final = LEAF_ENTRIES - 1


def make(value: int, flags: int) -> int:
    """An entry."""
    return (value << VALUE_SHIFT) | flags


class Entry(NamedTuple):
    """A non-empty entry and its place. `vpn` is the first page of a large page."""

    vpn: int
    shift: int
    pte: int


class PageTable:
    """The entries of one address space. Knows nothing of frames, locks or notifiers."""

    def __init__(self) -> None:
        self._leaves: dict[int, list[int]] = {}
        self._large: dict[int, dict[int, int]] = {}

    def get(self, vpn: int, shift: int = PAGE_SHIFT) -> int:
        """The entry of the page of 2**shift bytes that starts at `vpn`; 0 if empty."""
        if shift == PAGE_SHIFT:
            leaf = self._leaves.get(vpn >> LEAF_SHIFT)
            return leaf[vpn & _LEAF_MASK] if leaf is not None else 0
        return self._large.get(shift, {}).get(vpn, 0)

    def leaf(self, vpn: int) -> list[int] | None:
        """The table whose entries map the 4 KiB pages around `vpn`, for a walk that stops between its levels."""
        return self._leaves.get(vpn >> LEAF_SHIFT)

    def set(self, vpn: int, pte: int, shift: int = PAGE_SHIFT) -> None:
        """Write an entry; 0 empties it."""
        if shift == PAGE_SHIFT:
            leaf = self._leaves.get(vpn >> LEAF_SHIFT)
            if leaf is None:
                if not pte:
                    return
                leaf = self._leaves[vpn >> LEAF_SHIFT] = [0] * LEAF_ENTRIES
            leaf[vpn & _LEAF_MASK] = pte
        elif pte:
            self._large.setdefault(shift, {})[vpn] = pte
        else:
            table = self._large.get(shift)
            if table is not None:
                table.pop(vpn, None)
                if not table:
                    del self._large[shift]

    def touch(self, vpn: int, need: int, mark: int) -> bool:
        """If the entry that maps `vpn` has the `need` flag, set the `mark` flags and return True."""
        return self.frame_for(vpn, need, mark) >= 0

    def frame_for(self, vpn: int, need: int, mark: int) -> int:
        """The frame of page `vpn` if its entry has the `need` flag (READ or WRITE), the `mark` flags then being set; -1 if it has
        not. The hot path of every access."""
        leaf = self._leaves.get(vpn >> LEAF_SHIFT)
        if leaf is not None:
            index = vpn & _LEAF_MASK
            pte = leaf[index]
            if pte & need:
                if pte & mark != mark:
                    leaf[index] = pte | mark
                return pte >> VALUE_SHIFT
        for shift, table in self._large.items():
            base = vpn & -(1 << (shift - PAGE_SHIFT))
            pte = table.get(base, 0)
            if pte & need:
                table[base] = pte | mark
                return (pte >> VALUE_SHIFT) + vpn - base
        return -1

    def lookup(self, vpn: int) -> Entry | None:
        """The non-empty entry that maps `vpn`, of whatever size."""
        leaf = self._leaves.get(vpn >> LEAF_SHIFT)
        if leaf is not None and leaf[vpn & _LEAF_MASK]:
            return Entry(vpn, PAGE_SHIFT, leaf[vpn & _LEAF_MASK])
        for shift, table in self._large.items():
            base = vpn & -(1 << (shift - PAGE_SHIFT))
            if base in table:
                return Entry(base, shift, table[base])
        return None

    def entries(self, start: int, end: int) -> list[Entry]:
        """Non-empty entries that overlap pages start..end-1, in order. Costs the populated leaves, not the length."""
        first, last = start >> LEAF_SHIFT, (end - 1) >> LEAF_SHIFT
        if first == last and not self._large:  # most often a few pages
            leaf = self._leaves.get(first)
            if leaf is None:
                return []
            low = start & _LEAF_MASK
            part = leaf[low : low + end - start]
            return [Entry(start + i, PAGE_SHIFT, pte) for i, pte in enumerate(part) if pte]
        found = []
        keys = range(first, last + 1) if last - first < len(self._leaves) else sorted(k for k in self._leaves if first <= k <= last)
        for key in keys:
            leaf = self._leaves.get(key)
            if leaf is not None:
                base = key << LEAF_SHIFT
                low, high = max(start - base, 0), min(end - base, LEAF_ENTRIES)
                found += [Entry(base + i, PAGE_SHIFT, leaf[i]) for i in range(low, high) if leaf[i]]
        if self._large:
            for shift, table in self._large.items():
                pages = 1 << (shift - PAGE_SHIFT)
                found += [Entry(vpn, shift, pte) for vpn, pte in table.items() if vpn < end and vpn + pages > start]
            found.sort()
        return found

    def count(self) -> int:
        """Pages, 4 KiB each, that have an entry."""
        small = sum(LEAF_ENTRIES - leaf.count(0) for leaf in self._leaves.values())
        return small + sum(len(table) << shift - PAGE_SHIFT for shift, table in self._large.items())

    def populated(self, start: int, end: int) -> list[tuple[int, int]]:
        """Disjoint stretches (first, last + 1) of pages inside start..end-1. Between them they meet every entry once, and each is
        small enough for one hold of the pte lock: what a leaf spans, or one page larger than that."""
        first, last = start >> LEAF_SHIFT, (end - 1) >> LEAF_SHIFT
        if first == last and not self._large:
            return [(start, end)] if first in self._leaves else []
        if last - first < len(self._leaves):
            spans = {key for key in range(first, last + 1) if key in self._leaves}
        else:
            spans = {key for key in self._leaves if first <= key <= last}
        larger = []
        for shift, table in self._large.items():
            pages = 1 << (shift - PAGE_SHIFT)
            inside = [vpn for vpn in table if vpn < end and vpn + pages > start]
            if pages <= LEAF_ENTRIES:
                spans.update(vpn >> LEAF_SHIFT for vpn in inside)
            else:
                larger += [(vpn, vpn + pages) for vpn in inside]
        stretches = [(max(key << LEAF_SHIFT, start), min((key + 1) << LEAF_SHIFT, end)) for key in spans]
        # A leaf emptied and not yet pruned may lie under a page larger than its span.
        stretches = [(low, high) for low, high in stretches if not any(big[0] <= low < big[1] for big in larger)]
        return sorted(stretches + larger)

    def prune(self, start: int, end: int) -> None:
        """Free the leaves of pages start..end-1 that have become empty."""
        first, last = start >> LEAF_SHIFT, (end - 1) >> LEAF_SHIFT
        if first == last:
            leaf = self._leaves.get(first)
            if leaf is not None and not any(leaf):
                del self._leaves[first]
            return
        for key in [k for k, leaf in self._leaves.items() if first <= k <= last and not any(leaf)]:
            del self._leaves[key]
