"""Tests of software and RTL together: scenarios, and the recorded program, on the native host; and of the software alone.

Promises: between them they exercise every rule of the notifiers, and those of both devices as a driver meets them. With the seeds
of the default set every scenario meets its race.
"""

from __future__ import annotations

from shootdown.regress.cosim_points import GROUPS
from tb.plan.test import Kind, Test, Tier

__all__ = ["TESTS"]

NAMES = tuple(group.name for group in GROUPS)


def _test(
    device: str,
    scenario: str,
    rules: str,
    about: str,
    seeds: int = 1,
    tier: Tier = Tier.DEFAULT,
    seconds: float = 120.0,
    **options: int,
) -> Test:
    return Test(
        f"cosim_{device}_{scenario}",
        about,
        Kind.COSIM,
        f"{device}:{scenario}",
        device,
        rules=tuple(rules.split()),
        groups=NAMES,
        seeds=seeds,
        seconds=seconds,
        tier=tier,
        options={name: str(value) for name, value in options.items()},
    )


GRU = (
    _test("gru", "dropin_shootdown", "SD-1 SD-2 SD-3 MN-1 MN-3", "a drop-in races a shootdown at every distance", 2, Tier.SMOKE),
    _test("gru", "exit_with_faults", "MN-4 MN-5", "a process exits with its device's faults outstanding"),
    _test("gru", "fork_cow", "SD-7 MN-1 MN-3 MN-5", "fork, then parent and child write while the device writes", 3, preempt_odds=2),
    _test("gru", "migration_dma", "SD-1 SD-2 MN-3 MN-6", "pages migrate under DMA", 2),
    _test("gru", "reclaim_in_use", "SD-1 MN-3 MN-6", "reclaim takes a page that the device keeps using", 2),
    _test("gru", "context_steal", "SD-6 MN-5", "contexts are stolen with faults pending"),
    _test("gru", "asid_wrap", "SD-6 MN-5", "address space numbers wrap while contexts are live"),
    _test("gru", "small_in_huge", "SD-5", "4 KiB invalidations inside a 2 MiB page"),
    _test("gru", "shootdown_bcopy", "SD-2 SD-4", "a shootdown while copies stream through the range"),
    _test("gru", "top_of_address_space", "SD-6", "ranges that end at the top of the address space"),
    _test("gru", "mprotect_readonly", "SD-1 MN-1", "the right to write goes and comes back while the device writes"),
    _test("gru", "write_clean_entry", "SD-7", "writes to an entry that was dropped in for reading"),
    _test("gru", "late_answer", "SD-3", "a miss is answered twice, the second time too late"),
    _test("gru", "more_faults_than_threads", "SD-8", "more faults at once than the driver has threads"),
    _test("gru", "remap_other_frame", "SD-1 MN-3", "munmap, and the address again on another frame"),
    _test("gru", "bad_address", "SD-6", "an address that is nobody's"),
    _test("gru", "all_clients_at_once", "MN-1 MN-2 MN-3 MN-4 MN-6", "every kind of client on one address space", 2),
    _test(
        "gru", "program", "SD-1 SD-2 MN-1 MN-3 MN-6", "the recorded program, swapping", 2, memory=300, limit=1500, preempt_odds=2
    ),
)
HCA = (
    _test("hca", "two_empty_one_table", "MN-1 SD-8", "two invalidations empty one table of a region", 2, Tier.SMOKE),
    _test("hca", "all_clients_two_systems", "MN-1 MN-2 MN-4 MN-6", "every kind of client on two systems", 3, preempt_odds=2),
    _test("hca", "page_in_flight", "SD-1 SD-2 MN-3", "accesses between their beats when their page goes"),
    _test("hca", "part_of_huge_page", "SD-5", "4 KiB invalidations inside a 2 MiB page"),
    _test("hca", "end_of_everything", "SD-6", "an invalidation of the range up to the end of everything"),
    _test("hca", "region_edges", "SD-6", "operations one byte outside a region that keeps faulting"),
    _test("hca", "invalidation_storm", "SD-4 SD-8 MN-1", "a page's neighbour is invalidated without pause"),
    _test("hca", "upgrade_livelock", "SD-7", "a read-only translation is cached, and the page becomes writable"),
    _test("hca", "child_and_parent", "SD-3 MN-1", "a region goes while a table of it is freed and a fault makes another"),
    _test("hca", "dereg_madvise", "SD-3 MN-5", "deregistration while madvise takes the pages"),
    _test("hca", "exit_in_fault", "FQ-4 FQ-5 MN-4", "a process exits with faults of its memory in flight"),
    _test("hca", "more_faults_than_queue", "FQ-1 FQ-2 FQ-6 FQ-7", "more faults at once than the fault queue has entries"),
    _test("hca", "queue_pair_gone", "FQ-3 FQ-4", "queue pairs are destroyed with faults outstanding"),
    _test("hca", "packet_damming", "FQ-3", "operations behind one that faults, on the same queue pair"),
    _test("hca", "ask_before_free", "MN-3", "a page is freed when the other system has confirmed"),
    _test("hca", "marked_handle", "MN-3 MN-6", "an adapter that cannot fault and pins nothing"),
    _test("hca", "optimistic_restart", "FQ-3 MN-6", "transfers that are restarted where they met a missing page"),
    _test("hca", "pinned_in_flight", "SD-2", "a pinned region is deregistered with accesses in flight"),
    _test("hca", "pinned_pages", "MN-6", "reclaim and migration cannot move pinned pages"),
    _test("hca", "fault_policies", "FQ-3 FQ-7", "what a fault costs others: stall, discard, restart", tier=Tier.FULL, seconds=300),
    _test("hca", "swap_over_the_link", "FQ-3 MN-6", "swap behind the port that faults stall", tier=Tier.FULL, seconds=400),
    _test("hca", "adapters_under_pressure", "MN-3 MN-6", "a smart and a dumb adapter under pressure", tier=Tier.FULL, seconds=400),
    _test(
        "hca", "program", "SD-1 FQ-1 MN-1 MN-6", "the recorded program and remote traffic", tier=Tier.FULL, seconds=600, limit=1000
    ),
)
SOFTWARE = (
    Test(
        "sw_notifiers",
        "the software stack alone, at random: ranges, clients that come and go, memory that runs out",
        Kind.BLOCK,
        "shootdown.regress.notifier_job:play",
        "sw",
        rules=("MN-1", "MN-2", "MN-3", "MN-4", "MN-5", "MN-6"),
        groups=NAMES,
        seeds=5,
    ),
)
TESTS = (*GRU, *HCA, *SOFTWARE)
