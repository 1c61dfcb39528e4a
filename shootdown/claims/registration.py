"""Registration for each transfer, against a cache of registrations, against none.

A process of A sends from its buffers. Each must be registered for the transfer, or found registered in a cache, or lies in a region
of the whole address space, on demand, that was registered once. Some buffers are freed and come back at the same address: who does
not hear of it, sends what was there before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from statistics import mode

from hwif.gen import timing
from hwif.gen.hca import Access
from shootdown.claims.base import Claim, Outcome, Panel, Source, Table, Verdict, curves, pick, pivot
from shootdown.claims.pair import play
from shootdown.claims.steps import due, written
from shootdown.claims.words import number, times
from sw_stack.drivers.hca import Mr
from sw_stack.drivers.regcache import CachePolicy, RegistrationCache
from sw_stack.drivers.regcache.registrar import HcaRegistrar
from sw_stack.mm.access import physical
from sw_stack.workloads.hca_stage import ALL, BASE, ODP, PAGE, RW, HcaStage, Process, pattern

__all__ = ["CLAIM", "Point", "Row"]

EACH = "registered for each"
DEAF = "cache that hears nothing"
CACHE = "cache that is told"
WHOLE = "no registration: all on demand"
KINDS = (EACH, DEAF, CACHE, WHOLE)
USES = (1, 2, 4, 8, 16, 32)
SIZES = (1, 4, 16, 64)
FREED = (0, 4, 8, 16, 32)
SLOW = 1.5
"""Cost of a registration for each transfer, over a cache's, that is too dear."""


@dataclass(frozen=True)
class Point:
    kind: str
    uses: int = 8
    """Transfers from a buffer before the next one has its turn."""
    size: int = 16
    """Pages of a buffer."""
    freed: int = 0
    """Of the transfers, from a buffer that has been freed and come back since the last."""
    transfers: int = 64


@dataclass(frozen=True)
class Row:
    kind: str
    uses: int
    size: int
    freed: int
    transfers: int
    cycles: int
    wrong: int
    """Transfers that brought other bytes than the process had stored."""
    pinned: int
    """Pages held at the end."""
    registrations: int
    faults: int

    @property
    def each(self) -> float:
        """Cycles a transfer."""
        return self.cycles / self.transfers


