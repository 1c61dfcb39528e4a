"""An address space as a program sees it: pages, protections, bytes. The plain model the VM is compared with."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

from mm_rig import PAGE

LARGE = 14
LARGE_PAGES = 1 << (LARGE - 12)


class RefusedError(Exception):
    """The call fails with this errno."""

    def __init__(self, code: int) -> None:
        super().__init__(errno.errorcode[code])
        self.errno = code


@dataclass
class Model:
    """`areas`: page -> (protection, shift). `pages`: contents of pages not zero. All in page numbers."""

    areas: dict[int, tuple[int, int]] = field(default_factory=dict)
    pages: dict[int, bytearray] = field(default_factory=dict)

    def fork(self) -> Model:
        return Model(dict(self.areas), {vpn: bytearray(data) for vpn, data in self.pages.items()})

    def content(self, vpn: int) -> bytes:
        return bytes(self.pages.get(vpn, bytes(PAGE)))

    def check_cuts(self, start: int, end: int) -> None:
        for edge in (start, end):
            inside = self.areas.get(edge, (0, 12))[1] == LARGE and self.areas.get(edge - 1, (0, 12))[1] == LARGE
            if inside and edge % LARGE_PAGES:
                raise RefusedError(errno.EINVAL)

    def mmap(self, start: int, count: int, prot: int, shift: int = 12) -> None:
        self.munmap(start, count)
        for vpn in range(start, start + count):
            self.areas[vpn] = (prot, shift)

    def munmap(self, start: int, count: int) -> None:
        self.check_cuts(start, start + count)
        for vpn in range(start, start + count):
            self.areas.pop(vpn, None)
            self.pages.pop(vpn, None)

    def mprotect(self, start: int, count: int, prot: int) -> None:
        if any(vpn not in self.areas for vpn in range(start, start + count)):
            raise RefusedError(errno.ENOMEM)
        self.check_cuts(start, start + count)
        for vpn in range(start, start + count):
            self.areas[vpn] = (prot, self.areas[vpn][1])

    def madvise(self, start: int, count: int) -> None:
        for vpn in range(start, start + count):
            if self.areas.get(vpn, (0, 12))[1] == LARGE:
                raise RefusedError(errno.EINVAL)
            self.pages.pop(vpn, None)
        if any(vpn not in self.areas for vpn in range(start, start + count)):
            raise RefusedError(errno.ENOMEM)

    def _source(self, start: int, count: int) -> None:
        """One area of small pages, as the VM would have merged it."""
        kinds = {self.areas.get(vpn) for vpn in range(start, start + count)}
        if len(kinds) != 1 or None in kinds:
            raise RefusedError(errno.EFAULT)
        if any(kind and kind[1] == LARGE for kind in kinds):
            raise RefusedError(errno.EINVAL)

    def mremap(self, old: int, old_count: int, new_count: int, new: int) -> None:
        if new < old + old_count and old < new + new_count:
            raise RefusedError(errno.EINVAL)
        self._source(old, min(old_count, new_count))
        self.munmap(new, new_count)
        if new_count < old_count:
            self.munmap(old + new_count, old_count - new_count)
            old_count = new_count
        self._source(old, old_count)
        kind = self.areas[old]
        for offset in range(new_count):
            self.areas[new + offset] = kind
        for offset in range(old_count):
            if old + offset in self.pages:
                self.pages[new + offset] = self.pages.pop(old + offset)
        self.munmap(old, old_count)

    def load(self, vpn: int) -> bytes:
        if not self.areas.get(vpn, (0, 12))[0] & 1:
            raise RefusedError(errno.EFAULT)
        return self.content(vpn)

    def store(self, vpn: int, offset: int, data: bytes) -> None:
        if not self.areas.get(vpn, (0, 12))[0] & 2:
            raise RefusedError(errno.EFAULT)
        self.pages.setdefault(vpn, bytearray(PAGE))[offset : offset + len(data)] = data
