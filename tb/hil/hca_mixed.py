"""Much at once between two ends of a link: queue pairs of every policy, every verb, pages that go and come back elsewhere.

Promises: memory at the end is known: each queue pair has pages of its own at both ends, and its work requests take effect in order.
A wrong byte, a failed completion or a violation is an AssertionError or BareError that names the seed.
"""

from __future__ import annotations

import random
from typing import Any

from hwif.gen import hca as h
from hwif.memory import FRAME_BYTES
from tb.hil.hca_bare import Bare, BareNode, BareQp, Entry

BASES = (0x10_0000, 0x7F00_0020_0000)
OWN = 4  # pages of a queue pair at each end
SIZE = OWN * FRAME_BYTES
DEPTH = 12  # work requests of a queue pair at a time
INLINE = 2048  # longest SEND
POLICIES = list(h.FaultPolicy)


class _End:
    """One end: its region, and what memory must hold."""

    def __init__(self, node: BareNode, key_index: int, base: int, pages: int, rng: random.Random) -> None:
        self.node = node
        self.base = base
        self.pages = pages
        self.key = node.region(key_index, base, pages)
        self.wanted = bytearray(rng.randbytes(pages * FRAME_BYTES))
        self.away: dict[int, int] = {}
        """Pages that are not there: address, frame that will hold them."""
        node.poke(self.key, base, bytes(self.wanted))

    def take_away(self, va: int) -> None:
        """As the driver does it: table, invalidation, fence; then the bytes move to another frame."""
        node = self.node
        old = node.unmap(self.key, va)
        assert node.invalidate(self.key, va, FRAME_BYTES) is h.CmdStatus.OK
        assert node.fence(va) is h.CmdStatus.OK
        node.revoke(self.key, va)
        fresh = node.alloc_user(1)
        node.memory.copy_frame(old, fresh)
        node.memory.frame(old)[:] = 0xEE  # who still reads it shows
        self.away[va] = fresh

    def bring_back(self, va: int) -> None:
        if va in self.away:
            self.node.map(self.key, va, self.away.pop(va))

    def answer(self, fault: Entry) -> None:
        """Every page the fault's operation needs, then the resume."""
        first, last = fault["va"], fault["va"] + max(1, fault["packet_length"]) - 1
        for page in range(first // FRAME_BYTES, last // FRAME_BYTES + 1):
            self.bring_back(page * FRAME_BYTES)
        assert self.node.resume(fault) is h.CmdStatus.OK


class _Mixed:
    def __init__(self, bare: Bare, seed: int, pairs: int) -> None:
        self.bare = bare
        self.seed = seed
        self.rng = random.Random(seed)
        nodes = (bare.nodes[0], bare.nodes[-1])
        self.ends = [_End(node, 1 + side, BASES[side], pairs * OWN, self.rng) for side, node in enumerate(nodes)]
        self.pairs = [
            bare.pair(*nodes, number, policy=self.rng.choice(POLICIES), mtu_shift=self.rng.choice([8, 10, 12]))
            for number in range(pairs)
        ]
        self.expected: list[list[int]] = [[] for _ in self.pairs]
        self.done: list[list[Entry]] = [[] for _ in self.pairs]
        self.faults = 0

    def round(self, moves: int) -> None:
        for number in range(len(self.pairs)):
            for _ in range(self.rng.randrange(1, DEPTH)):
                self._post(number)
            self.pairs[number][1].ring_recv()
            self.pairs[number][0].ring_send()
        for _ in range(moves):
            end = self.rng.choice(self.ends)
            va = end.base + FRAME_BYTES * self.rng.randrange(end.pages)
            if va not in end.away:
                end.take_away(va)
            self._serve()
        self.bare.run(self._finished, f"seed {self.seed}: the round's completions", 3_000_000)

    def _finished(self) -> bool:
        self._serve()
        for number, (qa, qb) in enumerate(self.pairs):
            self.done[number] += qa.node.poll(qa.context["send_cqn"])
            for entry in qb.node.poll(qb.context["recv_cqn"]):
                assert entry["status"] == h.WcStatus.SUCCESS, (self.seed, entry)
        return all(len(done) == len(wanted) for done, wanted in zip(self.done, self.expected, strict=True))

    def _serve(self) -> None:
        for node in self.bare.nodes:
            if node.irq[h.IrqLine.FAULT]:
                for fault in node.faults():
                    self.faults += 1
                    next(end for end in self.ends if end.key == fault["key"]).answer(fault)

    def _post(self, number: int) -> None:
        """One work request, and what it will have done."""
        qa, qb = self.pairs[number]
        a, b = self.ends
        rng, own = self.rng, number * SIZE
        opcode = rng.choice(list(h.WrOpcode))
        here, there = (own + rng.randrange(SIZE - FRAME_BYTES) for _ in range(2))
        length = min(rng.choice([0, 1, 8, 63, 64, 65, 200, 1500, INLINE, FRAME_BYTES]), FRAME_BYTES)
        if opcode is h.WrOpcode.SEND:
            length = min(length, INLINE)
            qb.recv(b.key, b.base + there, INLINE, ring=False)
            qa.send(a.key, a.base + here, length, ring=False)
            b.wanted[there : there + length] = a.wanted[here : here + length]
        elif opcode is h.WrOpcode.RDMA_WRITE:
            qa.write(a.key, a.base + here, b.key, b.base + there, length, ring=False)
            b.wanted[there : there + length] = a.wanted[here : here + length]
        elif opcode is h.WrOpcode.RDMA_READ:
            qa.read(a.key, a.base + here, b.key, b.base + there, length, ring=False)
            a.wanted[here : here + length] = b.wanted[there : there + length]
        else:
            self._post_atomic(qa, opcode, here, there & ~7)
        self.expected[number].append(opcode)

    def _post_atomic(self, qa: BareQp, opcode: h.WrOpcode, here: int, there: int) -> None:
        a, b = self.ends
        old = int.from_bytes(b.wanted[there : there + 8], "little")
        value, guess = self.rng.getrandbits(64), old if self.rng.random() < 0.7 else 1
        if opcode is h.WrOpcode.ATOMIC_FETCH_AND_ADD:
            qa.fetch_add(a.key, a.base + here, b.key, b.base + there, value, ring=False)
            new = (old + value) & (1 << 64) - 1
        else:
            qa.compare_swap(a.key, a.base + here, b.key, b.base + there, guess, value, ring=False)
            new = value if guess == old else old
        b.wanted[there : there + 8] = new.to_bytes(8, "little")
        a.wanted[here : here + 8] = old.to_bytes(8, "little")

    def finish(self) -> Any:
        for done in self.done:
            assert all(entry["status"] == h.WcStatus.SUCCESS for entry in done), (self.seed, done)
        for side, end in enumerate(self.ends):
            for va in list(end.away):
                end.bring_back(va)
            found = end.node.peek(end.key, end.base, end.pages * FRAME_BYTES)
            wrong = next((at for at in range(len(found)) if found[at] != end.wanted[at]), None)
            assert wrong is None, f"seed {self.seed}: end {side}, byte {wrong:#x} of the region is wrong"
        return {"faults": self.faults, "done": [[entry["wqe_index"] for entry in done] for done in self.done]}


def mixed(bare: Bare, seed: int, rounds: int = 4, pairs: int = 4, moves: int = 3) -> Any:
    """`rounds` rounds of up to DEPTH work requests a queue pair, `moves` pages taken away in each; what was seen."""
    play = _Mixed(bare, seed, pairs)
    for _ in range(rounds):
        play.round(moves)
    return play.finish()
