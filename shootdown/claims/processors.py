"""More processors make it worse.

As `livelock`, but the work is divided over N tasks, each on a processor of its own and with memory of its own: the same work, the
same memory held. What one processor looks at, another may have looked at a moment before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwif.gen import timing
from shootdown.claims.alone import BASE, PAGE, RW, Alone, fill
from shootdown.claims.base import Claim, Outcome, Panel, Source, Table, Verdict, curves, pick, pivot
from shootdown.claims.holders import NOBODY, NOTIFIER, PINNED, holder
from shootdown.claims.steps import stored
from shootdown.claims.words import number, percent, times
from sw_stack.mm.machine import ALLOC_RETRIES
from sw_stack.mm.reclaim import Scan

__all__ = ["CLAIM", "Point", "Row"]

KINDS = (NOBODY, PINNED, NOTIFIER)
PROCESSORS = (1, 2, 4, 8, 16)
SHARES = (0.9, 0.98)
SMALL = 64
"""Frames of the machine whose memory is held altogether: there every look is in vain, and there are very many."""
GROWS = 2.0
"""Growth of the looks, from one processor to the most, from which on more processors make it worse."""
BEYOND = 1.5
"""And over the growth with nobody's hands on the memory."""


@dataclass(frozen=True)
class Point:
    kind: str
    processors: int
    share: float
    frames: int = 256
    work: float = 0.5
    """Of memory, all tasks together."""


@dataclass(frozen=True)
class Row:
    kind: str
    processors: int
    share: float
    touches: int
    failed: int
    looks: int
    freed: int
    unmapped_in_vain: int
    met_locked: int
    """Pages that another processor was at work on."""
    cycles: int
    """Until the last task is done."""
    busy: int
    """Cycles of all tasks together."""

    @property
    def looks_each(self) -> float:
        """Looks a touch, whether or not it succeeded."""
        return self.looks / self.touches


def measure(point: Point, seed: int) -> Row:
    with Alone(point.frames, seed) as alone:
        machine = alone.machine
        owner = machine.new_mm("holder")
        workers = [machine.new_mm(f"worker {n}") for n in range(point.processors)]
        pages = int(point.work * point.frames) // point.processors
        hands = holder(point.kind, alone)
        failed: list[int] = []
        busy: list[int] = []

        async def prepare() -> None:
            room = min(int(point.share * point.frames), machine.frames.free)
            await fill(owner, room)
            await hands.hold(owner, room)
            for mm in workers:
                await mm.mmap(BASE, pages * PAGE, RW, fixed=True)

        async def work(number: int) -> None:
            began = alone.sched.now
            for page in range(pages):
                if not await stored(workers[number], BASE + page * PAGE):
                    failed.append(page)
                    await alone.sched.sleep(timing.SW_BACKOFF)
            busy.append(alone.sched.now - began)

        alone.run(prepare())
        machine.reclaimer.scan = scan = Scan()
        began = alone.sched.now
        alone.run(*(work(n) for n in range(point.processors)))
        row = Row(
            kind=point.kind,
            processors=point.processors,
            share=point.share,
            touches=pages * point.processors,
            failed=len(failed),
            looks=scan.aged + scan.scanned,
            freed=scan.reclaimed,
            unmapped_in_vain=scan.pinned,
            met_locked=scan.locked,
            cycles=alone.sched.now - began,
            busy=sum(busy),
        )
        alone.run(hands.release())
        alone.end()
        return row


