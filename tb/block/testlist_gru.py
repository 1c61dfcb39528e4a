"""The regression's tests of the GRU's blocks: random traffic of the TLB and of the handles beside their references, the corners of
the TLB's parameters, and the directed tests.

A directed test that is named here is a rule's; the others of its file are played by `make test`.
"""

from __future__ import annotations

from tb.block.points_gru import HANDLES, TLB
from tb.plan.test import Kind, Test, Tier

__all__ = ["TESTS"]

_TLB = tuple(group.name for group in TLB)
_HANDLES = tuple(group.name for group in HANDLES)


def _traffic(
    name: str, block: str, about: str, rules: str, groups: tuple[str, ...], seeds: int = 2, tier: Tier = Tier.DEFAULT
) -> Test:
    bench = "tlb" if block == "gru_tlb" else "gru_handles"
    return Test(name, about, Kind.BLOCK, f"tb.{bench}.job:traffic", block, "", tuple(rules.split()), groups, seeds, 60, tier)


def _corner(name: str, about: str, tier: Tier = Tier.DEFAULT) -> Test:
    return _traffic(f"gru_tlb_{name}", "gru_tlb", about, "SD-1 SD-2 SD-3 SD-5 SD-8", _TLB, 1, tier)


def _directed(name: str, block: str, file: str, test: str, about: str, rules: str) -> Test:
    node = f"tests/unit/{file}.py" + (f"::{test}" if test else "")
    return Test(name, about, Kind.PYTEST, node, block, "", tuple(rules.split()), seconds=180)


def _tlb(name: str, test: str, about: str, rules: str) -> Test:
    return _directed(f"rtl_tlb_{name}", "gru_tlb", "test_rtl_tlb", f"test_{test}", about, rules)


def _fill(name: str, test: str, about: str, rules: str) -> Test:
    return _directed(f"rtl_tlb_{name}", "gru_tlb", "test_rtl_tlb_fills", f"test_{test}", about, rules)


RANDOM = (
    _traffic(
        "gru_tlb_plain", "gru_tlb", "every kind of shootdown between look-ups and drop-ins", "SD-1 SD-2 SD-3 SD-5 SD-6 SD-7", _TLB
    ),
    _traffic("gru_tlb_storms", "gru_tlb", "bursts of shootdowns, long accesses", "SD-2 SD-4 SD-8", _TLB),
    _traffic("gru_tlb_flood", "gru_tlb", "shootdowns without end, drop-ins so late that the log has lapped", "SD-3 SD-8", _TLB),
    _traffic("gru_tlb_quick", "gru_tlb", "drop-ins at once, short accesses: everything meets everything", "SD-1 SD-3 SD-7", _TLB),
    _traffic("gru_tlb_crowded", "gru_tlb", "more pages than the sets have ways", "SD-1 SD-7", _TLB),
    _traffic("gru_tlb_aimed", "gru_tlb", "shootdowns at what goes on in their very cycle", "SD-1 SD-2 SD-3", _TLB),
    _traffic("gru_tlb_reset", "gru_tlb", "reset in the middle of everything", "SD-1 SD-2 SD-3", _TLB),
    _traffic(
        "gru_handles_random", "gru_tfh", "misses, commands, drop-ins, maps and shootdowns side by side", "SD-3 FQ-1 FQ-6", _HANDLES
    ),
    _traffic("gru_handles_commands", "gru_tfh", "commands to few handles whose contexts come and go", "SD-3", _HANDLES),
    _traffic("gru_handles_maps", "gru_tfm", "maps of few cores, set and cleared at once", "FQ-1 FQ-6", _HANDLES),
    _traffic("gru_handles_shoots", "gru_tgh", "every shootdown handle busy, a slow TLB", "SD-2 SD-6 SD-8", _HANDLES),
    _traffic("gru_handles_calm", "gru_tgh", "one thing at a time", "SD-6 FQ-6", _HANDLES),
    _traffic("gru_handles_reset", "gru_tfh", "reset in the middle of everything", "SD-2 FQ-1", _HANDLES),
)
CORNERS = (
    _corner("smallest", "two sets of two ways, one slot, the shortest log"),
    _corner("two_ways", "two ways, three slots, a short log"),
    _corner("largest", "4,096 entries: as many as indexway can name"),
    _corner("one_slot", "a single slot: shootdowns wait for each other", Tier.FULL),
    _corner("many_slots", "a slot for every shootdown handle, few sets", Tier.FULL),
)
DIRECTED = (
    _tlb("full_rate", "lookups_outside_go_on_at_full_rate", "a look-up a cycle during a whole sweep", "SD-4"),
    _tlb("dead_at_once", "covered_entries_are_dead_in_the_next_cycle", "every range, scope and size", "SD-1 SD-2 SD-8"),
    _tlb("range_edges", "range_edges", "one page inside an entry, and the pages beside it", "SD-5"),
    _tlb("space_edges", "edges_of_the_address_space_are_ordinary", "address 0, ASID 0, the last page", "SD-6"),
    _tlb("mask", "mask_hides_high_page_number_bits", "vaddrmask", "SD-6"),
    _tlb("other_context", "context_scope_waits_for_accesses_of_the_context_through_anothers_entry", "who is waited for", "SD-2"),
    _tlb("exact_drain", "drain_is_exact_for_many_handles_at_once", "24 handles, 128 accesses", "SD-2 SD-8"),
    _tlb(
        "same_cycle",
        "who_ends_may_begin_again_in_the_same_cycle",
        "a look-up as its access ends, a shootdown at its status",
        "SD-2",
    ),
    _tlb("slots", "slots_run_out_and_come_back_within_a_sweep", "the ninth shootdown", "SD-8"),
    _fill("lapped_log", "lapped_log_drops_to_be_safe", "more shootdowns than the log holds", "SD-3"),
    _fill("log", "a_covering_shootdown_anywhere_in_the_log_drops", "every place of the log", "SD-3"),
    _fill("upgrade", "write_to_a_clean_entry_misses_and_the_upgrade_replaces_it", "a permission upgrade", "SD-7"),
    _fill("sizes", "sizes_replace_each_other", "drop-ins of another size over an address", "SD-5 SD-7"),
    _fill("race_lookup", "shootdown_against_lookup_of_the_same_entry", "every relative cycle", "SD-1 SD-2"),
    _fill("race_fill", "shootdown_against_drop_in", "every relative cycle", "SD-3"),
    _fill(
        "refill", "drop_in_after_the_shootdown_survives_the_sweep", "a new drop-in at every distance from the sweep", "SD-1 SD-3"
    ),
    _directed("rtl_gru_instructions", "gru", "test_rtl_gru", "", "every opcode, exception, atomic and message queue", "SD-2 FQ-6"),
    _directed(
        "gru_handles",
        "gru",
        "test_rtl_gru_handles",
        "",
        "window, contexts, misses, shootdowns, save and restore",
        "SD-2 SD-3 FQ-1 FQ-6",
    ),
    _directed(
        "gru_told", "gru", "test_rtl_gru_told", "", "what the chip says of a miss: trace, probes, the busy bit; ASIDs", "FQ-6"
    ),
    _directed(
        "gru_timing", "gru", "test_rtl_gru_timing", "", "cycle counts of the chip, and its broken variants", "SD-2 SD-4 SD-8"
    ),
)
TESTS = (*RANDOM, *CORNERS, *DIRECTED)
