"""Whose access of memory it is: the sideband of the memory bus, as hca_uvm_tb.sv packs it."""

from __future__ import annotations

from dataclasses import dataclass

from tb.uvm.agents.axi.config import MemoryAccess

__all__ = ["Owner", "Record", "owner_of", "used_bytes"]

Record = tuple[int, ...]
"""As in spec/events.toml: cycle, event, arguments."""
LINE = 64
WIDTHS = (1, 3, 13, 16, 7, 64)
"""Of the sideband's fields, from bit 0, in the order of Owner's."""


@dataclass(frozen=True)
class Owner:
    """Not `mapped`: the device's own tables and queues. Else `bytes` bytes from address `va` of key index `key`, for queue pair
    `qpn`, because of `need` (hca.Need)."""

    mapped: bool
    need: int
    qpn: int
    key: int
    bytes: int
    va: int


def owner_of(user: int) -> Owner:
    """Of a sideband."""
    found = []
    for width in WIDTHS:
        found.append(user & (1 << width) - 1)
        user >>= width
    mapped, need, qpn, key, count, va = found
    return Owner(bool(mapped), need, qpn, key, count, va)


def used_bytes(access: MemoryAccess, owner: Owner) -> bytes:
    """The bytes of an access through a translation that are used."""
    first = owner.va % LINE
    return access.data[first : first + owner.bytes]
