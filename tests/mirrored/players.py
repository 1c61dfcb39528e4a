"""Two players of a verbs test, a client on system A and a server on system B, and the traffic between them.

The shape follows rdma-core's own tests: a player owns context, domain, region, completion queue and queue pair; a test makes two
of them and lets them send, read, write or count, a hundred times, throwing the buffers' pages away before each round.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from support.hca_rig import Rig, System

from hwif.gen.hca import FaultPolicy
from sw_stack.mm import Mm
from sw_stack.verbs import CQ, MR, PD, QP, SGE, WC, Context, QPAttr, QPCap, QPInitAttr, RecvWR, SendWR
from sw_stack.verbs import enums as e
from sw_stack.verbs.mem_alloc import MAP_ANONYMOUS_, MAP_HUGETLB_, MAP_PRIVATE_, madvise, mmap

ITERATIONS = 100
HUGE_PAGE_SIZE = 1 << 21
ODP_ACCESS = (
    e.IBV_ACCESS_LOCAL_WRITE
    | e.IBV_ACCESS_ON_DEMAND
    | e.IBV_ACCESS_REMOTE_ATOMIC
    | e.IBV_ACCESS_REMOTE_READ
    | e.IBV_ACCESS_REMOTE_WRITE
)
PSN = {"client": 0x4321, "server": 0xFFFFF0}  # one wraps round during the test


@dataclass(frozen=True)
class Wanted:
    """What a test asks of its players."""

    msg_size: int = 1024
    request_user_addr: bool = True
    is_huge: bool = False
    is_implicit: bool = False
    mixed: bool = False
    """Half of each message lies in a pinned region."""
    prefetch: str | None = None
    """'sync', 'async' or no prefetch before each message."""
    advice: int = e._IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE
    access: int = ODP_ACCESS
    policy: FaultPolicy = FaultPolicy.DISCARD
    """As mlx5's: a receive that faults is answered with RNR NAK."""


