"""The port's contract (hwif/port.py) with HCAs behind it: one whose link leads back to it, and two, on every host."""

from __future__ import annotations

import pytest
from support.hca_hosts import HOSTS, HcaCase, play
from support.hosts import Played

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from hwif.port import Irq, LineKind, OracleStop, Snoop, ViolationReason
from hwif.trace import CPU_MASK, CPU_SHIFT, EVENT_MASK
from tb.hil.abi import Fate

ID = 0x48434131
RECORDED = ("REVOKED", "READ_ONLY", "OUTSIDE", "NO_REGION", "OUT_OF_REGION", "WRONG_DOMAIN", "NO_RIGHT")


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=[1, 2], ids=["loop", "two"])
def nodes(request: pytest.FixtureRequest) -> int:
    count: int = request.param
    return count


def played(host: str, nodes: int, program: str, **arguments: object) -> Played:
    return play(HcaCase(f"tests.contract.hca_programs:{program}", arguments, nodes=nodes), host)


def records(played: Played, event: TraceEvent) -> list[list[int]]:
    """Cycle, processor field, arguments."""
    rows = [row for row in played.trace.tolist() if row[1] & EVENT_MASK == event]
    return [[row[0], row[1] >> CPU_SHIFT & CPU_MASK, *row[2:]] for row in rows]


def test_without_events_advance_ends_exactly_at_until(host: str, nodes: int) -> None:
    assert played(host, nodes, "quiet_time").notes == [0, 1, 2, 10, 10, 1000, 123_456]


def test_every_node_knows_its_number(host: str, nodes: int) -> None:
    assert played(host, nodes, "identities").notes == [{"magic": ID, "node": node} for node in range(nodes)]


