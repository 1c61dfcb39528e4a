"""The UVM tests of the HCA. A test is a class derived from HcaBaseTest in a module of tb/uvm/hca/tests, and a line here."""

from __future__ import annotations

from tb.plan.test import Kind, Test
from tb.uvm.hca.points import ALL

__all__ = ["TESTS"]


SECONDS = 240
GROUPS = tuple(group.name for group in ALL)
"""Every test feeds them all: coverage sits beside the boards, whatever is played."""


def _test(name: str, cls: str, about: str, rules: str, *, module: str = "") -> Test:
    target = f"tb.uvm.hca.tests.{module or name}:{cls}"
    return Test(name, about, Kind.UVM, target, "hca", "hca", tuple(rules.split()), GROUPS, seeds=1, seconds=SECONDS)


TESTS = (
    _test(
        "hca_mixed",
        "HcaMixed",
        "every verb under every policy, pages that go and come back",
        "SD-1 SD-2 SD-3 FQ-1 FQ-4",
        module="hca_traffic",
    ),
    _test(
        "hca_backpressure", "HcaBackpressure", "the same, and everybody makes the device wait", "SD-2 FQ-2", module="hca_traffic"
    ),
    _test("hca_damage", "HcaDamage", "the same over a cable that spoils packets", "FQ-4 SD-2", module="hca_traffic"),
    _test("hca_third_party", "HcaThirdParty", "the same on cocotbext-axi's master and memory", "SD-2", module="hca_traffic"),
    _test(
        "hca_fault_queue",
        "HcaFaultQueue",
        "more faults than entries, one refused, one late",
        "FQ-1 FQ-2 FQ-3 FQ-5 FQ-7",
        module="hca_faults",
    ),
    _test("hca_tokens", "HcaTokens", "right, stale, repeated, forged tokens, of both sides", "FQ-3 FQ-4 FQ-5", module="hca_faults"),
    _test(
        "hca_fault_line",
        "HcaFaultLine",
        "the fault line against software that empties, masks and coalesces",
        "FQ-2 FQ-6 FQ-7",
        module="hca_faults",
    ),
    _test("hca_policies", "HcaPolicies", "a fault under every packet of a message, under every policy", "FQ-3 FQ-4 SD-2"),
    _test(
        "hca_peer_requests",
        "HcaPeerRequests",
        "the link agent requests: good, repeated, early, spoilt, refused",
        "FQ-3 FQ-4",
    ),
    _test(
        "hca_peer_answers",
        "HcaPeerAnswers",
        "the link agent answers: ACK, every NAK, nothing, answers in pieces",
        "",
    ),
    _test("hca_peer_random", "HcaPeerRandom", "messages both ways, lost, repeated, spoilt, slow", "SD-2"),
    _test(
        "hca_shootdown", "HcaShootdown", "invalidations against accesses and walks under way, in bursts", "SD-1 SD-2 SD-3 SD-4 SD-8"
    ),
    _test("hca_scope", "HcaScope", "large pages, edges of the address space, upgrades", "SD-5 SD-6 SD-7", module="hca_shootdown"),
    _test("hca_commands", "HcaCommands", "every command with every status, a queue that stops", "SD-6 SD-8 FQ-4"),
    _test("hca_errors", "HcaErrors", "memory refuses each kind of access once", "FQ-1 FQ-2 FQ-5"),
    _test("hca_reset", "HcaReset", "reset and switching off in the middle of everything", "FQ-1 FQ-6 SD-2"),
    _test("hca_outcomes", "HcaOutcomes", "every opcode with every status", "FQ-5"),
    _test("hca_queues", "HcaQueues", "completion queues: full, past full, armed, coalescing", "FQ-6 FQ-7"),
    _test("hca_registers", "HcaRegisters", "the register block against the model made from spec/hca.rdl", "FQ-6"),
    _test("hca_wide", "HcaWide", "addresses, keys, numbers, slots, tags, operands of all bits", "SD-2 SD-6"),
    _test("hca_passive", "HcaPassive", "nobody of ours drives: cocotbext-axi on the bare pins, all agents watch", "SD-2"),
)
