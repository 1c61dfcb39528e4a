"""What the device does to the program's memory, and the proof that it did it right.

Each operation is drawn from the pages the program touched last, runs through the GRU user library on one control block, and is
checked against the golden contents when nothing else touched its bytes. An operation may legally end in the architected
exception when the VM changed the mapping under it; any other exception is a failure.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from typing import Protocol

from hwif.gen.gru import PAGE_SHIFT, CbXtype, ExopEr
from sw_stack.drivers.gru.instructions import (
    Instruction,
    gru_bcopy,
    gru_gamer,
    gru_ivload,
    gru_vload,
    gru_vset,
    gru_vstore,
)
from sw_stack.workloads.golden import Golden

__all__ = ["SLICE_BYTES", "DeviceOp", "Gather", "PageSource", "draw_operation"]

PAGE = 1 << PAGE_SHIFT
LINE = 64
SLICE_BYTES = 1024  # data segment of one worker: 512 bytes of data, 256 of indices, 256 spare
INDEX_OFFSET = 512


class PageSource(Protocol):
    """Pages to work on: recently touched, and mapped with the right now."""

    def readable(self, rng: random.Random) -> int | None: ...
    def writable(self, rng: random.Random) -> int | None: ...


@dataclass(frozen=True)
class DeviceOp:
    """One instruction with its preparation and its effect on the golden contents.

    `dsr`: bytes to place in the data segment first, by offset in the worker's slice. `result`: where in the slice the loaded
    bytes land. All addresses in bytes, offsets relative to the worker's slice.
    """

    name: str
    reads: frozenset[int]
    writes: frozenset[int]
    dsr: tuple[tuple[int, bytes], ...] = ()
    result: tuple[int, int] | None = None

    def instruction(self, tri0: int) -> Instruction:
        """The instruction, for a slice that begins at byte `tri0` of the data segment."""
        raise NotImplementedError

    def expect(self, golden: Golden) -> bytes:
        """Bytes the data segment (loads) or `avalue` (atomics) must show, from the contents before the operation."""
        raise NotImplementedError

    def apply(self, golden: Golden, before: bytes) -> list[tuple[int, bytes]]:
        """The operation's writes: address, bytes."""
        raise NotImplementedError


def _pages(address: int, count: int) -> frozenset[int]:
    return frozenset(range(address >> PAGE_SHIFT, (address + count - 1 >> PAGE_SHIFT) + 1))


