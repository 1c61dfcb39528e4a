"""hca_xlt beside an untimed reference: tables in memory, what may be answered, who is live, which invalidation is busy.

Promises: `CheckedXlt.cycle` runs one clock cycle with a memory of bounded latency, and, with `check`, raises `MismatchError` when
the block disagrees: an answer the tables never gave or gave before a covering invalidation, an error or a fault out of a
cache, a live bit or a busy bit wrong in any cycle, a look-up unanswered for `PATIENCE` cycles.
Needs: legal traffic (`Ask` of idle uses, starts of live ones).
Costs: some 60 us a cycle.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace

from hwif.gen.hca import MAX_SEGMENTS, NUM_KEY, RX_SLOTS, TX_SLOTS, WALKERS, Need, XltResult
from tb.hca_xlt.bench import Xlt
from tb.hca_xlt.world import Inval, World

__all__ = ["SLOTS", "USER_SHIFT", "Ask", "CheckedXlt", "MismatchError", "Shoot", "live_of", "use_of"]

PATIENCE = 6000
KEY_MASK = NUM_KEY - 1
FIRST_WALK = 0x20  # AXI ID of the first walker
SLOTS = (RX_SLOTS, TX_SLOTS)
"""Slots of each user."""
SEG_BITS = (MAX_SEGMENTS - 1).bit_length()
USER_SHIFT = SEG_BITS + (max(SLOTS) - 1).bit_length()
"""A use's number has the segment lowest, then the slot, then the user (use_t in rtl/hca/hca_int_pkg.sv)."""
LIVE_WORDS = 8
READ = 1 << 16  # in `pending`, beside the uses


def use_of(user: int, slot: int, seg: int = 0) -> int:
    """The number of a use."""
    return user << USER_SHIFT | slot << SEG_BITS | seg


def live_of(out: SimpleNamespace) -> int:
    """The live bits of a cycle's outputs: bit u for use u."""
    return sum(getattr(out, f"live{word}") << 64 * word for word in range(LIVE_WORDS))


class MismatchError(AssertionError):
    """The block and the reference disagree."""


@dataclass(frozen=True)
class Ask:
    use: int
    key: int
    va: int
    length: int = 1
    need: Need = Need.LOCAL_READ
    pd: int = 1


@dataclass(frozen=True)
class Shoot:
    tag: int
    inval: Inval


@dataclass
class _Use:
    index: int
    first: int
    pages: int
    flying: bool = False


