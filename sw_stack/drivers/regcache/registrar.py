"""What a registration cache asks of an adapter: register, deregister, does the registration still exist. And the two that can do
it.

Rights are bits: a registration with more of them serves for less. Whole pages only. A refusal is an MmError; ENOMEM means that
giving up another registration may help.
"""

from __future__ import annotations

import errno
from typing import Protocol, TypeVar

from hwif.gen.hca import Access
from sw_stack.drivers.hca import HcaDriver, Mr, Pd
from sw_stack.drivers.pinned import PinnedAdapter, PinnedMr
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import MmError

__all__ = ["HcaRegistrar", "PinnedRegistrar", "Registrar"]

H = TypeVar("H")


class Registrar(Protocol[H]):
    """The adapter as one process sees it. `H`: its registrations."""

    async def reg(self, start: int, length: int, access: int) -> H:
        """Register whole pages. MmError EFAULT where the process has no such memory, ENOMEM for want of something."""
        ...

    async def dereg(self, handle: H) -> None:
        """Deregister. On return the adapter uses none of it."""
        ...

    def valid(self, handle: H) -> bool:
        """True while the adapter knows the registration. Says nothing about the pages behind it."""
        ...


class PinnedRegistrar:
    """A process at a pinned adapter; rights are sw_stack.drivers.pinned.Access."""

    def __init__(self, adapter: PinnedAdapter, mm: Mm) -> None:
        self._adapter = adapter
        self._mm = mm

    async def reg(self, start: int, length: int, access: int) -> PinnedMr:
        return await self._adapter.reg_mr(self._mm, start, length, access)

    async def dereg(self, handle: PinnedMr) -> None:
        await self._adapter.dereg_mr(handle)

    def valid(self, handle: PinnedMr) -> bool:
        return handle.live


class HcaRegistrar:
    """A protection domain of the HCA; rights are hwif.gen.hca.Access. Pinned regions only: one on demand has no use for a cache's
    repairs, the driver follows the page table itself."""

    def __init__(self, driver: HcaDriver, pd: Pd) -> None:
        self._driver = driver
        self._pd = pd

    async def reg(self, start: int, length: int, access: int) -> Mr:
        if access & Access.ON_DEMAND:
            raise MmError(errno.EINVAL, "a registration cache holds pinned regions, not regions on demand")
        return await self._driver.reg_mr(self._pd, start, length, access)

    async def dereg(self, handle: Mr) -> None:
        await self._driver.dereg_mr(handle)

    def valid(self, handle: Mr) -> bool:
        return handle.live
