"""Eight-byte messages under an optimistic and under a pessimistic scheme.

B writes messages of some size to memory of A, one after the other, under schemes that differ in what they do before a transfer:
nothing, a look at a mark, or a question to the other side. Then the same with eight bytes, while A's memory is taken away now and
then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwif.gen import timing
from hwif.gen.hca import WrOpcode
from shootdown.claims.base import Claim, Outcome, Panel, Source, Table, Verdict, curves, pick, pivot
from shootdown.claims.pair import play
from shootdown.claims.steps import due, written
from shootdown.claims.words import number
from sw_stack.drivers.hca import Mr
from sw_stack.drivers.hca.remote import Exporter, Importer
from sw_stack.workloads.hca_stage import ALL, BASE, ODP, PAGE, RW, HcaStage, Process

__all__ = ["CLAIM", "Point", "Row"]

NOTHING = "pinned, no question"
OPTIMISTIC = "optimistic: on demand, restart"
MARKED = "checked: ask once, until told"
PESSIMISTIC = "pessimistic: ask before each"
KINDS = (NOTHING, OPTIMISTIC, MARKED, PESSIMISTIC)
SIZES = (8, 64, 512, 4096, 65536, 524288)
RATES = (0, 20, 50, 100, 200, 500)
"""Pages taken away for each 1,000 messages."""
CHANNEL = timing.SW_IRQ_LATENCY + timing.LINK_LATENCY
"""Cycles of a message of the two kernels, outside of RDMA."""
POST = BASE + (1 << 30)
"""Where questions and answers lie."""
LEAN = 1.1
"""What an optimistic scheme may cost while nothing is taken, over none."""
DEAR = 2.0
"""What makes a question before each message too dear."""
SMALL = 1.5
"""What a question costs at most before a large message, if it is relatively small there."""


@dataclass(frozen=True)
class Point:
    kind: str
    size: int
    taken: int = 0
    """Pages of the region that migrate away for each 1,000 messages."""
    messages: int = 100

    @property
    def pages(self) -> int:
        """Of the region."""
        return max(16, self.size // PAGE)

    @property
    def count(self) -> int:
        """Messages: of the large ones a few will do."""
        return self.messages if self.size <= 65536 else self.messages // 5


@dataclass(frozen=True)
class Row:
    kind: str
    size: int
    taken: int
    messages: int
    cycles: int
    faults: int
    asked: int
    """Questions to the other side."""

    @property
    def each(self) -> float:
        """Cycles a message."""
        return self.cycles / self.messages


class _Asking:
    """Before each message a question to A by SEND, which makes the pages present, and its answer: a rendezvous."""

    def __init__(self, stage: HcaStage, home: Process, remote: Process, theirs: Mr) -> None:
        self._stage, self._home, self._remote, self._theirs = stage, home, remote, theirs
        self._wanted = (BASE, 8)
        self._over = False

    async def open(self) -> None:
        """Connect, and have A listen."""
        for side in (self._home, self._remote):
            await side.mm.mmap(POST, PAGE, RW, fixed=True)
        self._there, self._here = [await side.region(POST, PAGE, ALL) for side in (self._home, self._remote)]
        self._server, self._client = await self._stage.connect(self._home, self._remote)
        await self._server.post_recv(self._there, POST, 8)
        self._task = self._stage.spawn(self._home.cpu + 2, self._serve(), "answers")

    async def _serve(self) -> None:
        """A's side: the adapter has posted the question, a thread of the library answers."""
        port = self._server
        while True:
            await port.completion()
            if self._over:
                return
            await self._home.prefetch(self._theirs, *self._wanted)
            await port.post_recv(self._there, POST, 8)
            await port.send(self._there, POST + 64, 8)

    async def ask(self, place: int, length: int) -> None:
        """B's side: returns when A has answered. What is wanted would be in the message's bytes."""
        self._wanted = place, length
        await self._client.post_recv(self._here, POST, 8)
        await self._client.post(WrOpcode.SEND, self._here, POST + 64, 8)
        await self._client.completions(2)

    async def close(self) -> None:
        """A listens no more."""
        self._over = True
        await self._client.send(self._here, POST + 64, 8)
        await self._stage.join(self._task)


