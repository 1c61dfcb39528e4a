"""Memory regions, as pyverbs.mr has them.

Promises: a region made without an address gets memory of its own, which goes with it; one with an address leaves the mapping alone.
"""

from __future__ import annotations

from sw_stack.drivers.hca import Mr
from sw_stack.verbs import enums as e
from sw_stack.verbs.errors import PyverbsUserError, refused
from sw_stack.verbs.made import Made
from sw_stack.verbs.mem_alloc import MAP_ANONYMOUS_, MAP_HUGETLB_, MAP_PRIVATE_, mmap, munmap
from sw_stack.verbs.pd import PD

__all__ = ["MR"]

HUGE_BYTES = 1 << 21


class MR(Made):
    """`mr = await MR(pd, length, access)`; `address`: memory that is there already; `implicit`: the whole address space, with
    `buf` a piece of it to work in."""

    def __init__(self, creator: PD, length: int = 0, access: int = 0, address: int | None = None, implicit: bool = False) -> None:
        super().__init__()
        if implicit and not access & e.IBV_ACCESS_ON_DEMAND:
            raise PyverbsUserError("an implicit region must be on demand: add IBV_ACCESS_ON_DEMAND")
        self.pd = creator
        self.length = length
        self.access = access
        self.is_implicit = implicit
        self.buf = 0 if address is None else address
        self._own_bytes = length if address is None else 0
        self._mr: Mr | None = None

    async def _make(self) -> None:
        ctx = self.pd.ctx
        huge = bool(self.access & e.IBV_ACCESS_HUGETLB)
        if self._own_bytes:
            if huge:
                self._own_bytes = -(-self._own_bytes // HUGE_BYTES) * HUGE_BYTES
            flags = MAP_PRIVATE_ | MAP_ANONYMOUS_ | (MAP_HUGETLB_ if huge else 0)
            self.buf = await mmap(ctx.mm, self._own_bytes, flags)
        start, length = (0, 0) if self.is_implicit else (self.buf, self.length)
        try:
            with refused("reg_mr"):
                self._mr = await ctx.driver.reg_mr(self.pd.kernel, start, length, self.access, implicit=self.is_implicit)
        except Exception:
            await self._unmap()
            raise
        ctx.mrs.append(self)

    @property
    def kernel(self) -> Mr:
        """The driver's region."""
        self._need_made()
        assert self._mr is not None
        return self._mr

    @property
    def lkey(self) -> int:
        return self.kernel.lkey

    @property
    def rkey(self) -> int:
        return self.kernel.rkey

    async def write(self, data: bytes | str, length: int, offset: int = 0) -> None:
        """The process stores `length` bytes of `data` at `offset` of the buffer."""
        self._need_made()
        content = data.encode() if isinstance(data, str) else data
        await self.pd.ctx.mm.store(self.buf + offset, content[:length])

    async def read(self, length: int, offset: int) -> bytes:
        """What the process finds at `offset` of the buffer."""
        self._need_made()
        return await self.pd.ctx.mm.load(self.buf + offset, length)

    async def close(self) -> None:
        """Deregister; memory of its own goes too."""
        if not self.made:
            return
        with refused("dereg_mr"):
            await self.pd.ctx.driver.dereg_mr(self.kernel)
        self.pd.ctx.mrs.remove(self)
        self._closed()
        await self._unmap()

    async def _unmap(self) -> None:
        if self._own_bytes and self.pd.ctx.mm.alive:
            await munmap(self.pd.ctx.mm, self.buf, self._own_bytes)
            self._own_bytes = 0
