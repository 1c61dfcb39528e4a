"""Taking the whole region down at the first invalidation, against page by page.

A process of A sends from a region of its own, a page at a time, anywhere in it; now and then a page of the region is migrated.
Either the invalidation takes the whole region down and marks its handle, and the next operation establishes all of it again, or
it takes the page, and the adapter faults when it next needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwif.gen.hca import Access
from shootdown.claims.base import Claim, Outcome, Panel, Source, Table, Verdict, curves, pick, pivot
from shootdown.claims.pair import play
from shootdown.claims.steps import due, written
from shootdown.claims.words import number, times
from sw_stack.drivers.hca.handle import Handle
from sw_stack.workloads.hca_stage import ALL, BASE, PAGE, HcaStage

__all__ = ["CLAIM", "Point", "Row"]

WHOLE = "whole region, marked handle"
PAGES = "page by page, faults"
KINDS = (WHOLE, PAGES)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
RATES = (0, 10, 20, 50, 100, 200, 500)
SIZE = 64
"""Pages of the region when the rate is varied."""
RATE = 50
"""Invalidations for each 1,000 operations when the size is varied."""
CLOSE = 1.1
"""Up to which one is as good as the other."""


@dataclass(frozen=True)
class Point:
    kind: str
    pages: int
    rate: int
    """Invalidations of a page for each 1,000 operations."""
    operations: int = 200


@dataclass(frozen=True)
class Row:
    kind: str
    pages: int
    rate: int
    operations: int
    cycles: int
    """Of the operations."""
    invalidations: int
    migration: int
    """Cycles of all invalidations, the migrations with them."""
    entered: int
    """Pages entered in the adapter's table, again and again."""
    faults: int

    @property
    def each(self) -> float:
        """Cycles an operation."""
        return self.cycles / self.operations


def measure(point: Point, seed: int) -> Row:
    found = dict.fromkeys(("cycles", "invalidations", "migration", "entered", "faults"), 0)

    async def body(stage: HcaStage) -> None:
        program, remote = await stage.process(0, point.pages), await stage.process(1, 1, tag=9)
        theirs = await remote.region(access=ALL)
        port, _ = await stage.connect(program, remote)
        machine, stats = stage.machines[0], stage.drivers[0].stats
        length = point.pages * PAGE
        handle = mr = None
        if point.kind == WHOLE:
            handle = await Handle.open(program.driver, program.pd, BASE, length, Access.LOCAL_WRITE)
        else:
            mr = await program.region(length=length, access=Access.LOCAL_WRITE | Access.ON_DEMAND)

        async def operation(page: int) -> None:
            place = BASE + page * PAGE
            if handle is not None:
                async with handle.use() as mine:
                    await written(stage, port, mine, place, PAGE, theirs, BASE)
            else:
                assert mr is not None
                await written(stage, port, mr, place, PAGE, theirs, BASE)

        for page in range(point.pages):
            await operation(page)
        faults, invalidated = stats.fault_records, stats.invalidated_pages
        for turn in range(point.operations):
            if due(turn, point.rate):
                began = stage.sched.now
                found["invalidations"] += await machine.migrate_page(program.mm, BASE + stage.rng.randrange(point.pages) * PAGE)
                found["migration"] += stage.sched.now - began
            began = stage.sched.now
            await operation(stage.rng.randrange(point.pages))
            found["cycles"] += stage.sched.now - began
        found["faults"] = stats.fault_records - faults
        # Whatever was taken out had been entered; what is out at the end is at most a region.
        found["entered"] = stats.invalidated_pages - invalidated
        if handle is not None:
            await handle.close()

    play(body, seed, frames=(point.pages + 768, 768))
    return Row(point.kind, point.pages, point.rate, point.operations, **found)


