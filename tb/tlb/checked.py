"""The TLB beside an untimed model of it: what a TLB of unlimited size would answer.

Promises: `CheckedTlb.cycle` runs one clock cycle and, with `check`, raises `MismatchError` when the TLB disagrees with the
model about an answer, a drop-in's fate, an acknowledgement (to the cycle) or a removed entry. The model knows no sets, slots,
log or sweep: a shootdown kills at once, a drop-in replaces what it overlaps, an acknowledgement waits for exactly the covered
accesses.
Needs: with `exact`, that no set is asked to hold more than its ways; otherwise a miss where the model would hit is an eviction.
Costs: some 30 us a cycle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace

from hwif.gen.gru import PAGE_SHIFTS
from tb.tlb.bench import DEFAULT, Size, Tlb

__all__ = ["ALL_PAGES", "SCOPE_ASID", "SCOPE_CTX", "SCOPE_RANGE", "CheckedTlb", "Fill", "Lookup", "MismatchError", "Shoot"]

SCOPE_RANGE, SCOPE_ASID, SCOPE_CTX = range(3)
ALL_PAGES = (1 << 52) - 1


class MismatchError(AssertionError):
    """The TLB and the model disagree."""


@dataclass(frozen=True)
class Lookup:
    cbr: int
    va: int
    asid: int = 8
    ctx: int = 0
    write: bool = False
    sizes: int = 1


@dataclass(frozen=True)
class Fill:
    cbr: int
    va: int
    pfn: int
    asid: int = 8
    ctx: int = 0
    code: int = 0
    gaa: int = 0
    dirty: bool = True

    @property
    def pages(self) -> int:
        """4 KiB pages in it."""
        return 1 << (PAGE_SHIFTS[min(self.code, 10)] - 12)

    @property
    def first(self) -> int:
        """Its first page number."""
        return (self.va >> 12) & ~(self.pages - 1)

    def overlaps(self, other: Fill) -> bool:
        """Is there an address both translate?"""
        return self.asid == other.asid and self.first < other.first + other.pages and other.first < self.first + self.pages

    def translate(self, va: int) -> int:
        """Physical address."""
        frame = (self.pfn & ~(self.pages - 1)) + (va >> 12) - self.first
        return frame << 12 | va & 0xFFF


@dataclass(frozen=True)
class Shoot:
    tgh: int
    first: int = 0
    last: int = 0
    asid: int = 8
    scope: int = SCOPE_RANGE
    mask: int = ALL_PAGES
    ctxbitmap: int = 0

    def covers(self, entry: Fill) -> bool:
        """Does it revoke this translation?"""
        if self.scope == SCOPE_CTX:
            return bool(self.ctxbitmap >> entry.ctx & 1)
        if self.asid != entry.asid:
            return False
        if self.scope == SCOPE_ASID:
            return True
        return entry.first & self.mask <= self.last and (entry.first + entry.pages - 1) & self.mask >= self.first


@dataclass
class _Answer:
    cycle: int
    lookup: Lookup
    entry: Fill | None
    mod: bool
    log: int  # shootdowns before it
    rest: list[int]  # page sizes it did not come to probe


@dataclass
class _Drain:
    waits: set[int]
    free_at: int  # cycle from which nothing covered is in flight


@dataclass
class CheckedTlb:
    mutant: int = 0
    exact: bool = True
    check: bool = True
    seed: int = 1
    size: Size = DEFAULT
    now: int = 0
    entries: dict[tuple[int, int, int], Fill] = field(default_factory=dict)  # (asid, code, first page)
    removed: Counter[int] = field(default_factory=Counter)  # addresses of entries that died and may still sit in the arrays

    def __post_init__(self) -> None:
        self.dut = Tlb(self.mutant, self.seed, self.size)
        self.items = 0  # outputs that were compared because something was expected or came
        self._forget()

    def _forget(self) -> None:
        """What reset makes the TLB forget."""
        self.entries.clear()
        self.removed.clear()
        self._looking: tuple[Lookup, list[int]] | None = None  # and the page sizes still to probe
        self._answer: _Answer | None = None
        self._flying: dict[int, tuple[Fill, int]] = {}
        self._drains: dict[int, _Drain] = {}
        self._log: list[Shoot] = []
        self._missed_at: dict[int, int] = {}
        self._fill: Fill | None = None
        self._fill_lapped = False
        self._fill_end: tuple[int, bool, int] | None = None  # cbr, dropped, cycle

    def borrowers(self) -> list[int]:
        """Contexts with an access in flight through an entry that another context filled."""
        return sorted({ctx for entry, ctx in self._flying.values() if ctx != entry.ctx})

    def under_way(self) -> list[Lookup | Fill]:
        """The look-up in the hit stage and the drop-in that is decided, as this cycle begins."""
        return [*([self._looking[0]] if self._looking else []), *([self._fill] if self._fill else [])]

    def expect(self, condition: bool, text: str) -> None:
        """Raise when the model is contradicted."""
        if self.check and not condition:
            raise MismatchError(f"cycle {self.now}: {text}")

    def cycle(
        self, lookup: Lookup | None = None, uses: Iterable[int] = (), fill: Fill | None = None, shoot: Shoot | None = None
    ) -> SimpleNamespace:
        """One clock cycle with these on the ports."""
        pins: dict[str, int] = {}
        if lookup:
            pins |= {"lkp_valid": 1, "lkp_cbr": lookup.cbr, "lkp_ctx": lookup.ctx, "lkp_asid": lookup.asid, "lkp_va": lookup.va}
            pins |= {"lkp_write": int(lookup.write), "lkp_sizes": lookup.sizes}
        for index, cbr in enumerate(uses):
            pins["use_valid"] = pins.get("use_valid", 0) | 1 << index
            pins[f"use_cbr{index}"] = cbr
        if fill:
            pins |= {"fill_valid": 1, "fill_cbr": fill.cbr, "fill_ctx": fill.ctx, "fill_asid": fill.asid, "fill_va": fill.va}
            pins |= {"fill_pfn": fill.pfn, "fill_pagesize": fill.code, "fill_gaa": fill.gaa, "fill_dirty": int(fill.dirty)}
        if shoot:
            pins |= {"shoot_valid": 1, "shoot_tgh": shoot.tgh, "shoot_scope": shoot.scope, "shoot_asid": shoot.asid}
            pins |= {"shoot_first": shoot.first, "shoot_last": shoot.last, "shoot_mask": shoot.mask}
            pins["shoot_ctxbitmap"] = shoot.ctxbitmap
        out = self.dut.step(**pins)
        self._compare(out)
        self._advance(out, lookup, set(uses), fill, shoot)
        self.now += 1
        return out

    def reset(self) -> None:
        """In the middle of whatever goes on: afterwards the TLB knows nothing and owes nothing."""
        self.dut.step(reset=1)
        self.now += 1
        self._forget()

    def settle(self) -> None:
        """Idle until the TLB says nothing will change; every dead entry must have left by then."""
        for _ in range(3 * self.size.sets + 20):
            if self.cycle().idle:
                break
        else:
            raise MismatchError(f"cycle {self.now}: never idle")
        if self.exact:
            self.expect(not +self.removed, f"dead entries stay in the arrays: {dict(+self.removed)}")

    # ---- outputs of this cycle ------------------------------------------------------------------------------------------

    def _compare(self, out: SimpleNamespace) -> None:
        if not self.check:
            return
        if self.exact:
            probing = self._looking is not None and len(self._looking[1]) > 2
            self.expect(bool(out.lkp_ready) or probing, "the lookup port is closed")
        answer = self._answer
        found = bool(out.rsp_valid and (out.rsp_hit or out.rsp_mod))
        if answer and answer.entry and not self.exact and not found:
            self._evicted(answer, answer.entry)
            answer = self._answer
        self.expect(bool(out.rsp_valid) == (answer is not None), f"rsp_valid_o {out.rsp_valid}, expected {answer}")
        if answer:
            self.items += 1
            self._compare_answer(out, answer)
        done = {tgh for tgh, drain in self._drains.items() if not drain.waits and self.now == drain.free_at + 2}
        self.expect(out.shoot_done == sum(1 << tgh for tgh in done), f"shoot_done_o {out.shoot_done:#x}, expected {done}")
        for tgh in done:
            self.items += 1
            del self._drains[tgh]
        end = self._fill_end
        self.expect(bool(out.fill_done) == (end is not None), f"fill_done_o {out.fill_done}, expected {end}")
        if end:
            self.items += 1
            self.expect(out.fill_done_cbr == end[0], "fill_done_cbr_o")
            self.expect(bool(out.fill_dropped) == end[1], f"fill_dropped_o {out.fill_dropped}, expected {end}")

    def _evicted(self, answer: _Answer, entry: Fill) -> None:
        """The arrays had no room for what the model still has: undo the hit."""
        cbr = answer.lookup.cbr
        key = entry.asid, min(entry.code, 10), entry.first
        if self.entries.get(key) is entry:  # or what came since replaced it
            del self.entries[key]
        self._flying.pop(cbr, None)
        for drain in self._drains.values():
            drain.waits.discard(cbr)
        self._answer = None
        if answer.rest:
            self._looking = answer.lookup, answer.rest
        else:
            self._missed_at[cbr] = answer.log
            self._answer = _Answer(self.now, answer.lookup, None, False, answer.log, [])

    def _compare_answer(self, out: SimpleNamespace, answer: _Answer) -> None:
        lookup, entry = answer.lookup, answer.entry
        self.expect(out.rsp_cbr == lookup.cbr, "answers out of order")
        self.expect(bool(out.rsp_hit) == (entry is not None and not answer.mod), f"hit {out.rsp_hit}: {lookup}, {entry}")
        self.expect(bool(out.rsp_mod) == answer.mod, f"mod {out.rsp_mod}: {lookup}, {entry}")
        if entry and out.rsp_hit:
            got = (out.rsp_pa, out.rsp_gaa, out.rsp_pagesize)
            self.expect(got == (entry.translate(lookup.va), entry.gaa, min(entry.code, 10)), f"{got}: {lookup}, {entry}")

    # ---- what this cycle changes ------------------------------------------------------------------------------------------

    def _advance(self, out: SimpleNamespace, lookup: Lookup | None, uses: set[int], fill: Fill | None, shoot: Shoot | None) -> None:
        self._hit_stage()
        self._use(uses)
        accepted = shoot if shoot and out.shoot_ready else None
        if accepted:
            self._shoot(accepted)
        self._fill_end = None
        if out.decide:
            self._decide(out)
        for way in range(4):
            if out.kill >> way & 1 and self.check:
                va = getattr(out, f"kill_va{way}")
                self.expect(self.removed[va] > 0, f"entry of {va:#x} removed though nothing covers it")
                self.removed[va] -= 1
        if fill and out.fill_ready:
            self._fill = fill
            since = self._missed_at.get(fill.cbr)
            self._fill_lapped = bool(self._log) if since is None else len(self._log) - since > self.size.log_depth
        if lookup and out.lkp_ready:
            self._looking = lookup, [code for code in PAGE_SHIFTS if lookup.sizes >> code & 1]

    def _hit_stage(self) -> None:
        self._answer = None
        if not self._looking:
            return
        lookup, sizes = self._looking
        probe, rest = sizes[:2], sizes[2:]
        entry = None
        for code in probe:
            page = (lookup.va >> 12) & ~((1 << PAGE_SHIFTS[code] - 12) - 1)
            entry = entry or self.entries.get((lookup.asid, code, page))
        if entry is None and rest:
            self._looking = lookup, rest
            return
        self._looking = None
        mod = entry is not None and lookup.write and not entry.dirty
        self._answer = _Answer(self.now + 1, lookup, entry, mod, len(self._log), rest)
        if entry and not mod:
            self._flying[lookup.cbr] = entry, lookup.ctx
        else:
            self._missed_at[lookup.cbr] = len(self._log)

    def _use(self, uses: set[int]) -> None:
        for cbr in uses:
            self._flying.pop(cbr, None)
            for drain in self._drains.values():
                if cbr in drain.waits:
                    drain.waits.remove(cbr)
                    drain.free_at = self.now

    def _shoot(self, shoot: Shoot) -> None:
        self._log.append(shoot)
        for key in [key for key, entry in self.entries.items() if shoot.covers(entry)]:
            self.removed[self.entries.pop(key).first << 12] += 1
        waits = set()
        for cbr, (entry, ctx) in self._flying.items():
            if shoot.covers(entry) or (shoot.scope == SCOPE_CTX and shoot.ctxbitmap >> ctx & 1):
                waits.add(cbr)
        self._drains[shoot.tgh] = _Drain(waits, self.now)

    def _decide(self, out: SimpleNamespace) -> None:
        fill = self._fill
        self._fill = None
        if fill is None:
            self.expect(False, "a decision without a drop-in")
            return
        since = self._log[self._missed_at.get(fill.cbr, 0) :]
        covered = any(shoot.covers(fill) for shoot in since)
        self.expect(bool(out.lapped) == self._fill_lapped, f"lapped {out.lapped}, expected {self._fill_lapped}")
        dropped = covered or self._fill_lapped
        self._fill_end = fill.cbr, dropped, self.now + 1
        if dropped:
            return
        for key in [key for key, entry in self.entries.items() if entry.overlaps(fill)]:
            self.removed[self.entries.pop(key).first << 12] += 1
        self.entries[fill.asid, min(fill.code, 10), fill.first] = fill