def test_each_node_answers_its_own_requests_in_order(host: str, nodes: int) -> None:
    answers = played(host, nodes, "requests_of_both").notes
    for node in range(nodes):
        own = [answer for answer in answers if answer.serial // 100 == node]
        assert [answer.serial % 100 for answer in own] == [3, 1, 2, 4]
        assert [answer.data for answer in own] == [(ID | node << 32,), (), (7 + node,), (0,)]
        assert [answer.error for answer in own] == [False, False, False, True], "there is no register at the last address"
    times = [[answer.cycle for answer in answers if answer.serial // 100 == node] for node in range(nodes)]
    assert all(each == times[0] for each in times), "no node waits for another's bus"


def test_commands_end_with_a_probe_of_their_node(host: str, nodes: int) -> None:
    case = played(host, nodes, "commands")
    assert case.notes == [(h.CmdStatus.OK, h.CmdStatus.OK)] * nodes
    probes = [(event.kind, event.index, event.node) for event in case.events if isinstance(event, Snoop)]
    for node in range(nodes):
        own = sorted(probe for probe in probes if probe[2] == node)
        assert own == [(LineKind.COMMAND, 0, node), (LineKind.COMMAND, 1, node), (LineKind.FENCE, 0, node)]
    fences = records(case, TraceEvent.HDEV_FENCE)
    assert [(row[1], row[2], row[3]) for row in fences] == [(16 * node + 1 if node else 0, 1, 5 + node) for node in range(nodes)]


@pytest.mark.parametrize(("length", "offset"), [(1, 0), (64, 0), (64, 1), (3 * 4096, 0x123), (0, 5)])
def test_a_write_lands_byte_for_byte(host: str, nodes: int, length: int, offset: int) -> None:
    case = played(host, nodes, "write", length=length, offset=offset)
    done, same = case.notes
    assert same and h.WcStatus(done["status"]) is h.WcStatus.SUCCESS and done["opcode"] == h.WcOpcode.RDMA_WRITE
    probes = [event for event in case.events if isinstance(event, Snoop) and event.kind is LineKind.CQ]
    assert [(event.index, event.node) for event in probes] == [(0, 0)]
    prefix = "b_" if nodes == 2 else ""
    assert case.statistics[f"{prefix}packets_landed"] == max(1, -(-length // 4096))
    assert not case.violations and case.statistics[f"{prefix}checked_bytes"] >= length


def test_every_verb(host: str, nodes: int) -> None:
    sent, received, words = played(host, nodes, "verbs").notes
    assert [h.WcOpcode(entry["opcode"]).name for entry in sent] == ["FETCH_ADD", "COMP_SWAP", "RDMA_READ", "SEND"]
    assert {entry["status"] for entry in [*sent, *received]} == {h.WcStatus.SUCCESS}
    assert [(entry["opcode"], entry["byte_len"]) for entry in received] == [(h.WcOpcode.RECV, 100)]
    assert words == [40, 42, 7], "the old values, and what the swap left"


def test_a_fault_raises_its_nodes_line_until_its_record_is_taken(host: str, nodes: int) -> None:
    case = played(host, nodes, "fault_and_resume")
    fault, level, status, done, same = case.notes
    assert (fault["direction"], fault["cause"]) == (h.FaultDir.RESPONDER, h.FaultCause.NOT_PRESENT)
    assert (fault["va"], fault["length"]) == (0x20_0000, 64)
    assert level == 0 and status is h.CmdStatus.OK and done["status"] == h.WcStatus.SUCCESS and same
    line = h.NODE_IRQS * (nodes - 1) + h.IrqLine.FAULT
    changes = [event for event in case.events if isinstance(event, Irq)]
    assert [(event.line, event.level) for event in changes if event.line == line] == [(line, 1), (line, 0)]
    assert [row[0] for row in records(case, TraceEvent.DEV_IRQ)] == [event.cycle for event in changes]
    assert [row[1] for row in records(case, TraceEvent.HDEV_FAULT)] == [17 if nodes == 2 else 0]


def test_the_trace_is_in_order_and_tells_the_node(host: str, nodes: int) -> None:
    case = played(host, nodes, "write", length=8192)
    cycles = [row[0] for row in case.trace.tolist()]
    assert cycles == sorted(cycles)
    sent = [row for row in records(case, TraceEvent.HDEV_PACKET) if row[6] and row[2] == h.PktOp.WRITE]
    taken = [row for row in records(case, TraceEvent.HDEV_PACKET) if not row[6] and row[2] == h.PktOp.WRITE]
    assert [(row[1], row[5]) for row in sent] == [(0, 4096), (0, 4096)]
    assert [(row[1], row[5]) for row in taken] == [(17 if nodes == 2 else 0, 4096)] * 2


@pytest.mark.parametrize("kind", RECORDED)
def test_the_oracle_stops_the_run_in_the_cycle_of_the_violation(host: str, nodes: int, kind: str) -> None:
    case = played(host, nodes, "violation", kind=kind)
    (violation,) = case.violations
    assert [event.cycle for event in case.events if isinstance(event, OracleStop)] == [violation.cycle]
    assert violation.reason is ViolationReason[kind] and violation.write and violation.mapped
    assert (violation.node, violation.ctx, violation.cbr) == (nodes - 1, 2, 1), "node, key, queue pair"
    assert violation.asid == h.Need.REMOTE_WRITE and violation.va == 0x20_0000
    assert case.statistics["b_violations" if nodes == 2 else "violations"] == 1


def test_what_is_not_mapped_must_be_the_kernels(host: str, nodes: int) -> None:
    (violation,) = played(host, nodes, "violation", kind="NOT_KERNEL").violations
    assert violation.reason is ViolationReason.NOT_KERNEL and violation.write and not violation.mapped and violation.node == 0


def test_the_oracle_lets_legal_beats_pass(host: str, nodes: int) -> None:
    case = played(host, nodes, "violation", kind="none")
    assert not case.violations and not any(isinstance(event, OracleStop) for event in case.events)


@pytest.mark.parametrize("fate", [Fate.LOSE, Fate.CORRUPT, Fate.TRUNCATE])
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_a_spoilt_packet_is_told_and_sent_again(host: str, nodes: int, fate: Fate, skip: int) -> None:
    case = played(host, nodes, "spoilt", fate=fate, opcode=h.PktOp.WRITE, skip=skip)
    done, same, counters = case.notes
    assert done["status"] == h.WcStatus.SUCCESS and same
    told = {Fate.LOSE: "link_lost", Fate.CORRUPT: "link_corrupted", Fate.TRUNCATE: "link_truncated"}[fate]
    assert case.statistics[told] == 1 == sum(case.statistics[name] for name in ("link_lost", "link_corrupted", "link_truncated"))
    assert counters["BAD_CRC"] == (fate is not Fate.LOSE), "what is lost leaves no trace"
    writes = [row for row in records(case, TraceEvent.HDEV_PACKET) if row[6] and row[2] == h.PktOp.WRITE]
    assert len(writes) > 3, "sent again"
    assert case.statistics["link_packets"] >= len(writes)
