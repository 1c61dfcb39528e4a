"""Pinned pages stop migration and hot-unplug; mlocked ones do not.

A holder has a few pages in its hands, scattered over memory. Each is to be migrated; then each block of memory is to be taken out
of service, one after the other, and put back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shootdown.claims.alone import BASE, PAGE, RW, Alone
from shootdown.claims.base import Claim, Outcome, Panel, Source, Table, Verdict, curves, pivot
from shootdown.claims.holders import MLOCKED, NOTIFIER, PINNED, REFERENCES, REMOTE, REMOTE_PINNED, holder
from shootdown.claims.words import number, percent
from sw_stack.mm import MmError

__all__ = ["CLAIM", "Point", "Row"]

KINDS = (PINNED, REMOTE_PINNED, MLOCKED, NOTIFIER, REFERENCES, REMOTE)
PINS = (PINNED, REMOTE_PINNED)
TOLD = (NOTIFIER, REFERENCES, REMOTE)
SHARES = (1 / 256, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4)
HURTS = 0.5
"""Share of the blocks that a few pinned pages must cost to be a hindrance."""
FEW = 1 / 16
"""Share of memory that is a few pages."""


@dataclass(frozen=True)
class Point:
    kind: str
    share: float
    frames: int = 256
    block: int = 16
    used: float = 0.85
    """Share of memory in use, held or not: what is moved needs somewhere to go."""


@dataclass(frozen=True)
class Row:
    kind: str
    share: float
    held: int
    moved: int
    """Of the pages held."""
    blocks: int
    unplugged: int
    """Of the blocks, each alone."""
    unplugged_after: int
    """When the holder has let go."""
    cycles: int
    """Of the attempts to unplug, all blocks."""


def measure(point: Point, seed: int) -> Row:
    with Alone(point.frames, seed) as alone:
        machine = alone.machine
        owner, other = machine.new_mm("holder"), machine.new_mm("other")
        held, used = max(1, int(point.share * point.frames)), int(point.used * point.frames)
        hands = holder(point.kind, alone)

        async def scatter() -> None:
            """The held pages lie evenly among the others."""
            for mm in (owner, other):
                await mm.mmap(BASE, used * PAGE, RW, fixed=True)
            mine = 0
            for page in range(used):
                if page * held // used >= mine and mine < held:
                    await owner.store(BASE + mine * PAGE, b"held")
                    mine += 1
                else:
                    await other.store(BASE + page * PAGE, b"else")
            await hands.hold(owner, held)

        async def migrate() -> int:
            moved = [await machine.migrate_page(owner, BASE + page * PAGE) for page in range(held)]
            for page in range(held):
                await owner.touch(BASE + page * PAGE, write=False)
            return sum(moved)

        async def unplug() -> int:
            done = 0
            for first in range(0, point.frames, point.block):
                try:
                    await machine.offline(first, point.block)
                except MmError:
                    continue
                machine.online(first, point.block)
                done += 1
            return done

        alone.run(scatter())
        (moved,) = alone.run(migrate())
        began = alone.sched.now
        (unplugged,) = alone.run(unplug())
        cycles = alone.sched.now - began
        alone.run(hands.release())
        (after,) = alone.run(unplug())
        alone.end()
        return Row(point.kind, point.share, held, moved, point.frames // point.block, unplugged, after, cycles)


def verdict(rows: Sequence[Row]) -> Verdict:
    pins = [row for row in rows if row.kind in PINS]
    few = max((row for row in pins if row.share <= FEW), key=lambda row: row.share)
    others = [row for row in rows if row.kind not in PINS]
    stopped = all(row.moved == 0 for row in pins) and few.unplugged <= (1 - HURTS) * few.blocks
    mlocked, told = ([row for row in others if row.kind in kinds] for kinds in ((MLOCKED,), TOLD))
    free = [all(row.moved == row.held and row.unplugged == row.blocks for row in part) for part in (mlocked, told)]
    outcome = Outcome.NOT if not stopped or not free[0] else Outcome.HOLDS if all(free) else Outcome.PART
    least = min(pins, key=lambda row: row.share)
    text = (
        f"Of the pinned pages {number(sum(row.moved for row in pins))} of {number(sum(row.held for row in pins))} could be "
        f"migrated. {number(least.held)} pinned page kept {number(least.blocks - least.unplugged)} of {number(least.blocks)} "
        f"blocks of memory in service, {number(few.held)} of them ({percent(few.share)} of memory) "
        f"{number(few.blocks - few.unplugged)}. Of the mlocked pages {number(sum(row.moved for row in mlocked))} of "
        f"{number(sum(row.held for row in mlocked))} moved, of those of clients that are told "
        f"{number(sum(row.moved for row in told))} of {number(sum(row.held for row in told))}; they kept "
        f"{number(sum(row.blocks - row.unplugged for row in mlocked))} and "
        f"{number(sum(row.blocks - row.unplugged for row in told))} blocks in service. Once the pins were gone "
        f"{number(sum(row.unplugged_after for row in pins))} of {number(sum(row.blocks for row in pins))} could be unplugged."
    )
    return Verdict(outcome, text)


def panels(rows: Sequence[Row]) -> Sequence[Panel]:
    moved = curves(rows, "held", lambda row: 100 * row.moved / row.held)
    unplugged = curves(rows, "held", lambda row: 100 * row.unplugged / row.blocks)
    x = f"pages held, of {int(rows[0].held / rows[0].share)}"
    return (
        Panel("Held pages that migrate", x, "%", moved, log_x=True),
        Panel("Blocks of memory that can be unplugged", x, "%", unplugged, log_x=True),
    )


def tables(rows: Sequence[Row]) -> Sequence[Table]:
    blocks = rows[0].blocks
    return (
        pivot(rows, "Held pages that migrated", "held", "held", "moved"),
        pivot(rows, f"Blocks that could be unplugged, of {blocks}", "held", "held", "unplugged"),
        pivot(rows, "Cycles of the attempts, thousands", "held", "held", lambda row: number(row.cycles / 1000)),
    )


CLAIM = Claim(
    name="moving",
    title="Pinned pages stop migration and hot-unplug, mlocked ones do not",
    claim="To lock a page in memory and to pin it are two things: a mlocked page can be moved by migration and "
    "memory hot-unplug, and both must fail for a pinned one. With notifiers a device's pages move again.",
    sources=(
        Source(
            "the VM side",
            "8, 9 and 13 February",
            "mlock does not pin; a pinned page makes both fail, and the driver can be told to let go",
        ),
        Source(
            "the RDMA side",
            "12 and 13 February",
            "page migration is the part of it that an adapter could support; is it of interest?",
        ),
        Source(
            "a questioner with databases in mind",
            "13 February",
            "how is pinning for RDMA different from what databases do with mlock?",
        ),
    ),
    setting=(
        f"A machine of {Point.frames} frames, {percent(Point.used)} of them in use. Some of the pages, 1 to 64, are held, "
        "and lie evenly among the "
        "others. Each held page is migrated once; then each of 16 blocks of 16 frames is taken out of service, alone, and "
        "put back. An attempt goes over what is left ten times, as in 2.6.24. Then the holder lets go, and the blocks are "
        "tried again.",
    ),
    assumed=(),
    points=lambda: [Point(kind, share) for kind in KINDS for share in SHARES],
    measure=measure,
    row=Row,
    verdict=verdict,
    panels=panels,
    tables=tables,
)
