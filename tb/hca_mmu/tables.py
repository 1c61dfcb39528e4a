"""Keys, tables and accesses of the memory side's bench: what look-ups may be answered, which uses are live, what a fence waits for.

Promises: tables stand in the Mmu's memory and in tb/hca_xlt/world.py's at once; `observe` is told every cycle and collects in
`wrong` answers the tables never gave or gave before a covering invalidation, and live bits that are wrong where a use starts.
Needs: invalidations told by `invalidated` in the cycle they are accepted, after `observe`.
Costs: some us a cycle.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from types import SimpleNamespace

from hwif.gen import hca as h
from tb.hca_mmu.bench import MPT, Mmu
from tb.hca_xlt.checked import SLOTS, use_of
from tb.hca_xlt.world import PAGE, Inval, Region, World

__all__ = ["Tables"]

KEYS = 64  # entries of the key table
PAGES = 6  # of each region that are used
FIRST_TABLE, FIRST_FRAME = 0x80, 1 << 20
LONG = 8  # this region is never invalidated: what is in flight under it holds no fence
LONG_FLIGHT = 6000
PATIENCE = 20_000
UNKNOWN = 4  # no region has this index
SCATTER = 0x9E37_79B9_7F4A_7C15  # spreads addresses over all there are
REGIONS: dict[int, dict[str, int]] = {
    1: {"whole": 1, "levels": 1, "on_demand": 0},
    2: {"length": 1 << 30, "levels": 2},
    63: {"start": 0x5000, "length": 0x8000, "levels": 1, "table_base": 0x5000},
    LONG: {"length": 1 << 20, "levels": 1},
}


class _Mirror(dict[int, int]):
    """Words that stand in the bench's memory too."""

    def __init__(self, mmu: Mmu) -> None:
        super().__init__()
        self._mmu = mmu

    def __setitem__(self, at: int, word: int) -> None:
        super().__setitem__(at, word)
        self._mmu.poke(at, word.to_bytes(8, "little"))


