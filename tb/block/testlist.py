"""The block tests of the HCA: random traffic by profile (Kind.BLOCK), small blocks in their sizes, directed tests (Kind.PYTEST)."""

from __future__ import annotations

from collections.abc import Iterable

from tb.block import points_hca as points
from tb.hca_cells.bench import CACHES, PORTS, STORES
from tb.plan.cover import CoverGroup
from tb.plan.test import Kind, Test, Tier

__all__ = ["TESTS"]


def _block(
    name: str,
    about: str,
    target: str,
    block: str,
    rules: str = "",
    groups: Iterable[CoverGroup] = (),
    seeds: int = 2,
    tier: Tier = Tier.DEFAULT,
) -> Test:
    names = tuple(group.name for group in groups)
    return Test(name, about, Kind.BLOCK, f"tb.{target}", block, "", tuple(rules.split()), names, seeds, 300, tier)


def _xlt(name: str, about: str, rules: str = "SD-1 SD-2 SD-3 SD-4 SD-5 SD-6", function: str = "traffic", seeds: int = 2) -> Test:
    return _block(f"hca_xlt_{name}", about, f"hca_xlt.job:{function}", "hca_xlt", rules, points.XLT, seeds)


def _mmu(name: str, about: str, rules: str) -> Test:
    return _block(f"hca_mmu_{name}", about, "hca_mmu.job:traffic", "hca_mmu", rules, points.MMU, 3)


def _rx(name: str, about: str) -> Test:
    return _block(f"hca_rx_{name}", about, "hca_rx.job:traffic", "hca_rx", "SD-2 FQ-3 FQ-5", points.RX.values())


def _tx(name: str, about: str) -> Test:
    return _block(f"hca_tx_{name}", about, "hca_tx.job:traffic", "hca_tx", "SD-2 FQ-3", points.TX.values())


def _qp(name: str, about: str, seeds: int = 2) -> Test:
    return _block(f"hca_qp_{name}", about, "hca_qp.job:traffic", "hca_qp", "FQ-3 FQ-5", points.QP.values(), seeds)


RANDOM = (
    _xlt("plain", "look-ups, accesses, tables that change, regions registered anew: a bit of everything"),
    _xlt("storms", "bursts of invalidations until slots and tags run out, long accesses", "SD-1 SD-2 SD-8"),
    _xlt("crowded", "few pages, many changes", "SD-1 SD-2 SD-3 SD-7"),
    _xlt("few_uses", "few uses of few pages, asked again and again"),
    _xlt("keys", "regions registered anew all the time, uses held long", "SD-1 SD-6"),
    _xlt("wide", "more pages than the cache has places for", "SD-1 SD-4"),
    _xlt("wrong", "look-ups of wrong keys, domains, rights, bounds", "SD-6"),
    _xlt("slow_memory", "memory that refuses reads and answers late and out of order", "SD-2 SD-3"),
    _xlt("fast_memory", "memory that answers at once", "SD-2 SD-3"),
    _xlt("reset", "switched off in the middle of traffic"),
    _xlt("races", "an invalidation at every distance from a walk's end", "SD-1 SD-3 SD-5", "races", 1),
    _xlt("upgrades", "absent, read-only, writable, without an invalidation", "SD-7", "upgrades", 1),
    _xlt("everywhere", "regions and pages anywhere, numbers of the whole width", "SD-1 SD-6", "everywhere", 1),
    _mmu("plain", "commands, faults, accesses and interrupts, a bit of everything", "SD-1 SD-2 SD-8 FQ-1 FQ-2 FQ-3 FQ-4 FQ-5 FQ-6"),
    _mmu("faults", "many faults of few queue pairs, resumes right and wrong", "FQ-1 FQ-3 FQ-4 FQ-5"),
    _mmu("tiny_queues", "queues of one and two entries", "FQ-1 FQ-6 FQ-7"),
    _mmu("clears", "queue pairs start anew while their faults are outstanding", "FQ-1 FQ-3 FQ-4"),
    _mmu("refused", "memory refuses records, contexts, reports and fences", "FQ-1 FQ-2"),
    _mmu("races", "invalidations and fences against many short accesses", "SD-1 SD-2"),
    _mmu("slow", "memory and neighbours that make everything wait", "SD-2 FQ-1 FQ-2"),
    _mmu("coalescing", "counts and delays of the lines change all the time", "FQ-6"),
    _mmu("reset", "switched off in the middle of traffic, on again with other sizes", "FQ-1 FQ-7"),
    _tx("plain", "nothing is wrong"),
    _tx("trouble", "bad addresses, memory that refuses, translations that die, flushes, a cable that loses and damages"),
    _tx("one_pair", "all packets of one queue pair: one that fails takes those behind it along"),
    _tx("slow_cable", "a cable that makes everybody wait"),
    _tx("slow_memory", "memory so late that the slots are full"),
    _tx("large", "packets of 4096 bytes across pages"),
)
PACKETS = (
    _rx("plain", "nothing is wrong"),
    _rx("trouble", "bad packets, faults, memory that refuses, translations that die"),
    _rx("one_pair", "all packets of one queue pair"),
    _rx("many_pairs", "a hundred queue pairs, fast memory"),
    _rx("slow_memory", "memory so late that the slots are full"),
    _rx("large", "packets of 4096 bytes across pages"),
    _qp("plain", "nothing is wrong: nothing is sent twice"),
    _qp("trouble", "loss, faults at both ends, receivers that are not ready, each policy"),
    _qp("gaps", "lost packets are reported, the numbers wrap"),
    _qp("stall", "faults under STALL: nothing is sent twice"),
    _qp("discard", "faults under DISCARD"),
    _qp("restart", "faults under RESTART: no time-out"),
    _qp("window", "as many messages as may be unacknowledged"),
    _qp("many_pairs", "64 pairs side by side"),
    _qp("wide", "numbers, addresses, domains, rings over their whole width; messages of up to the greatest length"),
    _qp("wrap", "one pair sends more messages than an index has values", 1),
    _qp("late", "acknowledgements are lost: one that comes is for all that may be unacknowledged"),
)
COMPLETIONS = tuple(
    _block(f"hca_cq_{name}", about, "hca_cells.job:completions", "hca_cq", "", points.CQ.values())
    for name, about in (
        ("plain", "entries, doorbells, arms, queues given anew"),
        ("trouble", "memory that refuses entries, switched off in the middle"),
        ("slow_memory", "as many entries on their way as there may be"),
        ("all", "every queue, given anew all the time"),
        ("long", "one queue of the largest size goes round, further than its index has values"),
    )
)
REGISTERS = (
    _block("hca_regs_wide", "every register, event and counter at full width", "hca_cells.job:registers", "hca_regs", "FQ-6"),
)
STORE_SIZES = tuple(_block(f"hca_stores_{n}", f"stores of {n} places", "hca_cells.job:store", "hca", seeds=1) for n in STORES)
PORT_SIZES = tuple(
    _block(f"hca_port_{'_'.join(map(str, of))}", "readers, writers, accesses under way", "hca_cells.job:port", "hca_axi", seeds=1)
    for of in PORTS
)
CACHE_SIZES = tuple(
    _block(
        f"hca_caches_{'_'.join(map(str, of))}", "entries, ways, keys", "hca_cells.job:cache", "hca_xlt", "SD-1 SD-5 SD-7", seeds=1
    )
    for of in CACHES
)


