"""Whose access of memory it is: the sideband of the memory bus, as hca_uvm_tb.sv packs it."""

from __future__ import annotations

from dataclasses import dataclass

from tb.uvm.agents.axi.config import MemoryAccess

__all__ = ["Owner", "Record", "owner_of", "used_bytes"]

Record = tuple[int, ...]
"""As in spec/events.toml: cycle, event, arguments."""
LINE = 64


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
    return Owner(
        bool(user & 1), user >> 1 & 0x7, user >> 4 & 0x1FFF, user >> 17 & 0xFFFF, user >> 33 & 0x7F, user >> 40 & (1 << 64) - 1
    )


def used_bytes(access: MemoryAccess, owner: Owner) -> bytes:
    """The bytes of an access through a translation that are used."""
    first = owner.va % LINE
    return access.data[first : first + owner.bytes]
