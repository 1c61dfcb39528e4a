"""Random traffic over an HCA while pages go, move and come: everything that moves bytes, with every byte compared.

Promises: `run` raises AssertionError, naming the seed and the round, when a completion fails, a byte is wrong or a frame that was
  taken away is touched; otherwise it returns the device. One operation is outstanding at a time, so what memory must hold is known.
Costs: a few milliseconds an operation on the model.
"""

from __future__ import annotations

import random
from typing import Any

from support.hca_chip import A_VA, B_VA, PAGE, bare

from hwif.gen import hca as h
from tb.hil.hca_bare import Bare, BareNode, BareQp, settings

__all__ = ["run"]

PAGES = 16
SIZE = PAGES * PAGE
PAIRS = 4
STEP = 400
PATIENCE = 3_000_000


class _Traffic:
    def __init__(self, seed: int, nodes: int, options: dict[str, int]) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.bare: Bare = bare(nodes, settings(ack_timeout=8000), link_seed=seed + 1, **options)
        self.nodes = (self.bare.node(0), self.bare.node(nodes - 1))
        self.bases = (A_VA, B_VA)
        self.keys = (self.nodes[0].region(1, A_VA, PAGES), self.nodes[1].region(2, B_VA, PAGES))
        self.wanted = [bytearray(self.rng.randbytes(SIZE)) for _ in self.nodes]
        for side in range(2):
            self.nodes[side].poke(self.keys[side], self.bases[side], bytes(self.wanted[side]))
        self.pairs = [self._pair(number) for number in range(PAIRS)]
        self.away: list[tuple[int, int, int]] = []
        """Pages away: side, address, frame that will hold it."""

    def _pair(self, number: int) -> tuple[BareQp, BareQp]:
        context = {"policy": self.rng.randrange(3), "mtu_shift": self.rng.choice([8, 10, 12])}
        return self.bare.pair(*self.nodes, number, **context)

    # ---- pages ---------------------------------------------------------------------------------------------------------

    def take_away(self) -> None:
        side = self.rng.randrange(2)
        node, key = self.nodes[side], self.keys[side]
        va = self.bases[side] + PAGE * self.rng.randrange(PAGES)
        if any(va == other for _, other, _ in self.away):
            return
        old = node.unmap(key, va)
        if self.rng.random() < 0.2:
            assert node.invalidate(key) is h.CmdStatus.OK
        else:
            assert node.invalidate(key, va + self.rng.randrange(PAGE), 1) is h.CmdStatus.OK
        assert node.fence(self.rng.randrange(1, 2**64)) is h.CmdStatus.OK
        node.revoke(key, va)
        frame = old
        if self.rng.random() < 0.3:
            frame = node.alloc_user(1)
            node.memory.copy_frame(old, frame)
            node.memory.frame(old)[:] = 0xEE
        self.away.append((side, va, frame))

    def bring_back(self, count: int) -> None:
        for _ in range(count):
            side, va, frame = self.away.pop(self.rng.randrange(len(self.away)))
            self.nodes[side].map(self.keys[side], va, frame)

    def resume(self, node: BareNode) -> None:
        if node.irq[h.IrqLine.FAULT]:
            for fault in node.faults():
                assert node.resume(fault) is h.CmdStatus.OK
            self.bare.settle()

    # ---- operations ----------------------------------------------------------------------------------------------------

    def operate(self) -> tuple[BareQp, BareQp, str]:
        """Post one operation, and change what memory must hold."""
        rng, (a, b) = self.rng, self.wanted
        qa, qb = self.pairs[rng.randrange(PAIRS)]
        length = rng.choice([0, 1, 7, 64, 65, PAGE, rng.randrange(2 * PAGE), rng.randrange(SIZE)])
        here, there = rng.randrange(SIZE - length + 1), rng.randrange(SIZE - length + 1)
        local, remote = (self.keys[0], A_VA + here), (self.keys[1], B_VA + there)
        what = rng.choice(["write", "read", "send", "fetch_add", "compare_swap"])
        if what in ("write", "send"):
            b[there : there + length] = a[here : here + length]
        if what == "write":
            qa.write(*local, *remote, length)
        elif what == "send":
            qb.recv(*remote, length)
            qa.send(*local, length)
        elif what == "read":
            a[here : here + length] = b[there : there + length]
            qa.read(*local, *remote, length)
        else:
            self._atomic(qa, what)
        return qa, qb, what

    def _atomic(self, qp: BareQp, what: str) -> None:
        rng, (a, b) = self.rng, self.wanted
        here, there = (rng.randrange(SIZE // 8) * 8 for _ in range(2))
        place = (self.keys[0], A_VA + here, self.keys[1], B_VA + there)
        old = int.from_bytes(b[there : there + 8], "little")
        a[here : here + 8] = b[there : there + 8]
        operand = rng.randrange(2**64)
        if what == "fetch_add":
            qp.fetch_add(*place, operand)
            new = (old + operand) % 2**64
        else:
            compare = rng.choice([old, old ^ 1])
            qp.compare_swap(*place, compare, operand)
            new = operand if compare == old else old
        b[there : there + 8] = new.to_bytes(8, "little")

    def round(self, number: int) -> None:
        """One operation from its posting to the comparison of all bytes."""
        while self.rng.random() < 0.75:
            self.take_away()
        qa, qb, what = self.operate()
        came: list[Any] = []
        limit = self.bare.device.cycle + PATIENCE
        where = f"seed {self.seed}, round {number}, {what}"
        while not came:
            assert self.bare.device.cycle < limit, f"{where}: stuck: {qa.query()} {qb.query()}"
            self.bare.step(self.bare.device.cycle + STEP)
            faulted = any(node.irq[h.IrqLine.FAULT] for node in self.bare.nodes)
            if self.away and self.rng.random() < (0.3 if faulted else 0.01):
                self.bring_back(self.rng.randrange(1, len(self.away) + 1))
                for node in self.bare.nodes:
                    self.resume(node)  # some of them fault again
            elif not self.away:
                for node in self.bare.nodes:
                    self.resume(node)
            came = qa.node.poll(qa.context["send_cqn"])
        assert came[0]["status"] == h.WcStatus.SUCCESS, f"{where}: {came[0]}"
        if what == "send":
            assert self.bare.wait(qb, recv=True)[0]["status"] == h.WcStatus.SUCCESS, where
        self.bring_back(len(self.away))
        for side in range(2):
            held = self.nodes[side].peek(self.keys[side], self.bases[side], SIZE)
            assert held == bytes(self.wanted[side]), f"{where}: bytes of side {side}"


def run(seed: int, rounds: int, nodes: int = 2, **options: int) -> Any:
    """Play `rounds` operations; the device, for its counters."""
    traffic = _Traffic(seed, nodes, options)
    for number in range(rounds):
        traffic.round(number)
    assert not traffic.bare.device.violations(), f"seed {seed}"
    return traffic.bare.device
