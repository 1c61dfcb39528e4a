"""A process's view of an adapter, as pyverbs.device has it: Context, device attributes, asynchronous events.

In pyverbs a context is opened by the name of a device, and the process is the one that runs. Here several systems and processes
live in one run, so a context is opened on a system's driver for one of its processes: `ctx = Context(driver, mm)`.

Promises: everything made in a context is given up by `close`, in the order pyverbs does it: queue pairs, completion queues,
regions, domains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwif.gen import hca as h
from sw_stack.drivers.hca import HcaDriver
from sw_stack.mm.mm import Mm
from sw_stack.verbs import enums as e

if TYPE_CHECKING:
    from sw_stack.verbs.cq import CQ
    from sw_stack.verbs.mr import MR
    from sw_stack.verbs.pd import PD
    from sw_stack.verbs.qp import QP

__all__ = ["AsyncEvent", "Context", "DeviceAttr", "DeviceAttrEx", "ODPCaps"]

RC_CAPS = (
    e.IBV_ODP_SUPPORT_SEND | e.IBV_ODP_SUPPORT_RECV | e.IBV_ODP_SUPPORT_WRITE | e.IBV_ODP_SUPPORT_READ | e.IBV_ODP_SUPPORT_ATOMIC
)


@dataclass(frozen=True)
class DeviceAttr:
    """ibv_device_attr: what the adapter can do."""

    max_qp: int = h.NUM_QP
    max_cq: int = h.NUM_CQ
    max_mr: int = h.NUM_KEY
    max_mr_size: int = 1 << h.HCA_VA_BITS
    max_sge: int = h.MAX_SGE
    max_qp_wr: int = 1 << (h.INDEX_WIDTH - 1)
    max_cqe: int = 1 << (h.INDEX_WIDTH - 1)
    max_qp_rd_atom: int = 1
    max_qp_init_rd_atom: int = 1
    page_size_cap: int = (1 << 12) | (1 << 21) | (1 << 30)


@dataclass(frozen=True)
class ODPCaps:
    """ibv_odp_caps. Only reliable connections take page faults."""

    general_caps: int = e.IBV_ODP_SUPPORT | e.IBV_ODP_SUPPORT_IMPLICIT
    rc_odp_caps: int = RC_CAPS
    uc_odp_caps: int = 0
    ud_odp_caps: int = 0
    xrc_odp_caps: int = 0


@dataclass(frozen=True)
class DeviceAttrEx:
    """ibv_device_attr_ex."""

    orig_attr: DeviceAttr = DeviceAttr()
    odp_caps: ODPCaps = ODPCaps()


@dataclass(frozen=True)
class AsyncEvent:
    """ibv_async_event: `event_type` and the number of what it is about."""

    event_type: int
    element: int


EVENT_TYPES = {
    h.AsyncType.QP_FATAL: e.IBV_EVENT_QP_FATAL,
    h.AsyncType.QP_REQ_ERR: e.IBV_EVENT_QP_REQ_ERR,
    h.AsyncType.QP_ACCESS_ERR: e.IBV_EVENT_QP_ACCESS_ERR,
    h.AsyncType.CQ_ERR: e.IBV_EVENT_CQ_ERR,
}


class Context:
    """An adapter, opened by a process. `name` is only for messages."""

    def __init__(self, driver: HcaDriver, mm: Mm, name: str = "") -> None:
        self.driver = driver
        self.mm = mm
        self.name = name or f"hca_{driver.node}"
        self.pds: list[PD] = []
        self.mrs: list[MR] = []
        self.cqs: list[CQ] = []
        self.qps: list[QP] = []

    def query_device(self) -> DeviceAttr:
        """What the adapter can do."""
        return DeviceAttr()

    def query_device_ex(self) -> DeviceAttrEx:
        """The same, and what it can do on demand."""
        return DeviceAttrEx()

    async def get_async_event(self) -> AsyncEvent:
        """The oldest asynchronous event, waited for. Of all processes of the system: the driver has one queue."""
        event = await self.driver.wait_async_event(patient=True)
        return AsyncEvent(EVENT_TYPES[event.kind], event.subject)

    async def close(self) -> None:
        """Give up everything made in this context."""
        for made in (*self.qps, *self.cqs, *self.mrs, *self.pds):
            await made.close()

    def __repr__(self) -> str:
        return f"Context({self.name}, {self.mm.name})"
