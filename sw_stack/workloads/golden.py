"""What a coherent memory would hold: the program's bytes by virtual page, independent of frames, swap and device.

Everything that changes a page's contents says so here as well as to the VM: processor stores, device writes, mappings made and
unmade. A page compared with the VM then proves that copy-on-write, swap, migration and DMA moved the right bytes.

Device operations overlap the program, so a comparison needs to know that nothing else changed the bytes meanwhile. `begin`
notes what an operation reads and writes; every other change of those pages marks it racy. A racy operation proves nothing about
data (any mix may be right) and its target is adopted from memory; the others are compared exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hwif.gen.gru import PAGE_SHIFT

__all__ = ["Golden", "Operation"]

PAGE = 1 << PAGE_SHIFT
ZERO = bytes(PAGE)


@dataclass(eq=False)
class Operation:
    """A device operation in flight: the pages it reads and writes."""

    reads: frozenset[int]
    writes: frozenset[int]
    racy: bool = False  # another party changed bytes of these pages
    unmapped: bool = False  # a VM operation changed the mapping: an exception is a legal end
    pages: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        self.pages = self.reads | self.writes


class Golden:
    """Contents of one address space. Pages never written are zero and cost nothing."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._in_flight: dict[int, list[Operation]] = {}
        self._changing: list[tuple[int, int]] = []
        self._unknown: set[int] = set()
        self._watched: set[int] | None = None

    # ---- contents --------------------------------------------------------------------------------------------------

    def read(self, address: int, count: int) -> bytes:
        """`count` bytes; may cross pages."""
        out = bytearray()
        while count:
            vpn, offset = address >> PAGE_SHIFT, address & (PAGE - 1)
            step = min(count, PAGE - offset)
            out += self._pages.get(vpn, ZERO)[offset : offset + step]
            address, count = address + step, count - step
        return bytes(out)

    def write(self, address: int, data: bytes, by: Operation | None = None) -> None:
        """Store; marks every other operation on the page racy."""
        offset = address & (PAGE - 1)
        if offset + len(data) <= PAGE:  # nearly always
            self._write_page(address >> PAGE_SHIFT, offset, data, by)
            return
        done = 0
        while done < len(data):
            offset = address & (PAGE - 1)
            step = min(len(data) - done, PAGE - offset)
            self._write_page(address >> PAGE_SHIFT, offset, data[done : done + step], by)
            address, done = address + step, done + step

    def _write_page(self, vpn: int, offset: int, data: bytes, by: Operation | None) -> None:
        if not data:
            return
        page = self._pages.get(vpn)
        if page is None:
            page = self._pages[vpn] = bytearray(PAGE)
        page[offset : offset + len(data)] = data
        if len(data) == PAGE:
            self._unknown.discard(vpn)
        if vpn in self._in_flight:
            self._mark(vpn, by)
        if self._watched is not None:
            self._watched.add(vpn)

    def touched(self, vpn: int) -> None:
        """A processor stored to the page through another path; operations on it are racy."""
        if vpn in self._in_flight:
            self._mark(vpn, None)

    def pages(self) -> list[int]:
        """Pages that were written, in order."""
        return sorted(self._pages)

    # ---- mappings --------------------------------------------------------------------------------------------------

    def drop(self, start: int, end: int) -> None:
        """[start, end) reads as zero from now on, or not at all: unmapped, discarded or mapped anew."""
        first, last = start >> PAGE_SHIFT, (end + PAGE - 1) >> PAGE_SHIFT
        for vpn in self._within(self._pages, first, last):
            del self._pages[vpn]
        self._unknown -= {vpn for vpn in self._unknown if first <= vpn < last}
        self.remapped(start, end)

    def move(self, old: int, new: int, length: int) -> None:
        """mremap: the pages of [old, old+length) are now at `new`. What a device had written of an operation that the move cut
        short went along, so nothing is known of those pages."""
        first, last = old >> PAGE_SHIFT, (old + length + PAGE - 1) >> PAGE_SHIFT
        shift = (new >> PAGE_SHIFT) - first
        moved = {vpn + shift: self._pages.pop(vpn) for vpn in self._within(self._pages, first, last)}
        unsure = self._unknown | self._under_write()
        self.drop(new, new + length)
        self._pages.update(moved)
        self._unknown |= {vpn + shift for vpn in unsure if first <= vpn < last}
        self.remapped(old, old + length)

    def remapped(self, start: int, end: int) -> None:
        """The mapping or its rights changed: operations on it may end in an exception, and prove nothing."""
        first, last = start >> PAGE_SHIFT, (end + PAGE - 1) >> PAGE_SHIFT
        for vpn in self._within(self._in_flight, first, last):
            for operation in self._in_flight[vpn]:
                operation.racy = operation.unmapped = True

    @contextmanager
    def changing(self, start: int, end: int) -> Iterator[None]:
        """While a VM operation works on [start, end), operations there, old and new, prove nothing."""
        self.remapped(start, end)
        span = (start >> PAGE_SHIFT, (end + PAGE - 1) >> PAGE_SHIFT)
        self._changing.append(span)
        try:
            yield
        finally:
            self._changing.remove(span)
            self.remapped(start, end)

    @contextmanager
    def watching(self) -> Iterator[set[int]]:
        """Collects the pages written while it lasts: a fork cannot say which side of it those writes fell on."""
        self._watched = set()
        try:
            yield self._watched
        finally:
            self._watched = None

    def fork(self, written: set[int]) -> Golden:
        """The child's contents: a copy, but nothing is known of pages `written` during the fork or under a device write."""
        child = Golden()
        child._pages = {vpn: bytearray(page) for vpn, page in self._pages.items()}
        child._unknown = self._unknown | written | self._under_write()
        return child

    def known(self, vpn: int) -> bool:
        """Whether the contents of the page are known."""
        return vpn not in self._unknown

    # ---- operations ------------------------------------------------------------------------------------------------

    def begin(self, reads: Iterable[int], writes: Iterable[int]) -> Operation:
        """A device operation starts. Writers and readers of the same page make each other racy."""
        operation = Operation(frozenset(reads), frozenset(writes))
        for vpn in operation.pages:
            others = self._in_flight.setdefault(vpn, [])
            for other in others:
                if vpn in operation.writes or vpn in other.writes:
                    operation.racy = other.racy = True
            others.append(operation)
        if any(first <= vpn < last for first, last in self._changing for vpn in operation.pages):
            operation.racy = operation.unmapped = True
        if self._unknown & operation.pages:
            operation.racy = True
        return operation

    def end(self, operation: Operation) -> None:
        """The operation is over."""
        for vpn in operation.pages:
            others = self._in_flight[vpn]
            others.remove(operation)
            if not others:
                del self._in_flight[vpn]

    def _under_write(self) -> set[int]:
        return {vpn for vpn, others in self._in_flight.items() if any(vpn in other.writes for other in others)}

    def _mark(self, vpn: int, by: Operation | None) -> None:
        for operation in self._in_flight[vpn]:
            if operation is not by:
                operation.racy = True

    @staticmethod
    def _within(pages: Iterable[int], first: int, last: int) -> list[int]:
        if last - first < 64 and isinstance(pages, dict):
            return [vpn for vpn in range(first, last) if vpn in pages]
        return [vpn for vpn in pages if first <= vpn < last]
