"""rdma-core's on-demand paging tests, played on the HCA: each under its original name, which stands in its docstring.

Where the original throws both buffers' pages away before each of its hundred rounds, so does this. What is not here, and why, is
said in docs/hca-testplan.md.
"""

from __future__ import annotations

import errno

import pytest
from mirrored.players import Player, Wanted, atomic_traffic, one_message, play, rdma_traffic, traffic
from support.hca_rig import Nodes, Rig

from hwif.gen.hca import FaultPolicy
from hwif.port import NodesDevice
from pymodels.hca import HcaModel
from sw_stack.verbs import MR, SGE, PyverbsRDMAError, SendWR
from sw_stack.verbs import enums as e

FRAMES = 3072  # large pages need room


def native(nodes: Nodes) -> NodesDevice:
    from tb.hil.native import NativeHca  # noqa: PLC0415 - builds the RTL

    return NativeHca(nodes)


@pytest.fixture(params=["model", pytest.param("native", marks=pytest.mark.slow)])
def rig(request: pytest.FixtureRequest) -> Rig:
    return Rig(frames=FRAMES, device=native if request.param == "native" else HcaModel)


def faults(rig: Rig) -> int:
    return rig.a.driver.stats.fault_records + rig.b.driver.stats.fault_records


def test_odp_rc_traffic(rig: Rig) -> None:
    """test_odp_rc_traffic"""
    play(rig, Wanted(), traffic)
    assert faults(rig) >= 100, "every round faults"


@pytest.mark.parametrize("policy", [FaultPolicy.STALL, FaultPolicy.RESTART])
def test_odp_rc_traffic_under_the_other_policies(rig: Rig, policy: FaultPolicy) -> None:
    """test_odp_rc_traffic, with receive sides that stall or restart instead of mlx5's RNR NAK"""
    play(rig, Wanted(policy=policy), traffic)
    assert faults(rig) >= 100


def test_odp_rc_mixed_mr(rig: Rig) -> None:
    """test_odp_rc_mixed_mr"""
    play(rig, Wanted(mixed=True), traffic)
    assert faults(rig) >= 100


def test_odp_qp_ex_rc_atomic_write(rig: Rig) -> None:
    """test_odp_qp_ex_rc_atomic_write"""

    async def body(client: Player, server: Player) -> None:
        await rdma_traffic(client, server, e.IBV_WR_RDMA_WRITE)

    play(rig, Wanted(msg_size=8), body)


def test_odp_rc_atomic_cmp_and_swp(rig: Rig) -> None:
    """test_odp_rc_atomic_cmp_and_swp"""

    async def body(client: Player, server: Player) -> None:
        await atomic_traffic(client, server, e.IBV_WR_ATOMIC_CMP_AND_SWP)
        await atomic_traffic(client, server, e.IBV_WR_ATOMIC_CMP_AND_SWP, receiver_val=1, sender_val=1)

    play(rig, Wanted(msg_size=8, request_user_addr=False), body)


def test_odp_rc_atomic_fetch_and_add(rig: Rig) -> None:
    """test_odp_rc_atomic_fetch_and_add"""

    async def body(client: Player, server: Player) -> None:
        await atomic_traffic(client, server, e.IBV_WR_ATOMIC_FETCH_AND_ADD)

    play(rig, Wanted(msg_size=8, request_user_addr=False), body)


def test_odp_rc_rdma_read(rig: Rig) -> None:
    """test_odp_rc_rdma_read"""

    async def body(client: Player, server: Player) -> None:
        await rdma_traffic(client, server, e.IBV_WR_RDMA_READ)

    play(rig, Wanted(), body)
    assert faults(rig) >= 100


def test_odp_rc_rdma_write(rig: Rig) -> None:
    """test_odp_rc_rdma_write"""

    async def body(client: Player, server: Player) -> None:
        await rdma_traffic(client, server, e.IBV_WR_RDMA_WRITE)

    play(rig, Wanted(), body)
    assert faults(rig) >= 100


def test_odp_implicit_rc_traffic(rig: Rig) -> None:
    """test_odp_implicit_rc_traffic"""
    play(rig, Wanted(is_implicit=True), traffic)
    assert faults(rig) >= 100


