"""The constants of libibverbs under the names pyverbs gives them (pyverbs.enums).

Promises: the numbers are libibverbs' own. Those the device sees come from spec/hca.toml; the rest exist only above the driver.
"""

from __future__ import annotations

from typing import Final

from hwif.gen.hca import Access, Advice, QpState, WcOpcode, WcStatus, WrOpcode

# ibv_access_flags
IBV_ACCESS_LOCAL_WRITE: Final = int(Access.LOCAL_WRITE)
IBV_ACCESS_REMOTE_WRITE: Final = int(Access.REMOTE_WRITE)
IBV_ACCESS_REMOTE_READ: Final = int(Access.REMOTE_READ)
IBV_ACCESS_REMOTE_ATOMIC: Final = int(Access.REMOTE_ATOMIC)
IBV_ACCESS_MW_BIND: Final = int(Access.MW_BIND)
IBV_ACCESS_ZERO_BASED: Final = int(Access.ZERO_BASED)
IBV_ACCESS_ON_DEMAND: Final = int(Access.ON_DEMAND)
IBV_ACCESS_HUGETLB: Final = int(Access.HUGETLB)
IBV_ACCESS_RELAXED_ORDERING: Final = int(Access.RELAXED_ORDERING)

# ibv_wr_opcode
IBV_WR_RDMA_WRITE: Final = int(WrOpcode.RDMA_WRITE)
IBV_WR_SEND: Final = int(WrOpcode.SEND)
IBV_WR_RDMA_READ: Final = int(WrOpcode.RDMA_READ)
IBV_WR_ATOMIC_CMP_AND_SWP: Final = int(WrOpcode.ATOMIC_CMP_AND_SWP)
IBV_WR_ATOMIC_FETCH_AND_ADD: Final = int(WrOpcode.ATOMIC_FETCH_AND_ADD)

# ibv_send_flags
IBV_SEND_FENCE: Final = 1
IBV_SEND_SIGNALED: Final = 2
IBV_SEND_SOLICITED: Final = 4
IBV_SEND_INLINE: Final = 8

# ibv_wc_status
IBV_WC_SUCCESS: Final = int(WcStatus.SUCCESS)
IBV_WC_LOC_LEN_ERR: Final = int(WcStatus.LOC_LEN_ERR)
IBV_WC_LOC_QP_OP_ERR: Final = int(WcStatus.LOC_QP_OP_ERR)
IBV_WC_LOC_PROT_ERR: Final = int(WcStatus.LOC_PROT_ERR)
IBV_WC_WR_FLUSH_ERR: Final = int(WcStatus.WR_FLUSH_ERR)
IBV_WC_BAD_RESP_ERR: Final = int(WcStatus.BAD_RESP_ERR)
IBV_WC_LOC_ACCESS_ERR: Final = int(WcStatus.LOC_ACCESS_ERR)
IBV_WC_REM_INV_REQ_ERR: Final = int(WcStatus.REM_INV_REQ_ERR)
IBV_WC_REM_ACCESS_ERR: Final = int(WcStatus.REM_ACCESS_ERR)
IBV_WC_REM_OP_ERR: Final = int(WcStatus.REM_OP_ERR)
IBV_WC_RETRY_EXC_ERR: Final = int(WcStatus.RETRY_EXC_ERR)
IBV_WC_RNR_RETRY_EXC_ERR: Final = int(WcStatus.RNR_RETRY_EXC_ERR)
IBV_WC_GENERAL_ERR: Final = int(WcStatus.GENERAL_ERR)

# ibv_wc_opcode
IBV_WC_SEND: Final = int(WcOpcode.SEND)
IBV_WC_RDMA_WRITE: Final = int(WcOpcode.RDMA_WRITE)
IBV_WC_RDMA_READ: Final = int(WcOpcode.RDMA_READ)
IBV_WC_COMP_SWAP: Final = int(WcOpcode.COMP_SWAP)
IBV_WC_FETCH_ADD: Final = int(WcOpcode.FETCH_ADD)
IBV_WC_RECV: Final = int(WcOpcode.RECV)

# ibv_qp_state, ibv_qp_type
IBV_QPS_RESET: Final = int(QpState.RESET)
IBV_QPS_INIT: Final = int(QpState.INIT)
IBV_QPS_RTR: Final = int(QpState.RTR)
IBV_QPS_RTS: Final = int(QpState.RTS)
IBV_QPS_SQD: Final = int(QpState.SQD)
IBV_QPS_SQE: Final = int(QpState.SQE)
IBV_QPS_ERR: Final = int(QpState.ERR)
IBV_QPT_RC: Final = 2
IBV_QPT_UC: Final = 3
IBV_QPT_UD: Final = 4

# ibv_mtu
IBV_MTU_256: Final = 1
IBV_MTU_512: Final = 2
IBV_MTU_1024: Final = 3
IBV_MTU_2048: Final = 4
IBV_MTU_4096: Final = 5

# ibv_qp_attr_mask
IBV_QP_STATE: Final = 1 << 0
IBV_QP_CUR_STATE: Final = 1 << 1
IBV_QP_ACCESS_FLAGS: Final = 1 << 3
IBV_QP_PKEY_INDEX: Final = 1 << 4
IBV_QP_PORT: Final = 1 << 5
IBV_QP_AV: Final = 1 << 7
IBV_QP_PATH_MTU: Final = 1 << 8
IBV_QP_TIMEOUT: Final = 1 << 9
IBV_QP_RETRY_CNT: Final = 1 << 10
IBV_QP_RNR_RETRY: Final = 1 << 11
IBV_QP_RQ_PSN: Final = 1 << 12
IBV_QP_MAX_QP_RD_ATOMIC: Final = 1 << 13
IBV_QP_MIN_RNR_TIMER: Final = 1 << 15
IBV_QP_SQ_PSN: Final = 1 << 16
IBV_QP_MAX_DEST_RD_ATOMIC: Final = 1 << 17
IBV_QP_CAP: Final = 1 << 19
IBV_QP_DEST_QPN: Final = 1 << 20

# ib_uverbs_advise_mr_advice, _flag. pyverbs spells them with a leading underscore.
_IBV_ADVISE_MR_ADVICE_PREFETCH: Final = int(Advice.PREFETCH)
_IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE: Final = int(Advice.PREFETCH_WRITE)
_IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT: Final = int(Advice.PREFETCH_NO_FAULT)
_IBV_ADVISE_MR_FLAG_FLUSH: Final = 1

# ibv_odp_transport_cap_bits, ibv_odp_general_caps
IBV_ODP_SUPPORT_SEND: Final = 1
IBV_ODP_SUPPORT_RECV: Final = 2
IBV_ODP_SUPPORT_WRITE: Final = 4
IBV_ODP_SUPPORT_READ: Final = 8
IBV_ODP_SUPPORT_ATOMIC: Final = 16
IBV_ODP_SUPPORT_SRQ_RECV: Final = 32
IBV_ODP_SUPPORT: Final = 1
IBV_ODP_SUPPORT_IMPLICIT: Final = 2

# ibv_event_type
IBV_EVENT_CQ_ERR: Final = 0
IBV_EVENT_QP_FATAL: Final = 1
IBV_EVENT_QP_REQ_ERR: Final = 2
IBV_EVENT_QP_ACCESS_ERR: Final = 3
