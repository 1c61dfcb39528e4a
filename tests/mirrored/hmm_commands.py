"""Commands to a device with their answers checked, as the mirrored hmm-tests give them."""

from __future__ import annotations

from mirrored.hmm_bench import NPAGES, PAGE, pattern
from mirrored.hmm_gru import GruDevice

from sw_stack.drivers.hmm import Mirror
from sw_stack.drivers.hmm.values import Access, Done

__all__ = ["HUGE", "HUGE_PAGES", "HUGE_SIZE", "SIZE", "Device", "empty", "negated", "read_all", "reads", "write_all"]

SIZE = NPAGES * PAGE
HUGE = 21
HUGE_PAGES = 1 << HUGE - 12
HUGE_SIZE = 1 << HUGE
GARBAGE = b"\xff"
Device = Mirror | GruDevice


def empty(pages: int = NPAGES) -> bytearray:
    """A device's buffer that holds nothing of anybody's."""
    return bytearray(GARBAGE * (pages * PAGE))


def negated(pages: int = NPAGES) -> bytes:
    """What a device writes where the program has written `pattern`."""
    return bytes(byte ^ 0xFF for byte in pattern(pages))


async def read_all(device: Device, at: int, expected: bytes, shift: int = 12) -> None:
    """The device reads this, in as many faults as it takes."""
    pages = len(expected) // PAGE
    mirror = empty(pages)
    _took(await device.read(at, mirror), Done(pages, device.faults(pages, shift)))
    assert mirror == expected, f"{device!r} has read other bytes"


async def write_all(device: Device, at: int, data: bytes, shift: int = 12, access: Access = "write") -> None:
    """The device writes this, in as many faults as it takes."""
    pages = len(data) // PAGE
    _took(await device.write(at, bytearray(data)), Done(pages, device.faults(pages, shift, access)))


async def reads(device: Device, at: int, expected: bytes, pages: list[int]) -> None:
    """Some pages, one at a time, in however many faults."""
    for page in pages:
        mirror = empty(1)
        await device.read(at + page * PAGE, mirror)
        assert mirror == expected[page * PAGE : (page + 1) * PAGE], f"{device!r} has read other bytes in page {page}"


def _took(done: Done, expected: Done) -> None:
    assert done == expected, f"{done}, not {expected}"