def test_odp_rc_huge_traffic(rig: Rig) -> None:
    """test_odp_rc_huge_traffic"""

    async def body(client: Player, server: Player) -> None:
        await traffic(client, server, faults=False)

    play(rig, Wanted(is_huge=True, request_user_addr=False), body)
    assert faults(rig) >= 2, "each side once: the page stays"


def test_odp_rc_huge_user_addr_traffic(rig: Rig) -> None:
    """test_odp_rc_huge_user_addr_traffic. Its pages are not thrown away: a part of a large page cannot be."""

    async def body(client: Player, server: Player) -> None:
        await traffic(client, server, faults=False)

    play(rig, Wanted(is_huge=True), body)


ADVICE = [e._IBV_ADVISE_MR_ADVICE_PREFETCH, e._IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE]


@pytest.mark.parametrize("advice", ADVICE)
def test_odp_sync_prefetch_rc_traffic(rig: Rig, advice: int) -> None:
    """test_odp_sync_prefetch_rc_traffic"""
    play(rig, Wanted(prefetch="sync", advice=advice), traffic)
    assert rig.a.driver.stats.prefetch_pages >= 100


@pytest.mark.parametrize("advice", ADVICE)
def test_odp_async_prefetch_rc_traffic(rig: Rig, advice: int) -> None:
    """test_odp_async_prefetch_rc_traffic"""
    play(rig, Wanted(prefetch="async", advice=advice), traffic)
    assert rig.a.driver.stats.prefetch >= 100


def test_odp_implicit_sync_prefetch_rc_traffic(rig: Rig) -> None:
    """test_odp_implicit_sync_prefetch_rc_traffic"""
    play(rig, Wanted(prefetch="sync", is_implicit=True), traffic)


def test_odp_implicit_async_prefetch_rc_traffic(rig: Rig) -> None:
    """test_odp_implicit_async_prefetch_rc_traffic"""
    play(rig, Wanted(prefetch="async", is_implicit=True), traffic)


@pytest.mark.parametrize("how", ["sync", "async"])
def test_odp_prefetch_no_page_fault_rc_traffic(rig: Rig, how: str) -> None:
    """test_odp_prefetch_sync_no_page_fault_rc_traffic, test_odp_prefetch_async_no_page_fault_rc_traffic"""
    play(rig, Wanted(prefetch=how, advice=e._IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT), traffic)
    assert faults(rig) >= 100, "what is not there is not brought"


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(Wanted(), id="mrex_odp_rc_traffic"),
        pytest.param(Wanted(is_huge=True), id="mrex_odp_rc_huge_traffic"),
        pytest.param(Wanted(is_implicit=True), id="mrex_odp_implicit_rc_traffic"),
    ],
)
def test_mrex(rig: Rig, wanted: Wanted) -> None:
    """test_mrex_odp_rc_traffic, test_mrex_odp_rc_huge_traffic, test_mrex_odp_implicit_rc_traffic: the extended registration call
    makes the same region, so what is left to test is that regions come and go while the others are at work"""

    async def body(client: Player, server: Player) -> None:
        for _ in range(10):
            await traffic(client, server, faults=not wanted.is_huge, rounds=10)
            old, address = client.mr.lkey, client.mr.buf
            await client.mr.close()
            with pytest.raises(PyverbsRDMAError) as caught:
                await client.pd.advise_mr(ADVICE[0], e._IBV_ADVISE_MR_FLAG_FLUSH, [SGE(address, 8, old)])
            assert caught.value.error_code == errno.ENOENT
            client.mr = await MR(client.pd, wanted.msg_size, wanted.access, address=address, implicit=wanted.is_implicit)

    play(rig, wanted, body)


def test_odp_bad_flow(rig: Rig) -> None:
    """After test_dmah_mrex_odp_bad_flow: what a region must refuse, it refuses, and the queue pair says so"""

    async def body(client: Player, server: Player) -> None:
        await one_message(client, server, "c")
        request = SendWR(opcode=e.IBV_WR_RDMA_WRITE, num_sge=1, sg=[SGE(client.mr.buf, 64, client.mr.lkey)])
        request.set_wr_rdma(server.mr.rkey, server.mr.buf + server.wanted.msg_size - 63)
        await client.qp.post_send(request)
        assert (await client.completion()).status == e.IBV_WC_REM_ACCESS_ERR
        assert client.qp.qp_state == e.IBV_QPS_ERR

    play(rig, Wanted(), body)
