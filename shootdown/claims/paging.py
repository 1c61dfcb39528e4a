"""Demand paging costs nothing while memory suffices; and what it costs when it does not.

Half of A's memory is a region that B writes to, a page at a time, anywhere in it; a process of A's own works through memory of its
own meanwhile. What both want together is varied from less than memory to twice as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwif.gen import timing
from shootdown.claims.base import Claim, Outcome, Panel, Source, Table, Verdict, curves, pick, pivot
from shootdown.claims.pair import play
from shootdown.claims.steps import stored, written
from shootdown.claims.words import number, percent
from sw_stack.drivers.hca import DriverPolicy
from sw_stack.workloads.hca_stage import ALL, BASE, ODP, PAGE, RW, HcaStage

__all__ = ["CLAIM", "Point", "Row"]

PINNED = "pinned"
DEMAND = "on demand"
KINDS = (PINNED, DEMAND)
RATIOS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5, 2.0)
FREE = 1.05
"""What on demand may cost over pinned while memory suffices."""
THINKS = 500
"""Cycles between two stores of the process."""
SUFFICES = 0.9
"""Up to which what is wanted fits: the VM keeps a little."""


@dataclass(frozen=True)
class Point:
    kind: str
    ratio: float
    """What region and process want together, over the memory there is."""
    frames: int = 320
    messages: int = 300


@dataclass(frozen=True)
class Row:
    kind: str
    ratio: float
    messages: int
    cycles: int
    """Of all messages, the one that warm up excepted."""
    faults: int
    """Of the adapter."""
    stores: int
    """Of the process."""
    store_cycles: int
    failed: int
    """Stores that found no memory."""
    swapped: int
    """Pages written to swap."""

    @property
    def each(self) -> float:
        """Cycles a message."""
        return self.cycles / self.messages

    @property
    def store(self) -> float:
        """Cycles a store of the process."""
        return self.store_cycles / max(1, self.stores)


def measure(point: Point, seed: int) -> Row:
    found = dict.fromkeys(("cycles", "faults", "stores", "store_cycles", "failed", "swapped"), 0)

    async def body(stage: HcaStage) -> None:
        program, remote, own = await stage.process(0), await stage.process(1, 1, tag=7), await stage.process(0)
        machine, sched, over = stage.machines[0], stage.sched, False
        port, _ = await stage.connect(remote, program)
        usable = machine.frames.free
        pages = usable // 2
        work = max(1, int(point.ratio * usable) - pages)
        mine = await remote.region(access=ALL)
        await program.mm.mmap(BASE, pages * PAGE, RW, fixed=True)
        await own.mm.mmap(BASE, work * PAGE, RW, fixed=True)
        theirs = await program.region(length=pages * PAGE, access=ALL if point.kind == PINNED else ODP)

        async def message(page: int) -> None:
            await written(stage, port, mine, BASE, PAGE, theirs, BASE + page * PAGE)

        async def working() -> None:
            """Goes round its pages until the messages are done."""
            page = 0
            while not over:
                began = sched.now
                found["failed"] += not await stored(own.mm, BASE + page % work * PAGE)
                found["stores"] += 1
                found["store_cycles"] += sched.now - began
                page += 1
                await sched.sleep(THINKS)

        for page in range(pages):
            await message(page)
        for page in range(work):
            await own.mm.store(BASE + page * PAGE, b"work")
        faults, swapped = stage.drivers[0].stats.fault_records, machine.statistic("swapped_out")
        task = stage.spawn(own.cpu + 1, working(), "work")
        began = sched.now
        for _ in range(point.messages):
            await message(stage.rng.randrange(pages))
        found["cycles"] = sched.now - began
        over = True
        await stage.join(task)
        found["faults"] = stage.drivers[0].stats.fault_records - faults
        found["swapped"] = machine.statistic("swapped_out") - swapped

    play(body, seed, frames=(point.frames, 768), policies=(DriverPolicy(keys=64), DriverPolicy()))
    return Row(point.kind, point.ratio, point.messages, **found)


def verdict(rows: Sequence[Row]) -> Verdict:
    fits = max(row.ratio for row in rows if row.ratio <= SUFFICES)
    tight = min(row.ratio for row in rows if row.ratio > 1.05)
    most = max(row.ratio for row in rows)

    def at(kind: str, ratio: float) -> Row:
        return pick(rows, kind=kind, ratio=ratio)[0]

    calm = max(at(DEMAND, row.ratio).each / row.each for row in pick(rows, kind=PINNED) if row.ratio <= fits)
    faults = sum(row.faults for row in pick(rows, kind=DEMAND) if row.ratio <= fits)
    outcome = Outcome.HOLDS if calm <= FREE and not faults else Outcome.PART if calm <= 2 * FREE else Outcome.NOT
    text = (
        f"While everything fitted ({percent(fits)} of memory wanted) a message on demand took {number(at(DEMAND, fits).each)} "
        f"cycles and a pinned one {number(at(PINNED, fits).each)}, over all such at most {calm:.2f} times as much, with "
        f"{number(faults)} faults. "
    )
    for ratio in (tight, most):
        pinned, demand = at(PINNED, ratio), at(DEMAND, ratio)
        text += (
            f"With {percent(ratio)} wanted on demand took {number(demand.each)} ({number(demand.faults)} faults in "
            f"{number(demand.messages)} messages) where pinned took {number(pinned.each)}; a store of the process beside it "
            f"took {number(demand.store)} and {number(pinned.store)}. "
        )
    pinned, demand = at(PINNED, tight), at(DEMAND, tight)
    if pinned.store > 2 * demand.store and demand.each > 2 * pinned.each:
        text += "When memory is short somebody pays: on demand who had used his pages least, pinned always the other."
    return Verdict(outcome, text.strip())


def panels(rows: Sequence[Row]) -> Sequence[Panel]:
    each, store = (curves(rows, lambda row: 100 * row.ratio, value) for value in ("each", "store"))
    x, marks = "memory wanted by both, %", ((100.0, "memory"),)
    return (
        Panel("Messages to the region", x, "cycles a message", each, log_y=True, marks=marks),
        Panel("The process beside it", x, "cycles a store", store, log_y=True, marks=marks),
    )


def tables(rows: Sequence[Row]) -> Sequence[Table]:
    x = "wanted"
    return (
        pivot(rows, "Cycles a message of 4 KiB", "ratio", x, "each", show_x=percent),
        pivot(rows, "Cycles a store of the process beside it", "ratio", x, "store", show_x=percent),
        pivot(rows, "Faults of the adapter", "ratio", x, "faults", show_x=percent),
        pivot(rows, "Pages written to swap", "ratio", x, "swapped", show_x=percent),
    )


CLAIM = Claim(
    name="paging",
    title="Demand paging costs nothing while memory suffices",
    claim="Nothing is sent, faulted or waited for as long as there is enough memory; only under pressure is there a price, and "
    "then it buys something.",
    sources=(
        Source(
            "the VM side",
            "12 and 13 February",
            "the messages are needed only when a process comes under memory pressure; swapping makes nobody faster, it lets "
            "the VM manage several loads",
        ),
        Source(
            "the RDMA side",
            "12 and 13 February",
            "who runs HPC programs will want nothing that makes operations dearer, and does not swap what is in use",
        ),
        Source(
            "a vendor of message-passing adapters",
            "12 February",
            "the worst case is a working set larger than memory, and such programs are bound by that anyway",
        ),
    ),
    setting=(
        f"A machine of {Point.frames} frames, a third of them taken by the driver's tables and queues. Half of the rest "
        "is a region; B "
        f"writes {Point.messages} pages, anywhere in it, one after the other, from pinned memory. A process of A's own "
        "stores to its own "
        f"pages in turn, with {THINKS} cycles from a store to the next. Region and process together want 70 to 200 % of "
        "memory. Everything was brought in once before.",
    ),
    assumed=(
        f"A page read from swap takes {timing.SW_SWAP_READ:,} cycles ({timing.SW_SWAP_READ // timing.CLOCK_MHZ} µs), one "
        f"written {timing.SW_SWAP_WRITE:,}: a fast device of later years. With a disk of 2008 the price of a short memory is "
        "a hundred times that.",
        "The adapter has no accessed bit, so a page that reclaim asks about is taken out of its table and faults again if it "
        "was in use.",
    ),
    points=lambda: [Point(kind, ratio) for kind in KINDS for ratio in RATIOS],
    measure=measure,
    row=Row,
    verdict=verdict,
    panels=panels,
    tables=tables,
)
