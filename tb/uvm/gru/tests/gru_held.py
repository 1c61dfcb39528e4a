"""Memory takes nothing while every control block is ready: the pipe, the queues behind it and the channels stand full.

Promises beside those of the boards: with a channel shut nothing ends that needs it, and what was begun ends once it is open, every
instruction once. Polling atomics end when memory has what they wait for, not before.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyuvm

from hwif.fields import Line
from hwif.gen import gru as g
from tb.uvm.gru.data_board import Judgement
from tb.uvm.gru.lines import shootdown
from tb.uvm.gru.program import instruction
from tb.uvm.gru.software import User
from tb.uvm.gru.spaces import PAGE, Page
from tb.uvm.gru.tests.base import TIMEOUT_US
from tb.uvm.gru.tests.scene import Scene
from tb.uvm.inlet import Inlet

__all__ = ["GruHeld"]

VPN = 0x300
OWN = PAGE // g.NUM_CBR * 2  # bytes of the space for each control block
STANDING = 120  # cycles that all stand still
LOOKS = 60  # at what polls do
STATE_DW = g.Cbe.cbrstate.lsb // 64
LATEST = 6_000  # cycles for all of them to end
# Channels that are shut (none named: all), step by step, and what is begun before the first step ends.
SHUT: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("atomic", ("",)),
    ("bare", ("",)),
    ("atomic", ("aw",)),
    ("atomic", ("r aw", "aw")),
    ("load", ("ar",)),
    ("store", ("w",)),
    ("set", ("aw w",)),
    ("load", ("r",)),
    ("set", ("b",)),
)


@pyuvm.test(timeout_time=TIMEOUT_US, timeout_unit="us")
class GruHeld(Scene):
    """One context with all control blocks."""

    cycles = 120_000

    def connect_phase(self) -> None:
        super().connect_phase()
        self.ended: list[int] = []  # control blocks
        self.env.data.ap.connect(Inlet("ended", self, self._judged))

    def _judged(self, judgement: Judgement) -> None:
        self.ended.append(judgement.done.cbr)

    async def scene(self) -> None:
        """Each way to be held, then the polls."""
        software, spaces = self.software, self.chip.spaces
        self.space = spaces.new()
        for n in range(2):
            self.mapped(self.space, VPN + n)
        frame = software.new_frame()
        spaces.bare.map(Page(frame, 0, frame), (frame,))
        self.bare = frame * PAGE
        self.start_task(software.serve_core(0))
        user = await software.open(self.space, g.NUM_CBR, g.DSR_BYTES // g.DSR_AU_BYTES, unmap_enable=1)
        everybody = list(range(g.NUM_CBR))
        await self._flight(user, everybody, "load", ())
        for kind, steps in SHUT:
            await self._flight(user, everybody if "" in steps else self.rng.sample(everybody, 40), kind, steps)
        await self._volley()
        for exop in (g.ExopEr.EPOLL, g.ExopEr.NPOLL):
            await self._polls(user, everybody, exop)
        await software.interrupt(user)
        await software.close_context(user)

    def _one(self, kind: str, index: int) -> Line:
        at = VPN * PAGE + OWN * index
        if kind == "atomic":
            return instruction(g.CbOpc.GAMER, exopc=g.ExopEr.ADD, baddr0=at, stride_op1=self.rng.getrandbits(64))
        if kind == "bare":
            return instruction(
                g.CbOpc.VSET,
                ima=g.CbIma.UNMAPPED,
                baddr0=self.bare + OWN // 2 * index,
                nelem=2,
                stride_op1=1,
                baddr1_op2=self.rng.getrandbits(64),
            )
        opc = {"load": g.CbOpc.VLOAD, "store": g.CbOpc.VSTORE, "set": g.CbOpc.VSET}[kind]
        return instruction(opc, baddr0=at, nelem=4, stride_op1=1, tri0=OWN * index, baddr1_op2=self.rng.getrandbits(64))

    async def _flight(self, user: User, blocks: Sequence[int], kind: str, steps: Sequence[str]) -> None:
        """An instruction in each of these control blocks, with channels shut for a time."""
        self.ended.clear()
        self._shut(steps[0] if steps else None)
        for index in blocks:
            await self.software.issue(user, index, self._one(kind, index))
        for channels in steps:
            self._shut(channels)
            await self.chip.clocking.wait(STANDING)
            self.must(f"ends of {kind} with {channels or 'all'} shut", self.ended, [])
            if channels in ("r", "b"):  # every access is out there
                states = {await self._state(user, index) for index in self.rng.sample(list(blocks), 8)}
                self.must(f"states with {channels} shut", states, {g.CbrState.REQUEST_ISSUE})
        self._shut(None)
        await self._all_end(user, blocks)

    def _shut(self, channels: str | None) -> None:
        """These; "" all, None none."""
        self.chip.memory.stalls = {} if channels is None else dict.fromkeys(channels.split() or [""], 1.0)

    async def _state(self, user: User, index: int) -> int:
        """Of a control block, as its extension tells."""
        (word,) = await self.software.read_words(g.CBE_BASE + user.cbrs[index] * g.HANDLE_STRIDE + STATE_DW * 8, 1)
        return word >> g.Cbe.cbrstate.lsb % 64 & (1 << g.Cbe.cbrstate.width) - 1

    async def _all_end(self, user: User, blocks: Sequence[int]) -> None:
        begun = self.now()
        while len(self.ended) < len(blocks) and self.now() - begun < LATEST:
            await self.chip.clocking.wait(8)
        self.must("what ended", sorted(self.ended), sorted(user.cbrs[index] for index in blocks))

    async def _polls(self, user: User, blocks: Sequence[int], exop: g.ExopEr) -> None:
        """All wait for the same double-word; then it has what they wait for."""
        self.ended.clear()
        at = VPN * PAGE
        before, after = self.rng.getrandbits(64), self.rng.getrandbits(64)
        self._put(at, before)
        awaited = after if exop is g.ExopEr.EPOLL else before
        for index in blocks:
            await self.software.issue(user, index, instruction(g.CbOpc.GAMERR, exopc=exop, baddr0=at, stride_op1=awaited))
        states = {await self._state(user, self.rng.choice(blocks)) for _ in range(LOOKS)}
        self.must(f"states of {exop.name}", states >= {g.CbrState.REQUEST_ISSUE, g.CbrState.WAIT_RESPONSE}, True)
        self.must(f"ends of {exop.name}", self.ended, [])
        self._put(at, after)
        await self._all_end(user, blocks)
        for index in self.rng.sample(list(blocks), 8):
            await self.software.read_words(self.software.block_addr(user, index) + 56, 1)  # avalue, for the board

    async def _volley(self) -> None:
        """Every shootdown handle, the highest first, faster than slots come free: all are acknowledged."""
        software = self.software
        lines = [shootdown(self.rng.getrandbits(g.ASID_WIDTH), self.rng.getrandbits(40), n) for n in range(g.NUM_TGH)]
        addrs = [g.TGH_BASE + handle * g.HANDLE_STRIDE for handle in range(g.NUM_TGH)]
        for addr, line in zip(addrs, lines, strict=True):
            await software.write_words(addr + 8, line[1:5])
        for addr, line in reversed(list(zip(addrs, lines, strict=True))):
            await software.bus.write(addr, line[0])
        begun = self.now()
        active = set(addrs)
        while active and self.now() - begun < LATEST:
            active = {addr for addr in active if g.Tgh.status.of(await software.bus.read(addr)) == g.HandleStatus.ACTIVE}
        self.must("shootdowns without an end", active, set())

    def _put(self, at: int, value: int) -> None:
        """Another processor writes to memory."""
        data = value.to_bytes(8, "little")
        self.space.content.write(at, data)
        self.chip.memory.memory.write(self.space.physical(at), data)
