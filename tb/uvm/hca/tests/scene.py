"""Two regions, connected queue pairs and their pages, on a device whose link leads back to it: what directed tests begin with.

Promises: pages are taken away as software does it (table, invalidation, fence, oracle) and brought back with their bytes; faults
are answered when `serve` is called, in the order of their records. What memory must hold is known: `wanted`.
"""

from __future__ import annotations

import random
from typing import Any

from hwif.gen import hca as h
from hwif.memory import FRAME_BYTES as PAGE
from tb.hil.hca_bare import Bare, BareQp, Entry

__all__ = ["PAGE", "PAGES", "A", "B", "Scene"]

A, B = 0x10_0000, 0x7F00_0020_0000
PAGES = 6
FENCED = 0x5EED


class Scene:
    """Key `ka` at A and `kb` at B, both full of random bytes; `qa` sends to `qb`."""

    def __init__(self, bare: Bare, rng: random.Random, *, pages: int = PAGES, first_key: int = 1, **context: int) -> None:
        self.bare = bare
        self.node = bare.nodes[0]
        self.rng = rng
        self.pages = pages
        self.ka = self.node.region(first_key, A, pages)
        self.kb = self.node.region(first_key + 1, B, pages)
        self.bytes = {self.ka: bytearray(rng.randbytes(pages * PAGE)), self.kb: bytearray(rng.randbytes(pages * PAGE))}
        self.node.poke(self.ka, A, bytes(self.bytes[self.ka]))
        self.node.poke(self.kb, B, bytes(self.bytes[self.kb]))
        self.away: dict[tuple[int, int], int] = {}
        """Frames of pages that are away, by key and address."""
        self.faults: list[Entry] = []
        self._pairs = 0
        self.qa, self.qb = self.pair(**context)

    def pair(self, **context: int) -> tuple[BareQp, BareQp]:
        """Another connected pair."""
        self._pairs += 1
        return self.bare.pair(self.node, self.node, self._pairs - 1, **context)

    # ---- pages ---------------------------------------------------------------------------------------------------------------

    def take(self, key: int, va: int, *, by_key: bool = False) -> None:
        """Away with a page, whatever is going on: the invalidation and its fence are rung at once."""
        node = self.node
        frame = node.unmap(key, va)
        opcode = h.CmdOp.INVALIDATE_KEY if by_key else h.CmdOp.INVALIDATE_RANGE
        first = node.post_command(opcode, key=key, addr=va, length=PAGE, ring=False)
        second = node.post_command(h.CmdOp.FENCE, addr=node.fence_address, length=FENCED)
        assert node.wait_command(second) is node.wait_command(first) is h.CmdStatus.OK
        node.revoke(key, va)
        self.away[key, va] = frame

    def back(self, key: int, va: int, *, write: bool = True, moved: bool = False) -> None:
        """And here again, in the same frame or in another."""
        frame = self.away.pop((key, va))
        if moved:
            fresh = self.node.alloc_user(1)
            self.node.memory.copy_frame(frame, fresh)
            self.node.memory.frame(frame)[:] = 0xEE
            frame = fresh
        self.node.map(key, va, frame, write=write)

    def bring(self, fault: Entry) -> None:
        """The pages of a fault's packet."""
        first = fault["va"] & -PAGE
        for va in range(first, fault["va"] + max(1, fault["packet_length"]), PAGE):
            if (fault["key"], va) in self.away:
                self.back(fault["key"], va)

    def serve(self) -> int:
        """Answer every fault there is a record of; how many."""
        if not self.node.irq[h.IrqLine.FAULT]:
            return 0
        found = self.node.faults()
        for fault in found:
            self.faults.append(fault)
            self.bring(fault)
            assert self.node.resume(fault) is h.CmdStatus.OK
        return len(found)

    # ---- operations -----------------------------------------------------------------------------------------------------------

    def write(self, length: int, *, here: int = 0, there: int = 0, qp: BareQp | None = None, **more: Any) -> None:
        """An RDMA WRITE, and what it does to memory."""
        (qp or self.qa).write(self.ka, A + here, self.kb, B + there, length, **more)
        self.bytes[self.kb][there : there + length] = self.bytes[self.ka][here : here + length]

    def read(self, length: int, *, here: int = 0, there: int = 0, qp: BareQp | None = None, **more: Any) -> None:
        """An RDMA READ."""
        (qp or self.qa).read(self.ka, A + here, self.kb, B + there, length, **more)
        self.bytes[self.ka][here : here + length] = self.bytes[self.kb][there : there + length]

    def send(self, length: int, *, here: int = 0, there: int = 0, pair: tuple[BareQp, BareQp] | None = None) -> None:
        """A SEND into a receive that is posted for it."""
        sender, receiver = pair or (self.qa, self.qb)
        receiver.recv(self.kb, B + there, length)
        sender.send(self.ka, A + here, length)
        self.bytes[self.kb][there : there + length] = self.bytes[self.ka][here : here + length]

    def end(
        self, qp: BareQp | None = None, *, recv: bool = False, wanted: h.WcStatus = h.WcStatus.SUCCESS, serve: bool = True
    ) -> Entry:
        """The next completion; it must have this status. Faults are answered meanwhile."""
        chosen = qp or self.qa
        cqn = chosen.context["recv_cqn" if recv else "send_cqn"]
        found: list[Entry] = []

        def came() -> bool:
            if serve:
                self.serve()
            if not found:
                found.extend(chosen.node.poll(cqn))
            return bool(found)

        self.bare.run(came, f"a completion of queue pair {chosen.qpn}")
        assert len(found) == 1, f"{len(found)} completions at once: {found}"
        assert found[0]["status"] == wanted, (
            f"queue pair {chosen.qpn} ended with {h.WcStatus(found[0]['status']).name}, not {wanted.name}"
        )
        return found[0]

    def check(self) -> None:
        """Memory holds what it must; pages that are away come back for it."""
        for key, va in list(self.away):
            self.back(key, va)
        for key, base in ((self.ka, A), (self.kb, B)):
            held, wanted = self.node.peek(key, base, self.pages * PAGE), self.bytes[key]
            wrong = next((at for at in range(len(held)) if held[at] != wanted[at]), None)
            assert wrong is None, f"byte {wrong:#x} of key {key:#x} is {held[wrong]:#x}, not {wanted[wrong]:#x}"