@dataclass
class CheckedXlt:
    mutant: int = 0
    check: bool = True
    seed: int = 1
    latency: tuple[int, int] = (10, 40)
    refuse: float = 0.0  # share of cycles in which memory takes no read
    world: World = field(default_factory=World)
    now: int = 0
    mpt_size: int = NUM_KEY
    asked: dict[int, tuple[Ask, int]] = field(default_factory=dict)
    uses: dict[int, _Use] = field(default_factory=dict)  # live: held or in flight
    pending: dict[int, set[int]] = field(default_factory=dict)  # tag: covered accesses and table reads (READ + id) in flight
    reads: list[tuple[int, int, int, list[int]]] = field(default_factory=list)  # due, id, response, words
    walks: dict[int, tuple[int, int]] = field(default_factory=dict)  # id of a table read in flight: key index and page
    most_reads: int = 0
    counts: list[int] = field(default_factory=lambda: [0] * 32)
    last_inval: Inval | None = None  # accepted in the cycle before

    def __post_init__(self) -> None:
        self.dut = Xlt(self.mutant, self.seed)
        self.rng = random.Random(self.seed)

    def cycle(
        self,
        rx: Ask | None = None,
        tx: Ask | None = None,
        shoot: Shoot | None = None,
        start: Iterable[int] = (),
        done: Iterable[int] = (),
        drop: Iterable[tuple[int, int]] = (),
        enable: bool = True,
    ) -> SimpleNamespace:
        """One clock cycle; its outputs. `drop`: (user, slot)."""
        inputs = {"enable": int(enable), "mpt_base": self.world.mpt_base, "mpt_size": self.mpt_size}
        inputs["rd_ready"] = int(self.rng.random() >= self.refuse)
        for port, ask in enumerate((rx, tx)):
            if ask:
                inputs["req_valid"] = inputs.get("req_valid", 0) | 1 << port
                inputs |= {f"req{port}_use": ask.use, f"req{port}_key": ask.key, f"req{port}_va": ask.va, f"req{port}_pd": ask.pd}
                inputs |= {f"req{port}_len": ask.length, f"req{port}_need": int(ask.need)}
        start, done, drop = list(start), list(done), list(drop)
        for name, uses in (("start", start), ("done", done)):
            for use in uses:
                inputs[f"{name}_valid"] = inputs.get(f"{name}_valid", 0) | 1 << (use >> USER_SHIFT)
                inputs[f"{name}{use >> USER_SHIFT}"] = use
        for user, slot in drop:
            inputs["drop_valid"] = inputs.get("drop_valid", 0) | 1 << user
            inputs[f"drop{user}_slot"] = slot
        if shoot:
            inval = shoot.inval
            inputs |= {"inv_valid": 1, "inv_key": inval.index, "inv_whole": int(inval.whole), "inv_tag": shoot.tag}
            inputs |= {"inv_first": inval.first, "inv_last": inval.last}
        self._respond(inputs)
        self.world.now = self.now
        out = self.dut.step(**inputs)
        self._read(out, inputs["rd_ready"])
        for number in range(32):
            self.counts[number] += out.count >> number & 1
        if not enable:
            self._disabled()
        else:
            self._observe(out)
            self.walks.pop(inputs.get("mem_id", 0), None)
            for waiting in self.pending.values():
                waiting.discard(READ + inputs.get("mem_id", 0))
            self._account([a for p, a in enumerate((rx, tx)) if a and out.req_ready >> p & 1], shoot, start, done, drop, out)
        self.now += 1
        return out

    # ---- memory ----

    def _respond(self, inputs: dict[str, int]) -> None:
        ready = [read for read in self.reads if read[0] <= self.now]
        if ready:
            read = min(ready)
            self.reads.remove(read)
            _, ident, resp, words = read
            inputs |= {"mem_valid": 1, "mem_id": ident, "mem_resp": resp}
            inputs |= {f"mem_data{i}": word for i, word in enumerate(words)}

    def _read(self, out: SimpleNamespace, ready: int) -> None:
        if out.rd_valid and ready:
            resp, words = self.world.read(out.rd_pa)
            self.reads.append((self.now + self.rng.randint(*self.latency), out.rd_id, resp, words))
        if out.rd_valid and FIRST_WALK <= out.rd_id < FIRST_WALK + WALKERS:  # in flight once it is offered: it cannot be taken back
            self.walks[out.rd_id] = (out.rd_key, out.rd_va >> 12)
            self.most_reads = max(self.most_reads, len(self.walks))

    # ---- the reference ----

    def _disabled(self) -> None:
        self.asked.clear()
        self.uses.clear()
        self.pending.clear()
        self.walks.clear()
        self.reads.clear()  # hca_axi lets none of them through
        self.last_inval = None

    def _expect(self, held: bool, text: str) -> None:
        if self.check and not held:
            raise MismatchError(f"cycle {self.now}: {text}")

    def _observe(self, out: SimpleNamespace) -> None:
        if out.rsp_valid:
            self._answered(out)
        live = 0
        for use in self.uses:
            live |= 1 << use
        seen = live_of(out)
        self._expect(seen == live, f"live {seen:#x}, expected {live:#x}")
        busy = sum(1 << tag for tag, uses in self.pending.items() if uses)
        self._expect(out.inv_busy == busy, f"busy {out.inv_busy:#x}, expected {busy:#x}")
        if self.asked:
            ask, since = next(iter(self.asked.values()))
            self._expect(self.now - since < PATIENCE, f"no answer to {ask} of cycle {since}")

    def _answered(self, out: SimpleNamespace) -> None:
        self._expect(out.rsp_use in self.asked, f"answer to use {out.rsp_use:#x}, which has not asked")
        if out.rsp_use not in self.asked:
            return
        ask, since = self.asked.pop(out.rsp_use)
        result = XltResult(out.rsp_result)
        answer = (result, out.rsp_pa if result == XltResult.OK else 0)
        request = (ask.key, ask.pd, ask.va, ask.length, ask.need)
        allowed = {(XltResult.BAD_KEY, 0)} if ask.key >> 8 >= self.mpt_size else self.world.answers(request, since, self.now - 1)
        self._expect(answer in allowed, f"{ask}: {answer}, allowed {sorted(allowed)}")
        if result != XltResult.OK or answer not in allowed:
            return
        index = ask.key >> 8 & KEY_MASK
        state = self.world.state_of(index, ask.va, out.rsp_pa)
        if not (self.last_inval and self.last_inval.covers(index, state.first, state.pages)):
            self.uses[ask.use] = _Use(index, state.first, state.pages)

    def _account(
        self,
        asks: list[Ask],
        shoot: Shoot | None,
        start: list[int],
        done: list[int],
        drop: list[tuple[int, int]],
        out: SimpleNamespace,
    ) -> None:
        for use in done:
            self.uses.pop(use, None)
            for waiting in self.pending.values():
                waiting.discard(use)
        for use in start:
            if use in self.uses:
                self.uses[use].flying = True
        for user, slot in drop:
            for seg in range(4):
                self._give_back(use_of(user, slot, seg))
        for ask in asks:
            self._give_back(ask.use)
            self.asked[ask.use] = (ask, self.now)
            self.world.watch(ask.key >> 8 & KEY_MASK, ask.va >> 12)
        self.last_inval = None
        if shoot and out.inv_ready:
            self.last_inval = shoot.inval
            self.world.invalidated(shoot.inval)
            covered = {use for use, it in self.uses.items() if shoot.inval.covers(it.index, it.first, it.pages)}
            self.pending[shoot.tag] = {use for use in covered if self.uses[use].flying}
            self.pending[shoot.tag] |= {READ + at for at, (index, page) in self.walks.items() if shoot.inval.covers(index, page, 1)}
            for use in covered:
                self._give_back(use)

    def _give_back(self, use: int) -> None:
        if use in self.uses and not self.uses[use].flying:
            del self.uses[use]