def verdict(rows: Sequence[Row]) -> Verdict:
    part = [row for row in rows if row.share < 1.0]
    share = max(row.share for row in part)
    ends = {kind: _ends(pick(part, kind=kind, share=share)) for kind in (NOBODY, PINNED, NOTIFIER)}
    growth = {kind: last.looks_each / first.looks_each if first.looks_each else 1.0 for kind, (first, last) in ends.items()}
    worse = growth[PINNED] >= GROWS and growth[PINNED] >= BEYOND * growth[NOBODY]
    mild = growth[PINNED] > BEYOND * growth[NOBODY]
    outcome = Outcome.HOLDS if worse else Outcome.PART if mild else Outcome.NOT
    one, many = ends[PINNED]
    told = max(growth[NOTIFIER], growth[NOBODY])
    text = (
        f"With {percent(share)} of memory pinned the same work took {number(one.looks)} looks on {number(one.processors)} "
        f"processor and {number(many.looks)} on {number(many.processors)}, {times(growth[PINNED])} as many; with nobody's "
        f"hands on the memory, or those of a client that is told, at most {times(told)}. "
    )
    text += (
        f"The last task was done after {number(one.cycles)} and {number(many.cycles)} cycles, for {number(one.busy)} and "
        f"{number(many.busy)} cycles of all processors. "
    )
    full = pick([row for row in rows if row.share == 1.0], kind=PINNED)
    if full:
        first, last = _ends(full)
        text += (
            f"Where all is pinned no touch succeeds, and with {number(last.processors)} processors in the place of "
            f"{number(first.processors)} the looks went from {number(first.looks)} to {number(last.looks)} and the time until "
            f"all had given up from {number(first.cycles)} to {number(last.cycles)} cycles"
        )
        text += ": each waits for the pages that the others have in hand." if last.cycles > first.cycles else "."
    return Verdict(outcome, text.strip())


def _ends(rows: Sequence[Row]) -> tuple[Row, Row]:
    ordered = sorted(rows, key=lambda row: row.processors)
    return ordered[0], ordered[-1]


def panels(rows: Sequence[Row]) -> Sequence[Panel]:
    part = [row for row in rows if row.share < 1.0]
    shares = sorted({row.share for row in part})
    x, looks, time = "processors", "pages looked at for each touch", "cycles of all processors for each touch"
    each = {share: curves(pick(part, share=share), x, "looks_each") for share in shares}
    busy = curves(pick(part, share=shares[-1]), x, lambda row: row.busy / row.touches)
    return (
        *(Panel(f"Looks, {percent(share)} of memory held", x, looks, each[share], True, True) for share in shares),
        Panel(f"Processor time, {percent(shares[-1])} held", x, time, busy, True, True),
    )


def tables(rows: Sequence[Row]) -> Sequence[Table]:
    made = []
    for share in sorted({row.share for row in rows}):
        part = [row for row in rows if row.share == share]
        if share < 1.0:
            caption = f"{percent(share)} of memory held: pages looked at for each touch"
            made.append(pivot(part, caption, "processors", "processors", lambda row: number(row.looks_each, 1)))
            continue
        heads = ("processors", "touches", "failed", "pages looked at", "unmapped in vain", "cycles to the end")
        body = tuple(
            (str(row.processors), *map(number, (row.touches, row.failed, row.looks, row.unmapped_in_vain, row.cycles)))
            for row in pick(part, kind=PINNED)
        )
        made.append(Table(f"All of a memory of {SMALL} frames pinned", heads, body))
    return made


CLAIM = Claim(
    name="processors",
    title="The more processors, the worse",
    claim="The more processors a node has, the higher the risk of the livelock: more of them cycle through the same pinned pages.",
    sources=(
        Source(
            "the VM side",
            "8 February",
            "the danger grows with the processors per node, all of which go through pages with raised counts",
        ),
        Source("the KVM side", "9 February", "reclaim must stand pages it cannot free, for whatever reason"),
    ),
    setting=(
        f"The machine of `livelock`, {Point.frames} frames, a share of them held. 128 touches of fresh pages are divided "
        "over 1 to 16 "
        "tasks, each with a processor and memory of its own: the same work in all.",
        f"The last table is a machine of {SMALL} frames with all of them pinned, and a quarter as many touches.",
    ),
    assumed=(
        "The lists have no lock here; in Linux the processors would wait for it as well.",
        "An allocation that gets nothing while others have pages in hand waits and tries again, "
        f"{ALLOC_RETRIES} times at most: what they have in hand may come free. Reclaim in 2.6.24 has no count of that "
        "kind; the figures of the last table are those of "
        "this bound.",
    ),
    points=lambda: [
        *(Point(kind, count, share) for share in SHARES for kind in KINDS for count in PROCESSORS),
        *(Point(PINNED, count, 1.0, frames=SMALL, work=0.25) for count in PROCESSORS[:-1]),
    ],
    measure=measure,
    row=Row,
    verdict=verdict,
    panels=panels,
    tables=tables,
)
