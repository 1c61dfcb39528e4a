"""Names XPMEM gives things, and the constants of include/xpmem.h.

An id is {tgid, uniq}, as in the module, and the partition it belongs to, as in SGI's module of 2008: with several instances of
Linux somebody must be asked, and the id says whom. `uniq` is counted by partition, not by thread group: numbers of address spaces
are given out again, and an id that has died names nothing ever after.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["MAXADDR_SIZE", "PERMIT_MODE", "RDONLY", "RDWR", "XpmemId"]

RDONLY: Final = 0x1
RDWR: Final = 0x2
PERMIT_MODE: Final = 0x1
MAXADDR_SIZE: Final = (1 << 64) - 1
"""As the size of a segment: from its start to the end of the address space."""


class XpmemId(NamedTuple):
    """A segid or an apid."""

    tgid: int
    uniq: int
    partid: int

    @property
    def valid(self) -> bool:
        """False for what xpmem_make or xpmem_get cannot have returned: EINVAL instead of ENOENT."""
        return self.tgid > 0 and self.uniq > 0
