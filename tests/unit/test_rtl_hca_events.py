"""The RTL of the queue pairs, event by event: what a command finds and leaves, whose turn it is, what is answered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hwif.gen import hca as h
from hwif.gen.hca import MTU_SHIFT_MAX, MTU_SHIFT_MIN
from tb.hca_qp_events.bench import Events

OK, BAD_CONTEXT = h.CmdStatus.OK, h.CmdStatus.BAD_CONTEXT
Nak = h.NakSyndrome


@pytest.fixture
def events() -> Iterator[Events]:
    """A block; at the end no assertion may have failed."""
    made = Events()
    yield made
    failed = made.failed
    made.close()
    assert not failed


@pytest.mark.parametrize("qpn", [0, 1, 0x5A5, h.NUM_QP - 1])
def test_a_load_drops_what_waits_of_this_queue_pair(events: Events, qpn: int) -> None:
    assert events.do(**events.modify(qpn)).done_status == OK
    events.do(**events.modify(qpn ^ 0x421))
    assert events.flushed == [qpn, qpn ^ 0x421]


@pytest.mark.parametrize("bad", [{"mtu_shift": MTU_SHIFT_MIN - 1}, {"mtu_shift": MTU_SHIFT_MAX + 1}, {"state": 7}, {"policy": 3}])
def test_a_context_that_cannot_be_meant_changes_nothing(events: Events, bad: dict[str, int]) -> None:
    assert events.do(**events.modify(3, psn=77)).done_status == OK
    assert events.do(**events.modify(3, psn=99, **bad)).done_status == BAD_CONTEXT
    assert events.flushed == [3]
    found = events.query(3)
    assert (found.done_status, found.state, found.epsn) == (OK, h.QpState.RTS, 77)


@pytest.mark.parametrize("ahead", range(-4, 13))
def test_a_command_finds_no_event_half_done(events: Events, ahead: int) -> None:
    """A request that ends a queue pair, in each cycle about the command that begins it anew: the new life hears nothing of it."""
    events.do(**events.modify(5))
    command, wrong = events.modify(5, psn=0x1000), events.packet(5, h.PktOp.WRITE, rest=1)
    started = max(0, -ahead)
    done = False
    for cycle in range(60):
        given = (command if command and cycle >= started + ahead else {}) | (wrong if wrong and cycle >= started else {})
        out = events.step(**given)
        if "cmd" in given and out.cmd_ready:
            command = {}
        if "pkt" in given and out.pkt_ready:
            wrong = {}
        done = done or bool(out.done)
    assert done and not wrong
    found = events.query(5)
    assert (found.state, found.epsn) == (h.QpState.RTS, 0x1000)


def test_who_begins_anew_keeps_its_place_among_the_completions(events: Events) -> None:
    """A place, not two: completions of others come between its own."""
    first, twice, other = 12, 5, 9
    for qpn in (first, twice, other):
        events.do(**events.modify(qpn))
    events.takes = False
    events.write(first, 2)
    events.write(twice, 1)
    events.do(**events.modify(twice))
    events.write(twice, 2)
    events.write(other, 2)
    events.takes = True
    events.finish()
    assert events.completed == [(first, 0), (first, 1), (twice, 0), (other, 0), (twice, 1), (other, 1)]


def test_a_gap_after_a_restart_is_reported(events: Events) -> None:
    """RESTART makes the other end send again; when the first of that is lost, the next one says so."""
    events.do(**events.modify(5, policy=h.FaultPolicy.RESTART))
    events.hear(5, h.PktOp.WRITE, psn=0, result=h.XltResult.FAULT_NOT_PRESENT)
    events.hear(5, h.PktOp.WRITE, psn=1)
    events.resume(5)
    for psn in (1, 2):
        events.hear(5, h.PktOp.WRITE, psn=psn)
    told = [(packet.syndrome, packet.psn) for packet in events.sent]
    assert told == [(Nak.SUSPEND, 0), (Nak.RESTART, 0), (Nak.PSN, 0)]
