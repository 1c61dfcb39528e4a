"""What a TLB may hold, and what a shootdown revokes.

Promises: `Shootdown.covers` is exact: it names a translation if and only if one of its 4 KiB pages is in the scope, however large
the page, whatever the mask (SD-5, SD-6). `may_cover` adds what a device may take away too when a mask has holes.
Needs: page numbers in 4 KiB pages; a range's ends as they are after the mask.
Costs: constant time, not one step a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from hwif.gen.gru import INVAL_ALL_N, PAGE_SHIFTS, VA_WIDTH

__all__ = ["ALL_PAGES", "LARGEST", "Scope", "Shootdown", "Translation"]

PAGE_SHIFT = PAGE_SHIFTS[0]
ALL_PAGES = (1 << VA_WIDTH - PAGE_SHIFT) - 1
LARGEST = max(PAGE_SHIFTS)
MASKED_BITS = 39  # page number bits a handle's vaddrmask speaks of; those above always take part


class Scope(IntEnum):
    """What a shootdown names. "All" is the context scope with every context."""

    RANGE = 0
    ASID = 1
    CTX = 2


@dataclass(frozen=True)
class Translation:
    """One drop-in: a page of `asid`, filled for context `ctx`. `code` is the page size code; codes past the largest mean it."""

    asid: int
    va: int
    pfn: int
    ctx: int = 0
    code: int = 0
    gaa: int = 0
    dirty: bool = True

    @property
    def size(self) -> int:
        """Its page size code, in range."""
        return min(self.code, LARGEST)

    @property
    def pages(self) -> int:
        """4 KiB pages in it."""
        return 1 << PAGE_SHIFTS[self.size] - PAGE_SHIFT

    @property
    def first(self) -> int:
        """Its first page number."""
        return self.va >> PAGE_SHIFT & ~(self.pages - 1)

    @property
    def last(self) -> int:
        """Its last page number."""
        return self.first + self.pages - 1

    def translates(self, asid: int, va: int) -> bool:
        """Is the address inside?"""
        return asid == self.asid and self.first <= va >> PAGE_SHIFT <= self.last

    def physical(self, va: int) -> int:
        """Physical address of an address inside."""
        frame = (self.pfn & ~(self.pages - 1)) + (va >> PAGE_SHIFT) - self.first
        return frame << PAGE_SHIFT | va & (1 << PAGE_SHIFT) - 1

    def overlaps(self, other: Translation) -> bool:
        """Is there an address that both translate?"""
        return self.asid == other.asid and self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Shootdown:
    """A shootdown as the TLB's port takes it: inclusive ends, scope explicit, zero an ordinary value everywhere."""

    scope: Scope = Scope.RANGE
    asid: int = 0
    first: int = 0
    last: int = 0
    mask: int = ALL_PAGES
    ctxbitmap: int = 0

    @classmethod
    def from_handle(
        cls,
        asid: int,
        vaddr: int,
        n: int,
        pagesize: int = 0,
        vaddrmask: int = (1 << MASKED_BITS) - 1,
        *,
        for_contexts: bool = False,
        ctxbitmap: int = 0,
    ) -> Shootdown:
        """What a handle's words ask for: n + 1 pages of that size; n = 1023 every page of the ASID; `for_contexts` (the handle's
        global bit) every page of the contexts. A range that would pass the last page of the address space ends there."""
        mask = ALL_PAGES ^ (1 << MASKED_BITS) - 1 | vaddrmask
        first = vaddr >> PAGE_SHIFT & mask
        last = min(first + (n + 1 << PAGE_SHIFTS[min(pagesize, LARGEST)] - PAGE_SHIFT) - 1, ALL_PAGES)
        scope = Scope.CTX if for_contexts else Scope.ASID if n == INVAL_ALL_N else Scope.RANGE
        return cls(scope, asid, first, last, mask, ctxbitmap)

    def names_context(self, ctx: int) -> bool:
        """Does it revoke everything of the context, its accesses through entries of others too?"""
        return self.scope is Scope.CTX and bool(self.ctxbitmap >> ctx & 1)

    def covers(self, translation: Translation) -> bool:
        """Does it revoke the translation, that is, any of its pages?"""
        if self.scope is Scope.CTX:
            return self.names_context(translation.ctx)
        if self.asid != translation.asid:
            return False
        return self.scope is Scope.ASID or self._touches(translation)

    def may_cover(self, translation: Translation) -> bool:
        """As `covers`, but a mask with holes inside the translation may take everything between the lowest and the highest."""
        if self.scope is Scope.RANGE and self.asid == translation.asid:
            return translation.first & self.mask <= self.last and translation.last & self.mask >= self.first
        return self.covers(translation)

    def _touches(self, translation: Translation) -> bool:
        """Is there a page inside whose masked number is in first..last? Take the lowest masked number at or above `first`."""
        inside = translation.pages - 1
        base = translation.first & self.mask
        lowest = _submask_from(inside & self.mask, self.first - base)
        return lowest is not None and base + lowest <= self.last


def _submask_from(mask: int, least: int) -> int | None:
    """The smallest number that is at least `least` and has only bits of `mask`, if any."""
    if least <= 0:
        return 0
    if least & ~mask == 0:
        return least
    # Agree with `least` above some bit of the mask that `least` lacks, set that bit, and leave the rest zero: the lowest such bit
    # for which the part that agrees fits the mask.
    for bit in range(mask.bit_length()):
        above = least >> bit + 1 << bit + 1
        if mask >> bit & 1 and not least >> bit & 1 and above & ~mask == 0:
            return above | 1 << bit
    return None
