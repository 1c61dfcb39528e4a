"""What the trace of one HCA must obey: walks, fills and invalidations (SD-3, SD-4, SD-5), faults, records and resumes (FQ-1, FQ-3,
FQ-4), commands in order.

`LegalHca` is told the records of layer hca_device of one node, in order, model's or RTL's alike. Where the order leaves it open
what a device has seen, more than one answer is legal: of an invalidation and a fill in one cycle either may come first in the
device, so the fill may enter (and is dead) or be dropped; of several walks below one leaf any may have filled it.

Promises: `feed` returns the objections to its records, an empty list for a legal trace; after an objection it goes on as if the
  device had done right. `end` returns what a device at rest must not leave open.
Needs: the whole trace from power-on on; a queue pair's side is loaded anew only with a change of its state; the command queue is
  not restarted. A call ends with a cycle's last record.
Costs: some microseconds a record; an invalidation costs the walks and cached translations of its key.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from hwif.gen.events import TraceEvent
from hwif.gen.gru import PAGE_SHIFT
from hwif.gen.hca import INDEX_WIDTH, QPN_WIDTH, FaultDir
from hwif.trace import EVENT_MASK
from pymodels.oracle.records import Objection

__all__ = ["LegalHca"]

INDEX_MASK = (1 << INDEX_WIDTH) - 1
TOKEN_MASK = (1 << 32) - 1
VARIANT_BITS = 8
LAST_PAGE = (1 << 64 - PAGE_SHIFT) - 1


HANDING_OVER = 4
"""Cycles from which nobody joins a walk to its end in the trace: a new one of the same page may begin meanwhile."""
LARGEST = 1 << 18
"""Pages of the largest leaf."""


@dataclass(eq=False)
class _Walk:
    page: int
    over: int | None = None  # a later one of the same page began then: without an invalidation this one has ended
    shoots: list[_Shoot] = field(default_factory=list)  # accepted since it began

    def covered(self, first: int, last: int, cycle: int | None = None) -> bool:
        """By an invalidation since it began that overlaps these pages; before `cycle` if that is given."""
        return any(shoot.overlaps(first, last) and (cycle is None or shoot.cycle < cycle) for shoot in self.shoots)


@dataclass(frozen=True)
class _Shoot:
    cycle: int
    key: int
    first: int
    last: int

    def overlaps(self, first: int, last: int) -> bool:
        return self.first <= last and self.last >= first


@dataclass
class _Fault:
    token: int
    recorded: bool = False


class LegalHca:
    """The oracle of one node's trace."""

    def __init__(self) -> None:
        self._walks: dict[int, list[_Walk]] = {}
        """By index of the key, oldest first."""
        self._doomed: dict[tuple[int, int, int], int] = {}
        """Translations (key, first page, shift) that invalidations have killed and the trace has not told of: how many at most."""
        self._entered: dict[int, dict[tuple[int, int], int]] = {}
        """By key: (first page, shift) of fills, and how many."""
        self._faults: dict[tuple[int, int], _Fault] = {}
        self._generation: dict[tuple[int, int], int] = {}
        self._line: deque[tuple[int, int]] = deque()
        """Faults that wait for their record, oldest first."""
        self._forgotten: set[int] = set()
        """Tokens that may have been forgotten because their side started anew."""
        self._producer = 0
        self._command = -1
        self._fence = -1

    # ---- the records ---------------------------------------------------------------------------------------------------

    def feed(self, records: Iterable[Iterable[int]]) -> list[Objection]:
        """Records of this node: cycle, event, arguments."""
        found: list[Objection] = []
        ordered = sorted((tuple(record) for record in records), key=_place)
        for cycle, word, *args in ordered:
            event = word & EVENT_MASK
            judge = _JUDGES.get(event)
            if judge is not None:
                found += [Objection(rule, f"cycle {cycle}: {text}") for rule, text in judge(self, cycle, args)]
        return found

    def end(self) -> list[Objection]:
        """The device is at rest and its fault queue has room."""
        left = [self._faults[who].token for who in self._line if who in self._faults]
        return [Objection("FQ-1", f"fault {token:#x} has no record") for token in left if token not in self._forgotten]

    # ---- translations --------------------------------------------------------------------------------------------------

    def _walk(self, cycle: int, args: list[int]) -> list[tuple[str, str]]:
        """It may end in a fault or an error, of which the trace tells nothing."""
        key, page = args[0], args[1] >> PAGE_SHIFT
        walks = self._walks.setdefault(key >> VARIANT_BITS, [])
        walks[:] = [walk for walk in walks if walk.over is None or walk.over + HANDING_OVER >= cycle]
        for walk in walks:
            if walk.page == page and not walk.covered(page, page):
                walk.over = cycle
        walks.append(_Walk(page))
        return []

    def _fill(self, cycle: int, args: list[int]) -> list[tuple[str, str]]:
        key, va, _pfn, shift = args[:4]
        first = va >> PAGE_SHIFT
        last = first + (1 << shift - PAGE_SHIFT) - 1
        # Which of several walks below one leaf it was, the trace does not say: one that may enter is enough.
        walks = [
            walk
            for walk in self._walks.get(key >> VARIANT_BITS, [])
            if first <= walk.page <= last and (walk.over is None or walk.over + HANDING_OVER >= cycle)
        ]
        if not walks:
            return [("SD-3", f"key {key:#x}, {va:#x} was filled and nobody walked for it")]
        good = [walk for walk in walks if not walk.covered(first, last, cycle)]
        chosen = (good or walks)[0]
        self._walks[key >> VARIANT_BITS].remove(chosen)
        if good and chosen.covered(first, last):  # accepted in this cycle: it entered and is dead
            at = (key >> VARIANT_BITS, first, shift)
            self._doomed[at] = self._doomed.get(at, 0) + 1
        else:
            entered = self._entered.setdefault(key >> VARIANT_BITS, {})
            entered[first, shift] = entered.get((first, shift), 0) + 1
        if not good:
            return [("SD-3", f"key {key:#x}, {va:#x} was filled from a walk that an invalidation covered")]
        return []

    def _dropped(self, _cycle: int, args: list[int]) -> list[tuple[str, str]]:
        key, va = args[0], args[1]
        # The leaf's size is not told: an invalidation of any page of the largest leaf may have covered it.
        walks = self._walks.get(key >> VARIANT_BITS, [])
        page = va >> PAGE_SHIFT
        near = [
            walk for walk in walks if abs(walk.page - page) < LARGEST and walk.covered(walk.page - LARGEST, walk.page + LARGEST)
        ]
        same = [walk for walk in near if walk.page == page] or near
        if not same:
            walks[:] = [walk for walk in walks if walk.page != page]
            return [("SD-3", f"the walk of key {key:#x}, {va:#x} was dropped and no invalidation covered it")]
        walks.remove(same[0])
        return []

    def _invalidate(self, cycle: int, args: list[int]) -> list[tuple[str, str]]:
        index, key, addr, length, whole = args[:5]
        found = self._in_order(index, "invalidation")
        end = min(addr + length - 1, (1 << 64) - 1)
        first, last = (0, LAST_PAGE) if whole else (addr >> PAGE_SHIFT, end >> PAGE_SHIFT)
        shoot = _Shoot(cycle, key >> VARIANT_BITS, first, last)
        for walk in self._walks.get(shoot.key, []):
            walk.shoots.append(shoot)
        entered = self._entered.get(shoot.key, {})
        for page, shift in [at for at in entered if shoot.overlaps(at[0], at[0] + (1 << at[1] - PAGE_SHIFT) - 1)]:
            at = (shoot.key, page, shift)
            self._doomed[at] = self._doomed.get(at, 0) + entered.pop((page, shift))
        return found

    def _kill(self, _cycle: int, args: list[int]) -> list[tuple[str, str]]:
        index, va, shift = args[:3]
        at = (index, va >> PAGE_SHIFT, shift)
        if not self._doomed.get(at):
            return [("SD-4", f"key index {index}, {va:#x} left the cache and no invalidation covered it")]
        self._doomed[at] -= 1
        return []

    # ---- commands ------------------------------------------------------------------------------------------------------

    def _in_order(self, index: int, what: str) -> list[tuple[str, str]]:
        """Commands execute in the queue's order."""
        before, self._command = self._command, index
        if before >= 0 and not 0 < (index - before) & INDEX_MASK <= INDEX_MASK >> 1:
            return [("order", f"{what} of command {index} after that of command {before}")]
        return []

    def _fenced(self, _cycle: int, args: list[int]) -> list[tuple[str, str]]:
        before, self._fence = self._fence, args[0]
        if before >= 0 and not 0 < (args[0] - before) & INDEX_MASK <= INDEX_MASK >> 1:
            return [("order", f"fence of command {args[0]} after that of command {before}")]
        return []

    # ---- faults --------------------------------------------------------------------------------------------------------

    def _fault(self, _cycle: int, args: list[int]) -> list[tuple[str, str]]:
        qpn, direction, token = args[0], args[1], args[5]
        who = (qpn, direction)
        found = []
        if who in self._faults and self._faults[who].token not in self._forgotten:
            found.append(
                ("FQ-3", f"queue pair {qpn} {FaultDir(direction).name} has fault {self._faults[who].token:#x} outstanding")
            )
        generation = self._generation.get(who, 0) + 1
        expected = (generation << QPN_WIDTH | qpn) & TOKEN_MASK
        if token != expected:
            found.append(("FQ-4", f"fault of queue pair {qpn} has token {token:#x}, not {expected:#x}"))
        self._generation[who] = token >> QPN_WIDTH
        if who in self._line:
            self._line.remove(who)  # forgotten before it was written
        self._faults[who] = _Fault(token)
        self._line.append(who)
        return found

    def _record(self, _cycle: int, args: list[int]) -> list[tuple[str, str]]:
        who, token, producer = (args[0], args[1]), args[2], args[3]
        found = []
        if producer != (self._producer + 1) & INDEX_MASK:
            found.append(("FQ-1", f"producer index {producer} after {self._producer}"))
        self._producer = producer
        while self._line and self._line[0] != who and self._faults[self._line[0]].token in self._forgotten:
            self._line.popleft()
        if not self._line or self._line[0] != who or self._faults[who].token != token:
            found.append(("FQ-1", f"the record of {token:#x} is not that of the oldest fault"))
        if who in self._line:
            self._line.remove(who)
        if who in self._faults and self._faults[who].token == token:
            self._faults[who].recorded = True
        return found

    def _resume(self, _cycle: int, args: list[int]) -> list[tuple[str, str]]:
        qpn, direction, token, _error, ok = args[:5]
        fault = self._faults.get((qpn, direction))
        right = fault is not None and fault.token == token and fault.recorded
        if right and not ok and token not in self._forgotten:
            return [("FQ-4", f"the resume of {token:#x} was refused although it is outstanding")]
        if ok and not right:
            return [("FQ-4", f"a resume with token {token:#x} was accepted and no such fault is outstanding")]
        if ok:
            del self._faults[qpn, direction]
        return []

    def _queue_pair(self, _cycle: int, args: list[int]) -> list[tuple[str, str]]:
        """Its state changed: software may have loaded a side anew, which forgets the side's fault."""
        for direction in FaultDir:
            fault = self._faults.get((args[0], direction))
            if fault is not None:
                self._forgotten.add(fault.token)
        return []


def _place(record: tuple[int, ...]) -> tuple[int, bool]:
    """Of one cycle's records the invalidations first."""
    return record[0], record[1] & EVENT_MASK != TraceEvent.HDEV_INVALIDATE


_JUDGES = {
    int(TraceEvent.HDEV_WALK): LegalHca._walk,
    int(TraceEvent.HDEV_FILL): LegalHca._fill,
    int(TraceEvent.HDEV_FILL_DROPPED): LegalHca._dropped,
    int(TraceEvent.HDEV_INVALIDATE): LegalHca._invalidate,
    int(TraceEvent.HDEV_KILL): LegalHca._kill,
    int(TraceEvent.HDEV_FENCE): LegalHca._fenced,
    int(TraceEvent.HDEV_FAULT): LegalHca._fault,
    int(TraceEvent.HDEV_RECORD): LegalHca._record,
    int(TraceEvent.HDEV_RESUME): LegalHca._resume,
    int(TraceEvent.HDEV_QP): LegalHca._queue_pair,
}