@dataclass(eq=False)
class Player:
    """One side."""

    name: str
    wanted: Wanted
    ctx: Context
    pd: PD
    mr: MR
    cq: CQ
    qp: QP
    pinned: MR | None = None
    received: list[WC] = field(default_factory=list)

    @classmethod
    async def make(cls, name: str, system: System, mm: Mm, wanted: Wanted) -> Player:
        ctx = Context(system.driver, mm, name)
        pd = await PD(ctx)
        address = None
        if wanted.request_user_addr:
            flags = MAP_ANONYMOUS_ | MAP_PRIVATE_ | (MAP_HUGETLB_ if wanted.is_huge else 0)
            address = await mmap(mm, HUGE_PAGE_SIZE if wanted.is_huge else wanted.msg_size, flags)
        access = wanted.access | (e.IBV_ACCESS_HUGETLB if wanted.is_huge else 0)
        mr = await MR(pd, wanted.msg_size, access, address=address, implicit=wanted.is_implicit)
        pinned = await MR(pd, wanted.msg_size, e.IBV_ACCESS_LOCAL_WRITE) if wanted.mixed else None
        cq = await CQ(ctx, 16)
        cap = QPCap(max_send_wr=4, max_recv_wr=4, max_send_sge=2, max_recv_sge=2)
        qp = await QP(pd, QPInitAttr(scq=cq, rcq=cq, cap=cap, sq_sig_all=0, fault_policy=wanted.policy))
        return cls(name, wanted, ctx, pd, mr, cq, qp, pinned)

    @property
    def mm(self) -> Mm:
        return self.ctx.mm

    async def connect(self, peer: Player) -> None:
        attr = QPAttr(dest_qp_num=peer.qp.qp_num, rq_psn=PSN[peer.name], sq_psn=PSN[self.name], path_mtu=e.IBV_MTU_1024)
        await self.qp.to_rts(attr)

    async def fault_pages(self) -> None:
        """The buffer's pages go: the next access of the device faults."""
        await madvise(self.mm, self.mr.buf, self.wanted.msg_size)

    def elements(self) -> list[SGE]:
        """The message: in the region, or half in the region and half in a pinned one."""
        size = self.wanted.msg_size
        if self.pinned is None:
            return [SGE(self.mr.buf, size, self.mr.lkey)]
        return [SGE(self.mr.buf, size // 2, self.mr.lkey), SGE(self.pinned.buf, size - size // 2, self.pinned.lkey)]

    async def fill(self, letter: str) -> None:
        size = self.wanted.msg_size
        await self.mr.write(letter * size, size)
        if self.pinned is not None:
            await self.pinned.write(letter * size, size)

    async def contents(self) -> bytes:
        """The message as the process finds it."""
        size = self.wanted.msg_size
        if self.pinned is None:
            return await self.mr.read(size, 0)
        return await self.mr.read(size // 2, 0) + await self.pinned.read(size - size // 2, 0)

    async def prefetch(self) -> None:
        if self.wanted.prefetch is None:
            return
        flags = e._IBV_ADVISE_MR_FLAG_FLUSH if self.wanted.prefetch == "sync" else 0
        await self.pd.advise_mr(self.wanted.advice, flags, [SGE(self.mr.buf, self.wanted.msg_size, self.mr.lkey)])

    async def completion(self) -> WC:
        """The next one, waited for."""
        while True:
            await self.cq.req_notify()
            count, found = await self.cq.poll()
            if count:
                return found[0]
            await self.cq.channel.get_cq_event()

    async def succeed(self, opcode: int) -> WC:
        """The next completion, which must be this one's success."""
        found = await self.completion()
        assert (found.status, found.opcode) == (e.IBV_WC_SUCCESS, opcode), (self.name, found)
        return found


Play = Callable[[Player, Player], Coroutine[Any, Any, None]]


def play(rig: Rig, wanted: Wanted, body: Play) -> None:
    """Make two players, connect them, let them play, and give everything up."""

    async def whole() -> None:
        client = await Player.make("client", rig.a, rig.a.machine.new_mm("client"), wanted)
        server = await Player.make("server", rig.b, rig.b.machine.new_mm("server"), wanted)
        await client.connect(server)
        await server.connect(client)
        await body(client, server)
        for player in (client, server):
            await player.ctx.close()
            await player.mm.exit()

    rig.run(whole())
    assert not rig.device.violations()


async def one_message(sender: Player, receiver: Player, letter: str) -> None:
    """A SEND of the whole buffer, and its contents compared."""
    size = sender.wanted.msg_size
    elements = receiver.elements()
    await receiver.qp.post_recv(RecvWR(num_sge=len(elements), sg=elements))
    await sender.fill(letter)
    await sender.prefetch()
    elements = sender.elements()
    await sender.qp.post_send(SendWR(num_sge=len(elements), sg=elements))
    await sender.succeed(e.IBV_WC_SEND)
    received = await receiver.succeed(e.IBV_WC_RECV)
    assert received.byte_len == size
    assert await receiver.contents() == letter.encode() * size


async def traffic(client: Player, server: Player, *, faults: bool = True, rounds: int = ITERATIONS) -> None:
    """Messages there and back."""
    for _ in range(rounds):
        if faults:
            await client.fault_pages()
            await server.fault_pages()
        await one_message(client, server, "c")
        await one_message(server, client, "s")


async def rdma_traffic(client: Player, server: Player, opcode: int, *, faults: bool = True, rounds: int = ITERATIONS) -> None:
    """The client reads or writes the server's buffer, which never hears of it."""
    size = client.wanted.msg_size
    for _ in range(rounds):
        if faults:
            await client.fault_pages()
            await server.fault_pages()
        source, target = (server, client) if opcode == e.IBV_WR_RDMA_READ else (client, server)
        letter = source.name[0]
        await source.fill(letter)
        await client.prefetch()
        request = SendWR(opcode=opcode, num_sge=1, sg=[SGE(client.mr.buf, size, client.mr.lkey)])
        request.set_wr_rdma(server.mr.rkey, server.mr.buf)
        await client.qp.post_send(request)
        await client.succeed(e.IBV_WC_RDMA_READ if opcode == e.IBV_WR_RDMA_READ else e.IBV_WC_RDMA_WRITE)
        assert await target.contents() == letter.encode() * size


async def atomic_traffic(
    client: Player, server: Player, opcode: int, *, receiver_val: int = 1, sender_val: int = 2, rounds: int = ITERATIONS
) -> None:
    """CMP_AND_SWP of `receiver_val` against the server's value, or FETCH_AND_ADD of `sender_val`."""
    value = receiver_val
    await server.mr.write(value.to_bytes(8, "little"), 8)
    for _ in range(rounds):
        swap = opcode == e.IBV_WR_ATOMIC_CMP_AND_SWP
        request = SendWR(opcode=opcode, num_sge=1, sg=[SGE(client.mr.buf, 8, client.mr.lkey)])
        if swap:
            request.set_wr_atomic(server.mr.rkey, server.mr.buf, receiver_val, sender_val)
        else:
            request.set_wr_atomic(server.mr.rkey, server.mr.buf, sender_val)
        await client.qp.post_send(request)
        await client.succeed(e.IBV_WC_COMP_SWAP if swap else e.IBV_WC_FETCH_ADD)
        assert int.from_bytes(await client.mr.read(8, 0), "little") == value, "the old value comes back"
        if swap:
            value = sender_val if value == receiver_val else value
        else:
            value += sender_val
        assert int.from_bytes(await server.mr.read(8, 0), "little") == value
