"""The checked TLB, and which situations it has been in (tb/block/points_gru.py).

Promises: as tb/tlb/checked.py; `tally` counts, `digest` names everything that was seen at the outputs, in order.
Costs: some 20 us a cycle more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace

from tb.block.points_gru import TLB, TLB_LOG, TLB_RACE, TLB_RATE, TLB_RESET, TLB_SLOTS, TLB_STEP, TLB_WAY
from tb.plan.cover import CoverGroup, Tally
from tb.tlb.checked import SCOPE_CTX, SCOPE_RANGE, CheckedTlb, Fill, Lookup, Shoot

__all__ = ["WatchedTlb"]

ANSWERS = ("rsp_valid", "rsp_cbr", "rsp_hit", "rsp_mod", "rsp_pa")
SEEN = (*ANSWERS, "lkp_ready", "fill_ready", "fill_done", "fill_dropped", "shoot_ready", "shoot_done", "kill")


@dataclass
class WatchedTlb(CheckedTlb):
    """One TLB under test, watched."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.tally = Tally(TLB)
        self._digest = hashlib.blake2b(digest_size=8)
        self._accepted: list[int] = []  # cycles, of shootdowns not long ago
        self._offered = 0  # cycles the shootdown at the port has waited
        self._probes: dict[int, int] = {}  # page sizes of lookups not answered

    @property
    def digest(self) -> str:
        """Of what was seen."""
        return self._digest.hexdigest()

    def hit(self, group: CoverGroup, name: str, when: bool = True) -> None:
        """A bin once more."""
        if when:
            self.tally.hit(group, name)

    def cycle(
        self, lookup: Lookup | None = None, uses: Iterable[int] = (), fill: Fill | None = None, shoot: Shoot | None = None
    ) -> SimpleNamespace:
        """One clock cycle."""
        looking, ended = self._looking, set(uses)
        flying = [self._flying[cbr][0] for cbr in ended if cbr in self._flying]
        deciding = self._fill
        out = super().cycle(lookup, ended, fill, shoot)
        self._digest.update(repr([getattr(out, name) for name in SEEN]).encode())
        if out.rsp_valid:
            self._answered(out)
        if out.kill:
            self._killed(out)
        if out.decide and deciding:
            self._decided(deciding)
        if shoot:
            self._shot(out, shoot, looking[0] if looking else None, lookup, flying, fill, deciding if out.decide else None)
        else:
            self._offered = 0
        if lookup and out.lkp_ready:
            self._probes[lookup.cbr] = lookup.sizes.bit_count()
        return out

    def reset(self) -> None:
        """In the middle."""
        self.hit(TLB_RESET, "lookup", self._looking is not None)
        self.hit(TLB_RESET, "access in flight", bool(self._flying))
        self.hit(TLB_RESET, "drop-in", self._fill is not None)
        self.hit(TLB_RESET, "shootdown draining", any(drain.waits for drain in self._drains.values()))
        self.hit(TLB_RESET, "shootdown waiting for a slot", self._offered > 0)
        self.hit(TLB_RESET, "sweep", self._sweeping() > 0)
        super().reset()
        self._accepted.clear()

    def _sweeping(self) -> int:
        """Shootdowns accepted and certainly not swept."""
        self._accepted = [cycle for cycle in self._accepted if self.now - cycle < self.size.sets]
        return len(self._accepted)

    def _answered(self, out: SimpleNamespace) -> None:
        many = "more sizes" if self._probes.pop(out.rsp_cbr, 1) > 2 else "one or two sizes"
        sweeping = self._sweeping()
        sweep = "nothing swept" if not sweeping else "every slot taken" if sweeping >= self.size.slots else "sweep running"
        answer = "hit" if out.rsp_hit else "clean" if out.rsp_mod else "miss"
        self.hit(TLB_RATE, f"{many}, {sweep}, {answer}")
        self.hit(TLB_WAY, f"way {out.rsp_indexway % self.size.ways}, is named to a miss", answer == "miss")

    def _killed(self, out: SimpleNamespace) -> None:
        how = "dies at a drop-in" if out.decide else "dies in the sweep"
        for way in range(4):
            self.hit(TLB_WAY, f"way {way}, {how}", bool(out.kill >> way & 1))
        count = out.kill.bit_count()
        self.hit(TLB_STEP, "1 dies" if count == 1 else "all die" if count == 4 else f"{count} die")

    def _decided(self, fill: Fill) -> None:
        since, depth = len(self._log) - self._missed_at.get(fill.cbr, 0), self.size.log_depth
        bounds = ((0, "none"), (4, "1 to 4"), (depth // 2, "up to half the log"))
        name = next((name for most, name in bounds if since <= most), "up to the log")  # as the drop-in was accepted
        dropped = self._fill_end is not None and self._fill_end[1]
        lapped = "more than the log" if self._fill_lapped else name
        self.hit(TLB_LOG, f"{lapped}, {'dropped' if dropped else 'entered'}")

    def _shot(
        self,
        out: SimpleNamespace,
        shoot: Shoot,
        probing: Lookup | None,
        lookup: Lookup | None,
        ended: list[Fill],
        fill: Fill | None,
        deciding: Fill | None,
    ) -> None:
        if not out.shoot_ready:
            self._offered += 1
            return
        scope = "range" if shoot.scope == SCOPE_RANGE else "ctx" if shoot.scope == SCOPE_CTX else "asid"
        half = self.size.sets // 2
        waited = "taken at once" if not self._offered else "waits a moment" if self._offered < half else "waits half a sweep"
        self.hit(TLB_SLOTS, f"{scope}, {waited}")
        self._offered = 0
        self._accepted.append(self.now)
        self.hit(TLB_RACE, "lookup in the hit stage", probing is not None and shoot.covers(_page(probing)))
        self.hit(TLB_RACE, "lookup accepted", lookup is not None and bool(out.lkp_ready) and shoot.covers(_page(lookup)))
        self.hit(TLB_RACE, "drop-in decided", deciding is not None and shoot.covers(deciding))
        self.hit(TLB_RACE, "drop-in accepted", fill is not None and bool(out.fill_ready) and shoot.covers(fill))
        self.hit(TLB_RACE, "access ends", any(shoot.covers(entry) for entry in ended))
        self.hit(TLB_RACE, "another acknowledgement", out.shoot_done != 0)
        killed = [getattr(out, f"kill_va{way}") for way in range(4) if out.kill >> way & 1]
        self.hit(TLB_RACE, "an older entry of its pages is swept", any(shoot.covers(Fill(0, va, 0, shoot.asid)) for va in killed))


def _page(lookup: Lookup) -> Fill:
    """The 4 KiB page a lookup is about."""
    return Fill(lookup.cbr, lookup.va, 0, lookup.asid, lookup.ctx)
