"""The fabric locks up when fault service needs the port that faults stall.

Queue pairs write to pages in swap, under each fault policy. In the first experiment swap lies on the other system, behind the very
port; in the second it is near, and somebody else wants to use the port meanwhile. Both are scenarios, with other parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwif.gen import timing
from hwif.gen.hca import FaultPolicy
from shootdown.claims.base import Claim, Outcome, Panel, Source, Table, Verdict, curves, pick, pivot
from shootdown.claims.pair import play
from shootdown.claims.words import number, percent
from sw_stack.workloads.hca_scenarios import fault_policies, swap_over_the_link
from sw_stack.workloads.hca_stage import HcaStage

__all__ = ["CLAIM", "Point", "Row"]

FAR = "swap behind the port"
NEAR = "a bystander on the port"
POLICIES = tuple(policy.name.lower() for policy in FaultPolicy)
STALL = FaultPolicy.STALL.name.lower()
VICTIMS = (1, 2, 4, 6, 8, 12, 16)
FELT = 2.0
"""Cost to a bystander, over that of an idle port, that is a performance problem."""


@dataclass(frozen=True)
class Point:
    what: str
    policy: str
    victims: int
    rounds: int = 2


@dataclass(frozen=True)
class Row:
    what: str
    policy: str
    victims: int
    """Queue pairs that fault at once."""
    pages: int
    """That had to come from swap."""
    standstills: int
    """Of these, whose answer could not come in (swap behind the port)."""
    bystander: int
    """Cycles of a write of the bystander (a bystander on the port)."""


def measure(point: Point, seed: int) -> Row:
    policy = FaultPolicy[point.policy.upper()]
    found = {"pages": 0, "standstills": 0, "bystander": 0}

    async def far(stage: HcaStage) -> None:
        await swap_over_the_link.compete(stage, (policy,), point.victims, point.rounds)
        found["standstills"] = stage.times(f"standstill_{point.policy}")
        found["pages"] = stage.times("fetched") + found["standstills"]

    async def near(stage: HcaStage) -> None:
        cost = await fault_policies.bystander(stage, (policy,), point.victims, point.rounds)
        found["bystander"] = cost[policy] // (point.rounds * fault_policies.TURNS)
        found["pages"] = point.victims * point.rounds * fault_policies.PAGES

    scenario = swap_over_the_link if point.what == FAR else fault_policies
    play(far if point.what == FAR else near, seed, frames=scenario.NEEDS.frames, policies=scenario.NEEDS.policies)
    return Row(point.what, point.policy, point.victims, **found)


def verdict(rows: Sequence[Row]) -> Verdict:
    far, near = pick(rows, what=FAR), pick(rows, what=NEAR)
    stuck = {policy: [row for row in pick(far, policy=policy) if row.standstills] for policy in POLICIES}
    others = [policy for policy in POLICIES if policy != STALL]
    most = max(row.victims for row in far)
    idle = {row.policy: row.bystander for row in near if not row.victims}
    slow = {row.policy: row.bystander / idle[row.policy] for row in near if row.victims == max(one.victims for one in near)}
    locks = bool(stuck[STALL])
    spared = not any(stuck[policy] for policy in others)
    if not locks:
        outcome = Outcome.NOT
    elif spared:
        outcome = Outcome.PART  # true of holding packets, not of every way to take a fault: the thread named both
    else:
        outcome = Outcome.HOLDS
    text = ""
    if locks:
        first = min(stuck[STALL], key=lambda row: row.victims)
        worst = pick(far, policy=STALL, victims=most)[0]
        text += (
            f"An adapter that holds what faults comes to a standstill as soon as {number(first.victims)} queue pairs fault at "
            f"once, and with {number(most)}, {number(worst.standstills)} of {number(worst.pages)} pages could not come in: "
            "only a copy elsewhere freed it. "
        )
    else:
        text += "No policy came to a standstill. "
    if spared:
        pages = sum(row.pages for policy in others for row in pick(far, policy=policy))
        text += f"One that drops what faults, {' or '.join(others)}, met {number(pages)} such pages and never did. "
    text += (
        f"A bystander's write took {slow[STALL]:.1f} times its time beside {STALL}"
        + "".join(f", {slow[policy]:.1f} beside {policy}" for policy in others)
        + ". "
    )
    if outcome is Outcome.PART:
        harmless = [policy for policy in others if slow[policy] < FELT]
        text += "The warning is right of stalling" + (", deadlock and slow neighbours both" if slow[STALL] >= FELT else "") + ". "
        text += (
            "Dropping, the other way that was named, has neither price here: it is paid by the transfer that faults."
            if len(harmless) == len(others)
            else "Dropping does not lock up either, but the neighbours feel it."
        )
    return Verdict(outcome, text)


def panels(rows: Sequence[Row]) -> Sequence[Panel]:
    stuck = curves(pick(rows, what=FAR), "victims", lambda row: 100 * row.standstills / row.pages, "policy")
    slow = curves(pick(rows, what=NEAR), "victims", "bystander", "policy")
    x = "queue pairs that fault at once"
    return (
        Panel("Swap behind the port: pages that could not come in", x, "%", stuck),
        Panel("Swap near: a write of somebody else", x, "cycles", slow, log_y=True),
    )


def tables(rows: Sequence[Row]) -> Sequence[Table]:
    far, near = pick(rows, what=FAR), pick(rows, what=NEAR)

    def stuck(row: Row) -> str:
        return f"{number(row.standstills)} of {number(row.pages)} ({percent(row.standstills / row.pages)})"

    x = "queue pairs that fault"
    return (
        pivot(far, "Swap behind the port: pages whose answer could not come in", "victims", x, stuck, across="policy"),
        pivot(near, "Swap near: cycles of a bystander's write of 64 bytes", "victims", x, "bystander", across="policy"),
    )


CLAIM = Claim(
    name="deadlock",
    title="The fabric locks up when fault service needs the port that faults stall",
    claim="An end port must take packets without making its input depend on its output. If a fault holds packets until the page is "
    "there, and the page must come in through the same port, nothing moves any more; and short of that, the neighbours pay.",
    sources=(
        Source(
            "the RDMA side",
            "12 February",
            "swap over the same fabric would be prone to deadlock; stalling or discarding is all an adapter can do, since "
            "the wire has no word for not being ready, and both perform badly",
        ),
        Source("an iWARP vendor", "12 February", "tolerable if such events are few and far between"),
        Source(
            "a vendor of message-passing adapters",
            "12 February",
            "restarting transfers, instead of buffering them, avoids the deadlock, at the price of packets thrown away",
        ),
    ),
    setting=(
        f"Queue pairs of B write {fault_policies.PAGES} pages each to memory of A that is in swap, all at once. The "
        "receive side stalls (packets "
        "wait in the bounded buffer), discards (RNR NAK, the sender comes again) or restarts (it is told when). First A's "
        "pages are swapped to B, so that A must read each from B through its own port: the scenario `swap_over_the_link`. A "
        f"read that is not answered within {swap_over_the_link.PATIENCE:,} cycles counts as a standstill; then a copy that is "
        "near serves it.",
        "In the second plot swap is near, and a bystander writes 64 bytes at a time to a page that is there: `fault_policies`.",
    ),
    assumed=(
        "One link, no switch: what stops here is a link, in a fabric it would be every path through the port.",
        f"The price of a page from near swap is {timing.SW_SWAP_READ:,} cycles, and during all of it a stalled port stands.",
        "What a dropped transfer itself takes is not in the figures. Its sender tries again after "
        f"{fault_policies.DELAY:,} cycles (discard), or when it is told (restart); the claim `paging` has what faults cost.",
    ),
    points=lambda: [
        *(Point(FAR, policy, victims) for policy in POLICIES for victims in VICTIMS),
        *(Point(NEAR, policy, victims) for policy in POLICIES for victims in (0, *VICTIMS)),
    ],
    measure=measure,
    row=Row,
    verdict=verdict,
    panels=panels,
    tables=tables,
)
