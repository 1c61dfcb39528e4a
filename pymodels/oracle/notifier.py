"""What the trace of the software must obey for the notifiers of its address spaces: MN-1 to MN-6, seen from outside.

`LegalNotifiers` is told the records of every layer but the devices', in order of time. It knows nothing of locks, lists of clients
or page tables; where a client may have come or gone unseen it gives way.

Promises: an objection names the rule and the records that part. It objects to
* MN-1: the end of a range that was not begun, a range that an exit leaves open, and a translation written to an HCA's table for an
  on-demand region inside a range that is open;
* MN-2: a task that faults, reclaims, calls the VM or begins a range that may sleep, inside a call that may not;
* MN-3: a page taken out of an address space whose clients were asked about it and not told;
* MN-4: a call after release, a second release, and an address space that is gone before its release returned;
* MN-5: the end of a range begun before the first client came;
* MN-6: a page taken out although a client has just said that its device used it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hwif.gen.events import MrKind, TraceEvent
from hwif.trace import CPU_MASK, CPU_SHIFT, DEVICE_EVENTS, EVENT_MASK, NODE_CPUS, TASK_SHIFT
from pymodels.oracle.records import Objection

__all__ = ["LegalNotifiers"]

E = TraceEvent
TOP = 1 << 64
SLEEPS = frozenset(
    {E.VM_FAULT_BEGIN, E.VM_PAGEOUT, E.VM_SWAP_OUT, E.VM_MIGRATE_BEGIN, E.VM_WRITEBACK, E.VM_MMAP, E.VM_MUNMAP, E.VM_PIN}
    | {E.HCA_DEREG_MR, E.DRV_LOAD_BEGIN, E.VM_EXIT}
)
"""What a task may only come to where it may sleep."""
Found = list[tuple[str, str]]


@dataclass
class _Range:
    start: int
    end: int
    task: int
    settled: bool = False  # its begin has returned
    failed: bool = False  # a client would have slept: those that had agreed are told the end, if there are any


@dataclass
class _Space:
    """One address space."""

    ranges: list[_Range] = field(default_factory=list)
    begun: int = 0
    releasing: bool = False
    released: bool = False
    told: dict[int, bool] = field(default_factory=dict)
    """Pages that clients were asked about in a pageout under way: whether they have been told since that it goes."""
    young: set[int] = field(default_factory=set)
    """Pages whose last answer was that a device had used them."""
    unsure: bool = False
    """A client may have gone since the questions in `told` were asked."""


@dataclass
class _Who:
    node: int
    task: int


class LegalNotifiers:
    """The oracle of one run's software."""

    def __init__(self) -> None:
        self._spaces: dict[tuple[int, int], _Space] = {}
        self._keys: dict[tuple[int, int], int] = {}
        """Of on-demand regions: the address space."""
        self._atomic: dict[tuple[int, int], str] = {}
        """By node and task: the call it is in that may not sleep."""
        self._exits: dict[tuple[int, int], int] = {}
        """By node and task: the address space whose exit it is in."""

    def feed(self, records: Iterable[Iterable[int]]) -> list[Objection]:
        """Records: cycle, event, arguments."""
        found: list[Objection] = []
        for record in records:
            cycle, word, *args = record
            event = word & EVENT_MASK
            if event in DEVICE_EVENTS:
                continue
            cpu = (word >> CPU_SHIFT & CPU_MASK) - 1
            who = _Who(max(cpu, 0) // NODE_CPUS, word >> TASK_SHIFT)
            objections = self._awake(who, event, args)
            judge = _JUDGES.get(event)
            if judge is not None:
                objections += judge(self, who, args)
            found += [Objection(rule, f"cycle {cycle}: {text}") for rule, text in objections]
        return found

    def _space(self, who: _Who, mm: int) -> _Space:
        return self._spaces.setdefault((who.node, mm), _Space())

    # ---- MN-2 ----------------------------------------------------------------------------------------------------------

    def _awake(self, who: _Who, event: int, args: list[int]) -> Found:
        inside = self._atomic.get((who.node, who.task))
        if inside is None or not (event in SLEEPS or (event == E.MN_RANGE_BEGIN and not args[3])):
            return []
        return [("MN-2", f"task {who.task} is in {inside}, which may not sleep, and comes to {E(event).name.lower()}")]

    # ---- calls ---------------------------------------------------------------------------------------------------------

    def _call(self, who: _Who, mm: int, what: str) -> Found:
        if self._space(who, mm).released:
            return [("MN-4", f"{what} on mm {mm} after its release")]
        return []

    def _begin(self, who: _Who, args: list[int]) -> Found:
        mm, start, end, atomic = args[0], args[1], args[2] or TOP, args[3]
        space = self._space(who, mm)
        space.ranges.append(_Range(start, end, who.task))
        space.begun += 1
        if atomic:
            self._atomic[who.node, who.task] = "invalidate_range_begin"
        return self._call(who, mm, "invalidate_range_begin")

    def _begun(self, who: _Who, args: list[int]) -> Found:
        self._atomic.pop((who.node, who.task), None)
        for one in self._space(who, args[0]).ranges:
            if (one.start, one.end) == (args[1], args[2] or TOP) and not one.settled:
                one.settled = True
                return []
        return [("MN-1", f"begin of [{args[1]:#x}, {args[2]:#x}) on mm {args[0]} returns and was not called")]

    def _failed(self, who: _Who, args: list[int]) -> Found:
        for one in self._space(who, args[0]).ranges:
            if (one.start, one.end, one.task) == (args[1], args[2] or TOP, who.task):
                one.failed = True
        return []

    def _end(self, who: _Who, args: list[int]) -> Found:
        mm, start, end = args[0], args[1], args[2] or TOP
        space = self._space(who, mm)
        for one in space.ranges:
            if (one.start, one.end) == (start, end):
                space.ranges.remove(one)
                return []
        rule = "MN-1" if space.begun else "MN-5"
        why = "" if space.begun else ": begun before there was a client"
        return [(rule, f"end of [{start:#x}, {end:#x}) on mm {mm} without its begin{why}")]

    def _page(self, who: _Who, args: list[int]) -> Found:
        self._atomic[who.node, who.task] = "invalidate_page"
        return self._call(who, args[0], "invalidate_page")

    def _page_done(self, who: _Who, args: list[int]) -> Found:
        self._atomic.pop((who.node, who.task), None)
        space = self._space(who, args[0])
        if args[1] in space.told:
            space.told[args[1]] = True
        return []

    def _age(self, who: _Who, args: list[int]) -> Found:
        mm, page, young = args[:3]
        space = self._space(who, mm)
        space.told[page] = False
        space.unsure = False
        if young:
            space.young.add(page)
        else:
            space.young.discard(page)
        return self._call(who, mm, "age_page")

    def _release(self, who: _Who, args: list[int]) -> Found:
        space = self._space(who, args[0])
        if space.releasing:
            return [("MN-4", f"a second release of mm {args[0]}")]
        space.releasing = True
        return []

    def _release_done(self, who: _Who, args: list[int]) -> Found:
        self._space(who, args[0]).released = True
        return []

    # ---- what they are about -------------------------------------------------------------------------------------------

    def _reclaim(self, who: _Who, args: list[int]) -> Found:
        frame, mm, page = args[:3]
        space = self._space(who, mm)
        found: Found = []
        if space.told.pop(page, True) is False and not space.unsure and not space.releasing:
            found.append(("MN-3", f"frame {frame} leaves page {page:#x} of mm {mm}, and its clients were not told"))
        if page in space.young:
            space.young.discard(page)
            found.append(("MN-6", f"frame {frame} leaves page {page:#x} of mm {mm} although a device has just used it"))
        return found

    def _exit(self, who: _Who, args: list[int]) -> Found:
        self._exits[who.node, who.task] = args[0]
        return []

    def _done(self, who: _Who, args: list[int]) -> Found:
        if self._exits.get((who.node, who.task)) != args[0]:
            return []
        del self._exits[who.node, who.task]
        space = self._space(who, args[0])
        found: Found = []
        if space.releasing and not space.released:
            found.append(("MN-4", f"mm {args[0]} is gone and its release has not returned"))
        for one in space.ranges:
            if one.task != who.task or one.failed:
                continue
            found.append(("MN-1", f"mm {args[0]} is gone and [{one.start:#x}, {one.end:#x}) was begun and not ended"))
        return found

    def _region(self, who: _Who, args: list[int]) -> Found:
        key, mm, kind = args[0], args[1], args[5]
        if kind != MrKind.PINNED:
            self._keys[who.node, key] = mm
        return []

    def _map(self, who: _Who, args: list[int]) -> Found:
        key, page = args[:2]
        mm = self._keys.get((who.node, key))
        if mm is None:
            return []
        for one in self._space(who, mm).ranges:
            if one.settled and not one.failed and one.start <= page < one.end:
                return [("MN-1", f"key {key:#x} gets page {page:#x} of mm {mm} inside [{one.start:#x}, {one.end:#x})")]
        return []

    def _leaves(self, _who: _Who, _args: list[int]) -> Found:
        for space in self._spaces.values():
            space.unsure = True
            space.young.clear()  # whoever used them may not be asked any more
        return []


_JUDGES: dict[int, Callable[[LegalNotifiers, _Who, list[int]], Found]] = {
    int(E.MN_RANGE_BEGIN): LegalNotifiers._begin,
    int(E.MN_RANGE_BEGIN_DONE): LegalNotifiers._begun,
    int(E.MN_RANGE_FAILED): LegalNotifiers._failed,
    int(E.MN_RANGE_END): LegalNotifiers._end,
    int(E.MN_INVALIDATE_PAGE): LegalNotifiers._page,
    int(E.MN_INVALIDATE_PAGE_DONE): LegalNotifiers._page_done,
    int(E.MN_AGE_PAGE): LegalNotifiers._age,
    int(E.MN_RELEASE): LegalNotifiers._release,
    int(E.MN_RELEASE_DONE): LegalNotifiers._release_done,
    int(E.VM_RECLAIM): LegalNotifiers._reclaim,
    int(E.VM_EXIT): LegalNotifiers._exit,
    int(E.VM_DONE): LegalNotifiers._done,
    int(E.HCA_REG_MR): LegalNotifiers._region,
    int(E.HCA_MAP): LegalNotifiers._map,
    int(E.HCA_DEREG_MR): LegalNotifiers._leaves,
    int(E.DRV_UNLOAD): LegalNotifiers._leaves,
}
