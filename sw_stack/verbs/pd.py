"""Protection domains, as pyverbs.pd has them."""

from __future__ import annotations

from collections.abc import Sequence

from sw_stack.drivers.hca import Pd, Sge
from sw_stack.verbs.device import Context
from sw_stack.verbs.errors import refused
from sw_stack.verbs.made import Made
from sw_stack.verbs.wr import SGE

__all__ = ["PD"]


class PD(Made):
    """`pd = await PD(ctx)`."""

    def __init__(self, creator: Context) -> None:
        super().__init__()
        self.ctx = creator
        self._pd: Pd | None = None

    async def _make(self) -> None:
        with refused("alloc_pd"):
            self._pd = await self.ctx.driver.alloc_pd(self.ctx.mm)
        self.ctx.pds.append(self)

    @property
    def kernel(self) -> Pd:
        """The driver's domain."""
        self._need_made()
        assert self._pd is not None
        return self._pd

    async def advise_mr(self, advice: int, flags: int, sg_list: Sequence[SGE], num_sge: int | None = None) -> None:
        """Prefetch ranges of this domain's regions (ibv_advise_mr)."""
        chosen = sg_list[: len(sg_list) if num_sge is None else num_sge]
        elements = [Sge(one.addr, one.length, one.lkey) for one in chosen]
        with refused("advise_mr"):
            await self.ctx.driver.advise_mr(self.kernel, advice, flags, elements)

    async def close(self) -> None:
        """Give it up; PyverbsRDMAError EBUSY while something is in it."""
        if not self.made:
            return
        with refused("dealloc_pd"):
            await self.ctx.driver.dealloc_pd(self.kernel)
        self.ctx.pds.remove(self)
        self._closed()
