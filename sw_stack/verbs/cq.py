"""Completion queues, completions and their channels, as pyverbs.cq has them.

Promises: `poll` never waits; `CompChannel.get_cq_event` does. A completion that comes between a poll that found nothing and the
wait for an event that was asked for before has fired that event: nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from sw_stack.drivers.hca import Cq
from sw_stack.verbs.device import Context
from sw_stack.verbs.errors import PyverbsUserError, refused
from sw_stack.verbs.made import Made

__all__ = ["CQ", "WC", "CompChannel"]


@dataclass(frozen=True)
class WC:
    """A work completion (ibv_wc). `status` and `opcode` are enums.IBV_WC_*; the rest is valid as libibverbs says."""

    wr_id: int = 0
    status: int = 0
    opcode: int = 0
    vendor_err: int = 0
    byte_len: int = 0
    qp_num: int = 0


class CompChannel:
    """Where a process sleeps until one of its completion queues has an event."""

    def __init__(self, creator: Context) -> None:
        self.ctx = creator
        self._cqs: list[CQ] = []

    def add(self, cq: CQ) -> None:
        """A queue tells of its events here. One queue a channel: more would need to be waited for at once."""
        if self._cqs:
            raise PyverbsUserError("this channel has a completion queue already: make one for each")
        self._cqs.append(cq)

    async def get_cq_event(self, expected_cq: CQ | None = None) -> CQ:
        """Sleep until the event that `req_notify` asked for; the queue it is of."""
        if not self._cqs:
            raise PyverbsUserError("no completion queue tells of its events on this channel")
        cq = self._cqs[0]
        if expected_cq not in (None, cq):
            raise PyverbsUserError("the expected completion queue is not on this channel")
        with refused("get_cq_event"):
            await self.ctx.driver.wait_cq_event(cq.kernel)
        return cq


class CQ(Made):
    """`cq = await CQ(ctx, 64)`."""

    def __init__(self, context: Context, cqe: int, cq_context: object = None, channel: CompChannel | None = None) -> None:
        super().__init__()
        self.ctx = context
        self.cqe = cqe
        self.cq_context = cq_context
        self.channel = channel if channel is not None else CompChannel(context)
        self.channel.add(self)
        self._cq: Cq | None = None

    async def _make(self) -> None:
        with refused("create_cq"):
            self._cq = await self.ctx.driver.create_cq(self.cqe)
        self.ctx.cqs.append(self)

    @property
    def kernel(self) -> Cq:
        """The driver's queue."""
        self._need_made()
        assert self._cq is not None
        return self._cq

    async def poll(self, num_entries: int = 1) -> tuple[int, list[WC]]:
        """Up to `num_entries` completions: how many, and they."""
        found = [
            WC(one.wr_id, int(one.status), int(one.opcode), one.vendor_err, one.byte_len, one.qp_num)
            for one in await self.ctx.driver.poll_cq(self.kernel, num_entries)
        ]
        return len(found), found

    async def req_notify(self, solicited_only: bool = False) -> None:
        """Ask for one event. The adapter knows no solicited events: any completion makes it."""
        await self.ctx.driver.req_notify(self.kernel)

    async def close(self) -> None:
        """Give it up; PyverbsRDMAError EBUSY while a queue pair uses it."""
        if not self.made:
            return
        with refused("destroy_cq"):
            await self.ctx.driver.destroy_cq(self.kernel)
        self.ctx.cqs.remove(self)
        self._closed()
