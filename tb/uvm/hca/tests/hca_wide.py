"""Everything at full width: memory anywhere in the physical address space, keys, queue pairs, completion queues, domains, PSNs and
virtual addresses of all bits, every slot of both packet engines in use, every tag of invalidations, commands with every operand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyuvm

from hwif.gen import hca as h
from hwif.memory import FRAME_BYTES as PAGE
from tb.hil.hca_bare import Bare, BareNode, BareQp, Entry, settings
from tb.uvm.agents.axi.config import ErrorRule, Resp
from tb.uvm.hca.observed import owner_of
from tb.uvm.hca.plan import Plan
from tb.uvm.hca.tests.base import TIMEOUT_US, HcaBaseTest
from tb.uvm.inlet import Inlet

__all__ = ["HcaWide"]

PAIRS = 16
EACH = 4  # messages of a pair at a time
PAGES = 6
ELEMENT = 100  # bytes, half of them on either side of a page edge
SLOW = 24  # cycles a flit: more packets wait than there are slots
FULL = 9000  # cycles after which they do
TAGS = 32
AHEAD = 16  # commands fetched and not retired
RESET = 2  # pairs
RID_PAYLOAD = 0  # AXI ID of reads of payload
VA_END = 1 << 64


@dataclass
class _End:
    """A queue pair and its own region; `away`: frames of pages that are away."""

    qp: BareQp
    key: int
    va: int
    away: dict[int, int]

    def element(self, number: int, at: int) -> dict[str, int]:
        """A scatter/gather element over the edge of two pages."""
        va = self.va + PAGE * (2 * number + 1) - ELEMENT // 2
        return {f"addr{at}": va, f"length{at}": ELEMENT, f"lkey{at}": self.key}


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class HcaWide(HcaBaseTest):
    """The boards judge all of it."""

    plan = Plan(
        scattered=True,
        frames=8192,
        patience=60_000,
        chosen=settings(command_entries=64, fault_entries=32, keys=h.NUM_KEY, ack_timeout=0, rnr_delay=500),
        left_open=True,
    )

    def program(self, port: Any) -> None:
        """Scene after scene with the same queue pairs, which the last one ends."""
        bare = self.bare(port)
        keys = iter(self.rng.sample(range(h.NUM_KEY), 3 * PAIRS))
        pairs = self.begin(bare, PAIRS, keys)
        self._named()
        for ends in pairs:
            self._atomic(bare, *ends)
        self._crowd(bare, pairs[:-RESET], pairs[-RESET:])
        self.tags(bare, pairs[-1])
        for _ in range(self.scaled(60)):
            self._command()
        self._refused_commands(bare)
        for at, ends in enumerate(pairs[:-RESET]):
            (self._aborted if at % 2 else self._refused)(bare, *ends, next(keys))
        self._overflow(bare, pairs[-RESET:])

    def begin(self, bare: Bare, count: int, keys: Iterator[int]) -> list[tuple[_End, _End]]:
        """Connected pairs with their regions."""
        self.node: BareNode = bare.nodes[0]
        self._flying = 0
        self.env.port.monitor.started.connect(Inlet("flying", self, self._started))
        cqns = self.rng.sample(range(h.NUM_CQ), 2 * count)
        numbers = [cqn + h.NUM_CQ * self.rng.randrange(h.NUM_QP // h.NUM_CQ) for cqn in cqns]
        return [self._pair(bare, numbers[2 * at : 2 * at + 2], keys) for at in range(count)]

    def _started(self, access: Any) -> None:
        self._flying += not access.write and access.ident == RID_PAYLOAD and owner_of(access.user).mapped

    # ---- who is there ---------------------------------------------------------------------------------------------------------

    def _pair(self, bare: Bare, numbers: list[int], keys: Iterator[int]) -> tuple[_End, _End]:
        rng, node = self.rng, self.node
        ends = []
        for qpn in numbers:
            pd = rng.getrandbits(h.PD_WIDTH) or 1
            cqn = node.cq(qpn % h.NUM_CQ, rng.randint(4, 7))
            logs = {"sq_log": rng.randint(3, 9), "rq_log": rng.randint(3, 9)}
            qp = node.qp(qpn, send_cqn=cqn, pd=pd, mtu_shift=rng.randint(8, 12), **logs)
            ends.append(_End(qp, *self._region(next(keys), pd), {}))
        for end in ends[1:]:
            end.qp.context["mtu_shift"] = ends[0].qp.context["mtu_shift"]
        psns = {name: rng.getrandbits(h.PSN_WIDTH) for name in ("psn_a", "psn_b")}
        bare.connect(ends[0].qp, ends[1].qp, **psns)
        return ends[0], ends[1]

    def _region(self, index: int, pd: int) -> tuple[int, int]:
        """A key over pages anywhere, and where; its table may begin long before them, and it may end long after."""
        rng, node = self.rng, self.node
        va = rng.randrange(VA_END // PAGE - PAGES) * PAGE
        levels = rng.randint(1, h.TABLE_LEVELS)
        before = min(va // PAGE, rng.randrange((1 << h.TABLE_BITS * levels) - PAGES))
        length = min(VA_END - 1 - va, max(PAGES * PAGE, rng.getrandbits(rng.randint(16, 64))))
        key = node.key(index, va, length, pd=pd, levels=levels, table_base=va - before * PAGE, variant=rng.getrandbits(8))
        for page in range(PAGES):
            node.map(key, va + page * PAGE, node.alloc_user(1))
        node.poke(key, va, rng.randbytes(PAGES * PAGE))
        return key, va

    # ---- traffic ---------------------------------------------------------------------------------------------------------------

    def _atomic(self, bare: Bare, a: _End, b: _End) -> None:
        at = 4 * PAGE + 8 * self.rng.randrange(PAGE // 8)
        old, add = int.from_bytes(self.node.peek(b.key, b.va + at, 8), "little"), self.rng.getrandbits(64)
        a.qp.fetch_add(a.key, a.va + at, b.key, b.va + at, add)
        self._ended(bare, a.qp)
        found = [int.from_bytes(self.node.peek(end.key, end.va + at, 8), "little") for end in (a, b)]
        assert found == [old, (old + add) % VA_END], f"an atomic of {add:#x} on {old:#x} left {found}"

    def _named(self) -> None:
        """The node's number is what its pins say."""
        for number in (0xFF, 0):
            self.bfm.put(node=number)
            self.node.bare.settle()
            found = self.node.load(h.IdReg)["node"]
            assert found == number, f"node {number} says that it is {found}"

    def _crowd(self, bare: Bare, stay: list[tuple[_End, _End]], gone: list[tuple[_End, _End]]) -> None:
        """More messages than slots, each of four pieces; receivers wait for pages; the pairs `gone` are reset meanwhile."""
        bfm, node, pairs = self.bfm, self.node, stay + gone
        bfm.put(loop_rate=SLOW)
        for a, b in pairs:
            self._take(b, b.va + PAGE)
            for _ in range(EACH):
                b.qp.post_recv(num_sge=2, ring=False, **b.element(0, 0), **b.element(1, 1))
                a.qp.post_send(opcode=h.WrOpcode.SEND, num_sge=2, ring=False, **a.element(0, 0), **a.element(1, 1))
            node.poll(a.qp.context["send_cqn"], arm=True)
            b.qp.ring_recv()
        for a, _b in pairs:
            a.qp.ring_send()
        bare.sleep(FULL)
        for a, b in gone:
            for end in (a, b):
                assert end.qp.modify(state=h.QpState.RESET, load_sq=True, load_rq=True) is h.CmdStatus.OK
        left = {end.qp.qpn: EACH for ends in stay for end in ends}

        def served() -> bool:
            self._serve(stay)
            for qpn in left:
                left[qpn] -= len(self._success(node.poll(node.qps[qpn].context["send_cqn"])))
            return not any(left.values())

        bare.run(served, "the crowd's completions", 400_000)
        bfm.put(loop_rate=1)
        for a, b in gone:
            for end in (a, b):
                node.poll(end.qp.context["send_cqn"])
            self._back(b)
            bare.connect(a.qp, b.qp)
        for a, b in stay:
            for number in (0, 1):
                held = [node.peek(end.key, end.element(number, 0)["addr0"], ELEMENT) for end in (a, b)]
                assert held[0] == held[1], f"a message of queue pair {a.qp.qpn} did not arrive as it was"
        assert {cqn for cqn in node.cq_events()} >= {a.qp.context["send_cqn"] for a, _b in stay}, "a queue has not fired"

    def _serve(self, stay: list[tuple[_End, _End]]) -> None:
        """Answer faults; those of queue pairs that were reset are stale."""
        if not self.node.irq[h.IrqLine.FAULT]:
            return
        ends = {end.qp.qpn: end for pair in stay for end in pair}
        for fault in self.node.faults():
            if fault["qpn"] in ends:
                self._back(ends[fault["qpn"]])
            wanted = h.CmdStatus.OK if fault["qpn"] in ends else h.CmdStatus.BAD_TOKEN
            assert self.node.resume(fault) is wanted

    def tags(self, bare: Bare, ends: tuple[_End, _End]) -> None:
        """An access in flight under as many invalidations as may be remembered, and one more, which waits; then a fence."""
        node, (a, b), held = self.node, ends, self.env.bus.held
        held.add(("r", RID_PAYLOAD))
        before = self._flying
        a.qp.write(a.key, a.va, b.key, b.va, ELEMENT)
        bare.run(lambda: self._flying > before, "the payload's read")
        numbers = [
            node.post_command(h.CmdOp.INVALIDATE_RANGE, key=a.key, addr=a.va, length=self.rng.randint(1, PAGE), ring=False)
            for _ in range(TAGS + 1)
        ]
        fence = node.post_command(h.CmdOp.FENCE, addr=node.fence_address, length=self.rng.getrandbits(64))
        assert node.wait_command(numbers[-2]) is h.CmdStatus.OK
        bare.sleep(1000)
        assert node.command_status(numbers[-1]) is None, "more invalidations than there are tags"
        held.clear()
        assert node.wait_command(fence) is h.CmdStatus.OK
        self._ended(bare, a.qp)

    # ---- commands ----------------------------------------------------------------------------------------------------------------

    def _command(self) -> None:
        """One with operands of all bits."""
        rng, node, status = self.rng, self.node, h.CmdStatus
        word = rng.getrandbits
        key, addr, length = word(20), word(64), word(64)
        opcode, fields, wanted = rng.choice(
            [
                (h.CmdOp.NOP, {"qpn": word(24), "token": word(32), "key": word(32), "addr": addr, "length": length}, status.OK),
                (h.CmdOp.INVALIDATE_RANGE, {"key": key, "addr": addr, "length": length}, status.OK),
                (h.CmdOp.INVALIDATE_RANGE, {"key": key | 1 << rng.randrange(20, 32), "addr": addr}, status.BAD_NUMBER),
                (h.CmdOp.INVALIDATE_KEY, {"key": key, "addr": addr, "length": length}, status.OK),
                (h.CmdOp.FENCE, {"addr": node.alloc_bytes(8), "length": length}, status.OK),
                (h.CmdOp.FENCE, {"addr": word(61) << 3 | 1 << 63, "length": length}, status.BAD_ADDRESS),
                (h.CmdOp.QUERY_QP, {"qpn": word(12), "addr": node.alloc_bytes(64)}, status.OK),
                (h.CmdOp.RESUME, {"qpn": word(12), "token": word(32), "direction": word(1), "error": word(1)}, status.BAD_TOKEN),
                (h.CmdOp.RESUME, {"qpn": word(12) | 1 << rng.randrange(12, 24), "token": word(32)}, status.BAD_NUMBER),
                (rng.randrange(len(h.CmdOp), 256), {"qpn": word(24), "addr": addr}, status.BAD_OPCODE),
            ]
        )
        found = node.command(opcode, **fields)
        assert found is wanted, f"command {opcode} {fields} ended with {found.name}, not {wanted.name}"

    def _refused_commands(self, bare: Bare) -> None:
        """Memory refuses a command, in each place of those that are fetched ahead; the queue stops, and is started anew."""
        node, entries = self.node, self.plan.chosen.command_entries
        rule = ErrorRule(Resp.SLVERR, writes=False)
        for place in range(AHEAD):
            node.store(h.CmdqSizeReg, entries=entries)
            node.jump_commands(0)
            for _ in range(place):
                assert node.command(h.CmdOp.NOP) is h.CmdStatus.OK
            rule.first = node.command_address(place)
            rule.last = rule.first + h.ENTRY_BYTES - 1
            self.env.bus.errors.append(rule)
            node.post_command(h.CmdOp.NOP)
            bare.run(lambda: bool(node.load(h.StatusReg)["command_stopped"]), "the queue to stop")
            self._events({(h.AsyncType.COMMAND_QUEUE, 0)})
            self.env.bus.errors.remove(rule)
            self.env.mirror.rung.clear()
            node.store(h.StatusReg, command_stopped=1)
        node.store(h.CmdqSizeReg, entries=entries)
        node.jump_commands(0)
        for _ in range(2 * AHEAD):
            assert node.command(h.CmdOp.NOP) is h.CmdStatus.OK

    # ---- errors ------------------------------------------------------------------------------------------------------------------

    def _aborted(self, bare: Bare, a: _End, b: _End, index: int) -> None:
        """A long message whose first page is nowhere: a fault of all bits, answered with an error."""
        length = self.rng.randrange(PAGE, h.MAX_MESSAGE)
        va = self.rng.randrange(VA_END - length)
        key = self.node.key(index, va, length, pd=a.qp.context["pd"], table_base=va & -PAGE, variant=self.rng.getrandbits(8))
        a.qp.write(key, va, b.key, b.va, length)
        (fault,) = self.node.wait_faults()
        assert (fault["qpn"], fault["key"], fault["va"], fault["length"]) == (a.qp.qpn, key, va, length), fault
        assert self.node.resume(fault, error=True) is h.CmdStatus.OK
        self._ended(bare, a.qp, h.WcStatus.LOC_PROT_ERR)
        self._events({(h.AsyncType.QP_FATAL, a.qp.qpn)})

    def _refused(self, bare: Bare, a: _End, b: _End, _index: int) -> None:
        """The other end refuses."""
        a.qp.write(a.key, a.va, b.key ^ self.rng.randint(1, 255), b.va, 64)
        self._ended(bare, a.qp, h.WcStatus.REM_ACCESS_ERR)
        self._events({(h.AsyncType.QP_FATAL, a.qp.qpn), (h.AsyncType.QP_ACCESS_ERR, b.qp.qpn)})

    def _overflow(self, bare: Bare, pairs: list[tuple[_End, _End]]) -> None:
        """Completion queues of one entry that get two."""
        node, first = self.node, self.rng.randrange(h.NUM_CQ)
        for (a, b), cqn in zip(pairs, (first, first ^ h.NUM_CQ - 1), strict=True):
            node.cq(cqn, 0)
            assert a.qp.modify(send_cqn=cqn) is h.CmdStatus.OK
            for _ in range(2):
                a.qp.write(a.key, a.va, b.key, b.va, 8)
            bare.run(lambda: bool(node.irq[h.IrqLine.ASYNC]), "the overflow")
            self._events({(h.AsyncType.CQ_ERR, cqn)})
            node.store(h.StatusReg, cq_overflow=1)

    # ---- helpers -----------------------------------------------------------------------------------------------------------------

    def _events(self, wanted: set[tuple[h.AsyncType, int]]) -> None:
        self.node.bare.settle()
        found = self.node.async_events()
        assert set(found) == wanted, f"asynchronous events {found}, not {wanted}"

    def _success(self, found: list[Entry]) -> list[Entry]:
        assert all(entry["status"] == h.WcStatus.SUCCESS for entry in found), found
        return found

    def _ended(self, bare: Bare, qp: BareQp, wanted: h.WcStatus = h.WcStatus.SUCCESS) -> None:
        (found,) = bare.wait(qp)
        assert found["status"] == wanted, f"queue pair {qp.qpn} ended with {h.WcStatus(found['status']).name}, not {wanted.name}"

    def _take(self, end: _End, va: int) -> None:
        node = self.node
        end.away[va] = node.unmap(end.key, va)
        assert node.invalidate(end.key, va, PAGE) is h.CmdStatus.OK
        assert node.fence(va) is h.CmdStatus.OK
        node.revoke(end.key, va)

    def _back(self, end: _End) -> None:
        while end.away:
            self.node.map(end.key, *end.away.popitem())
