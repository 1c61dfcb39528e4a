"""Which translations are legal now: rules SD-1 to SD-7, without time, sets, slots or sweeps.

`LegalTranslations` is told what crosses the ports, in order, and objects to what the rules forbid. Where the order leaves it open
what a device has seen, more than one outcome is allowed:

* A lookup has a window, from its acceptance to its answer. Whatever could be alive within it may answer. A miss is legal whenever
  capacity can explain it: not when a translation was there, and since then no drop-in needed room and no shootdown covered it.
* An accepted shootdown may kill at once or later; with its acknowledgement everything it covers is dead (SD-1), and no access that
  used a covered translation is left, nor one answered later with it (SD-2).
* A drop-in may translate from its acceptance on. Its report says whether it entered: then what it overlaps is dead (SD-7). It must
  not enter when a covering shootdown came after its miss was answered and before the report; it may be dropped when one came after
  the lookup was accepted, or when so many came that the device's log has lapped. Otherwise it must enter (SD-3).
* A write needs a dirty translation; over a clean one the answer is a miss that says so.

Promises: every method returns the objections to that event, an empty list for a legal one; after an objection it goes on as if the
device had done right, so one defect does not drown in its consequences.
Needs: one access a tag, one shootdown a handle at a time. Events of one clock cycle in this order: answers, ends of accesses,
reports of drop-ins, acknowledgements, lookups, drop-ins, shootdowns; so one accepted in the cycle of a report came too late for it.
Costs: some 20 us an event with a few hundred live translations.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from hwif.gen.gru import PAGE_SHIFTS
from pymodels.oracle.records import Access, Allowed, Entry, Hit, Lookup, Miss, NoHit, Objection, Outcome, Shoot
from pymodels.oracle.translation import ALL_PAGES, PAGE_SHIFT, Scope, Shootdown, Translation

__all__ = ["LegalTranslations"]

EVERY_SIZE = (1 << len(PAGE_SHIFTS)) - 1
PRUNE_EVERY = 256  # events
REMEMBERED = 2048  # dead translations, to say why a stale hit is wrong
EDGES = {0, ALL_PAGES}


class LegalTranslations:
    """The oracle. `log_depth`: shootdowns since a miss that the device promises to remember one by one."""

    LOG_DEPTH = 64

    def __init__(self, log_depth: int = LOG_DEPTH) -> None:
        self.log_depth = log_depth
        self._now = 0
        self._room_made = 0  # a drop-in entered: anything seen before may have been evicted
        self._pages: dict[tuple[int, int, int], list[Entry]] = {}  # by address space, size, first page
        self._entries: dict[Entry, None] = {}  # in order, so that a run tells the same each time
        self._dead: deque[Entry] = deque(maxlen=REMEMBERED)
        self._lookups: dict[int, Lookup] = {}
        self._flying: dict[int, Access] = {}
        self._misses: dict[int, Miss] = {}
        self._fills: dict[int, tuple[Entry, Miss]] = {}
        self._shoots: dict[int, Shoot] = {}
        self._log: list[Shoot] = []
        self._log_times: list[int] = []

    # ---- lookups ------------------------------------------------------------------------------------------------------------

    def lookup(
        self, tag: int, asid: int, va: int, *, ctx: int = 0, write: bool = False, sizes: int = EVERY_SIZE
    ) -> list[Objection]:
        """A lookup was accepted. `sizes`: bit per page size code it probes."""
        self._tick()
        if tag in self._lookups or tag in self._flying:
            return [Objection("protocol", f"control block {tag} looks up with an access outstanding")]
        self._misses.pop(tag, None)
        self._lookups[tag] = Lookup(asid, va, ctx, write, sizes, self._now)
        return []

    def allowed(self, tag: int) -> Allowed:
        """What may answer the lookup now."""
        lookup = self._lookups[tag]
        found = list(self._candidates(lookup))
        outcomes: set[Outcome] = {NoHit.CLEAN if self._needs_upgrade(lookup, e) else e.hit(lookup.va) for e in found}
        if not any(self._must_be_there(lookup, entry) for entry in found):
            outcomes.add(NoHit.MISS)
        return Allowed(frozenset(outcomes))

    def answer(self, tag: int, outcome: Outcome) -> list[Objection]:
        """The lookup was answered. After a hit the access is in flight until `use_done`."""
        self._tick()
        lookup = self._lookups.get(tag)
        if lookup is None:
            return [Objection("protocol", f"control block {tag} is answered, and looked up nothing")]
        legal = outcome in self.allowed(tag)
        del self._lookups[tag]
        if outcome is NoHit.MISS:
            right: list[Entry] = []
        elif outcome is NoHit.CLEAN:
            right = [entry for entry in self._candidates(lookup) if self._needs_upgrade(lookup, entry)]
        else:
            right = [e for e in self._candidates(lookup) if not self._needs_upgrade(lookup, e) and e.hit(lookup.va) == outcome]
        if len(right) == 1:
            right[0].used = True
            right[0].seen = max(right[0].seen, lookup.accepted)
        if isinstance(outcome, Hit):
            self._flying[tag] = Access(lookup, tuple(right), self._now)
        else:
            self._misses[tag] = Miss(lookup.accepted, self._now)
        return [] if legal else [self._wrong(tag, lookup, outcome)]

    def use_done(self, tag: int) -> list[Objection]:
        """The access ended."""
        self._tick()
        if self._flying.pop(tag, None) is None:
            return [Objection("protocol", f"control block {tag} ends an access that is not in flight")]
        return []

    # ---- drop-ins -----------------------------------------------------------------------------------------------------------

    def fill(self, tag: int, translation: Translation) -> list[Objection]:
        """A drop-in was accepted for the tag's miss. One without a miss is compared with later shootdowns only."""
        self._tick()
        if tag in self._fills:
            return [Objection("protocol", f"control block {tag} has two drop-ins at once")]
        entry = Entry(translation)
        self._fills[tag] = entry, self._misses.pop(tag, Miss(0, self._now))
        self._entries[entry] = None
        self._pages.setdefault((translation.asid, translation.size, translation.first), []).append(entry)
        return []

    def fill_done(self, tag: int, *, dropped: bool) -> list[Objection]:
        """The drop-in's report."""
        self._tick()
        if tag not in self._fills:
            return [Objection("protocol", f"control block {tag}: a report without a drop-in")]
        entry, miss = self._fills.pop(tag)
        page = f"drop-in of control block {tag}, {_page(entry.translation)}"
        must = self._must_drop(entry.translation, miss)
        if dropped or must:
            entry.dropped = True
            if not dropped:
                return [Objection("SD-3", f"{page} entered though a shootdown since its miss covers it")]
            if not self._may_drop(entry.translation, miss):
                return [Objection("SD-3", f"{page} was dropped though no shootdown since its miss covers it")]
            return [Objection("SD-3", f"{page} was dropped, and has been used")] if entry.used else []
        entry.entered = True
        entry.seen = self._room_made = self._now
        for other in self._replaced_by(entry):
            other.replaced_at = self._now
        return []

    # ---- shootdowns ---------------------------------------------------------------------------------------------------------

    def shoot(self, handle: int, what: Shootdown) -> list[Objection]:
        """A shootdown was accepted."""
        self._tick()
        if handle in self._shoots:
            return [Objection("protocol", f"handle {handle} is used before its acknowledgement")]
        shoot = Shoot(what, handle, self._now)
        self._shoots[handle] = shoot
        self._log.append(shoot)
        self._log_times.append(self._now)
        for entry in self._revocable():
            if what.covers(entry.translation):
                entry.revoked.add(shoot)
            elif what.may_cover(entry.translation):
                entry.doubtful = True
        return []

    def acknowledge(self, handle: int) -> list[Objection]:
        """The shootdown's status returned: from here on nothing it covered is used."""
        self._tick()
        shoot = self._shoots.pop(handle, None)
        if shoot is None:
            return [Objection("SD-2", f"handle {handle} is acknowledged, and no shootdown is open")]
        for entry in self._revocable():
            if shoot in entry.revoked:
                entry.revoked.discard(shoot)
                entry.killer = shoot
        early = [tag for tag, access in self._flying.items() if self._must_wait(shoot, access)]
        return [
            Objection("SD-2", f"handle {handle} is acknowledged while control block {tag} uses a covered translation")
            for tag in early
        ]

    def holders(self, handle: int) -> list[int]:
        """Accesses in flight for which the handle's acknowledgement may rightly wait."""
        shoot = self._shoots[handle]
        return [tag for tag, access in self._flying.items() if self._may_wait(shoot, access)]

    # ---- what is still open -------------------------------------------------------------------------------------------------

    @property
    def outstanding(self) -> dict[str, list[int]]:
        """Lookups without an answer, drop-ins without a report, shootdowns without an acknowledgement, accesses without an end."""
        return {
            "lookups": sorted(self._lookups),
            "drop-ins": sorted(self._fills),
            "shootdowns": sorted(self._shoots),
            "accesses": sorted(self._flying),
        }

    def covers_live(self, what: Shootdown) -> list[Translation]:
        """Translations that may be alive now and that it covers."""
        return [
            e.translation
            for e in self._entries
            if e.entered and e.killer is None and e.replaced_at is None and what.covers(e.translation)
        ]

    # ---- the rules ----------------------------------------------------------------------------------------------------------

    def _candidates(self, lookup: Lookup) -> Iterator[Entry]:
        for size, shift in PAGE_SHIFTS.items():
            first = lookup.va >> shift << shift - PAGE_SHIFT
            for entry in self._pages.get((lookup.asid, size, first), ()):
                if entry.matches(lookup) and entry.could_answer(lookup):
                    yield entry

    def _needs_upgrade(self, lookup: Lookup, entry: Entry) -> bool:
        return lookup.write and not entry.translation.dirty

    def _must_be_there(self, lookup: Lookup, entry: Entry) -> bool:
        if entry.revoked or entry.doubtful or entry.replaced_at is not None or not entry.entered:
            return False
        return not self._fills and self._room_made <= entry.seen < lookup.accepted

    def _must_drop(self, translation: Translation, miss: Miss) -> bool:
        return any(shoot.what.covers(translation) for shoot in self._since(miss.answered))

    def _may_drop(self, translation: Translation, miss: Miss) -> bool:
        since = self._since(miss.accepted)
        return len(since) > self.log_depth or any(shoot.what.may_cover(translation) for shoot in since)

    def _must_wait(self, shoot: Shoot, access: Access) -> bool:
        if shoot.what.names_context(access.lookup.ctx) and access.answered < shoot.accepted:
            return True
        return bool(access.entries) and all(entry.killer is shoot or shoot in entry.revoked for entry in access.entries)

    def _may_wait(self, shoot: Shoot, access: Access) -> bool:
        if shoot.what.names_context(access.lookup.ctx):
            return True
        return any(shoot.what.may_cover(entry.translation) for entry in access.entries)

    def _replaced_by(self, entry: Entry) -> list[Entry]:
        """Older entries that it overlaps. Another drop-in under way is younger: its report is still to come."""
        return [
            other
            for other in self._entries
            if other is not entry and other.entered and other.replaced_at is None and other.translation.overlaps(entry.translation)
        ]

    def _revocable(self) -> Iterable[Entry]:
        """What may be alive or still used: a replaced entry is gone from the tables, but not from the accesses that hit it."""
        used = {entry: None for access in self._flying.values() for entry in access.entries}
        return [entry for entry in self._entries | used if entry.entered and entry.killer is None]

    def _since(self, time: int) -> list[Shoot]:
        return self._log[bisect_right(self._log_times, time) :]

    # ---- why an answer is wrong ----------------------------------------------------------------------------------------------

    def _wrong(self, tag: int, lookup: Lookup, outcome: Outcome) -> Objection:
        where = f"control block {tag} looks up {lookup.va:#x} of asid {lookup.asid:#x}"
        if outcome is NoHit.MISS:
            return Objection("SD-6", f"{where} and misses, though no shootdown and no drop-in took its translation away")
        where += f" and hits {outcome.pa:#x}" if isinstance(outcome, Hit) else " and finds it clean"
        known = [*self._dead, *self._entries]
        same = [entry for entry in known if entry.matches(lookup) and entry.explains(lookup, outcome)]
        for entry in reversed(same):
            if entry.could_answer(lookup):
                return Objection("write", f"{where}: a write through a clean entry")
            if entry.killer is not None:
                return Objection(_rule(entry.killer.what, entry.translation), f"{where}, revoked by handle {entry.killer.handle}")
            if entry.replaced_at is not None:
                return Objection("SD-7", f"{where}, which a later drop-in replaced")
        if same:
            return Objection("SD-3", f"{where} through a drop-in that a shootdown forbade")
        if outcome is NoHit.CLEAN:
            return Objection("write", f"{where}: there is no clean entry")
        for entry in known:
            other = replace(lookup, asid=entry.translation.asid)
            if entry.matches(other) and entry.explains(other, outcome):
                return Objection("SD-6", f"{where}, a translation of asid {other.asid:#x}")
        return Objection("hit", f"{where}: no drop-in says so")

    # ---- time ---------------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._now += 1
        if self._now % PRUNE_EVERY == 0:
            self._prune()

    def _prune(self) -> None:
        """Forget what no open lookup and no open miss can reach any more."""
        horizon = min((lookup.accepted for lookup in self._lookups.values()), default=self._now)
        gone = [e for e in self._entries if e.dropped or e.killer or (e.replaced_at is not None and e.replaced_at < horizon)]
        for entry in gone:
            translation = entry.translation
            key = translation.asid, translation.size, translation.first
            del self._entries[entry]
            self._pages[key].remove(entry)
            if not self._pages[key]:
                del self._pages[key]
            self._dead.append(entry)
        waiting = [miss.accepted for miss in (*self._misses.values(), *(miss for _entry, miss in self._fills.values()))]
        keep = bisect_right(self._log_times, min([horizon, *waiting]))
        del self._log[:keep], self._log_times[:keep]


def _page(translation: Translation) -> str:
    return f"{translation.pages} pages at {translation.first << PAGE_SHIFT:#x} of asid {translation.asid:#x}"


def _rule(what: Shootdown, translation: Translation) -> str:
    """The rule whose subject a stale hit is: a page partly in the range, a scope or value taken for something special, or plain."""
    if what.scope is Scope.RANGE and not (what.first <= translation.first and translation.last <= what.last):
        return "SD-5"
    if what.scope is not Scope.RANGE or what.asid == 0 or EDGES & {what.first, what.last}:
        return "SD-6"
    return "SD-1"
