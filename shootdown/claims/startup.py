"""Start-up: pinning against demand.

A process registers memory it has not touched yet, and the other system writes to some of its pages. How long until the first byte
is there, how long until all is done, and which way was the shorter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwif.gen import timing
from shootdown.claims.base import Claim, Outcome, Panel, Source, Table, Verdict, curves, pick, pivot
from shootdown.claims.pair import play
from shootdown.claims.steps import written
from shootdown.claims.words import number, times
from sw_stack.workloads.hca_stage import ALL, BASE, ODP, PAGE, RW, HcaStage

__all__ = ["CLAIM", "Point", "Row"]

PINNED = "pinned"
DEMAND = "on demand"
PREFETCH = "on demand, prefetched"
KINDS = (PINNED, DEMAND, PREFETCH)
SIZES = (4, 16, 64, 256, 1024)
SHARES = (1 / 64, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
SIZE = 256
"""Pages of the region whose use is varied."""
MESSAGES = (1, 16)
SOONER = 2.0
"""How many times sooner the first byte must be there to be called a benefit."""


@dataclass(frozen=True)
class Point:
    kind: str
    pages: int
    share: float
    """Of the pages, written to."""
    message: int = 1
    """Pages a message."""


@dataclass(frozen=True)
class Row:
    kind: str
    pages: int
    share: float
    message: int
    used: int
    registered: int
    """Cycles until the region was there, and its pages if they were asked for."""
    first: int
    """Cycles until the first message had arrived."""
    total: int
    """Cycles until all had, and the region was deregistered."""
    faults: int


def measure(point: Point, seed: int) -> Row:
    marks: dict[str, int] = {}
    size = point.message * PAGE
    messages = max(1, int(point.share * point.pages) // point.message)

    async def body(stage: HcaStage) -> None:
        program, remote = await stage.process(0), await stage.process(1, point.message, tag=7)
        await program.mm.mmap(BASE, point.pages * PAGE, RW, fixed=True)
        mine = await remote.region(length=size, access=ALL)
        port, _ = await stage.connect(remote, program)
        began = stage.sched.now
        theirs = await program.region(length=point.pages * PAGE, access=ALL if point.kind == PINNED else ODP)
        if point.kind == PREFETCH:
            await program.prefetch(theirs, length=point.pages * PAGE)
        marks["registered"] = stage.sched.now - began
        for turn in range(messages):
            place = BASE + turn * (point.pages * PAGE // messages // size) * size
            await written(stage, port, mine, BASE, size, theirs, place)
            marks.setdefault("first", stage.sched.now - began)
        await program.driver.dereg_mr(theirs)
        marks["total"] = stage.sched.now - began

    faults = play(body, seed, frames=(point.pages + 768, 768))["fault_records"]
    return Row(point.kind, point.pages, point.share, point.message, messages * point.message, **marks, faults=faults)


def _few(rows: Sequence[Row]) -> list[Row]:
    """The runs in which the region's size is varied, and little of it used."""
    return pick(rows, message=1, share=min(row.share for row in rows))


def _total(rows: Sequence[Row], kind: str, message: int) -> dict[int, int]:
    """Cycles of all, by pages used, in the region whose use is varied."""
    return {row.used: row.total for row in pick(rows, kind=kind, message=message, pages=SIZE)}


def _crossing(rows: Sequence[Row], message: int) -> int:
    """The most pages used with which demand was done first; 0 if it never was."""
    pinned, demand = (_total(rows, kind, message) for kind in (PINNED, DEMAND))
    return max((used for used in pinned if demand.get(used, pinned[used] + 1) <= pinned[used]), default=0)