def measure(point: Point, seed: int) -> Row:
    found = {"cycles": 0, "faults": 0, "asked": 0}

    async def body(stage: HcaStage) -> None:
        home, remote = await stage.process(0, point.pages), await stage.process(1, point.pages, tag=100)
        mine = await remote.region(length=point.pages * PAGE, access=ALL)
        exporter = importer = asking = None
        if point.kind == MARKED:
            exporter = await Exporter.open(home.driver, home.pd, BASE, point.pages * PAGE, ODP)
            importer = Importer(remote.driver, exporter, latency=CHANNEL)
            theirs = exporter.mr
        else:
            theirs = await home.region(length=point.pages * PAGE, access=ALL if point.kind == NOTHING else ODP)
        if point.kind == PESSIMISTIC:
            asking = _Asking(stage, home, remote, theirs)
            await asking.open()
        port, _ = await stage.connect(remote, home)

        async def message(place: int, size: int) -> None:
            if asking is not None:
                found["asked"] += 1
                await asking.ask(place, size)
            if importer is not None:
                async with importer.access(place, size):
                    await written(stage, port, mine, BASE, size, theirs, place)
            else:
                await written(stage, port, mine, BASE, size, theirs, place)

        for page in range(point.pages):
            await message(BASE + page * PAGE, 64)
        faults, asked = stage.drivers[0].stats.fault_records, importer.established if importer is not None else found["asked"]
        for turn in range(point.count):
            place = BASE + turn * max(point.size, 64) % (point.pages * PAGE)
            if due(turn, point.taken):
                await stage.machines[0].migrate_page(home.mm, place)
            began = stage.sched.now
            await message(place, point.size)
            found["cycles"] += stage.sched.now - began
        found["faults"] = stage.drivers[0].stats.fault_records - faults
        found["asked"] = (importer.established if importer is not None else found["asked"]) - asked
        if asking is not None:
            await asking.close()
        if importer is not None and exporter is not None:
            await importer.detach()
            await exporter.close()

    play(body, seed)
    return Row(point.kind, point.size, point.taken, point.count, **found)


def verdict(rows: Sequence[Row]) -> Verdict:
    calm, small = [row for row in rows if not row.taken], min(row.size for row in rows)
    large = max(row.size for row in calm)

    def over(kind: str, size: int) -> float:
        return pick(calm, kind=kind, size=size)[0].each / pick(calm, kind=NOTHING, size=size)[0].each

    dear, less = over(PESSIMISTIC, small), over(PESSIMISTIC, large)
    lean, marked = over(OPTIMISTIC, small), over(MARKED, small)
    middle = sorted({row.size for row in calm})[-2:][0]
    right = dear >= DEAR and lean <= LEAN
    outcome = Outcome.NOT if not right else Outcome.HOLDS if less <= SMALL else Outcome.PART
    base = pick(calm, kind=NOTHING, size=small)[0]
    text = (
        f"A message of {number(small)} bytes took {number(base.each)} cycles to pinned memory, {lean:.2f} times that on demand "
        f"without a question, and {dear:.1f} times with a question before each. "
    )
    if outcome is Outcome.PART:
        exchange = pick(calm, kind=PESSIMISTIC, size=small)[0].each - base.each
        alone = 1 + exchange / pick(calm, kind=NOTHING, size=large)[0].each
        text += (
            f"That the exchange is small beside large messages was not seen: it cost {over(PESSIMISTIC, middle):.1f} times "
            f"with {number(middle // 1024)} KiB and {less:.1f} times with {number(large // 1024)} KiB, for who answers has to "
            f"look at every page that is asked for; question and answer alone, as with {number(small)} bytes, would make it "
            f"{alone:.1f} times. "
        )
    else:
        text += f"With {number(large // 1024)} KiB the question cost {less:.2f} times. "
    text += (
        f"The VM side's own proposal, to ask once and be told when a page goes, cost {marked:.2f} times: it is not what this "
        "objection is about. "
        if marked <= LEAN
        else f"Asking once, until told, cost {marked:.2f} times. "
    )
    taken = max(row.taken for row in rows)
    if taken:
        rest = {kind: pick(rows, kind=kind, size=small, taken=taken)[0].each for kind in (OPTIMISTIC, MARKED, PESSIMISTIC)}
        best = min(rest, key=lambda kind: rest[kind])
        text += (
            f"With {number(taken)} pages taken for each 1,000 messages the optimistic scheme took {number(rest[OPTIMISTIC])} "
            f"cycles a message, the one that is told {number(rest[MARKED])}, the pessimistic {number(rest[PESSIMISTIC])}"
        )
        text += "." if best != PESSIMISTIC else ": there the question pays."
    return Verdict(outcome, text)


