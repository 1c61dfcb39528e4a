"""The untimed oracle: each rule by example, all of them against a page-by-page reference, and each broken once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.oracle_play import LOG_DEPTH, play

from hwif.gen.gru import PAGE_SHIFTS
from pymodels.oracle import ALL_PAGES, Hit, LegalTranslations, NoHit, Objection, Scope, Shootdown, Translation, records

PAGE = 1 << 12


class Scene:
    """The oracle with shorthands; every step must be legal unless `rule` is asked for."""

    def __init__(self) -> None:
        self.oracle = LegalTranslations()

    def legal(self, objections: list[Objection]) -> None:
        assert objections == []

    def miss(self, tag: int, va: int, **options: Any) -> None:
        self.legal(self.oracle.lookup(tag, options.pop("asid", 8), va, **options))
        self.legal(self.oracle.answer(tag, NoHit.MISS))

    def enter(self, tag: int, what: Translation) -> None:
        self.miss(tag, what.va, asid=what.asid, ctx=what.ctx)
        self.legal(self.oracle.fill(tag, what))
        self.legal(self.oracle.fill_done(tag, dropped=False))

    def hit(self, tag: int, what: Translation, va: int | None = None, **options: Any) -> list[Objection]:
        where = what.va if va is None else va
        self.legal(self.oracle.lookup(tag, what.asid, where, **options))
        return self.oracle.answer(tag, Hit(what.physical(where), what.gaa, what.size))

    def use(self, tag: int, what: Translation, va: int | None = None, **options: Any) -> None:
        self.legal(self.hit(tag, what, va, **options))
        self.legal(self.oracle.use_done(tag))

    def kill(self, handle: int, what: Shootdown) -> None:
        self.legal(self.oracle.shoot(handle, what))
        self.legal(self.oracle.acknowledge(handle))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def rules(objections: list[Objection]) -> list[str]:
    return [objection.rule for objection in objections]


def entry(page: int = 5, **options: Any) -> Translation:
    return Translation(**{"asid": 8, "va": page * PAGE, "pfn": 0x1000, **options})


# ---- each rule by example ---------------------------------------------------------------------------------------------------


def test_old_or_new_before_the_acknowledgement_and_only_new_after_it(scene: Scene) -> None:
    what = entry()
    scene.enter(1, what)
    scene.legal(scene.oracle.shoot(0, Shootdown(Scope.RANGE, 8, 5, 5)))
    scene.legal(scene.oracle.lookup(2, 8, what.va))
    assert scene.oracle.allowed(2).outcomes == {NoHit.MISS, Hit(what.physical(what.va))}
    scene.legal(scene.oracle.answer(2, Hit(what.physical(what.va))))
    scene.legal(scene.oracle.use_done(2))
    scene.legal(scene.oracle.acknowledge(0))
    scene.legal(scene.oracle.lookup(2, 8, what.va))
    assert scene.oracle.allowed(2).outcomes == {NoHit.MISS}
    assert rules(scene.oracle.answer(2, Hit(what.physical(what.va)))) == ["SD-1"]


def test_a_new_drop_in_after_the_acknowledgement_is_legal(scene: Scene) -> None:
    old, new = entry(), entry(pfn=0x2000)
    scene.enter(1, old)
    scene.kill(0, Shootdown(Scope.RANGE, 8, 5, 5))
    scene.enter(1, new)
    scene.use(2, new)
    assert rules(scene.hit(2, old)) == ["SD-1"]


def test_an_answer_after_the_acknowledgement_counts_even_if_the_lookup_came_before(scene: Scene) -> None:
    scene.enter(1, entry())
    scene.legal(scene.oracle.lookup(2, 8, 5 * PAGE))
    scene.kill(0, Shootdown(Scope.RANGE, 8, 5, 5))
    assert rules(scene.oracle.answer(2, Hit(entry().physical(5 * PAGE)))) == ["SD-1"]


@pytest.mark.parametrize("covered", [True, False])
def test_the_acknowledgement_waits_for_covered_accesses_only(scene: Scene, covered: bool) -> None:
    scene.enter(1, entry())
    scene.legal(scene.hit(2, entry()))
    scene.legal(scene.oracle.shoot(0, Shootdown(Scope.RANGE, 8, 5 if covered else 6, 6)))
    assert scene.oracle.holders(0) == ([2] if covered else [])
    assert rules(scene.oracle.acknowledge(0)) == (["SD-2"] if covered else [])


def test_it_waits_for_an_access_through_an_entry_that_was_replaced_meanwhile(scene: Scene) -> None:
    scene.enter(1, entry())
    scene.legal(scene.hit(2, entry()))
    scene.enter(3, entry(99))  # or the next miss would be a surprise
    scene.enter(1, entry(pfn=0x2000))
    scene.legal(scene.oracle.shoot(0, Shootdown(Scope.RANGE, 8, 5, 5)))
    assert rules(scene.oracle.acknowledge(0)) == ["SD-2"]


def test_a_context_shootdown_waits_for_its_accesses_through_entries_of_others(scene: Scene) -> None:
    scene.enter(1, entry(ctx=1))
    scene.legal(scene.hit(2, entry(ctx=1), ctx=2))
    scene.legal(scene.oracle.shoot(0, Shootdown(Scope.CTX, ctxbitmap=1 << 2)))
    assert rules(scene.oracle.acknowledge(0)) == ["SD-2"]
    scene.legal(scene.oracle.use_done(2))
    scene.use(3, entry(ctx=1), ctx=1)  # the entry itself belongs to context 1


def test_acknowledged_once(scene: Scene) -> None:
    scene.kill(0, Shootdown(Scope.RANGE, 8, 5, 5))
    assert rules(scene.oracle.acknowledge(0)) == ["SD-2"]


@pytest.mark.parametrize(
    ("when", "dropped", "legal"),
    [
        ("before the lookup", True, False),
        ("before the lookup", False, True),
        ("before the answer", True, True),  # who came first cannot be seen
        ("before the answer", False, True),
        ("before the drop-in", True, True),
        ("before the drop-in", False, False),
        ("before the report", True, True),
        ("before the report", False, False),
        ("never", True, False),
        ("beside", True, False),
        ("beside", False, True),
    ],
)
def test_a_drop_in_is_dropped_iff_a_covering_shootdown_came_since_its_miss(
    scene: Scene, when: str, dropped: bool, legal: bool
) -> None:
    oracle = scene.oracle
    where = Shootdown(Scope.RANGE, 8, 6, 7) if when == "beside" else Shootdown(Scope.RANGE, 8, 4, 5)
    steps: list[tuple[str, Callable[[], list[Objection]]]] = [
        ("before the lookup", lambda: oracle.lookup(1, 8, 5 * PAGE)),
        ("before the answer", lambda: oracle.answer(1, NoHit.MISS)),
        ("before the drop-in", lambda: oracle.fill(1, entry())),
        ("before the report", lambda: []),
    ]
    for name, step in steps:
        if name == when or (when == "beside" and name == "before the drop-in"):
            scene.kill(0, where)
        scene.legal(step())
    assert rules(oracle.fill_done(1, dropped=dropped)) == ([] if legal else ["SD-3"])


@pytest.mark.parametrize(("since", "legal"), [(64, False), (65, True)])
def test_a_lapped_log_excuses_a_drop(scene: Scene, since: int, legal: bool) -> None:
    scene.miss(1, 5 * PAGE)
    for _ in range(since):
        scene.kill(0, Shootdown(Scope.RANGE, 8, 99, 99))
    scene.legal(scene.oracle.fill(1, entry()))
    assert (scene.oracle.fill_done(1, dropped=True) == []) == legal


@pytest.mark.parametrize("code", PAGE_SHIFTS)
@pytest.mark.parametrize("where", ["first", "last", "inside", "around", "before", "after"])
def test_one_page_inside_an_entry_of_any_size_revokes_it(code: int, where: str) -> None:
    pages = 1 << PAGE_SHIFTS[code] - 12
    what = entry(3 * pages, code=code)
    first, last = {
        "first": (what.first, what.first),
        "last": (what.last, what.last),
        "inside": (what.first + pages // 2, what.first + pages // 2),
        "around": (what.first - 1, what.last + 1),
        "before": (what.first - 1, what.first - 1),
        "after": (what.last + 1, what.last + 1),
    }[where]
    assert Shootdown(Scope.RANGE, 8, first, last).covers(what) == (where not in ("before", "after"))


def test_a_stale_hit_of_a_large_page_names_its_rule(scene: Scene) -> None:
    what = entry(512, code=5)
    scene.enter(1, what)
    scene.kill(0, Shootdown(Scope.RANGE, 8, 515, 515))
    assert rules(scene.hit(2, what, 513 * PAGE)) == ["SD-5"]


@pytest.mark.parametrize("asid", [0, 8, (1 << 24) - 1])
@pytest.mark.parametrize("page", [0, 1, ALL_PAGES])
def test_zero_and_the_largest_values_are_ordinary(scene: Scene, asid: int, page: int) -> None:
    what = entry(page, asid=asid)
    beside = [entry(page ^ 1, asid=asid), entry(page, asid=asid ^ 1)]
    for tag, one in enumerate([what, *beside]):
        scene.enter(tag, one)
    scene.kill(0, Shootdown(Scope.RANGE, asid, page, page))
    for tag, one in enumerate(beside):
        scene.use(tag, one)
    assert rules(scene.hit(5, what)) == ["SD-1" if asid and page == 1 else "SD-6"]


def test_what_no_shootdown_covers_and_no_drop_in_displaced_is_still_there(scene: Scene) -> None:
    scene.enter(1, entry())
    scene.kill(0, Shootdown(Scope.RANGE, 8, 6, 6))
    scene.legal(scene.oracle.lookup(2, 8, 5 * PAGE))
    assert rules(scene.oracle.answer(2, NoHit.MISS)) == ["SD-6"]
    scene.enter(3, entry(99))
    scene.miss(4, 5 * PAGE)  # evicted, it may be


def test_a_mask_with_holes_may_take_more_but_need_not() -> None:
    what = entry(0, code=2)  # 16 pages, of which the mask tells every fourth from the others
    shoot = Shootdown(Scope.RANGE, 8, 0b0100, 0b0111, ALL_PAGES ^ 0b0011)
    assert shoot.covers(what) and shoot.may_cover(what)
    nothing = Shootdown(Scope.RANGE, 8, 0b0010, 0b0011, ALL_PAGES ^ 0b0010)
    assert not nothing.covers(entry(0, code=0)) and not replace(nothing, first=2, last=2).covers(what)
    assert replace(nothing, first=2, last=2).may_cover(what)


@pytest.mark.parametrize(("order", "size"), [((0, 5), "larger"), ((5, 0), "smaller"), ((0, 0), "same")])
def test_a_drop_in_replaces_what_it_overlaps(scene: Scene, order: tuple[int, int], size: str) -> None:
    old, new = entry(512, code=order[0], pfn=0x4000), entry(512, code=order[1], pfn=0x8000)
    scene.enter(1, old)
    scene.miss(2, new.va, sizes=1 << 9)
    scene.legal(scene.oracle.fill(2, new))
    scene.use(3, old)  # until the report either may answer
    scene.use(3, new)
    scene.legal(scene.oracle.lookup(4, 8, old.va))
    scene.legal(scene.oracle.fill_done(2, dropped=False))
    scene.legal(scene.oracle.answer(4, Hit(old.physical(old.va), 0, old.size)))  # asked before the report
    scene.use(3, new)
    assert rules(scene.hit(3, old)) == ["SD-7"]


def test_a_write_needs_a_dirty_entry(scene: Scene) -> None:
    clean, dirty = entry(dirty=False), entry(pfn=0x2000)
    scene.enter(1, clean)
    scene.use(2, clean)
    scene.legal(scene.oracle.lookup(2, 8, clean.va, write=True))
    scene.legal(scene.oracle.answer(2, NoHit.CLEAN))
    scene.legal(scene.oracle.fill(2, dirty))
    scene.legal(scene.oracle.fill_done(2, dropped=False))
    scene.use(2, dirty, write=True)
    scene.legal(scene.oracle.lookup(2, 8, clean.va, write=True))
    assert rules(scene.oracle.answer(2, NoHit.CLEAN)) == ["SD-7"], "the clean one was replaced"
    scene.legal(scene.oracle.lookup(3, 8, 7 * PAGE, write=True))
    assert rules(scene.oracle.answer(3, NoHit.CLEAN)) == ["write"], "there never was one"
    other = Scene()
    other.enter(1, clean)
    assert rules(other.hit(2, clean, write=True)) == ["write"]


def test_a_hit_nobody_dropped_in(scene: Scene) -> None:
    scene.enter(1, entry())
    assert rules(scene.hit(2, entry(pfn=0x3000))) == ["hit"]
    assert rules(scene.hit(3, entry(asid=9))) == ["SD-6"], "it belongs to another address space"
    assert rules(scene.hit(4, entry(), sizes=1 << 5)) == ["hit"], "of a page size the context does not use"


def test_the_protocol(scene: Scene) -> None:
    oracle = scene.oracle
    assert rules(oracle.answer(1, NoHit.MISS)) == ["protocol"]
    assert rules(oracle.use_done(1)) == ["protocol"]
    assert rules(oracle.fill_done(1, dropped=False)) == ["protocol"]
    scene.legal(oracle.lookup(1, 8, 0))
    assert rules(oracle.lookup(1, 8, 0)) == ["protocol"]
    scene.legal(oracle.fill(2, entry()))
    assert rules(oracle.fill(2, entry())) == ["protocol"]
    scene.legal(oracle.shoot(0, Shootdown()))
    assert rules(oracle.shoot(0, Shootdown())) == ["protocol"]
    assert oracle.outstanding == {"lookups": [1], "drop-ins": [2], "shootdowns": [0], "accesses": []}


def test_words_of_a_handle() -> None:
    page = Shootdown.from_handle(8, 5 * PAGE + 7, 0)
    assert (page.scope, page.first, page.last) == (Scope.RANGE, 5, 5)
    assert Shootdown.from_handle(8, 0, 1022).last == 1022
    assert Shootdown.from_handle(8, 0, 1023).scope is Scope.ASID
    assert Shootdown.from_handle(8, 1 << 21, 1, 5).last == 512 * 3 - 1
    assert Shootdown.from_handle(8, ALL_PAGES * PAGE, 7).last == ALL_PAGES
    masked = Shootdown.from_handle(8, 5 * PAGE, 0, vaddrmask=(1 << 39) - 2)
    assert (masked.first, masked.covers(entry(4)), masked.covers(entry(5)), masked.covers(entry(6))) == (4, True, True, False)
    assert Shootdown.from_handle(8, 0, 1023, for_contexts=True, ctxbitmap=3).covers(entry(ctx=1, asid=77))


def test_memory_is_bounded() -> None:
    """A long run keeps what may still matter and no more."""
    scene = Scene()
    for number in range(3000):
        scene.enter(1, entry(number % 50, pfn=number))
        scene.kill(0, Shootdown(Scope.RANGE, 8, number % 50, number % 50))
    oracle = scene.oracle
    assert len(oracle._entries) < 300 and len(oracle._pages) < 300 and len(oracle._log) < 300 and len(oracle._dead) <= 2048


# ---- all of them against the page-by-page reference -----------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1 << 40))
def test_agrees_with_the_reference(seed: int) -> None:
    difference, _rule = play(LegalTranslations(LOG_DEPTH), random.Random(seed))
    assert difference is None, difference


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10), st.integers(0, 3), st.integers(0, (1 << 14) - 1), st.integers(0, 1 << 13), st.integers(0, 1 << 13))
def test_cover_agrees_with_counting_pages(code: int, place: int, mask: int, first: int, last: int) -> None:
    code = min(code, 3)  # 64 pages are enough to count
    what = entry(place << PAGE_SHIFTS[code] - 12, code=code)
    shoot = Shootdown(Scope.RANGE, 8, min(first, last) & mask, max(first, last) & mask, ALL_PAGES ^ 0x3FFF | mask)
    if shoot.first <= shoot.last:
        inside = [page & shoot.mask for page in range(what.first, what.last + 1)]
        assert shoot.covers(what) == any(shoot.first <= page <= shoot.last for page in inside)
        assert shoot.may_cover(what) == (min(inside) <= shoot.last and max(inside) >= shoot.first)


# ---- each rule broken once --------------------------------------------------------------------------------------------------


def _never(*_arguments: object) -> bool:
    return False


def _no_window(self: Any, _lookup: object) -> bool:
    return self.killer is None and not self.dropped and self.replaced_at is None


def _survives(self: Any, lookup: Any) -> bool:
    return not self.dropped and (self.replaced_at is None or self.replaced_at >= lookup.accepted)


def _first_page_only(self: Shootdown, what: Translation) -> bool:
    return self.first <= what.first & self.mask <= self.last


def _zero_is_all(self: Shootdown, what: Translation) -> bool:
    return self.asid == 0 or _covers(self, what)


def _no_contexts(self: Any, shoot: Any, access: Any) -> bool:
    return bool(access.entries) and all(e.killer is shoot or shoot in e.revoked for e in access.entries)


def _any_shootdown(self: Any, _what: object, miss: Any) -> bool:
    return bool(self._since(miss.accepted))


def _never_lapped(self: Any, what: Translation, miss: Any) -> bool:
    return any(shoot.what.may_cover(what) for shoot in self._since(miss.accepted))


def _ignores_the_cover(self: Any, lookup: Any, entry: Any) -> bool:
    return not self._fills and self._room_made <= entry.seen < lookup.accepted and entry.entered and entry.replaced_at is None


_covers = Shootdown.covers
BROKEN: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "SD-1 covered entries survive the acknowledgement": (records.Entry, "could_answer", _survives),
    "SD-2 the acknowledgement may come any time": (LegalTranslations, "_must_wait", _never),
    "SD-2 accesses through entries of others are forgotten": (LegalTranslations, "_must_wait", _no_contexts),
    "SD-3 a covered drop-in may enter": (LegalTranslations, "_must_drop", _never),
    "SD-3 any shootdown excuses a drop": (LegalTranslations, "_may_drop", _any_shootdown),
    "SD-3 a lapped log is no excuse": (LegalTranslations, "_may_drop", _never_lapped),
    "SD-5 only the first page counts": (Shootdown, "_touches", _first_page_only),
    "SD-6 address space 0 means all": (Shootdown, "covers", _zero_is_all),
    "SD-6 anything may vanish": (LegalTranslations, "_must_be_there", _never),
    "SD-6 nothing may vanish": (LegalTranslations, "_must_be_there", _ignores_the_cover),
    "SD-7 older entries stay": (LegalTranslations, "_replaced_by", lambda *_: []),
    "no window: only what is alive at the answer": (records.Entry, "could_answer", _no_window),
    "writes hit clean entries": (LegalTranslations, "_needs_upgrade", _never),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_oracle_is_told_from_the_reference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, method, broken = BROKEN[name]
    monkeypatch.setattr(owner, method, broken)
    assert any(play(LegalTranslations(LOG_DEPTH), random.Random(seed))[0] for seed in range(3000)), "nothing noticed"
