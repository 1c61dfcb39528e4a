"""What the adapter in RTL says of itself to software, where mutants showed that nobody had asked: reports, counters, the fields of
records and completions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.hca_chip import A_VA, B_VA, PAGE, Pair, events
from support.hca_hosts import HcaCase, open_device

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from tb.hil.abi import HcaOptions
from tb.hil.hca_bare import Bare, settings
from tb.hil.hca_lines import line_of

LENGTH = 4 * PAGE
SIDES = ("next_psn", "una_psn", "epsn", "msn", "sq_prod", "sq_next", "sq_done", "rq_prod")


@contextmanager
def pair(chosen: settings | None = None, *, qp: dict[str, int] | None = None, **options: int) -> Iterator[Pair]:
    """Two nodes with a region each and a connected queue pair."""
    device = open_device(HcaCase("", options=HcaOptions(**options)), "native")
    try:
        yield Pair(on=Bare(device, chosen), qp=qp)
    finally:
        device.close()


@pytest.mark.parametrize("page", [0, 1, 3])
def test_the_record_of_a_reads_source_says_what_is_left(page: int) -> None:
    with pair(qp={"policy": h.FaultPolicy.STALL, "mtu_shift": 12}) as it:
        frame = it.take(it.a, it.ka, A_VA + page * PAGE)
        it.qb.read(it.kb, B_VA, it.ka, A_VA, LENGTH)
        (fault,) = it.a.wait_faults()
        assert (fault["va"], fault["length"], fault["packet_length"]) == (A_VA + page * PAGE, LENGTH - page * PAGE, PAGE)
        it.a.map(it.ka, A_VA + page * PAGE, frame)
        assert it.a.resume(fault) is h.CmdStatus.OK
        it.ok(it.qb)
        assert it.b.peek(it.kb, B_VA, LENGTH) == it.bytes_a[:LENGTH]


def test_a_report_says_where_both_sides_are_and_reset_forgets_it() -> None:
    with pair(qp={"mtu_shift": 10}) as it:
        for _ in range(3):
            it.qa.write(it.ka, A_VA, it.kb, B_VA, LENGTH)
            it.ok()
        packets = 3 * LENGTH // 1024
        a, b = it.qa.query(), it.qb.query()
        assert (a["next_psn"], a["una_psn"], a["sq_prod"], a["sq_next"], a["sq_done"]) == (packets, packets, 3, 3, 3)
        assert (b["epsn"], b["msn"]) == (packets, 3)
        for qp in (it.qa, it.qb):
            assert qp.modify(state=h.QpState.RESET) is h.CmdStatus.OK
            found = qp.query()
            assert {name: found[name] for name in SIDES} == dict.fromkeys(SIDES, 0)
            assert qp.modify(state=h.QpState.INIT) is h.CmdStatus.OK


def test_a_report_says_what_was_posted() -> None:
    with pair() as it:
        for count in range(1, 4):
            it.qb.recv(it.kb, B_VA, PAGE)
            it.bare.settle()
            assert it.qb.query()["rq_prod"] == count


def test_init_alone_forgets_nothing() -> None:
    """Only reset and a load do."""
    with pair(qp={"mtu_shift": 10}) as it:
        it.qa.write(it.ka, A_VA, it.kb, B_VA, LENGTH)
        it.ok()
        before = it.qb.query()
        assert it.qb.modify(state=h.QpState.INIT) is h.CmdStatus.OK
        assert {name: it.qb.query()[name] for name in SIDES} == {name: before[name] for name in SIDES}


def test_queue_pairs_that_fail_are_counted() -> None:
    """Once each, at both ends, and nothing else."""
    with pair() as it:
        others = [it.more(number) for number in (1, 2)]
        for _ in range(4):
            it.qa.write(it.ka, A_VA, it.kb, B_VA, LENGTH)
            it.ok()
        assert [node.counters()["QP_ERRORS"] for node in (it.a, it.b)] == [0, 0]
        for number, (qa, _) in enumerate(others, 1):
            qa.write(it.ka, A_VA, it.kb ^ 1, B_VA, 64)
            assert it.done(qa)["status"] == h.WcStatus.REM_ACCESS_ERR
            it.bare.settle(2000)
            assert [node.counters()["QP_ERRORS"] for node in (it.a, it.b)] == [number, number]


def test_counters_count_what_happened_and_nothing_else() -> None:
    """Four WRITEs of a page between two nodes that know neither page nor key."""
    with pair(qp={"mtu_shift": 12}) as it:
        before = [node.counters() for node in (it.a, it.b)]
        for page in range(4):
            it.qa.write(it.ka, A_VA + page * PAGE, it.kb, B_VA + page * PAGE, PAGE)
            it.ok()
        it.bare.settle(2000)
        a, b = (
            {name: count - was[name] for name, count in node.counters().items() if count != was[name]}
            for node, was in zip((it.a, it.b), before, strict=True)
        )
        told = {"TX_PACKETS": 4, "RX_PACKETS": 4, "MPT_HIT": 3, "MPT_MISS": 1, "MTT_MISS": 4, "LOOKUPS": 4}
        assert a == told | {"TX_BYTES": 4 * PAGE, "CQES": 4}
        assert b == told | {"RX_BYTES": 4 * PAGE}


def test_a_resume_is_of_one_side() -> None:
    """A queue pair waits at both of its sides: each resume frees the side whose fault it answers."""
    with pair(qp={"policy": h.FaultPolicy.STALL, "mtu_shift": 12}) as it:
        frames = [it.take(it.a, it.ka, A_VA + page * PAGE) for page in (0, 1)]
        it.qa.write(it.ka, A_VA, it.kb, B_VA, PAGE)
        it.qb.write(it.kb, B_VA + PAGE, it.ka, A_VA + PAGE, PAGE)
        faults = it.a.wait_faults(2)
        for page, frame in enumerate(frames):
            it.a.map(it.ka, A_VA + page * PAGE, frame)
        sides = {h.FaultDir.REQUESTER: ("sq_parked", it.qa), h.FaultDir.RESPONDER: ("rq_parked", it.qb)}
        for fault in sorted(faults, key=lambda fault: -fault["direction"]):
            found = it.qa.query()
            name, waits = sides[h.FaultDir(fault["direction"])]
            assert found[name] == 1
            assert it.a.resume(fault) is h.CmdStatus.OK
            it.ok(waits)
        assert (it.qa.query()["sq_parked"], it.qa.query()["rq_parked"]) == (0, 0)


@pytest.mark.parametrize("retries", [0, 2])
def test_a_receiver_that_is_not_ready_is_asked_as_often_as_agreed(retries: int) -> None:
    with pair(settings(rnr_delay=500), qp={"rnr_retry": retries}) as it:
        it.qa.send(it.ka, A_VA, 64)
        assert it.done()["status"] == h.WcStatus.RNR_RETRY_EXC_ERR
        assert it.b.counters()["RNR_NAK_SENT"] == 1 + retries


def test_the_trace_says_that_a_queue_pair_failed() -> None:
    """At the end that hears of it and at the end that found it."""
    with pair() as it:
        events(it.bare, TraceEvent.HDEV_QP)
        it.qa.write(it.ka, A_VA, it.kb ^ 1, B_VA, 64)
        assert it.done()["status"] == h.WcStatus.REM_ACCESS_ERR
        it.bare.settle(2000)
        told = [args[:2] for _, _, args in events(it.bare, TraceEvent.HDEV_QP)]
        assert sorted(told) == sorted([qp.qpn, int(h.QpState.ERR)] for qp in (it.qa, it.qb))


def test_the_trace_says_which_fault_was_recorded() -> None:
    with pair(qp={"policy": h.FaultPolicy.STALL, "mtu_shift": 12}) as it:
        it.take(it.a, it.ka, A_VA + PAGE)
        events(it.bare, TraceEvent.HDEV_FAULT)
        it.qb.write(it.kb, B_VA, it.ka, A_VA + PAGE, 64)
        (fault,) = it.a.wait_faults()
        ((_, _, told),) = events(it.bare, TraceEvent.HDEV_FAULT)
        assert told == [fault[name] for name in ("qpn", "direction", "key", "va", "cause", "token")]


def test_what_came_before_off_is_not_heard_after_on() -> None:
    """Neither the last packet of before nor anything else: every counter stands still."""
    with pair() as it:
        it.qa.write(it.ka, A_VA, it.kb, B_VA, 64)
        it.ok()
        it.bare.settle(2000)
        before = it.b.counters()
        it.b.restart()
        it.bare.settle(2000)
        assert it.b.counters() == before


@pytest.mark.parametrize("number", [0, 5])
def test_reset_waits_for_what_is_read_to_be_sent(number: int) -> None:
    """Its command comes to the queue pair while memory reads a payload, and is answered when that is over."""
    late = 4000
    with pair(read_latency=late) as it:
        qa, _ = it.more(number) if number else (it.qa, it.qb)
        qa.write(it.ka, A_VA, it.kb, B_VA, PAGE)
        it.ok(qa)
        reset = it.a.context(line_of(h.Qpc, **qa.context | {"state": h.QpState.RESET}))
        command = it.a.post_command(h.CmdOp.MODIFY_QP, qpn=qa.qpn, addr=reset)
        it.bare.sleep(late // 2)
        began = it.bare.device.cycle
        qa.write(it.ka, A_VA, it.kb, B_VA, PAGE)  # what is to be sent is read, then its payload
        assert it.a.wait_command(command) is h.CmdStatus.OK
        assert it.bare.device.cycle - began >= 2 * late


def test_a_cable_that_is_cut_is_not_called_anything_else() -> None:
    """The completion of who gave up names no syndrome: nobody answered."""
    with pair(settings(ack_timeout=3000), qp={"retry_cnt": 2}, link_loss=1_000_000) as it:
        it.qa.write(it.ka, A_VA, it.kb, B_VA, 64)
        entry = it.done()
        assert (entry["status"], entry["syndrome"]) == (h.WcStatus.RETRY_EXC_ERR, 0)
