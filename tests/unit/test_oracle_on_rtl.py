"""The untimed oracle beside the RTL of the TLB in the fast block bench: no false alarm in many more cycles than UVM plays, and an
objection to broken variants."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from hwif.gen.gru import RtlMutant
from pymodels.oracle import Hit, LegalTranslations, NoHit, Objection, Scope, Shootdown, Translation
from tb.tlb.checked import CheckedTlb, Fill, Lookup, Shoot
from tb.tlb.traffic import Style, Traffic

STYLES = {
    "plain": Style(),
    "storms": Style(storm=0.01, flight=200),
    "flood": Style(shoot=0.3, think=400),
    "quick": Style(think=5, flight=3, pages=6),
    "crowded": Style(crowded=True, pages=150),
}


class ObjectionError(AssertionError):
    """The oracle objected."""


class Watched(CheckedTlb):
    """Every cycle goes to the oracle too; the exact model is not asked."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.oracle = LegalTranslations()
        self.judged = 0

    def cycle(
        self, lookup: Lookup | None = None, uses: Iterable[int] = (), fill: Fill | None = None, shoot: Shoot | None = None
    ) -> SimpleNamespace:
        uses = list(uses)
        out = super().cycle(lookup, uses, fill, shoot)
        oracle = self.oracle
        if out.rsp_valid:
            hit = Hit(out.rsp_pa, out.rsp_gaa, out.rsp_pagesize)
            self.judge(oracle.answer(out.rsp_cbr, hit if out.rsp_hit else NoHit.CLEAN if out.rsp_mod else NoHit.MISS))
        for cbr in uses:
            self.judge(oracle.use_done(cbr))
        if out.fill_done:
            self.judge(oracle.fill_done(out.fill_done_cbr, dropped=bool(out.fill_dropped)))
        for handle in range(24):
            if out.shoot_done >> handle & 1:
                self.judge(oracle.acknowledge(handle))
        if lookup and out.lkp_ready:
            options: dict[str, Any] = {"ctx": lookup.ctx, "write": lookup.write, "sizes": lookup.sizes}
            self.judge(oracle.lookup(lookup.cbr, lookup.asid, lookup.va, **options))
        if fill and out.fill_ready:
            self.judge(oracle.fill(fill.cbr, Translation(fill.asid, fill.va, fill.pfn, fill.ctx, fill.code, fill.gaa, fill.dirty)))
        if shoot and out.shoot_ready:
            what = Shootdown(Scope(shoot.scope), shoot.asid, shoot.first, shoot.last, shoot.mask, shoot.ctxbitmap)
            self.judge(oracle.shoot(shoot.tgh, what))
        return out

    def judge(self, objections: list[Objection]) -> None:
        self.judged += 1
        if objections:
            raise ObjectionError(f"cycle {self.now}: {objections[0]}")


def run(style: str, seed: int, cycles: int, mutant: int = 0) -> Watched:
    tlb = Watched(mutant, exact=not STYLES[style].crowded, check=False, seed=seed + 1)
    try:
        traffic = Traffic(tlb, seed, STYLES[style])
        traffic.run(cycles)
        traffic.finish()
    finally:
        tlb.dut.close()
    return tlb


@pytest.mark.parametrize("style", STYLES)
def test_no_objection_to_the_product(style: str) -> None:
    tlb = run(style, 11, 6000)
    assert tlb.judged > 3000
    assert not any(tlb.oracle.outstanding.values())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("style", STYLES)
def test_no_objection_in_long_runs(style: str, seed: int) -> None:
    run(style, 100 + seed, 40_000)


@pytest.mark.parametrize(
    ("mutant", "style"),
    [
        (RtlMutant.ACK_BEFORE_DRAIN, "plain"),
        (RtlMutant.FILL_NOT_DROPPED, "plain"),
        (RtlMutant.LARGE_SURVIVES, "plain"),
        (RtlMutant.DUP_UPGRADE, "plain"),
        (RtlMutant.MOD_LOST, "plain"),
        (RtlMutant.LOG_LAP, "flood"),
        (RtlMutant.SLOT_LATE, "storms"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_objects_to_broken_variants(mutant: RtlMutant, style: str) -> None:
    with pytest.raises(ObjectionError):
        for seed in range(8):
            run(style, seed, 6000, int(mutant))
