"""The key table in host memory: which keys are given out, and what each entry says.

Promises: a key given out again has another variant than the last 255 times, so whoever kept the old one is refused; the index freed
last is used first, the hardest case for a device that kept something. Key 0 is never given out. Needs: the device has forgotten a
key before its index is freed.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from hwif.fields import Line, new_line
from hwif.gen.hca import ENTRY_BYTES, KEY_IDX_WIDTH, Mpt
from hwif.memory import FRAME_BYTES, HostMemory
from sw_stack.drivers.hca.lines import write_line
from sw_stack.mm.types import MmError
from sw_stack.sched.shared import Shared

if TYPE_CHECKING:
    from sw_stack.drivers.hca.regions import Mr

__all__ = ["KeyTable", "key_index"]

VARIANT_BITS = 8


def key_index(key: int) -> int:
    """The entry a key names."""
    return (key >> VARIANT_BITS) & ((1 << KEY_IDX_WIDTH) - 1)


class KeyTable(Shared):
    """`entries` entries; entry 0 stays empty."""

    def __init__(self, memory: HostMemory, alloc: Callable[[int], range], entries: int, *, stale: bool = False) -> None:
        self._memory = memory
        self.entries = entries
        self._frames = alloc(-(-entries * ENTRY_BYTES // FRAME_BYTES))
        self.base = self._frames[0] * FRAME_BYTES
        self._free = list(range(entries - 1, 0, -1))
        self._variant = [0] * entries
        self._step = 0 if stale else 1
        self._regions: dict[int, Mr] = {}

    def frames(self) -> tuple[range, ...]:
        """Where it lies."""
        return (self._frames,)

    def take(self) -> int:
        """A key nobody has. MmError ENOMEM."""
        if not self._free:
            raise MmError(errno.ENOMEM, f"all {self.entries - 1} memory keys are in use")
        index = self._free.pop()
        self._variant[index] = (self._variant[index] + self._step) & ((1 << VARIANT_BITS) - 1)
        return index << VARIANT_BITS | self._variant[index]

    def give(self, key: int) -> None:
        """The device has forgotten the key."""
        self._free.append(key_index(key))

    def publish(self, mr: Mr) -> None:
        """The key is live: faults find its region, the device its entry."""
        self._regions[mr.key] = mr
        write_line(self._memory, self._address(mr.key), self._line(mr))

    def withdraw(self, mr: Mr) -> None:
        """Faults find it no more, and the entry is invalid; the device may still have it cached."""
        del self._regions[mr.key]
        write_line(self._memory, self._address(mr.key), new_line())

    def find(self, key: int) -> Mr | None:
        """The live region of a key, index and variant."""
        return self._regions.get(key)

    def regions(self) -> list[Mr]:
        """All live regions."""
        return list(self._regions.values())

    def _address(self, key: int) -> int:
        return self.base + ENTRY_BYTES * key_index(key)

    @staticmethod
    def _line(mr: Mr) -> Line:
        line = new_line()
        for field, value in (
            (Mpt.valid, 1),
            (Mpt.local_write, int(mr.local_write)),
            (Mpt.remote_write, int(mr.remote_write)),
            (Mpt.remote_read, int(mr.remote_read)),
            (Mpt.remote_atomic, int(mr.remote_atomic)),
            (Mpt.on_demand, int(mr.on_demand)),
            (Mpt.whole, int(mr.implicit)),
            (Mpt.pd, mr.pd.number),
            (Mpt.key, mr.key),
            (Mpt.start, mr.start),
            (Mpt.length, mr.length),
            (Mpt.levels, mr.table.levels),
            (Mpt.root, mr.table.root),
            (Mpt.table_base, mr.table.base),
        ):
            field.put(line, value)
        return line
