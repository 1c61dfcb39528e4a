"""Random traffic for the TLB: control blocks that look up, use, miss and drop in, and shootdowns of every kind between them.

Promises: legal at every port whatever the TLB answers, so a broken variant can be driven too; the seed decides everything.
Needs: nothing. `Style` chooses the mix; with few enough pages no set overflows and the model beside it may be exact.
Costs: some 40 us a cycle.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from hwif.gen.gru import NUM_CBR, NUM_TGH, PAGE_SHIFTS
from tb.tlb.bench import DEFAULT
from tb.tlb.checked import ALL_PAGES, SCOPE_ASID, SCOPE_CTX, SCOPE_RANGE, CheckedTlb, Fill, Lookup, Shoot

__all__ = ["STYLES", "Style", "Traffic", "set_index"]

# Contexts: address space and page sizes. Two share an address space; 0 and the largest are ordinary; 8 and 9 use the same sets.
CONTEXTS = [(8, 0b1), (9, 0b1), (8, 0b100001), (0, 0b11), (0xFFFFF0, 0b1), (16, 0b11111111111), (24, 0b10000100001)]


def set_index(asid: int, va: int, code: int, sets: int = DEFAULT.sets) -> int:
    """Which set an entry lives in."""
    return (va >> PAGE_SHIFTS[code] ^ asid >> 3) % sets


def _most(held: set[tuple[int, int, int]]) -> int:
    """How many of these (asid, code, page) can live at once: of nested pages one does, so those that hold no other."""

    def inside(small: tuple[int, int, int], large: tuple[int, int, int]) -> bool:
        shift = PAGE_SHIFTS[large[1]] - PAGE_SHIFTS[small[1]]
        return small[0] == large[0] and shift > 0 and small[2] >> shift == large[2]

    return sum(not any(inside(other, entry) for other in held) for entry in held)


@dataclass(frozen=True)
class Style:
    shoot: float = 0.01  # shootdowns offered a cycle
    storm: float = 0.0  # chance that a cycle begins a burst of them
    lookup: float = 0.9
    pages: int = 40  # 4 KiB places used in each address space
    crowded: bool = False  # let sets overflow
    clean: float = 0.3  # drop-ins of read faults that are clean
    flight: int = 30  # cycles an access may last
    think: int = 40  # cycles between a miss and its drop-in
    aim: float = 0.0  # shootdowns at what goes on in their very cycle: chance would meet it too rarely


STYLES = {
    "plain": Style(),
    "storms": Style(storm=0.02, flight=200),
    "flood": Style(shoot=0.3, think=400),
    "quick": Style(think=5, flight=3, shoot=0.05),
    "crowded": Style(crowded=True, pages=150),
    "aimed": Style(shoot=0.05, aim=0.5, pages=8),
}
"""Mixes by name."""


class Traffic:
    """Drives one CheckedTlb."""

    def __init__(self, tlb: CheckedTlb, seed: int, style: Style) -> None:
        self.tlb = tlb
        self.rng = random.Random(seed)
        self.style = style
        self.forget()
        self.places = self._places()

    def forget(self) -> None:
        """After a reset of the TLB: everybody is idle."""
        self.idle = list(range(NUM_CBR))
        self.looking: dict[int, Lookup] = {}
        self.due: dict[int, int] = {}  # control block -> cycle its access ends
        self.missed: list[tuple[int, Lookup, bool]] = []  # cycle to answer, what, is it a write to a clean entry
        self.handles = list(range(NUM_TGH))
        self.busy: set[int] = set()
        self.lookup: Lookup | None = None
        self.fill: Fill | None = None
        self.shoot: Shoot | None = None
        self.burst = 0

    def _places(self) -> dict[int, list[int]]:
        """Page numbers of each address space: the first, the last, neighbours, and the corners of large pages."""
        places: dict[int, list[int]] = {}
        load: dict[int, set[tuple[int, int, int]]] = {}
        for asid in dict(CONTEXTS):
            found = {0, ALL_PAGES}
            while len(found) < self.style.pages:
                if asid == 9:  # the pages of 8, in the same sets
                    found = set(places[8])
                    break
                base = self.rng.choice([0, 0, 1 << 9, 1 << 18, self.rng.getrandbits(52), ALL_PAGES - 1023])
                found.add(base + self.rng.choice([0, 1, 2, 3, 15, 511, self.rng.randrange(600)]) & ALL_PAGES)
            places[asid] = sorted(page for page in found if self.style.crowded or self._fits(asid, page, load))
        return places

    def _fits(self, asid: int, page: int, load: dict[int, set[tuple[int, int, int]]]) -> bool:
        """Keep every set within its ways whatever sizes the page is dropped in with."""
        sizes = [code for other, mask in CONTEXTS if other == asid for code in range(11) if mask >> code & 1]
        entries = {(asid, code, page >> PAGE_SHIFTS[code] - 12) for code in sizes}
        size = self.tlb.size
        more: dict[int, set[tuple[int, int, int]]] = {}
        for entry in entries:
            index = set_index(asid, page << 12, entry[1], size.sets)
            more.setdefault(index, set(load.get(index, set()))).add(entry)
        if any(_most(held) > size.ways for held in more.values()):
            return False
        load.update(more)
        return True

    def run(self, cycles: int) -> None:
        """That many cycles."""
        for _ in range(cycles):
            self.step()

    def finish(self) -> None:
        """Let everything end: accesses, acknowledgements, the sweep."""
        self.style = Style(shoot=0, storm=0, lookup=0)
        self.burst = 0
        for _ in range(3000 + 4 * self.tlb.size.sets):
            self.step()
            if not (self.looking or self.due or self.busy or self.shoot or self.fill or self.lookup or self.missed):
                break
        else:
            raise AssertionError(f"traffic does not end: {len(self.looking)} lookups, handles {sorted(self.busy)}")
        self.tlb.settle()

    def step(self) -> None:
        """One cycle."""
        rng, style, now = self.rng, self.style, self.tlb.now
        if not self.lookup and self.idle and rng.random() < style.lookup:
            self.lookup = self._draw_lookup()
        if not self.fill:
            self._draw_fill(now)
        if not self.burst and rng.random() < style.storm:
            self.burst = rng.randrange(2, 24)
        if not self.shoot and self.handles and (self.burst or rng.random() < style.shoot):
            self.burst = max(0, self.burst - 1)
            self.shoot = self._draw_shoot()
        uses = [cbr for cbr, end in self.due.items() if end <= now][:2]
        for cbr in uses:
            del self.due[cbr]
            self.idle.append(cbr)
        out = self.tlb.cycle(self.lookup, uses, self.fill, self.shoot)
        if self.lookup and out.lkp_ready:
            self.looking[self.lookup.cbr] = self.lookup
            self.lookup = None
        if self.fill and out.fill_ready:
            self.fill = None
        if self.shoot and out.shoot_ready:
            self.busy.add(self.shoot.tgh)
            self.shoot = None
        for tgh in [tgh for tgh in self.busy if out.shoot_done >> tgh & 1]:
            self.busy.remove(tgh)
            self.handles.append(tgh)
        if out.fill_done and out.fill_done_cbr not in self.idle:
            self.idle.append(out.fill_done_cbr)  # restarted
        if out.rsp_valid:
            self._answered(out.rsp_cbr, bool(out.rsp_hit), bool(out.rsp_mod))

    def _answered(self, cbr: int, hit: bool, mod: bool) -> None:
        lookup = self.looking.pop(cbr)
        if hit:
            self.due[cbr] = self.tlb.now + self.rng.randrange(self.style.flight)
        else:
            self.missed.append((self.tlb.now + self.rng.randrange(self.style.think), lookup, mod))

    def _draw_lookup(self) -> Lookup:
        rng = self.rng
        cbr = self.idle.pop(rng.randrange(len(self.idle)))
        ctx = rng.randrange(len(CONTEXTS))
        asid, sizes = CONTEXTS[ctx]
        va = rng.choice(self.places[asid]) << 12 | rng.getrandbits(12)
        return Lookup(cbr, va, asid, ctx, rng.random() < 0.4, sizes)

    def _draw_fill(self, now: int) -> None:
        rng = self.rng
        for index, (at, lookup, mod) in enumerate(self.missed):
            if at > now:
                continue
            del self.missed[index]
            if rng.random() < 0.1 and not mod:
                self.idle.append(lookup.cbr)  # answered without a drop-in
                return
            codes = [code for code in range(11) if lookup.sizes >> code & 1]
            # Small pages mostly: each drop-in of another size needs a slot for one sweep.
            code = codes[0] if rng.random() < 0.9 else rng.choice(codes)
            dirty = lookup.write or rng.random() >= self.style.clean
            if mod and rng.random() < 0.1:
                dirty = False  # software that misses the point
            code = code if code != 10 else rng.choice([10, 11, 31])
            self.fill = Fill(lookup.cbr, lookup.va, rng.getrandbits(41), lookup.asid, lookup.ctx, code, rng.getrandbits(2), dirty)
            return

    def _draw_shoot(self) -> Shoot:
        rng = self.rng
        tgh = self.handles.pop(rng.randrange(len(self.handles)))
        if self.style.aim and rng.random() < self.style.aim and (aims := self._aims(tgh)):
            return rng.choice(aims)
        asid = rng.choice(CONTEXTS)[0]
        kind = rng.random()
        if kind < 0.02:
            return Shoot(tgh, rng.getrandbits(52), rng.getrandbits(52), asid, SCOPE_ASID)
        if kind < 0.09:
            one = 1 << rng.randrange(len(CONTEXTS))
            bitmap = rng.choice([one, one, one, rng.getrandbits(16), 0xFFFF, 0])
            return Shoot(tgh, 0, 0, rng.getrandbits(24), SCOPE_CTX, ctxbitmap=bitmap)
        first = rng.choice(self.places[asid])
        first = max(0, first - rng.choice([0, 0, 0, 1, 7]))
        last = min(ALL_PAGES, first + rng.choice([0, 0, 0, 1, 2, 14, 510, 511, 1022, 1 << 20]))
        if kind < 0.12:
            first, last = rng.choice([(0, 0), (ALL_PAGES, ALL_PAGES), (0, ALL_PAGES), (ALL_PAGES - 1, ALL_PAGES)])
        if kind > 0.95:
            mask = ALL_PAGES ^ (1 << rng.randrange(39)) - 1
            return Shoot(tgh, first & mask, last & mask, asid, SCOPE_RANGE, mask)
        return Shoot(tgh, first, last, asid, SCOPE_RANGE)

    def _aims(self, tgh: int) -> list[Shoot]:
        """Shootdowns of the pages that are looked up or dropped in, and of contexts that use another's entry: these are waited for,
        though the entry stays (SD-2)."""
        pages = [Shoot(tgh, it.va >> 12, it.va >> 12, it.asid) for it in self.tlb.under_way()]
        return pages + [Shoot(tgh, scope=SCOPE_CTX, ctxbitmap=1 << ctx) for ctx in self.tlb.borrowers()]