@dataclass(frozen=True)
class Copy(DeviceOp):
    """BCOPY of whole lines between two pages."""

    source: int = 0
    target: int = 0
    lines: int = 0

    def instruction(self, tri0: int) -> Instruction:
        return gru_bcopy(self.source, self.target, tri0, CbXtype.CL, self.lines, SLICE_BYTES // 2 // LINE)

    def expect(self, golden: Golden) -> bytes:
        return golden.read(self.source, self.lines * LINE)

    def apply(self, golden: Golden, before: bytes) -> list[tuple[int, bytes]]:
        return [(self.target, before)]


@dataclass(frozen=True)
class Load(DeviceOp):
    """VLOAD of double-words, with a stride."""

    address: int = 0
    elements: int = 0
    stride: int = 1

    def instruction(self, tri0: int) -> Instruction:
        return gru_vload(self.address, tri0, CbXtype.DW, self.elements, self.stride)

    def expect(self, golden: Golden) -> bytes:
        return b"".join(golden.read(self.address + 8 * self.stride * index, 8) for index in range(self.elements))

    def apply(self, golden: Golden, before: bytes) -> list[tuple[int, bytes]]:
        return []


@dataclass(frozen=True)
class Gather(DeviceOp):
    """IVLOAD of double-words at addresses the program touched."""

    base: int = 0
    addresses: tuple[int, ...] = ()

    def instruction(self, tri0: int) -> Instruction:
        return gru_ivload(self.base, tri0, tri0 + INDEX_OFFSET, CbXtype.DW, len(self.addresses))

    def expect(self, golden: Golden) -> bytes:
        return b"".join(golden.read(address, 8) for address in self.addresses)

    def apply(self, golden: Golden, before: bytes) -> list[tuple[int, bytes]]:
        return []


@dataclass(frozen=True)
class Store(DeviceOp):
    """VSTORE of double-words, with a stride."""

    address: int = 0
    elements: int = 0
    stride: int = 1

    def instruction(self, tri0: int) -> Instruction:
        return gru_vstore(self.address, tri0, CbXtype.DW, self.elements, self.stride)

    def expect(self, golden: Golden) -> bytes:
        return self.dsr[0][1]

    def apply(self, golden: Golden, before: bytes) -> list[tuple[int, bytes]]:
        return [(self.address + 8 * self.stride * index, before[8 * index : 8 * index + 8]) for index in range(self.elements)]


@dataclass(frozen=True)
class Fill(DeviceOp):
    """VSET of words."""

    address: int = 0
    elements: int = 0
    value: int = 0

    def instruction(self, tri0: int) -> Instruction:
        return gru_vset(self.address, self.value, CbXtype.W, self.elements, 1)

    def expect(self, golden: Golden) -> bytes:
        return struct.pack("<I", self.value) * self.elements

    def apply(self, golden: Golden, before: bytes) -> list[tuple[int, bytes]]:
        return [(self.address, before)]


@dataclass(frozen=True)
class FetchAdd(DeviceOp):
    """GAMER ADD on one double-word."""

    address: int = 0
    addend: int = 0

    def instruction(self, tri0: int) -> Instruction:
        return gru_gamer(ExopEr.ADD, self.address, CbXtype.DW, self.addend, 0)

    def expect(self, golden: Golden) -> bytes:
        return golden.read(self.address, 8)

    def apply(self, golden: Golden, before: bytes) -> list[tuple[int, bytes]]:
        total = (int.from_bytes(before, "little") + self.addend) & ((1 << 64) - 1)
        return [(self.address, total.to_bytes(8, "little"))]


def draw_operation(rng: random.Random, pages: PageSource) -> DeviceOp | None:
    """An operation over recently touched pages, None when there are none to work on."""
    kind = rng.choices(("copy", "gather", "load", "store", "fill", "add"), (4, 5, 3, 2, 1, 2))[0]
    source, target = pages.readable(rng), pages.writable(rng)
    if source is None or target is None:
        return None
    if kind == "copy" and source == target:
        kind = "load"  # an overlapping copy has no single right answer
    if kind == "copy":
        lines = rng.choice((2, 8, 16, 32))
        first = (source << PAGE_SHIFT) + LINE * rng.randrange(0, PAGE // LINE - lines + 1)
        second = (target << PAGE_SHIFT) + LINE * rng.randrange(0, PAGE // LINE - lines + 1)
        return Copy(kind, _pages(first, lines * LINE), _pages(second, lines * LINE), source=first, target=second, lines=lines)
    if kind == "gather":
        return _gather(rng, pages)
    if kind == "load":
        elements, stride = rng.choice(((16, 1), (64, 1), (16, 9), (8, 60)))
        address = _spot(rng, source, elements * stride)
        return Load(kind, _pages(address, 8 * elements * stride), frozenset(), (), (0, 8 * elements), address, elements, stride)
    if kind == "store":
        elements, stride = rng.choice(((16, 1), (64, 1), (16, 9)))
        address = _spot(rng, target, elements * stride)
        return Store(
            kind,
            frozenset(),
            _pages(address, 8 * elements * stride),
            ((0, rng.randbytes(8 * elements)),),
            None,
            address,
            elements,
            stride,
        )
    if kind == "fill":
        elements = rng.choice((16, 128, 256))
        address = (target << PAGE_SHIFT) + 4 * rng.randrange(0, PAGE // 4 - elements + 1)
        return Fill(kind, frozenset(), _pages(address, 4 * elements), address=address, elements=elements, value=rng.getrandbits(32))
    address = _spot(rng, target, 1)
    return FetchAdd(kind, frozenset(), _pages(address, 8), address=address, addend=rng.getrandbits(63))


def _spot(rng: random.Random, vpn: int, words: int) -> int:
    """An address in the page with room for `words` double-words."""
    return (vpn << PAGE_SHIFT) + 8 * rng.randrange(0, PAGE // 8 - words + 1)


def _gather(rng: random.Random, pages: PageSource) -> DeviceOp | None:
    addresses: list[int] = []
    for _ in range(rng.choice((8, 16, 32))):
        vpn = pages.readable(rng)
        if vpn is None:
            return None
        addresses.append((vpn << PAGE_SHIFT) + 8 * rng.randrange(0, PAGE // 8))
    base = min(addresses)
    indices = b"".join(struct.pack("<Q", (address - base) // 8) for address in addresses)
    return Gather(
        "gather",
        frozenset(address >> PAGE_SHIFT for address in addresses),
        frozenset(),
        ((INDEX_OFFSET, indices),),
        (0, 8 * len(addresses)),
        base,
        tuple(addresses),
    )