def panels(rows: Sequence[Row]) -> Sequence[Panel]:
    calm, small = [row for row in rows if not row.taken], min(row.size for row in rows)
    sizes, rates = curves(calm, "size", "each"), curves(pick(rows, size=small), "taken", "each")
    return (
        Panel("Nothing is taken away", "bytes a message", "cycles a message", sizes, log_x=True, log_y=True),
        Panel(f"Messages of {small} bytes, pages taken away", "pages taken for each 1,000 messages", "cycles a message", rates),
    )


def tables(rows: Sequence[Row]) -> Sequence[Table]:
    calm, small = [row for row in rows if not row.taken], min(row.size for row in rows)
    busy = pick(rows, size=small)
    return (
        pivot(calm, "Cycles a message, nothing taken", "size", "bytes", "each"),
        pivot(busy, f"Cycles a message of {small} bytes", "taken", "taken of 1,000", "each"),
        pivot(busy, "Questions to the other side, the same runs", "taken", "taken of 1,000", "asked"),
    )


CLAIM = Claim(
    name="small_messages",
    title="Asking before every transfer is too dear for small messages; optimism is not",
    claim="Programs that send eight bytes at a time cannot synchronize with the other side before each transfer; RDMA is used "
    "because it needs no such thing. An optimistic scheme, which restarts what meets a missing page, serves them. Beside "
    "large messages the "
    "exchange would be small.",
    sources=(
        Source(
            "a vendor of message-passing adapters",
            "12 and 13 February",
            "a pessimistic approach will not be accepted; optimism with restart is what one vendor's whole architecture is "
            "built on; with large messages the exchange costs little",
        ),
        Source(
            "the VM side",
            "12 and 13 February",
            "messages are needed under memory pressure only; while a handle has heard of no invalidation an operation goes "
            "ahead as today",
        ),
        Source("the RDMA side", "13 February", "at the least every operation has to check whether its remote page is mapped"),
    ),
    setting=(
        f"B writes {Point.messages} messages, one after the other, to 16 pages of A: pinned; on demand, a fault "
        "restarting the transfer; "
        "by the A/B protocol, in which A establishes a page for B when it is first asked and tells B before it goes; and "
        "with a question to A, by SEND, and its answer before each message. All pages were used once before. In the second "
        "plot a page that the next message needs is migrated now and then.",
    ),
    assumed=(
        "One message at a time: what is measured is what a transfer waits for. With many under way an adapter hides some of it.",
        f"A message between the kernels takes {CHANNEL:,} cycles, a link's latency and an interrupt's. A question by SEND "
        "costs what the adapters and the waking of the thread that answers cost here; a thread that polls would be quicker.",
    ),
    points=lambda: [
        *(Point(kind, size) for kind in KINDS for size in SIZES),
        *(Point(kind, SIZES[0], taken) for kind in KINDS for taken in RATES if taken),
    ],
    measure=measure,
    row=Row,
    verdict=verdict,
    panels=panels,
    tables=tables,
)