def verdict(rows: Sequence[Row]) -> Verdict:
    few = _few(rows)
    small, large = (pick(few, kind=PINNED, pages=pages)[0] for pages in (min(SIZES), max(row.pages for row in few)))
    demand = pick(few, kind=DEMAND, pages=large.pages)[0]
    sooner = large.first / demand.first
    crossings = {message: _crossing(rows, message) for message in dict.fromkeys(row.message for row in rows)}
    most = max(_total(rows, PINNED, 1))
    pinned, asked = _total(rows, PINNED, 1)[most], _total(rows, DEMAND, 1)[most]
    benefit = sooner >= SOONER and large.first > small.first
    limited = 0 < crossings[1] < most
    outcome = Outcome.HOLDS if benefit and limited else Outcome.PART if benefit else Outcome.NOT
    text = (
        f"With {number(large.pages)} pages the first byte was there after {number(large.first)} cycles pinned and "
        f"{number(demand.first)} on demand, {times(sooner)} sooner, and the difference grows with the region "
        f"({number(small.first)} pinned with {number(small.pages)} pages). "
    )
    parts = [
        f"up to {number(used)} of {number(SIZE)} pages used with messages of {4 * message} KiB"
        for message, used in crossings.items()
        if used
    ]
    text += f"All was done sooner on demand {' and '.join(parts)}. " if parts else "All was never done sooner on demand. "
    text += (
        f"Used to the last page, {number(most)} of them, pinning took {number(pinned)} cycles and demand {number(asked)}, a "
        "fault each: who uses everything had better ask for everything, as was said in the thread."
        if asked > pinned
        else f"Used to the last page, pinning took {number(pinned)} cycles and demand {number(asked)}."
    )
    return Verdict(outcome, text)


def panels(rows: Sequence[Row]) -> Sequence[Panel]:
    few = _few(rows)
    first = curves(few, "pages", "first")
    made = [Panel("First byte", "pages registered", "cycles until it is there", first, log_x=True, log_y=True)]
    for message in dict.fromkeys(row.message for row in rows):
        title = f"{SIZE} pages, messages of {4 * message} KiB"
        used = curves(pick(rows, message=message, pages=SIZE), lambda row: 100 * row.used / SIZE, "total")
        made.append(Panel(title, "pages used, %", "cycles until all is done", used, log_y=True))
    return made


def tables(rows: Sequence[Row]) -> Sequence[Table]:
    few = _few(rows)
    made = [pivot(few, "Cycles until the first byte is there", "pages", "pages registered", "first")]
    for message in dict.fromkeys(row.message for row in rows):
        caption = f"Cycles until all is done, {SIZE} pages, messages of {4 * message} KiB"
        made.append(pivot(pick(rows, message=message, pages=SIZE), caption, "used", "pages used", "total"))
    return made


CLAIM = Claim(
    name="startup",
    title="Start-up is quicker on demand, if most of the memory is never used",
    claim="With notifiers not every page has to be brought in when memory is registered; start-up gains by it, most of all where "
    "most of the region is not accessed, or connections are short.",
    sources=(
        Source(
            "a questioner with databases in mind",
            "13 February",
            "the benefit at start-up is well understood; most of HPC does not use memory in that way, programs with short "
            "connections may",
        ),
        Source(
            "the VM side",
            "13 February",
            "for the best performance one would bring everything in at once, as today; the notifiers matter when memory is short",
        ),
    ),
    setting=(
        "A process on A registers memory it has not touched yet: pinned, on demand, or on demand with all of it prefetched "
        "(advise). B writes to some of its pages, one message after the other, from pinned memory; then the region is "
        "deregistered. First the region's size is varied, and a sixty-fourth of it used; then how much is used of a region "
        "of 256 pages, in messages of one page and of 16. Faults restart the transfer at the packet that met one.",
    ),
    assumed=(
        f"A fault costs what the driver's steps add up to here, about {timing.SW_IRQ_LATENCY + timing.SW_HCA_FAULT_WORK:,} "
        "cycles before the first page is looked up. Adapters of later years were measured at many times that (220 µs, most "
        "of it firmware): the crossing lies at fewer pages there, the time until the first byte stays ahead for regions "
        "large enough.",
    ),
    points=lambda: [
        *(Point(kind, pages, SHARES[0]) for kind in KINDS for pages in SIZES),
        *(
            Point(kind, SIZE, share, message)
            for message in MESSAGES
            for kind in KINDS
            for share in SHARES
            if share * SIZE >= message and (message, share) != (1, SHARES[0])
        ),
    ],
    measure=measure,
    row=Row,
    verdict=verdict,
    panels=panels,
    tables=tables,
)
