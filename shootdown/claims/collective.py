"""Reclaim becomes a collective operation over everybody who has the page.

N instances of the system have attached the same pages of one process. They are reclaimed, and migrated: how long that takes,
and how many messages go out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwif.gen import timing
from shootdown.claims.alone import BASE, PAGE, Alone, fill
from shootdown.claims.base import Claim, Outcome, Panel, Source, Table, Verdict, curves, pick, pivot
from shootdown.claims.words import number
from sw_stack.drivers.xpmem import RDWR, Attachment, Fabric, Partition, ThreadGroup, XpmemPolicy
from sw_stack.mm import Mm

__all__ = ["CLAIM", "Point", "Row"]

IDLE = "all have every page, idle"
BUSY = "all have every page, at work on it"
SPREAD = "each page has one user"
KINDS = (IDLE, BUSY, SPREAD)
USERS = (0, 1, 2, 4, 8, 16, 32, 64)
SLOWER = 2.0
"""Time a page, with the most users over with one, from which on the collective is felt."""
LINEAR = 0.5
"""Share of the growth of the users that the time must keep to be called proportional."""


@dataclass(frozen=True)
class Point:
    kind: str
    users: int
    pages: int = 16
    frames: int = 128
    pause: int = 400
    """Cycles between two accesses of a user at work."""


@dataclass(frozen=True)
class Row:
    kind: str
    users: int
    pages: int
    reclaimed: int
    cycles: int
    """Of the reclaim."""
    messages: int
    """Of the reclaim: invalidations, their acknowledgements, questions about use and answers."""
    invalidations: int
    migration: int
    """Cycles until a page has moved, on average."""

    @property
    def each(self) -> float:
        """Cycles a page."""
        return self.cycles / max(1, self.reclaimed)

    @property
    def messages_each(self) -> float:
        """Messages a page."""
        return self.messages / self.pages


def measure(point: Point, seed: int) -> Row:
    with Alone(point.frames, seed) as alone:
        machine, sched = alone.machine, alone.sched
        fabric, policy = Fabric(sched), XpmemPolicy()
        home = Partition(machine, fabric, 0, policy=policy, cpu=8)
        owner = machine.new_mm("owner")
        users: list[tuple[ThreadGroup, Attachment]] = []
        over = False

        async def attach() -> None:
            await fill(owner, point.pages)
            source = await home.open(owner)
            segid = await source.make(BASE, point.pages * PAGE)
            for number in range(point.users):
                part = Partition(alone.another(4), fabric, 1 + number, policy=policy, cpu=16 + 4 * number)
                await sched.sleep(1)  # one instance after the other: ties among all their tasks would be drawn lots for
                user = await part.open(part.machine.new_mm(f"user {part.partid}"))
                users.append((user, await user.attach(await user.get(segid, RDWR), 0, point.pages * PAGE)))

        async def enter() -> None:
            for number, (user, attachment) in enumerate(users):
                for page in range(point.pages):
                    if point.kind != SPREAD or page % len(users) == number:
                        await user.store(attachment.vaddr + page * PAGE + 8, bytes(8))

        async def work(user: ThreadGroup, attachment: Attachment) -> None:
            """An access after the other, to one page after the other."""
            page = 0
            while not over:
                await user.load(attachment.vaddr + page * PAGE, 8)
                await sched.sleep(point.pause)
                page = (page + 1) % point.pages

        async def reclaim() -> tuple[int, int]:
            began, reclaimed = sched.now, 0
            for _ in range(4):  # who asks for memory asks again while pages are said to be in use
                reclaimed += await machine.reclaim(point.pages - reclaimed)
                if reclaimed == point.pages:
                    break
                await sched.sleep(timing.SW_BACKOFF)
            return reclaimed, sched.now - began

        async def migrate() -> int:
            nonlocal over
            took = 0
            for page in range(point.pages):
                await sched.sleep(timing.SW_BACKOFF)
                began = sched.now
                await machine.migrate_page(owner, BASE + page * PAGE)
                took += sched.now - began
            over = True
            return took // point.pages

        alone.run(attach())
        alone.run(enter())
        before, invalidated = sum(fabric.statistics().values()), home.stats.invalidates_sent
        ((reclaimed, cycles),) = alone.run(reclaim())
        messages = sum(fabric.statistics().values()) - before
        invalidations = home.stats.invalidates_sent - invalidated
        alone.run(enter() if users else fill_again(owner, point.pages))
        busy = users if point.kind == BUSY else []
        migration = int(alone.run(migrate(), *(work(user, attachment) for user, attachment in busy))[0])
        alone.end()
        return Row(point.kind, point.users, point.pages, reclaimed, cycles, messages, invalidations, migration)


async def fill_again(mm: Mm, pages: int) -> None:
    """Bring the pages back from swap."""
    for page in range(pages):
        await mm.touch(BASE + page * PAGE, write=True)


def verdict(rows: Sequence[Row]) -> Verdict:
    shared = sorted((row for row in pick(rows, kind=IDLE) if row.users), key=lambda row: row.users)
    none = next(row for row in rows if row.users == 0)
    one, most = shared[0], shared[-1]
    fold = most.users / one.users
    messages = most.messages / max(1, one.messages)
    slower = most.each / one.each
    moves = most.migration / one.migration
    spread = sorted((row for row in pick(rows, kind=SPREAD) if row.users), key=lambda row: row.users)[-1]
    collective = messages >= LINEAR * fold
    felt = max(slower, moves) >= SLOWER
    outcome = Outcome.NOT if not collective else Outcome.HOLDS if max(slower, moves) >= LINEAR * fold else Outcome.PART
    busy = pick(rows, kind=BUSY, users=most.users)
    text = (
        f"Collective it is: a page that {number(one.users)} had attached cost {number(one.messages_each)} messages, one "
        f"that {number(most.users)} had cost {number(most.messages_each)}. "
        if collective
        else f"It is not: {number(most.users)} users cost {number(most.messages_each)} messages a page. "
    )
    text += (
        f"To reclaim a page took {number(none.each)} cycles with no user ({number(timing.SW_SWAP_WRITE)} of them to write it "
        f"to swap), {number(one.each)} with {number(one.users)} and {number(most.each)} with {number(most.users)}: "
        f"{slower:.1f} times for {number(fold)} times the users, since the messages are under way at once. To migrate one, "
        f"which has no swap to hide behind, took {number(none.migration)}, {number(one.migration)} and "
        f"{number(most.migration)} ({moves:.1f} times)"
    )
    text += f", and {number(busy[0].migration)} while all of them worked on it. " if busy else ". "
    text += (
        f"A page that one of {number(spread.users)} had took {number(spread.each)} and {number(spread.migration)}. "
        + ("So the price is felt, " if felt else "So the price is hardly felt, ")
        + ("and is in proportion to the users." if outcome is Outcome.HOLDS else "and grows far more slowly than the users.")
    )
    return Verdict(outcome, text)


def panels(rows: Sequence[Row]) -> Sequence[Panel]:
    some = [row for row in rows if row.users]
    x = "instances that have attached the memory"
    return (
        Panel("Reclaim", x, "cycles a page", curves(some, "users", "each"), log_x=True),
        Panel("Migration", x, "cycles a page", curves(some, "users", "migration"), log_x=True),
        Panel("Messages of the reclaim", x, "messages a page", curves(some, "users", "messages_each"), log_x=True, log_y=True),
    )


def tables(rows: Sequence[Row]) -> Sequence[Table]:
    return (
        pivot(rows, "Cycles to reclaim a page", "users", "users", "each"),
        pivot(rows, "Cycles to migrate a page", "users", "users", "migration"),
        pivot(rows, "Messages for each page reclaimed", "users", "users", "messages_each"),
    )


CLAIM = Claim(
    name="collective",
    title="Reclaim becomes a collective operation over everybody who has the page",
    claim="Where memory is shared across systems, whoever reclaims a page must keep track of all that have it "
    "and get the agreement of each: a collective operation over all accessors, and a problem at scale.",
    sources=(
        Source(
            "the RDMA side (a vendor of message-passing adapters)",
            "12 and 13 February",
            "keeping track of everybody and asking everybody before a page can go does not scale; experience with such a "
            "machine says so",
        ),
        Source(
            "the VM side, for XPMEM",
            "13 February",
            "it has been done for years and scales well enough; and reclaim is no fast path, it is avoided as long as memory "
            "suffices",
        ),
    ),
    setting=(
        f"XPMEM as designed for V6: {Point.pages} pages of one process, attached by 0 to {max(USERS)} other instances of "
        "the system, each with a "
        "machine of its own. Either all have every page in their tables, or each page is in the table of one. All are "
        "reclaimed; then they are brought back, entered by those users again, and migrated, in one case while all users read "
        "them without end.",
    ),
    assumed=(
        f"A channel of its own between each two instances, {timing.LINK_LATENCY} cycles each way: N messages leave at once. "
        f"Through one port they would leave one after the other, at {timing.LINK_CYCLES_PER_FLIT} cycle each, and to build "
        f"each would take a processor some {timing.SW_HCA_POST} cycles: with {max(USERS)} users about "
        f"{round(max(USERS) * (timing.LINK_CYCLES_PER_FLIT + timing.SW_HCA_POST), -2):,} cycles more a page, which "
        f"is less than the wait for a page to be written to swap ({timing.SW_SWAP_WRITE:,}).",
        "No instance is slow or dead. The slowest answer is the answer: one that takes long holds up every reclaim of its pages.",
    ),
    points=lambda: [Point(kind, users) for kind in KINDS for users in USERS],
    measure=measure,
    row=Row,
    verdict=verdict,
    panels=panels,
    tables=tables,
)