def verdict(rows: Sequence[Row]) -> Verdict:
    pairs = [(row, other) for row in pick(rows, kind=WHOLE) for other in pick(rows, kind=PAGES, pages=row.pages, rate=row.rate)]
    some = [(whole, page) for whole, page in pairs if whole.rate]
    good = [(whole, page) for whole, page in some if whole.each <= CLOSE * page.each]
    outcome = Outcome.HOLDS if len(good) == len(some) else Outcome.PART if good else Outcome.NOT
    by_size = [(whole, page) for whole, page in some if whole.rate == RATE]
    best = [whole.pages for whole, page in by_size if whole.each <= CLOSE * page.each]
    large, beside = max(by_size, key=lambda pair: pair[0].pages)
    calm = [(whole, page) for whole, page in pairs if not whole.rate]
    text = ""
    if calm:
        whole, page = calm[0]
        text += (
            f"While nothing was invalidated an operation took {number(whole.each)} cycles under a handle and "
            f"{number(page.each)} without. "
        )
    text += (
        f"With {number(RATE)} invalidations for each 1,000 operations the whole region was as good as page by page or better "
        f"up to {number(max(best))} pages; "
        if best
        else f"With {number(RATE)} invalidations for each 1,000 operations the whole region was never as good as page by page; "
    )
    text += (
        f"with {number(large.pages)} pages it took {number(large.each)} cycles an operation against {number(beside.each)}, "
        f"{times(large.each / beside.each)}, for it took down {number(large.entered)} pages where {number(beside.entered)} had "
        "to go. "
    )
    rates = [(whole, page) for whole, page in pairs if whole.pages == SIZE and whole.rate]
    if rates:
        lost = [whole.rate for whole, page in rates if whole.each > CLOSE * page.each]
        text += (
            f"With {number(SIZE)} pages page by page was the better from {number(min(lost))} invalidations for each 1,000 on. "
            if lost
            else f"With {number(SIZE)} pages it was as good at every rate. "
        )
    text += (
        "So for small regions, or rare invalidations, it is as good as any, and asks for no adapter that faults; for others it is "
        "not the best."
        if outcome is Outcome.PART
        else ""
    )
    return Verdict(outcome, text.strip())


def panels(rows: Sequence[Row]) -> Sequence[Panel]:
    sizes, rates = curves(pick(rows, rate=RATE), "pages", "each"), curves(pick(rows, pages=SIZE), "rate", "each")
    y = "cycles an operation"
    return (
        Panel(f"{RATE} invalidations for each 1,000 operations", "pages of the region", y, sizes, log_x=True),
        Panel(f"A region of {SIZE} pages", "invalidations for each 1,000 operations", y, rates),
    )


def tables(rows: Sequence[Row]) -> Sequence[Table]:
    by_size, by_rate = pick(rows, rate=RATE), pick(rows, pages=SIZE)
    return (
        pivot(by_size, f"Cycles an operation, {RATE} invalidations of 1,000", "pages", "pages", "each"),
        pivot(by_size, "Pages taken out, the same runs", "pages", "pages", "entered"),
        pivot(by_rate, f"Cycles an operation, {SIZE} pages", "rate", "of 1,000", "each"),
    )


CLAIM = Claim(
    name="take_down",
    title="Taking the whole region down at the first invalidation is probably best, and simplest",
    claim="An adapter that cannot fault needs no page table of its own to be told: take the whole region down when any reclaim "
    "hits it, mark the handle, and establish it again before the next operation. Probably the best, and the simplest to build.",
    sources=(
        Source(
            "the VM side",
            "12 and 13 February",
            "larger ranges than a page may be taken down at once; the whole region is likely both best and easiest to build, and "
            "the check before an operation is of one mark",
        ),
        Source("the RDMA side", "13 February", "a check on every operation is what libraries will not be keen to add"),
    ),
    setting=(
        f"A process of A writes {Point.operations} pages to B, each from anywhere in a region of its own. Now and then a "
        "page of the region, "
        "drawn at random, is migrated between two operations. Under a handle the whole region goes and comes back before the "
        "next operation; page by page the adapter faults when it needs the page.",
    ),
    assumed=(
        "The page that migrates is in memory again at once. With reclaim to swap the handle would bring all of the region "
        "back from there, and a region near the size of memory would take itself down.",
        "Beside it stands an adapter that takes faults, which the proposal did not ask for. How simple either is to build is not "
        "measured.",
        "A process that looks at the mark of its handle does so for nothing here: it is a load.",
    ),
    points=lambda: [
        *(Point(kind, pages, RATE) for kind in KINDS for pages in SIZES),
        *(Point(kind, SIZE, rate) for kind in KINDS for rate in RATES if rate != RATE),
    ],
    measure=measure,
    row=Row,
    verdict=verdict,
    panels=panels,
    tables=tables,
)