def _directed(name: str, about: str, block: str, rules: str, tier: Tier = Tier.DEFAULT) -> Test:
    target = f"tests/unit/test_rtl_hca_{name}.py"
    return Test(f"hca_{name}_directed", about, Kind.PYTEST, target, block, rules=tuple(rules.split()), seconds=900, tier=tier)


SHOOT = "SD-1 SD-2 SD-3 SD-4 SD-5 SD-6 SD-7 SD-8"
FAULTS = "FQ-1 FQ-2 FQ-3 FQ-4 FQ-5 FQ-6 FQ-7"
DIRECTED = (
    _directed("xlt", "translation: cycle counts, every check of a key, tables and what they reach", "hca_xlt", "SD-7"),
    _directed(
        "xlt_invalidation",
        "translation: every edge of an invalidation, every distance in cycles from it",
        "hca_xlt",
        "SD-1 SD-2 SD-3 SD-4 SD-5 SD-6 SD-8",
    ),
    _directed("mmu", "registers, every command and its errors, invalidations and fences", "hca_mmu", "SD-1 SD-2 SD-6 SD-8"),
    _directed("fault", "tokens, the queue at its last entry, resumes, the line; broken variants", "hca_mmu", FAULTS),
    _directed("rx", "the receive engine: rates, and broken variants", "hca_rx", "SD-2"),
    _directed("tx", "the way to the cable: rates", "hca_tx", ""),
    _directed("link", "the cable: latency, rate, fates of packets, skipped time", "hca_link", ""),
    _directed("events", "queue pairs: what a command finds and leaves, whose turn it is", "hca_qp", "FQ-5"),
    _directed("seen", "what a monitor sees of translation", "hca_xlt", ""),
    _directed("overlooked", "what mutants of the memory side showed that nobody looked at", "hca_mmu", "SD-8 FQ-6"),
    _directed("told", "what the chip says of itself: reports, counters, records", "hca", "FQ-1 FQ-4"),
    _directed("qp", "queue pairs: rates, policies, and broken variants", "hca_qp", "FQ-5", Tier.FULL),
    _directed("rules", "the rules of docs/hca.md on the chip", "hca", f"{SHOOT} {FAULTS}", Tier.FULL),
    _directed("chip", "off and on in the middle of traffic", "hca", "", Tier.FULL),
)
TESTS = (*RANDOM, *PACKETS, *COMPLETIONS, *REGISTERS, *PORT_SIZES, *STORE_SIZES, *CACHE_SIZES, *DIRECTED)
