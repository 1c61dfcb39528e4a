"""Address spaces as software has them: a page table, and what every byte in use must be.

Promises: `Space.content` is a byte store by virtual address that knows no frames: moving a page changes nothing in it. It knows
the spots (4 KiB pages) that were declared, and nothing else.
Needs: `spot` before anything touches the page.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hwif.gen import gru as g
from tb.uvm.agents.axi.memory import SparseMemory

__all__ = ["PAGE", "Page", "Space", "Spaces"]

PAGE = 1 << g.PAGE_SHIFT


@dataclass
class Page:
    """`vpn`, `frame`: of its first 4 KiB. `present`: a fault handler may enter it; its bytes are at `frame` either way. `gaa`: the
    address attribute it is entered with."""

    vpn: int
    size: int  # code
    frame: int
    write: bool = True
    present: bool = True
    gaa: int = g.Gaa.RAM

    @property
    def pages(self) -> int:
        """In 4 KiB."""
        return 1 << g.PAGE_SHIFTS[self.size] - g.PAGE_SHIFT


class _Content:
    """Bytes by virtual address."""

    def __init__(self) -> None:
        self.spots: dict[int, bytearray] = {}

    def read(self, addr: int, count: int) -> bytes:
        """Raises KeyError outside the spots."""
        number, offset = divmod(addr, PAGE)
        found = bytes(self.spots[number][offset : offset + count])
        return found if len(found) == count else found + self.read(addr + len(found), count - len(found))

    def write(self, addr: int, data: bytes) -> None:
        """Raises KeyError outside the spots."""
        while data:
            number, offset = divmod(addr, PAGE)
            part = data[: PAGE - offset]
            self.spots[number][offset : offset + len(part)] = part
            addr, data = addr + len(part), data[len(part) :]


@dataclass
class Space:
    """`number` gives the ASIDs: 8 of them, one a region. `shared`: double-words that several control blocks change at once."""

    number: int
    memory: SparseMemory
    pages: dict[int, Page] = field(default_factory=dict)
    content: _Content = field(default_factory=_Content)
    shared: set[int] = field(default_factory=set)

    def asid(self, region: int = 0) -> int:
        """Of a region."""
        return g.NUM_REGION * self.number + region

    @property
    def sizes(self) -> int:
        """Page sizes in use, a bit each."""
        found = 0
        for page in self.pages.values():
            found |= 1 << page.size
        return found

    def page(self, va: int) -> Page | None:
        """That maps an address, present or not."""
        vpn = va >> g.PAGE_SHIFT
        for size, shift in g.PAGE_SHIFTS.items():
            found = self.pages.get(vpn >> shift - g.PAGE_SHIFT << shift - g.PAGE_SHIFT)
            if found is not None and found.size == size:
                return found
        return None

    def physical(self, va: int) -> int:
        """Where the byte is. Raises KeyError without a page."""
        found = self.page(va)
        if found is None:
            raise KeyError(f"{va:#x} is not mapped")
        return (found.frame + (va >> g.PAGE_SHIFT) - found.vpn) * PAGE + va % PAGE

    def map(self, page: Page, spots: tuple[int, ...]) -> None:
        """Enter a page; `spots`: 4 KiB pages of it that will be used."""
        self.pages[page.vpn] = page
        for vpn in spots:
            self.content.spots[vpn] = bytearray(self.memory.read(self.physical(vpn * PAGE), PAGE))

    def move(self, page: Page, frame: int) -> None:
        """Its bytes are somewhere else now."""
        for vpn in self.content.spots:
            if page.vpn <= vpn < page.vpn + page.pages:
                self.memory.write((frame + vpn - page.vpn) * PAGE, self.memory.read(self.physical(vpn * PAGE), PAGE))
        page.frame = frame

    def actual(self, va: int, count: int) -> bytes:
        """What memory holds there now."""
        room = PAGE - va % PAGE
        if count <= room:
            return self.memory.read(self.physical(va), count)
        return self.actual(va, room) + self.actual(va + room, count - room)


class Spaces:
    """All of them, and who runs for which. `bare`: what unmapped instructions see. Its pages are where their numbers say, the bits
    of the attribute above them."""

    def __init__(self, memory: SparseMemory) -> None:
        self.memory = memory
        self.all: list[Space] = []
        self.bare = Space(0, memory)
        self.of: dict[int, Space] = {}  # context -> its space

    def new(self, number: int | None = None) -> Space:
        """An empty one; the next number unless one is given."""
        self.all.append(Space(len(self.all) + 1 if number is None else number, self.memory))
        return self.all[-1]
