"""The user's view of the HCA, under the names of pyverbs (rdma-core's Python binding of libibverbs).

    ctx = Context(driver, mm)                       # an adapter, opened by a process
    pd = await PD(ctx)
    mr = await MR(pd, 4096, e.IBV_ACCESS_LOCAL_WRITE | e.IBV_ACCESS_ON_DEMAND)
    cq = await CQ(ctx, 16)
    qp = await QP(pd, QPInitAttr(scq=cq, rcq=cq, cap=QPCap(max_send_wr=8)), QPAttr())
    await qp.to_rts(QPAttr(dest_qp_num=..., rq_psn=..., sq_psn=...))
    await qp.post_send(SendWR(num_sge=1, sg=[SGE(mr.buf, 4096, mr.lkey)]))
    count, completions = await cq.poll()

Names, arguments, attributes and defaults are pyverbs'. What differs: whatever enters the kernel is awaited, and so is the making
of an object (made.py); a context is opened on a system's driver for a process instead of by a device's name (device.py).
"""

from sw_stack.verbs import enums
from sw_stack.verbs.cq import CQ, WC, CompChannel
from sw_stack.verbs.device import AsyncEvent, Context, DeviceAttr, DeviceAttrEx, ODPCaps
from sw_stack.verbs.errors import PyverbsError, PyverbsRDMAError, PyverbsUserError
from sw_stack.verbs.mr import MR
from sw_stack.verbs.pd import PD
from sw_stack.verbs.qp import QP, QPAttr, QPCap, QPInitAttr
from sw_stack.verbs.wr import SGE, RecvWR, SendWR

__all__ = [
    "CQ",
    "MR",
    "PD",
    "QP",
    "SGE",
    "WC",
    "AsyncEvent",
    "CompChannel",
    "Context",
    "DeviceAttr",
    "DeviceAttrEx",
    "ODPCaps",
    "PyverbsError",
    "PyverbsRDMAError",
    "PyverbsUserError",
    "QPAttr",
    "QPCap",
    "QPInitAttr",
    "RecvWR",
    "SendWR",
    "enums",
]
