"""The UVM tests of the GRU chip. A test is a class derived from ChipTest in a module of tb/uvm/gru/tests, and a line here."""

from __future__ import annotations

import re
from dataclasses import replace

from tb.plan.test import Kind, Test, Tier
from tb.tlb.bench import CORNERS

__all__ = ["TESTS"]


def _test(module: str, cls: str, about: str, rules: str = "", groups: str = "", seeds: int = 3, name: str = "") -> Test:
    name = name or re.sub(r"(?<!^)(?=[A-Z])", "_", cls).lower()
    target = f"tb.uvm.gru.tests.{module}:{cls}"
    chosen = tuple(f"gru {group}" for group in groups.split(", ") if group)
    return Test(name, about, Kind.UVM, target, "gru", "gru", tuple(rules.split()), chosen, seeds=seeds, seconds=120)


def _corner(cls: str, corner: str, tier: Tier, about: str) -> Test:
    """Random traffic over a TLB of another size."""
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", cls).lower()
    simulator = "gru:" + ",".join(f"{parameter}={value}" for parameter, value in CORNERS[corner].chip_parameters)
    test = _test(module, cls, about, "SD-1 SD-3 SD-8", TRAFFIC, 1, f"{module}_{corner.replace(' ', '_')}")
    return replace(test, simulator=simulator, tier=tier)


TRAFFIC = "opcode, fault answer, shootdown, context, fault map"
TESTS = (
    _test(
        "gru_random", "GruRandom", "every opcode, pages that move, contexts that are interrupted", "SD-1 SD-2 SD-3 SD-5", TRAFFIC
    ),
    _test("gru_sizes", "GruSizes", "every page size, mixed in each address space", "SD-1 SD-5 SD-7", TRAFFIC),
    _test("gru_storm", "GruStorm", "shootdowns without end, slow memory", "SD-2 SD-3 SD-8", TRAFFIC),
    _test("gru_contexts", "GruContexts", "contexts are interrupted and started all the time", "SD-2", TRAFFIC),
    _test("gru_polling", "GruPolling", "misses are told to the user", "SD-3", TRAFFIC),
    _test("gru_pressure", "GruPressure", "every channel of both buses is shut half of the time", "SD-2", TRAFFIC),
    _test("gru_atomics", "GruAtomics", "atomics, message queues and copies, many on the same double-words", "SD-2 SD-3", TRAFFIC),
    _test("gru_errors", "GruErrors", "memory answers with errors, fault handlers with exceptions", "", f"memory error, {TRAFFIC}"),
    _test("gru_errors", "GruErrorsEach", "each error at each opcode", "", f"memory error, {TRAFFIC}", seeds=1),
    _test("gru_wide", "GruWide", "all contexts, units, lines, address bits, fields of instructions", "SD-1", TRAFFIC, seeds=2),
    _test("gru_each", "GruEach", "contexts with all units, each flag, each refusal", "", f"{TRAFFIC}, context refused", seeds=1),
    _test("gru_held", "GruHeld", "all control blocks ready, memory takes nothing; all of them poll", "SD-2", TRAFFIC, seeds=1),
    _test("gru_registers", "GruRegisters", "the register window against its model", "", "register"),
    _test(
        "gru_commands", "GruCommands", "commands in every state", "", "fault answer, context, context refused, fault map", seeds=1
    ),
    _test("gru_commands", "GruSaved", "an interrupted instruction goes on in another context", "", "context", seeds=1),
    _test("gru_reset", "GruReset", "reset in the middle of everything", "", "reset"),
    *(
        _test("gru_directed", f"GruSd{n}", f"SD-{n} as a driver sees it", f"SD-{n}", "shootdown", seeds=1, name=f"gru_sd{n}")
        for n in range(1, 9)
    ),
    _test("gru_third_party", "GruThirdParty", "cocotbext-axi drives both buses", "SD-1 SD-2", TRAFFIC, seeds=1),
    _test("gru_passive", "GruPassive", "passive agents watch what others drive", "SD-1 SD-2", TRAFFIC, seeds=1),
    _corner("GruRandom", "smallest", Tier.DEFAULT, "a TLB of four entries, one slot, the shortest log"),
    _corner("GruContexts", "two ways", Tier.FULL, "two ways, three slots, a short log"),
    _corner("GruStorm", "one slot", Tier.FULL, "one shootdown at a time before the sweep"),
    _corner("GruStorm", "many slots", Tier.FULL, "few entries, a slot for each handle, a long log"),
    _corner("GruSizes", "largest", Tier.FULL, "the largest TLB, the longest log"),
)
