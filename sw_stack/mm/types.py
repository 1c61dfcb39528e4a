"""Words everybody above the VM uses: protections, the error, a translation."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hwif.gen.gru import PAGE_SHIFT

__all__ = [
    "ADDRESS_END",
    "PAGE_MASK",
    "PAGE_SHIFT",
    "PAGE_SIZE",
    "PROT_NONE",
    "PROT_READ",
    "PROT_WRITE",
    "MemlockError",
    "MmError",
    "Translation",
    "page_parts",
]

PAGE_SIZE: Final = 1 << PAGE_SHIFT
PAGE_MASK: Final = PAGE_SIZE - 1
ADDRESS_END: Final = 1 << 64  # one past the last byte: the last page of the address space is an ordinary page

PROT_NONE: Final = 0
PROT_READ: Final = 1
PROT_WRITE: Final = 2


class MmError(Exception):
    """An operation the VM refuses, as the system call would: `errno` and a sentence."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{errno.errorcode[code]}: {text}")
        self.errno = code
        self.text = text


class MemlockError(MmError):
    """More pages locked and pinned than RLIMIT_MEMLOCK allows."""


def page_parts(vaddr: int, n: int) -> Iterator[tuple[int, int]]:
    """Address and length of each page's part of the `n` bytes at `vaddr`, in order."""
    while n > 0:
        count = min(n, PAGE_SIZE - (vaddr & PAGE_MASK))
        yield vaddr, count
        vaddr += count
        n -= count


@dataclass(frozen=True)
class Translation:
    """What a page table entry says. `pfn` is the 4 KiB frame of the address asked for; the entry's page is 2**shift bytes."""

    pfn: int
    shift: int
    writable: bool
    dirty: bool

    @property
    def base_pfn(self) -> int:
        """First frame of the entry's page."""
        return self.pfn & ~((1 << (self.shift - PAGE_SHIFT)) - 1)
