"""A region larger than memory.

B writes to a region of A that is a multiple of A's memory: all of it once, then a few hundred pages more, near to each other or
anywhere. With little swap the region also outgrows memory and swap together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwif.gen import timing
from hwif.gen.hca import WcStatus
from shootdown.claims.base import Claim, Outcome, Panel, Source, Table, Verdict, curves, pick, pivot
from shootdown.claims.pair import play
from shootdown.claims.words import number
from sw_stack.drivers.hca import DriverPolicy
from sw_stack.mm import MmError
from sw_stack.workloads.hca_stage import ALL, BASE, ODP, PAGE, RW, HcaStage

__all__ = ["CLAIM", "Point", "Row"]

PINNED = "pinned"
STILL = "on demand, a window that hardly moves"
NEAR = "on demand, a window that moves"
ANYWHERE = "on demand, anywhere"
KINDS = (PINNED, STILL, NEAR, ANYWHERE)
RATIOS = (0.5, 0.8, 1.2, 2.0, 4.0, 8.0, 10.0)
SMALL_SWAP = 1.0
"""Swap, over memory, where there is little of it."""
SWAP_RATIOS = (0.5, 1.0, 1.5, 1.9, 2.2, 3.0)
WINDOW = 1 / 4
"""Share of memory that neighbouring messages stay in."""
STEPS = {NEAR: 8, STILL: 64}
"""Messages after which the window moves by a page."""
FINE = 2.0
"""Cost of a message, over that in a region that fits, that is performing well enough."""
POOR = 3.0
"""Cost that is not."""


@dataclass(frozen=True)
class Point:
    kind: str
    ratio: float
    """Size of the region, over the memory there is."""
    swap: float | None = None
    """Swap, over memory; None: as much as is needed."""
    frames: int = 192
    messages: int = 200


@dataclass(frozen=True)
class Row:
    kind: str
    ratio: float
    swap: float | None
    refused: bool
    """The region could not be registered."""
    pages: int
    brought: int
    """Of the pages, written to once, one after the other."""
    written: int
    """Messages that arrived, bringing everything in included."""
    failed: int
    """That could not be served: the queue pair ends with the first."""
    cycles: int
    """Of the messages behind the first of each page; 0 if there were none."""
    faults: int
    messages: int

    @property
    def each(self) -> float | None:
        """Cycles a message."""
        return self.cycles / self.messages if self.cycles else None


def measure(point: Point, seed: int) -> Row:
    found = dict.fromkeys(("pages", "brought", "written", "failed", "cycles", "faults"), 0)
    refused = False

    async def body(stage: HcaStage) -> None:
        nonlocal refused
        program, remote = await stage.process(0), await stage.process(1, 1, tag=7)
        port, _ = await stage.connect(remote, program)
        memory = stage.machines[0].frames.free
        pages, window = max(1, int(point.ratio * memory)), max(1, int(WINDOW * memory))
        stage.machines[0].swap.slots = int((point.ratio + 1 if point.swap is None else point.swap) * memory)
        found["pages"] = pages
        mine = await remote.region(access=ALL)
        await program.mm.mmap(BASE, pages * PAGE, RW, fixed=True)
        try:
            theirs = await program.region(length=pages * PAGE, access=ALL if point.kind == PINNED else ODP)
        except MmError:
            refused = True
            return

        async def message(page: int) -> bool:
            status = await port.write(mine, BASE, PAGE, theirs, BASE + page * PAGE)
            found["written"] += status is WcStatus.SUCCESS
            found["failed"] += status is not WcStatus.SUCCESS
            return status is WcStatus.SUCCESS

        for page in range(pages):
            if not await message(page):
                return
            found["brought"] += 1
        # So that the first of them meets what it will go on with.
        for page in range(window):
            if not await message(page % pages):
                return
        faults, began = stage.drivers[0].stats.fault_records, stage.sched.now
        for turn in range(point.messages):
            near = turn // STEPS.get(point.kind, 1) + stage.rng.randrange(window)
            if not await message(stage.rng.randrange(pages) if point.kind == ANYWHERE else near % pages):
                return
        found["cycles"] = stage.sched.now - began
        found["faults"] = stage.drivers[0].stats.fault_records - faults

    play(body, seed, frames=(point.frames, 768), policies=(DriverPolicy(keys=64), DriverPolicy()))
    return Row(point.kind, point.ratio, point.swap, refused, **found, messages=point.messages)


def verdict(rows: Sequence[Row]) -> Verdict:
    ample, little = pick(rows, swap=None), [row for row in rows if row.swap is not None]
    beyond = [row for row in ample if row.ratio > 1.0]
    pinned = pick(beyond, kind=PINNED)
    refused = [row for row in pinned if row.refused or row.failed]
    served = [row for row in beyond if row.kind != PINNED and not row.refused and not row.failed]
    wanted = [row for row in beyond if row.kind != PINNED]
    most = max(row.ratio for row in beyond)
    still, near, anywhere = (pick(ample, kind=kind, ratio=most)[0].each for kind in (STILL, NEAR, ANYWHERE))
    fits = pick(ample, kind=NEAR, ratio=min(row.ratio for row in ample))[0].each or 1.0
    works = len(served) == len(wanted)
    local = still is not None and anywhere is not None and still <= FINE * fits and anywhere >= POOR * fits
    outcome = Outcome.HOLDS if works and local and len(refused) == len(pinned) else Outcome.PART if served else Outcome.NOT
    text = (
        f"Pinned, {number(len(refused))} of {number(len(pinned))} regions larger than memory were refused; on demand "
        f"{number(len(served))} of {number(len(wanted))} were served, up to {most:g} times memory. "
    )
    if still is not None and near is not None and anywhere is not None:
        text += (
            f"There a message took {number(still)} cycles in a window that hardly moved, {still / fits:.1f} times what it "
            f"takes in a region that fits, {number(near)} in one that moved a page every {STEPS[NEAR]} messages "
            f"({near / fits:.1f} times), and {number(anywhere)} anywhere ({anywhere / fits:.1f} times)"
        )
        text += ": it needs locality, as was said. " if local else ". "
    if little:
        swap = little[0].swap or 0.0
        last = max((row.ratio for row in little if not row.failed and not row.refused), default=0.0)
        first = min((row.ratio for row in little if row.failed or row.refused), default=None)
        text += f"With swap of {swap:g} times memory regions up to {last:g} times memory were served"
        text += (
            f", and one of {first:g} times came to the end of memory and swap: the point of no return has moved, it is still there."
            if first is not None
            else "."
        )
    return Verdict(outcome, text.strip())


def panels(rows: Sequence[Row]) -> Sequence[Panel]:
    ample, little = pick(rows, swap=None), [row for row in rows if row.swap is not None]
    cost = curves(ample, "ratio", "each")
    x = "size of the region, over memory"
    limit = 1.0 + (little[0].swap or 0.0) if little else 1.0
    made = [Panel("Enough swap", x, "cycles a message", cost, log_x=True, log_y=True, marks=((1.0, "memory"),))]
    if little:
        near = [row for row in (*pick(ample, kind=PINNED), *little) if row.ratio <= 1.5 * limit]
        served = curves(near, "ratio", lambda row: 100 * row.brought / row.pages)
        made.append(
            Panel(
                "Little swap: what can be brought in",
                x,
                "% of the pages",
                served,
                marks=((1.0, "memory"), (limit, "memory and swap")),
            )
        )
    return made


def tables(rows: Sequence[Row]) -> Sequence[Table]:
    def cell(row: Row) -> str:
        return "refused" if row.refused else "failed" if row.failed else number(row.each)

    def faults(row: Row) -> str:
        return "–" if row.each is None else number(row.faults)

    ample, little = pick(rows, swap=None), [row for row in rows if row.swap is not None]
    x = "region, over memory"
    made = [
        pivot(ample, "Cycles a message of 4 KiB, enough swap", "ratio", x, cell, show_x="{:g}".format),
        pivot(ample, f"Faults in {rows[0].messages} messages", "ratio", x, faults, show_x="{:g}".format),
    ]
    if little:
        body = tuple((f"{row.ratio:g}", number(row.written), number(row.failed), cell(row)) for row in little)
        caption = f"Swap of {little[0].swap or 0.0:g} times memory, on demand, anywhere"
        made.append(Table(caption, (x, "messages that arrived", "that could not", "cycles a message"), body))
    return made


CLAIM = Claim(
    name="larger",
    title="A region may be larger than memory",
    claim="What notifiers give to RDMA is a region larger than memory without an OOM killer: ten gigabytes with one in the "
    "machine, which performs well only if the computation is local. Livelocks they do not cure, they move them from the end "
    "of memory to the end of memory and swap.",
    sources=(
        Source(
            "the KVM side",
            "14 February",
            "a region of ten times memory works as guests larger than memory do, given locality; one as large as memory and "
            "swap locks up as before",
        ),
        Source("a vendor of message-passing adapters", "12 February", "the worst case is a working set beyond memory"),
    ),
    setting=(
        f"A machine of {Point.frames} frames, part of them taken by the driver's tables and queues. B writes each page of "
        "a region of A "
        f"once, then {Point.messages} pages more: anywhere, or within a window of a quarter of memory that moves on by a "
        "page every eight "
        "messages, or every 64.",
        "The last table has swap as large as memory: a page that finds no room fails its message, and with it the queue pair.",
    ),
    assumed=(
        f"Swap of {timing.SW_SWAP_READ:,} cycles a page read. The ratio of near to anywhere is that of a fast device.",
        "No OOM killer: a fault that finds no memory ends in an error of its message.",
    ),
    points=lambda: [
        *(Point(kind, ratio) for kind in KINDS for ratio in RATIOS),
        *(Point(ANYWHERE, ratio, SMALL_SWAP) for ratio in SWAP_RATIOS),
    ],
    measure=measure,
    row=Row,
    verdict=verdict,
    panels=panels,
    tables=tables,
)
