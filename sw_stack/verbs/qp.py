"""Queue pairs, as pyverbs.qp has them: reliable connections.

`fault_policy` is this device's own attribute: what the receive side does with a packet that faults (hca.FaultPolicy). Real adapters
have it fixed: mlx5 sends RNR NAKs, which is DISCARD.

Promises: what the device cannot be is refused here with a sentence (PyverbsUserError); what the driver refuses is a
PyverbsRDMAError. `timeout` and `min_rnr_timer` are taken and have no effect: the adapter has one setting for all (RETRY).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hwif.gen.hca import FaultPolicy, QpState, WrOpcode
from sw_stack.drivers.hca import Qp, RecvWr, SendWr, Sge
from sw_stack.verbs import enums as e
from sw_stack.verbs.cq import CQ
from sw_stack.verbs.errors import PyverbsUserError, refused
from sw_stack.verbs.made import Made
from sw_stack.verbs.pd import PD
from sw_stack.verbs.wr import SGE, RecvWR, SendWR

__all__ = ["QP", "QPAttr", "QPCap", "QPInitAttr"]

REMOTE_RIGHTS = e.IBV_ACCESS_REMOTE_READ | e.IBV_ACCESS_REMOTE_WRITE | e.IBV_ACCESS_REMOTE_ATOMIC
MTU_SHIFT_OF_256 = 8


@dataclass
class QPCap:
    """Sizes of the queues."""

    max_send_wr: int = 1
    max_recv_wr: int = 10
    max_send_sge: int = 1
    max_recv_sge: int = 1
    max_inline_data: int = 0


@dataclass
class QPInitAttr:
    """What a queue pair is made with."""

    qp_type: int = e.IBV_QPT_RC
    qp_context: object = None
    scq: CQ | None = None
    rcq: CQ | None = None
    srq: object = None
    cap: QPCap = field(default_factory=QPCap)
    sq_sig_all: int = 1
    fault_policy: FaultPolicy = FaultPolicy.RESTART


@dataclass
class QPAttr:
    """What `modify` sets, and `query` gives."""

    qp_state: int = 0
    cur_qp_state: int = 0
    port_num: int = 1
    path_mtu: int = e.IBV_MTU_1024
    rq_psn: int = 0
    sq_psn: int = 0
    dest_qp_num: int = 0
    qp_access_flags: int = REMOTE_RIGHTS
    max_rd_atomic: int = 1
    max_dest_rd_atomic: int = 1
    min_rnr_timer: int = 12
    timeout: int = 14
    retry_cnt: int = 7
    rnr_retry: int = 7


class QP(Made):
    """`qp = await QP(pd, QPInitAttr(...))`; with `qp_attr` it is brought to INIT as well."""

    def __init__(self, creator: PD, init_attr: QPInitAttr, qp_attr: QPAttr | None = None) -> None:
        super().__init__()
        if init_attr.qp_type != e.IBV_QPT_RC:
            raise PyverbsUserError(f"qp_type {init_attr.qp_type}: the adapter has reliable connections (IBV_QPT_RC) only")
        if init_attr.srq is not None:
            raise PyverbsUserError("srq: the adapter has no shared receive queues")
        if init_attr.scq is None or init_attr.rcq is None:
            raise PyverbsUserError("a queue pair needs scq and rcq")
        if init_attr.cap.max_inline_data:
            raise PyverbsUserError(f"max_inline_data {init_attr.cap.max_inline_data}: the adapter takes no inline data")
        self.pd = creator
        self.scq = init_attr.scq
        self.rcq = init_attr.rcq
        self.init_attr = init_attr
        self.sq_sig_all = bool(init_attr.sq_sig_all)
        self._first = qp_attr
        self._qp: Qp | None = None

    async def _make(self) -> None:
        ctx, cap = self.pd.ctx, self.init_attr.cap
        with refused("create_qp"):
            self._qp = await ctx.driver.create_qp(
                self.pd.kernel,
                self.scq.kernel,
                self.rcq.kernel,
                max(1, cap.max_send_wr),
                max(1, cap.max_recv_wr),
                self.init_attr.fault_policy,
            )
        ctx.qps.append(self)
        self._state = ""
        if self._first is not None:
            await self.to_init(self._first)

    @property
    def kernel(self) -> Qp:
        """The driver's queue pair."""
        self._need_made()
        assert self._qp is not None
        return self._qp

    @property
    def qp_num(self) -> int:
        return self.kernel.qp_num

    @property
    def qp_state(self) -> int:
        """As the driver knows it."""
        return int(self.kernel.state)

    # ---- states ------------------------------------------------------------------------------------------------------

    async def modify(self, qp_attr: QPAttr, mask: int = e.IBV_QP_STATE) -> None:
        """Move to `qp_attr.qp_state`; what the move needs is taken from `qp_attr`."""
        if not mask & e.IBV_QP_STATE:
            raise PyverbsUserError("modify without IBV_QP_STATE: the adapter changes attributes only together with the state")
        state = QpState(qp_attr.qp_state)
        attrs: dict[str, int] = {}
        if state in (QpState.INIT, QpState.RTR):
            attrs["access"] = qp_attr.qp_access_flags & REMOTE_RIGHTS
        if state is QpState.RTR:
            attrs["dest_qpn"] = qp_attr.dest_qp_num
            attrs["rq_psn"] = qp_attr.rq_psn
            attrs["mtu_shift"] = MTU_SHIFT_OF_256 + qp_attr.path_mtu - e.IBV_MTU_256
        if state is QpState.RTS:
            attrs["sq_psn"] = qp_attr.sq_psn
            attrs["retry_cnt"] = qp_attr.retry_cnt
            attrs["rnr_retry"] = qp_attr.rnr_retry
        with refused("modify_qp"):
            await self.pd.ctx.driver.modify_qp(self.kernel, state, **attrs)

    async def to_init(self, qp_attr: QPAttr) -> None:
        """RESET to INIT."""
        qp_attr.qp_state = e.IBV_QPS_INIT
        await self.modify(qp_attr)

    async def to_rtr(self, qp_attr: QPAttr) -> None:
        """To RTR, by INIT if it is not there."""
        if self.qp_state == e.IBV_QPS_RESET:
            await self.to_init(qp_attr)
        qp_attr.qp_state = e.IBV_QPS_RTR
        await self.modify(qp_attr)

    async def to_rts(self, qp_attr: QPAttr) -> None:
        """To RTS, by the states before it."""
        if self.qp_state != e.IBV_QPS_RTR:
            await self.to_rtr(qp_attr)
        qp_attr.qp_state = e.IBV_QPS_RTS
        await self.modify(qp_attr)

    async def query(self, attr_mask: int = 0) -> tuple[QPAttr, QPInitAttr]:
        """What the device says of it, and what it was made with."""
        with refused("query_qp"):
            status = await self.pd.ctx.driver.query_qp(self.kernel)
        attrs = self.kernel.attrs
        state = int(status.state)
        found = QPAttr(
            qp_state=state,
            cur_qp_state=state,
            path_mtu=attrs.mtu_shift - MTU_SHIFT_OF_256 + e.IBV_MTU_256,
            rq_psn=status.epsn,
            sq_psn=status.next_psn,
            dest_qp_num=attrs.dest_qpn,
            qp_access_flags=attrs.access,
            retry_cnt=attrs.retry_cnt,
            rnr_retry=attrs.rnr_retry,
        )
        return found, self.init_attr

    # ---- work --------------------------------------------------------------------------------------------------------

    async def post_send(self, wr: SendWR) -> None:
        """Post a send work request."""
        if wr.send_flags & e.IBV_SEND_INLINE:
            raise PyverbsUserError("IBV_SEND_INLINE: the adapter takes no inline data")
        if wr.opcode not in set(WrOpcode):
            raise PyverbsUserError(f"opcode {wr.opcode}: the adapter does not know it")
        request = SendWr(
            WrOpcode(wr.opcode),
            _elements(wr.sg, wr.num_sge),
            wr.wr_id,
            wr.remote_addr,
            wr.rkey,
            signaled=self.sq_sig_all or bool(wr.send_flags & e.IBV_SEND_SIGNALED),
            fence=bool(wr.send_flags & e.IBV_SEND_FENCE),
            compare_add=wr.compare_add,
            swap=wr.swap,
        )
        with refused("post_send"):
            await self.pd.ctx.driver.post_send(self.kernel, request)

    async def post_recv(self, wr: RecvWR) -> None:
        """Post a receive."""
        with refused("post_recv"):
            await self.pd.ctx.driver.post_recv(self.kernel, RecvWr(_elements(wr.sg, wr.num_sge), wr.wr_id))

    async def close(self) -> None:
        """Destroy it: nothing of it is in flight afterwards."""
        if not self.made:
            return
        with refused("destroy_qp"):
            await self.pd.ctx.driver.destroy_qp(self.kernel)
        self.pd.ctx.qps.remove(self)
        self._closed()


def _elements(sg: list[SGE], count: int) -> tuple[Sge, ...]:
    return tuple(Sge(one.addr, one.length, one.lkey) for one in sg[:count])