class Tables:
    """Of one Mmu."""

    def __init__(self, mmu: Mmu, rng: random.Random) -> None:
        self.rng = rng
        self.keys = KEYS
        self.mpt_base = MPT | rng.randrange(1 << 28) << 24
        self.world = World(mpt_base=MPT, words=_Mirror(mmu), next_table=FIRST_TABLE, next_frame=FIRST_FRAME)
        self.quiet = False
        self.asked: dict[int, tuple[tuple[int, int, int, int, h.Need], int]] = {}
        self.held: dict[int, tuple[int, int]] = {}  # use: key index and page
        self.flying: dict[int, tuple[int, int, int]] = {}  # and the cycle it is done
        self.waits: dict[int, set[int]] = {}  # invalidation's number: the accesses in flight it covers
        self.wrong: list[str] = []
        self.answers = 0
        self._last: Inval | None = None  # accepted in the cycle before
        self._idle = self._all()
        for index, options in REGIONS.items():
            self.world.set_region(index, Region(key=index << 8 | 7, root=self.world.new_table(), pd=0, **options))
            for page in self._pages(index):
                self._put(index, page)

    def _all(self) -> list[int]:
        return [use_of(0, slot, seg) for slot in range(SLOTS[0]) for seg in range(h.MAX_SEGMENTS)]

    def _pages(self, index: int) -> range:
        first = self.world.region(index).start >> 12
        return range(first, first + PAGES)

    def _put(self, index: int, page: int) -> None:
        at = self.world.place(index, page, 0)
        assert at is not None
        frame = h.Mtt.pfn.place(self.world.frames(1)) | h.Mtt.read.place(1)
        self.world.put(at, self.rng.choice([frame, frame | h.Mtt.write.place(1), frame | h.Mtt.write.place(1)]))

    # ---- software ------------------------------------------------------------------------------------------------------

    def change(self) -> Inval:
        """Change the entry of a page; the invalidation that is owed."""
        index = self.rng.choice([key for key in REGIONS if key != LONG])
        page = self.rng.choice(self._pages(index))
        at = self.world.place(index, page, 0)
        assert at is not None
        if self.rng.random() < 0.3:
            self.world.put(at, 0)
        else:
            self._put(index, page)
        if self.rng.random() < 0.3:
            return Inval(index, whole=True)
        first = page - self.rng.choice([0, 0, 1])
        return Inval(index, first=first * PAGE if first > 0 else 0, last=page * PAGE + self.rng.randrange(PAGE))

    def needless(self) -> Inval:
        """An invalidation nobody needs."""
        index = self.rng.choice([key for key in REGIONS if key != LONG])
        return Inval(self.rng.choice([index, 3]), whole=self.rng.random() < 0.5, first=0, last=(1 << 64) - 1)

    # ---- what the block did -----------------------------------------------------------------------------------------------

    def observe(self, out: SimpleNamespace, off: bool) -> None:
        """A cycle's outputs, with its inputs."""
        now = self.world.now = int(out.now)
        if off:
            return
        if out.rsp_valid:
            self._answered(out, now)
        given = out.inputs
        if given.get("done_valid"):
            self.flying.pop(given["use"])
            self._idle.append(given["use"])
            for waiting in self.waits.values():
                waiting.discard(given["use"])
        if given.get("start_valid"):
            use = given["use"]
            if not out.live:
                self.wrong.append(f"SD-4: use {use:#x} was handed out, nobody invalidated it, and it is not live")
            index, page = self.held.pop(use)
            flight = LONG_FLIGHT if index == LONG and self.rng.random() < 0.2 else self.rng.randrange(1, self.longest)
            self.flying[use] = (index, page, now + flight)
        if given.get("req_valid") and out.req_ready:
            use, key, va = given["req_use"], given["req_key"], given["req_va"]
            self.asked[use] = ((key, 0, va, 1, h.Need(given["req_need"])), now)
            self.world.watch(key >> 8, va >> 12)
        if self.asked:
            use, (request, since) = next(iter(self.asked.items()))
            if now - since > PATIENCE:
                self.wrong.append(f"no answer to {request} of use {use:#x} since cycle {since}")
        self._last = None

    def _answered(self, out: SimpleNamespace, now: int) -> None:
        use = int(out.rsp_use)
        if use not in self.asked:
            self.wrong.append(f"answer to use {use:#x}, which has not asked")
            return
        request, since = self.asked.pop(use)
        result = h.XltResult(out.rsp_result)
        answer = (result, int(out.rsp_pa) if result == h.XltResult.OK else 0)
        allowed = {(h.XltResult.BAD_KEY, 0)} if request[0] >> 8 >= KEYS else self.world.answers(request, since, now - 1)
        self.answers += 1
        if answer not in allowed:
            self.wrong.append(f"SD-1: {request}: {answer}, allowed {sorted(allowed)}")
        index, page = request[0] >> 8, request[2] >> 12
        if result == h.XltResult.OK and not (self._last and self._last.covers(index, page, 1)):
            self.held[use] = (index, page)
        else:
            self._idle.append(use)

    def invalidated(self, number: int, inval: Inval) -> None:
        """An invalidation was accepted in this cycle."""
        self._last = inval
        self.world.invalidated(inval)
        self.waits[number] = {use for use, (index, page, _) in self.flying.items() if inval.covers(index, page, 1)}
        for use in [use for use, (index, page) in self.held.items() if inval.covers(index, page, 1)]:
            del self.held[use]
            self._idle.append(use)

    def forgotten(self) -> None:
        """The block was switched off."""
        self.asked.clear()
        self.held.clear()
        self.flying.clear()
        self.waits.clear()
        self._last = None
        self._idle = self._all()
        self.world.forgotten()

    # ---- the accesses -----------------------------------------------------------------------------------------------------

    def accesses(self, ask: float, longest: int) -> Generator[dict[str, int], SimpleNamespace, None]:
        """Look-ups, starts and ends, at most one of each a cycle."""
        self.longest = longest
        offer: dict[str, int] = {}
        out = yield {}
        while True:
            if not out.enabled:
                offer = {}
                out = yield {}
                continue
            if offer and out.req_ready and out.inputs.get("req_valid"):
                offer = {}
            if not offer and not self.quiet and self._idle and self.rng.random() < ask:
                offer = self._offer()
            inputs = dict(offer)
            over = next((use for use, (_, _, end) in self.flying.items() if end <= self.world.now or self.quiet), None)
            if over is not None and self.rng.random() < 0.5:
                inputs |= {"use": over, "done_valid": 1}
            elif self.held and self.rng.random() < 0.3:
                inputs |= {"use": self.rng.choice(list(self.held)), "start_valid": 1}
            out = yield inputs

    def _offer(self) -> dict[str, int]:
        rng = self.rng
        use = self._idle.pop(rng.randrange(len(self._idle)))
        index = rng.choice(list(REGIONS))
        region = self.world.region(index)
        page = rng.choice(self._pages(index))
        key = rng.choice([region.key] * 12 + [region.key ^ 1, 100 << 8, UNKNOWN << 8])
        va = page * PAGE + rng.randrange(PAGE)
        if key == UNKNOWN << 8:  # any index without a region, any address
            va = va * SCATTER % (1 << 64)
            index = va >> 20 & KEYS - 1
            key = (UNKNOWN if index in self.world.keys else index) << 8
        return {
            "req_valid": 1,
            "req_use": use,
            "req_key": key,
            "req_va": va,
            "req_need": rng.choice(list(h.Need)),
        }
