"""The driver of the HCA: memory regions on demand, implicit and pinned; page faults; invalidation; queue pairs."""

from sw_stack.drivers.hca.driver import HcaDriver
from sw_stack.drivers.hca.policy import DriverPolicy
from sw_stack.drivers.hca.queues import Cq, Qp, QpAttrs, QpStatus
from sw_stack.drivers.hca.regions import Mr, Pd
from sw_stack.drivers.hca.state import AsyncEvent, HcaError
from sw_stack.drivers.hca.wr import RecvWr, SendWr, Sge, WorkCompletion

__all__ = [
    "AsyncEvent",
    "Cq",
    "DriverPolicy",
    "HcaDriver",
    "HcaError",
    "Mr",
    "Pd",
    "Qp",
    "QpAttrs",
    "QpStatus",
    "RecvWr",
    "SendWr",
    "Sge",
    "WorkCompletion",
]