def measure(point: Point, seed: int) -> Row:
    found = dict.fromkeys(("cycles", "wrong", "pinned", "registrations", "faults"), 0)
    size, buffers = point.size * PAGE, max(1, point.transfers // point.uses)

    async def body(stage: HcaStage) -> None:
        program, remote = await stage.process(0), await stage.process(1, point.size, tag=7)
        theirs = await remote.region(length=size, access=ALL)
        port, _ = await stage.connect(program, remote)
        mm, driver, stats = program.mm, program.driver, stage.drivers[0].stats
        tag = 0

        async def renew(address: int, fresh: bool) -> bytes:
            """The process maps the buffer if it is new, and stores other bytes than before."""
            nonlocal tag
            tag += 1
            if fresh:
                await mm.mmap(address, size, RW, fixed=True)
            for page in range(point.size):
                await mm.store(address + page * PAGE, pattern(tag + page))
            return pattern(tag)

        cache = None
        if point.kind in (DEAF, CACHE):
            policy = CachePolicy(repair="none" if point.kind == DEAF else "ummunotify")
            cache = await RegistrationCache.open(mm, HcaRegistrar(driver, program.pd), policy)
        whole = await program.whole(ODP) if point.kind == WHOLE else None

        @asynccontextmanager
        async def each(address: int) -> AsyncIterator[Mr]:
            mr = await program.region(address, size, Access.LOCAL_WRITE)
            yield mr
            await driver.dereg_mr(mr)

        @asynccontextmanager
        async def once(mr: Mr) -> AsyncIterator[Mr]:
            yield mr

        def using(address: int) -> AbstractAsyncContextManager[Mr]:
            if cache is not None:
                return cache.using(address, size, Access.LOCAL_WRITE)
            return each(address) if whole is None else once(whole)

        for number_ in range(buffers):
            await renew(BASE + number_ * size, fresh=True)
        made, faults = stats.mr_reg, stats.fault_records
        for turn in range(point.transfers):
            address = BASE + turn // point.uses % buffers * size
            # In the middle of a buffer's use, if it is used more than once.
            again = turn > 0 and due(turn + point.uses // 2, point.freed, point.transfers)
            if again:
                await mm.munmap(address, size)
            wanted = await renew(address, fresh=again)
            began = stage.sched.now
            async with using(address) as mr:
                await written(stage, port, mr, address, size, theirs, BASE)
            found["cycles"] += stage.sched.now - began
            found["wrong"] += _landed(stage, remote) != wanted
        found["pinned"] = stats.pages_pinned - stats.pages_unpinned
        found["registrations"] = stats.mr_reg - made
        found["faults"] = stats.fault_records - faults
        if cache is not None:
            await cache.close()

    play(body, seed, frames=(2 * point.size * buffers + 512, 768))
    return Row(point.kind, point.uses, point.size, point.freed, point.transfers, **found)


def _landed(stage: HcaStage, remote: Process) -> bytes | None:
    """The first page that B has."""
    place = physical(remote.mm, BASE)
    return None if place is None else stage.machines[1].memory.read(place, PAGE)


def _alike(rows: Sequence[Row], name: str) -> list[Row]:
    """Of the runs in which no buffer is freed, those with the `name` that most have: in these the other parameter varies."""
    calm = pick(rows, freed=0)
    return pick(calm, **{name: mode(getattr(row, name) for row in calm)})


def _moved(rows: Sequence[Row]) -> list[Row]:
    """The runs with buffers that are freed, and those like them in which none is."""
    one = next((row for row in rows if row.freed), rows[0])
    return pick(rows, uses=one.uses, size=one.size)


def verdict(rows: Sequence[Row]) -> Verdict:
    alike = _alike(rows, "size")
    size, reused, once = alike[0].size, max(row.uses for row in alike), min(row.uses for row in alike)
    each, cache, whole = (pick(alike, kind=kind, uses=reused)[0] for kind in (EACH, CACHE, WHOLE))
    first = {kind: pick(alike, kind=kind, uses=once)[0].each for kind in (EACH, CACHE, WHOLE)}
    moved = [row for row in rows if row.freed]
    deaf = sum(row.wrong for row in moved if row.kind == DEAF)
    told = sum(row.wrong for row in rows if row.kind != DEAF)
    slow = each.each / cache.each >= SLOW
    outcome = Outcome.HOLDS if slow and deaf and not told else Outcome.PART if slow or (deaf and not told) else Outcome.NOT
    text = (
        f"A transfer of {number(4 * size)} KiB from a buffer used {number(reused)} times took {number(each.each)} cycles when "
        f"it was registered for each, {times(each.each / cache.each)} the {number(cache.each)} out of a cache that is told, "
        f"and {number(whole.each)} with no registration at all. From a buffer used {number(once)} time it took "
        f"{number(first[EACH])}, {number(first[CACHE])} and {number(first[WHOLE])}. "
    )
    if moved:
        transfers = sum(row.transfers for row in moved if row.kind == DEAF)
        text += (
            f"The cache that hears nothing sent other bytes than were meant in {number(deaf)} of {number(transfers)} "
            "transfers, from the first on that met a buffer which had come back at its address; the one that is told, and the "
            f"others, in {number(told)}. "
        )
    text += f"The cache held {number(max(row.pinned for row in pick(rows, kind=CACHE)))} pages in the end, on demand none."
    return Verdict(outcome, text)


def panels(rows: Sequence[Row]) -> Sequence[Panel]:
    by_uses, by_size = _alike(rows, "size"), _alike(rows, "uses")
    y, freed = "cycles a transfer", f"transfers whose buffer was freed before, of {rows[0].transfers}"
    return (
        Panel(f"Buffers of {4 * by_uses[0].size} KiB", "uses of each", y, curves(by_uses, "uses", "each"), True, True),
        Panel(f"Used {by_size[0].uses} times", "pages a buffer", y, curves(by_size, "size", "each"), True, True),
        Panel("Buffers freed, and back again", freed, "transfers with old bytes", curves(_moved(rows), "freed", "wrong")),
    )


def tables(rows: Sequence[Row]) -> Sequence[Table]:
    by_uses, by_size = _alike(rows, "size"), _alike(rows, "uses")
    return (
        pivot(by_uses, f"Cycles a transfer, buffers of {4 * by_uses[0].size} KiB", "uses", "uses", "each"),
        pivot(by_size, f"Cycles a transfer, {by_size[0].uses} uses", "size", "pages a buffer", "each"),
        pivot(_moved(rows), "Transfers that brought old bytes", "freed", "freed before", "wrong"),
        pivot(by_uses, "Pages pinned in the end", "uses", "uses", "pinned"),
    )


CLAIM = Claim(
    name="registration",
    title="Registration for each transfer is slow, caches of registrations are wrong unless they are told",
    claim="Registering and deregistering round every transfer is too slow, so libraries keep registrations in a cache; but a "
    "library does not hear when a buffer is freed, and then sends from pages that are no longer the buffer's. A notification "
    "would mend it, and with all memory on demand there would be nothing to register.",
    sources=(
        Source(
            "the RDMA side (authors of message-passing libraries)",
            "12 and 13 February",
            "registration is too dear in the critical path; a cache goes stale behind the library's back, holds memory "
            "nobody knows of, and hooks on malloc are a pain",
        ),
        Source(
            "the RDMA side",
            "14 February",
            "a registration of the whole address space, kept up to date by the kernel, would end the matter",
        ),
    ),
    setting=(
        f"A process of A sends {Point.transfers} times from buffers of its own, of 1 to 64 pages, each used 1 to 32 times "
        "before the next. "
        "The buffer is registered for each transfer (pinned), or by way of a cache that hears nothing, or of one that is "
        "told by the notifiers (ummunotify), or not at all: one region of the whole address space, on demand.",
        "In the last plot some buffers are unmapped before a transfer and mapped again at the same address, with other "
        "bytes; what arrives at B is compared.",
    ),
    assumed=(
        "The page is present when it is registered. Registration costs what pinning a page and writing its entry cost here; "
        f"on real adapters the call itself is dearer than the {timing.SW_SYSCALL} cycles of a system call.",
        "The cache has no limit. A limit gives memory back, and hits away.",
    ),
    points=lambda: [
        *(Point(kind, uses) for kind in KINDS for uses in USES),
        *(Point(kind, size=size) for kind in KINDS for size in SIZES if size != Point(kind).size),
        *(Point(kind, freed=freed) for kind in KINDS for freed in FREED if freed),
    ],
    measure=measure,
    row=Row,
    verdict=verdict,
    panels=panels,
    tables=tables,
)
