"""Pinned memory makes reclaim run in circles; notifiers cure it.

A holder has a share of memory in its hands. Then another process works through memory of its own, `passes` times, and reclaim has
to find room for it. Counted from there: what reclaim looks at for each frame it frees, allocations that fail, and whom the OOM
killer kills for how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwif.gen import timing
from shootdown.claims.alone import BASE, PAGE, RW, Alone, fill
from shootdown.claims.base import Claim, Outcome, Panel, Source, Table, Verdict, curves, pick, pivot
from shootdown.claims.holders import MLOCKED, NOBODY, NOTIFIER, PINNED, REFERENCES, REMOTE, holder
from shootdown.claims.steps import stored
from shootdown.claims.words import number, percent, times
from sw_stack.mm.reclaim import ROUNDS, STUCK_ROUNDS, Scan

__all__ = ["CLAIM", "Point", "Row"]

KINDS = (NOBODY, PINNED, MLOCKED, NOTIFIER, REFERENCES, REMOTE)
CURES = (NOTIFIER, REFERENCES, REMOTE)
SHARES = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
WORSE = 10.0
"""Looks a frame, over those with nobody's hands on the memory, from which on reclaim runs in circles."""
SAME = 2.0
"""Up to which a cure is one."""


@dataclass(frozen=True)
class Point:
    """A share of memory held, and a process that needs `work` of it."""

    kind: str
    share: float
    killer: bool = False
    frames: int = 256
    work: float = 0.5
    passes: int = 2


@dataclass(frozen=True)
class Row:
    kind: str
    share: float
    killer: bool
    touches: int
    failed: int
    looks: int
    """Pages reclaim looked at, on either list."""
    freed: int
    unmapped_in_vain: int
    cycles: int
    killed: int
    """Processes the OOM killer took."""

    @property
    def looks_each(self) -> float | None:
        """Looks a frame freed; None if none was."""
        return self.looks / self.freed if self.freed else None

    @property
    def cycles_each(self) -> float | None:
        """Cycles a touch that succeeded; None if none did."""
        done = self.touches - self.failed
        return self.cycles / done if done else None


def measure(point: Point, seed: int) -> Row:
    with Alone(point.frames, seed, oom_killer=point.killer) as alone:
        machine = alone.machine
        owner, worker = machine.new_mm("holder"), machine.new_mm("worker")
        held, work = int(point.share * point.frames), int(point.work * point.frames)
        hands = holder(point.kind, alone)
        counts = dict.fromkeys(("touches", "failed", "cycles"), 0)

        over = False

        async def play() -> None:
            nonlocal over
            room = min(held, machine.frames.free)
            await fill(owner, room)
            await hands.hold(owner, room)
            await worker.mmap(BASE, work * PAGE, RW, fixed=True)
            machine.reclaimer.scan = Scan()
            began = alone.sched.now
            for _ in range(point.passes):
                for page in range(work):
                    counts["touches"] += 1
                    if not await stored(worker, BASE + page * PAGE, killable=point.killer):
                        counts["failed"] += 1
                        await alone.sched.sleep(timing.SW_BACKOFF)
            counts["cycles"] = alone.sched.now - began
            over = True

        async def die() -> None:
            """A process that is killed exits, and its adapter's file is closed."""
            while not over:
                if owner.oom_victim and owner.alive:
                    await hands.release()
                    await owner.exit()
                await alone.sched.sleep(timing.SW_BACKOFF)

        alone.run(play(), die())
        scan = machine.reclaimer.scan
        row = Row(
            kind=point.kind,
            share=point.share,
            killer=point.killer,
            looks=scan.aged + scan.scanned,
            freed=scan.reclaimed,
            unmapped_in_vain=scan.pinned,
            killed=machine.statistic("oom_kill"),
            **counts,
        )
        alone.run(hands.release())
        alone.end()
        return row


def verdict(rows: Sequence[Row]) -> Verdict:
    plain = [row for row in rows if not row.killer]
    base = {row.share: row.looks_each for row in pick(plain, kind=NOBODY)}
    # The last share at which something could still be had: beyond it there is no ratio, only failure.
    pinned = [row for row in pick(plain, kind=PINNED) if row.looks_each and base.get(row.share)]
    worst = max(pinned, key=lambda row: row.share)
    ratio = (worst.looks_each or 0.0) / (base[worst.share] or 1.0)
    full = max(pick(plain, kind=PINNED), key=lambda row: row.share)
    cures = [row for kind in CURES for row in pick(plain, kind=kind)]
    failed = sum(row.failed for row in cures)
    held = [(row.looks_each or 0.0) / (base[row.share] or 1.0) for row in cures if row.share >= worst.share and base.get(row.share)]
    cost = max(held, default=0.0)
    sick = ratio >= WORSE and full.failed > 0
    cured = not failed and all(row.looks_each for row in cures if base.get(row.share)) and cost <= SAME
    outcome = (Outcome.HOLDS if cured else Outcome.PART) if sick else Outcome.NOT
    kills = {row.kind: row.killed for row in rows if row.killer}
    text = (
        f"With {percent(worst.share)} of memory pinned, reclaim looked at {number(worst.looks_each)} pages for each frame it "
        f"freed, {times(ratio)} what it takes when nobody holds them, and unmapped {number(worst.unmapped_in_vain)} pages in "
        f"vain; with {percent(full.share)} pinned, {number(full.failed)} of {number(full.touches)} touches failed after "
        f"{number(full.looks)} looks. "
    )
    if cured:
        text += (
            f"The same memory in the hands of clients that are told cost at most {times(cost)} what nobody's costs, whether "
            "they keep references or not, and no touch failed. "
        )
    elif sick:
        text += f"Clients that are told are no cure: {number(failed)} touches failed, up to {times(cost)} the looks. "
    if PINNED in kills:
        told = sum(kills.get(kind, 0) for kind in CURES)
        text += (
            f"Where the OOM killer may act it took {number(kills[PINNED])} for the pinned memory"
            + (f", {number(kills[MLOCKED])} for the mlocked" if MLOCKED in kills else "")
            + f" and {number(told)} for that of clients that are told. "
        )
    mlocked, all_mlocked = (pick(plain, kind=MLOCKED, share=share) for share in (worst.share, full.share))
    if mlocked and mlocked[0].looks_each:
        bad = mlocked[0].looks_each >= (worst.looks_each or 0.0) / 2
        text += f"Mlocked pages took {number(mlocked[0].looks_each)} looks with {percent(worst.share)}"
        if all_mlocked:
            text += f", and with {percent(full.share)} {number(all_mlocked[0].failed)} touches failed"
        text += ": no better, as was conceded in the thread, and no notifier helps there." if bad else "."
    return Verdict(outcome, text.strip())


