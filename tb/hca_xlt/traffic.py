"""Random traffic for hca_xlt: look-ups and accesses of both users, software that maps, upgrades, unmaps and registers anew, and the
invalidations it owes.

Promises: legal at every port whatever the block answers, so a broken variant can be driven too; the seed decides everything.
Software keeps its order: first the table changes, then the invalidation; only what came from absent, and a read-only leaf that
becomes writable, is owed none.
Needs: nothing. `Style` chooses the mix.
Costs: some 100 us a cycle.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, replace

from hwif.gen.hca import TABLE_BITS, Mtt, Need
from tb.hca_xlt.checked import SLOTS, USER_SHIFT, Ask, CheckedXlt, Shoot, use_of
from tb.hca_xlt.world import PAGE, Inval, Leaf, Region

__all__ = ["BROKEN_KEY", "KEYS", "STYLES", "Style", "Traffic"]

BROKEN_KEY = 77
MOST_OWED = 16  # invalidations; software that is further behind waits
# Index: region. 0 and 256 share a place in the key cache; levels 1 to 4; a table off every large page; the ends of the space.
KEYS: dict[int, dict[str, int]] = {
    0: {"start": 0, "length": 1 << 47, "levels": 4},
    256: {"start": 0x40000, "length": 0x200000 - 0x40000 - 3, "levels": 1},
    5: {"start": 0x7F0000003000, "length": (1 << 30) + 12345, "table_base": 0x7F0000003000, "levels": 3},
    9: {"whole": 1, "levels": 4},
    4095: {"start": (1 << 64) - (1 << 21), "length": 1 << 21, "table_base": (1 << 64) - (1 << 21), "levels": 2},
    7: {"start": 0, "length": 1 << 40, "levels": 4, "on_demand": 0},
    8: {"start": 0, "length": 1 << 40, "levels": 4, "remote_write": 0, "remote_atomic": 0, "remote_read": 0},
}


@dataclass(frozen=True)
class Style:
    ask: float = 0.6  # look-ups offered a cycle and user
    change: float = 0.03  # changes of a table a cycle
    storm: float = 0.0  # chance that a cycle begins a burst of invalidations
    slots: int = 32  # slots of each user in use
    places: int = 14  # pages of each key
    wrong: float = 0.05  # look-ups that name something wrong
    flight: int = 60  # cycles an access may last
    hold: int = 40  # cycles a use may be held
    rekey: float = 0.002  # regions registered anew a cycle


STYLES = {
    "plain": Style(),
    "storms": Style(storm=0.02, flight=300),
    "crowded": Style(change=0.2, ask=0.9, places=6),
    "few uses": Style(slots=4, places=4, ask=0.9, change=0.1),
    "keys": Style(rekey=0.03, hold=200, storm=0.01),
    "wide": Style(places=60, ask=1.0, slots=48),
}
"""Mixes by name."""


class Traffic:
    """Drives one CheckedXlt."""

    def __init__(self, xlt: CheckedXlt, seed: int, style: Style) -> None:
        self.xlt = xlt
        self.world = xlt.world
        self.rng = random.Random(seed)
        self.style = style
        self.idle = self.all_idle()
        self.offer: list[Ask | None] = [None, None]
        self.held: dict[int, int] = {}  # use: cycle it starts
        self.flying: dict[int, int] = {}  # use: cycle it is done
        self.owed: deque[Inval] = deque()
        self.tags = deque(range(32))
        self.shoot: Shoot | None = None
        self.burst = 0
        self.variant = dict.fromkeys(KEYS, 1)
        self.places: dict[int, list[int]] = {}
        for index, options in KEYS.items():
            self.world.set_region(index, Region(key=index << 8 | 1, root=self.world.new_table(), **options))
        self.world.break_key(BROKEN_KEY)
        for index in KEYS:
            self.places[index] = self._places(index)
            for page in self.places[index]:
                if self.rng.random() < 0.6:
                    self._change(index, page)
        self.owed.clear()  # nothing is cached yet

    def all_idle(self) -> list[list[int]]:
        """The uses of each user, none of them in use."""
        return [[use_of(u, slot, seg) for slot in range(min(self.style.slots, SLOTS[u])) for seg in range(4)] for u in (0, 1)]

    def _places(self, index: int) -> list[int]:
        """The region's first and last page and those beside them, neighbours, and pages of the same sets."""
        region = self.world.region(index)
        low, high = (0, 1 << 48) if region.whole else (region.start, region.start + region.length)
        first, last = low >> 12, (high - 1) >> 12
        base = self.rng.randrange(first, max(first, last - 2048) + 1)
        found = {first, last}
        while len(found) < min(self.style.places, last - first + 1):
            around = self.rng.choice([first, base, base + 512, last - 700])
            found.add(min(last, max(first, around + self.rng.choice([0, 1, 2, 3, 256, 511, self.rng.randrange(600)]))))
        return sorted(found)

    # ---- software ----

    def _change(self, index: int, page: int) -> None:
        """Change the entry of a page, and owe the invalidation when something present went."""
        rng, world = self.rng, self.world
        region = world.region(index)
        level = rng.choice([0] * 6 + [1, 1, 2]) if region.levels > 1 else 0
        level = min(level, region.levels - 1)
        before = world.look(index, page)
        if isinstance(before, Leaf) and before.pages > 1:
            level = (before.pages.bit_length() - 1) // TABLE_BITS
        at = world.place(index, page, level)
        if at is None:
            return
        old = world.words.get(at, 0)
        pages = 1 << TABLE_BITS * level
        number = page - (region.table_base >> 12)
        first = page - number % pages
        present = Mtt.read.of(old) or Mtt.table.of(old)
        kind = rng.random()
        if isinstance(before, Leaf) and not before.write and kind < 0.4 and not Mtt.table.of(old):
            world.put(at, old | Mtt.write.place(1))  # SD-7: nothing is owed
            return
        if present and kind < 0.5:
            world.put(at, 0)
        elif kind < 0.53:
            world.put(at, Mtt.read.place(1) | Mtt.pfn.place(world.frames(pages) + 1) if level else Mtt.table.place(1))
        else:
            world.put(at, Mtt.read.place(1) | Mtt.write.place(int(rng.random() < 0.6)) | Mtt.pfn.place(world.frames(pages)))
        if present:
            # One page of a large leaf is enough to kill it; of a table that went, all.
            whole = Mtt.table.of(old) or rng.random() < 0.5
            low, high = (first, first + pages - 1) if whole else (page, page)
            self.owed.append(Inval(index, first=low * PAGE + rng.randrange(PAGE), last=high * PAGE + rng.randrange(PAGE)))

    def _rekey(self) -> None:
        """Register a region anew: another variant, another domain, or no region at all for a while."""
        index = self.rng.choice(list(KEYS))
        region = self.world.region(index)
        self.variant[index] = self.variant[index] % 255 + 1
        new = replace(
            region, key=index << 8 | self.variant[index], valid=int(self.rng.random() < 0.7), pd=self.rng.choice([1, 1, 2])
        )
        self.world.set_region(index, new)
        self.owed.append(Inval(index, whole=True))

    def _needless(self) -> Inval:
        """An invalidation of what did not change."""
        rng = self.rng
        index = rng.choice(list(KEYS))
        if rng.random() < 0.1:
            return Inval(rng.randrange(4096), whole=True)
        page = rng.choice(self.places[index])
        if rng.random() < 0.05:
            return Inval(index, first=0, last=(1 << 64) - 1)
        first = max(0, page - rng.choice([0, 0, 1, 511]))
        last = min((1 << 52) - 1, page + rng.choice([0, 0, 1, 511]))
        return Inval(index, first=first * PAGE, last=last * PAGE + PAGE - 1)

    # ---- devices ----

    def _draw(self, user: int) -> Ask:
        rng = self.rng
        use = self.idle[user].pop(rng.randrange(len(self.idle[user])))
        index = rng.choice(list(KEYS))
        region = self.world.region(index)
        page = rng.choice(self.places[index])
        offset = rng.choice([0, rng.randrange(PAGE)])
        length = rng.choice([1, 64, PAGE - offset, rng.randrange(1, PAGE + 1)])
        low, high = (0, 1 << 48) if region.whole else (region.start, region.start + region.length)
        va = max(low, page * PAGE + offset)
        length = min(length, PAGE - va % PAGE, high - va)
        key, pd = region.key, region.pd
        if rng.random() < self.style.wrong:
            kind = rng.randrange(6)
            if kind == 0:
                key ^= 0xFF
            elif kind == 1:
                pd = 3
            elif kind == 2:
                page = (high - 1) >> 12  # past the end, by one byte when the end lies within a page
                va = min(high - 1, page * PAGE + rng.randrange(PAGE))
                length = min(high - va + rng.choice([0, 1]), PAGE - va % PAGE)
            elif kind == 3:
                key = BROKEN_KEY << 8
            elif kind == 4:
                key |= 1 << 20
            else:
                key = rng.choice([13 << 8, 4094 << 8])  # no region
        return Ask(use, key, va, max(1, length), rng.choice(list(Need)), pd)

    def run(self, cycles: int) -> None:
        """That many cycles."""
        for _ in range(cycles):
            self.step()

    def finish(self) -> None:
        """Let everything end."""
        self.style = replace(self.style, ask=0, change=0, storm=0, rekey=0)
        for _ in range(10_000):
            self.step()
            if not (self.xlt.asked or self.flying or self.held or self.shoot or self.owed or any(self.offer)):
                break
        else:
            raise AssertionError(f"traffic does not end: {len(self.xlt.asked)} look-ups")
        for _ in range(600):
            out = self.xlt.cycle()
        if self.xlt.check and not out.quiescent:
            raise AssertionError("not quiescent at the end")

    def step(self) -> None:
        """One cycle."""
        rng, style, xlt = self.rng, self.style, self.xlt
        now = xlt.now
        if rng.random() < style.change and len(self.owed) < MOST_OWED:
            index = rng.choice(list(KEYS))
            self._change(index, rng.choice(self.places[index]))
        if rng.random() < style.rekey:
            self._rekey()
        for user in (0, 1):
            if not self.offer[user] and self.idle[user] and rng.random() < style.ask:
                self.offer[user] = self._draw(user)
        self._draw_shoot()
        start, done, drop = self._accesses(now)
        asked = set(xlt.asked)
        out = xlt.cycle(self.offer[0], self.offer[1], self.shoot, start, done, drop)
        for user in (0, 1):
            if out.req_ready >> user & 1:
                self.offer[user] = None
        if self.shoot and out.inv_ready:
            self.shoot = None
        for use in asked - set(xlt.asked):
            if use in xlt.uses:
                self.held[use] = now + rng.randrange(style.hold)
            else:
                self.idle[use >> USER_SHIFT].append(use)

    def _draw_shoot(self) -> None:
        if not self.burst and self.rng.random() < self.style.storm:
            self.burst = self.rng.randrange(4, 24)
        if self.shoot or not (self.owed or self.burst):
            return
        tag = self.tags[0]
        if self.xlt.pending.get(tag):
            return
        self.tags.rotate(-1)
        inval = self.owed.popleft() if self.owed else self._needless()
        self.burst = max(0, self.burst - 1)
        self.shoot = Shoot(tag, inval)

    def _accesses(self, now: int) -> tuple[list[int], list[int], list[tuple[int, int]]]:
        """Uses that start, end, and are given back."""
        rng = self.rng
        start: list[int] = []
        done: list[int] = []
        drop: list[tuple[int, int]] = []
        for use in list(self.held):
            if use not in self.xlt.uses:  # taken away: look up again some time
                del self.held[use]
                self.idle[use >> USER_SHIFT].append(use)
            elif self.held[use] <= now and all(other >> USER_SHIFT != use >> USER_SHIFT for other in start):
                del self.held[use]
                if rng.random() < 0.1:
                    self.idle[use >> USER_SHIFT].append(use)  # asked anew without a drop
                else:
                    start.append(use)
                    self.flying[use] = now + 1 + rng.randrange(self.style.flight)
        for use, end in list(self.flying.items()):
            if end <= now and use not in start and all(other >> USER_SHIFT != use >> USER_SHIFT for other in done):
                del self.flying[use]
                done.append(use)
                self.idle[use >> USER_SHIFT].append(use)
        if rng.random() < 0.05:
            user = rng.randrange(2)
            slot = rng.randrange(SLOTS[user])
            uses = {use_of(user, slot, seg) for seg in range(4)}
            offered = self.offer[user]
            if not uses & set(start) and not (offered and offered.use in uses):
                drop.append((user, slot))
        return start, done, drop