def panels(rows: Sequence[Row]) -> Sequence[Panel]:
    plain = [row for row in rows if not row.killer]
    x, y = "memory held, %", "pages looked at for each freed"
    looks, cost = (curves(plain, lambda row: 100 * row.share, value) for value in ("looks_each", "cycles_each"))
    return (
        Panel("What reclaim looks at for a frame", x, y, looks, log_y=True),
        Panel("What the other process pays", x, "cycles for each touch that succeeds", cost, log_y=True),
    )


def tables(rows: Sequence[Row]) -> Sequence[Table]:
    plain, killer = [row for row in rows if not row.killer], [row for row in rows if row.killer]
    heads = ("held by", "touches failed", "killed", "pages looked at", "unmapped in vain", "cycles")
    body = tuple((row.kind, *map(number, (row.failed, row.killed, row.looks, row.unmapped_in_vain, row.cycles))) for row in killer)
    caption = "Pages looked at for each frame freed, by the share of memory held (a dash: none was needed, or none could be freed)"
    return (
        pivot(plain, caption, "share", "held", lambda row: number(row.looks_each, 1), show_x=percent),
        pivot(plain, "Pages unmapped in vain", "share", "held", "unmapped_in_vain", show_x=percent),
        Table("All of memory held, and an OOM killer", heads, body),
    )


CLAIM = Claim(
    name="livelock",
    title="Pinned memory makes reclaim run in circles, and notifiers cure it",
    claim="A page that is pinned by a reference stays on the LRU lists; reclaim meets it again and again, "
    "finds the reference last, and with enough such pages does nothing else until allocations fail. With notifiers the same "
    "pages can be had.",
    sources=(
        Source(
            "the VM side",
            "8 and 13 February",
            "references are not meant as permanent pins; too many make the VM spin, or the OOM killer act strangely, and it "
            "is reliability that the notifiers bring; mlocked pages give the same trouble until they have a list of their own",
        ),
        Source(
            "the XPMEM side", "8 February", "XPMEM pins as it stands; on the patches it gives its references up and its pages swap"
        ),
        Source(
            "the KVM side",
            "9 and 14 February",
            "unmapping in vain should break nothing, permanent pins should not exist, and livelocks are not what the "
            "notifiers are about",
        ),
    ),
    setting=(
        f"A machine of {Point.frames} frames. A holder has a share of them in its hands, each kind of holder in its own "
        "way; then "
        "another process stores to half as many pages as memory has frames, twice over. Reclaim's looks are counted from "
        f"there. An allocation that fails is one that reclaim has given up after {ROUNDS} rounds over both lists.",
        "Holders, here and below: `pinned`, an adapter with a reference to each page until deregistration; `mlocked`, the "
        "process itself, without a device; `notifier`, a client that keeps no reference and drops its entries when told (the "
        "GRU, KVM of today); `notifier, references`, one that gives a reference back with the entry (KVM of 2008); `remote, "
        "notifier`, another instance of the system, recalled by message (XPMEM on the patches); `remote, pinned`, the same "
        "without a way to recall (XPMEM before).",
        "The last table is the same with all of memory held and an OOM killer; a process that is killed exits, and its "
        "adapter's file is closed.",
    ),
    assumed=(
        f"Reclaim gives up after {ROUNDS} rounds, so a livelock shows as looks without end in sight and as failed allocations; "
        "the real one tries again as long as the caller does.",
        "Mlocked pages stay on the lists, as in 2.6.24; a list of their own, away from reclaim, came later. Here they are told "
        f"apart on the active list, over which reclaim goes {STUCK_ROUNDS} times in vain before it turns to the other; 2.6.24 "
        "finds out when it unmaps them. Short of nearly all memory their curve is that of this rule.",
        "The cure ends where memory and swap together end: that is the claim `larger`.",
        "The holders do not use their memory meanwhile. What a device that goes on pays is the claim `paging`.",
    ),
    points=lambda: [
        *(Point(kind, share) for kind in KINDS for share in SHARES),
        *(Point(kind, 1.0, killer=True) for kind in KINDS),
    ],
    measure=measure,
    row=Row,
    verdict=verdict,
    panels=panels,
    tables=tables,
)
