"""The GRU's cycle numbers in RTL, as published, and every broken variant of the chip caught by the assertion meant for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from support.chip import BASE, PAGE, Chip

from hwif.gen import gru as g
from hwif.gen.events import TraceEvent
from hwif.port import LineKind, MmioDone, MmioWrite
from tb.hil.abi import AssertionFailure

Op = g.CbOpc


def write_and_wait(chip: Chip, addr: int, words: list[int]) -> int:
    """Cycle in which the bus takes double-word 0: the answer is decided the cycle after and shows in the one after that."""
    serial = chip.next_serial()
    chip.native.submit(MmioWrite(chip.native.cycle + 1, serial, addr, tuple(words)))
    while True:
        for event in chip.native.advance(chip.native.cycle + 1000):
            chip.log.append(event)
            if isinstance(event, MmioDone) and event.serial == serial:
                return event.cycle - 2


@pytest.mark.parametrize("opc", [Op.VSET, Op.VLOAD, Op.VSTORE])
def test_one_translation_a_cycle(opc: g.CbOpc) -> None:
    chip = Chip(read_latency=80, log_lookups=1)
    chip.context(cbrs=g.NUM_CBR, dsr_units=32)
    chip.execute(chip.instruction(Op.VSET, va=BASE, count=1))
    line = chip.instruction(opc, va=BASE, count=4000, stride=0)
    if opc is not Op.VSET:
        g.Cb.nelem.put(line, 1000)
    chip.do(chip.issue_all([(chip.cb_addr(0, cb), line) for cb in range(g.NUM_CBR)]))
    chip.settle(200)  # the processor's own writes take turns with retirements
    chip.native.drain_lookups()
    chip.settle(1000)
    accepted = np.sort(chip.native.drain_lookups()[:, 0].astype(np.int64))
    assert len(accepted) > 990
    assert (np.diff(accepted) == 1).all()


def test_drop_in_to_lookup() -> None:
    chip = Chip(log_lookups=1)
    chip.context(core=None)
    for page in range(8):
        chip.do(chip.issue(0, 0, chip.instruction(Op.VSET, va=BASE + PAGE * page, count=1)))
        chip.settle(60)
        chip.native.drain_lookups()
        found = chip.lookup(0, BASE + PAGE * page)
        assert found is not None
        taken = write_and_wait(chip, g.TFH_BASE, chip.fill_line(0, *found))
        chip.settle(300)
        ((accepted, _, _, hit, _),) = chip.native.drain_lookups()
        assert hit and accepted - taken <= 10


@pytest.mark.parametrize("pages", [1, 1000, g.INVAL_ALL_N + 1])
def test_idle_shootdown(pages: int) -> None:
    chip = Chip()
    chip.context()
    chip.native.drain_trace()
    taken = write_and_wait(chip, g.TGH_BASE + 9 * g.HANDLE_STRIDE, chip.shootdown_line(0, BASE, pages))
    chip.settle(300)
    assert [cycle - taken <= 16 for cycle in chip.snoops(LineKind.TGH)] == [True]
    ((accepted, *_),) = chip.events(TraceEvent.DEV_SHOOT_ACCEPT)
    assert accepted - taken <= 4


@pytest.mark.parametrize("opc", [Op.VSET, Op.VLOAD, Op.GAMIR])
def test_status_follows_the_last_covered_response(opc: g.CbOpc) -> None:
    chip = Chip(read_latency=400, write_latency=400)
    chip.context()
    chip.execute(chip.instruction(Op.VSET, va=BASE, count=1))
    chip.do(chip.issue(0, 1, chip.instruction(opc, va=BASE, count=1, exop=g.ExopIr.FETCH)))
    chip.settle(60)
    chip.native.drain_trace()
    write_and_wait(chip, g.TGH_BASE, chip.shootdown_line(0, BASE, 1))
    chip.settle(600)
    ((retired, *_),) = chip.events(TraceEvent.DEV_CB_DONE)  # a cycle after the response
    (status,) = chip.snoops(LineKind.TGH)
    assert 0 < status - (retired - 1) <= 5  # the probe leaves with the status


def test_shootdown_of_other_pages_does_not_wait() -> None:
    chip = Chip(read_latency=2000, write_latency=2000)
    chip.context()
    chip.execute(chip.instruction(Op.VSET, va=BASE, count=1))
    chip.do(chip.issue(0, 1, chip.instruction(Op.VSET, va=BASE, count=1)))
    chip.settle(60)
    taken = write_and_wait(chip, g.TGH_BASE, chip.shootdown_line(0, BASE + PAGE, 1))
    chip.settle(100)
    assert [cycle - taken <= 16 for cycle in chip.snoops(LineKind.TGH)] == [True]


def test_memorys_answers_take_turns_with_what_ends_by_itself() -> None:
    """A few loads and as many NOPs as there are control blocks, all started in one cycle: no load waits for all of them."""
    loads, cbrs = 8, g.NUM_CBR
    chip = Chip(read_latency=20)
    chip.context(cbrs=cbrs, dsr_units=4)
    chip.execute(chip.instruction(Op.VSET, va=BASE, count=1))
    chip.cch(0, g.CchOpc.INTERRUPT_SYNC)
    lines = [chip.instruction(Op.VLOAD, va=BASE, count=1)] * loads + [chip.instruction(Op.NOP)] * (cbrs - loads)
    chip.do(chip.issue_all([(chip.cb_addr(0, cb), line) for cb, line in enumerate(lines)]))
    chip.native.drain_trace()
    chip.cch(0, g.CchOpc.START)
    chip.settle(1000)
    order = [cbr for _, cbr, *_ in chip.events(TraceEvent.DEV_CB_DONE)]
    assert sorted(order) == list(range(cbrs))
    assert max(order.index(cbr) for cbr in range(loads)) < cbrs // 2


def test_skipped_time_changes_nothing() -> None:
    """A poll, a lock and memory latency: every way to be quiescent, with the clock jumping and without."""
    logs = []
    for skip in (0, 1):
        chip = Chip(skip=skip)
        chip.context(0)
        chip.context(1, core=1)
        word = chip.window(BASE, 8).view(np.uint64)
        word[0] = 1
        chip.execute(chip.instruction(Op.NOP))
        chip.do(chip.issue(0, 0, chip.instruction(Op.GAMERR, va=BASE, exop=g.ExopEr.EPOLL, stride=2)))
        chip.do(chip.issue(0, 1, chip.instruction(Op.BCOPY, va=BASE, value=BASE + 5 * PAGE, count=900, tri1=4)))
        chip.do(chip.issue(1, 0, chip.instruction(Op.VSET, va=BASE + 2 * PAGE, count=9)))
        chip.settle(300)
        chip.cch(1, g.CchOpc.INTERRUPT_SYNC, wait=False)
        chip.settle(1000)
        chip.do(chip.serve(lambda chip=chip: not chip.irq and chip.answered >= 3))
        chip.settle(500)
        word[0] = 2
        chip.do(chip.finish(0, [0, 1]))
        assert chip.native.statistics()["skipped_cycles"] == 0 or skip
        logs.append((chip.log, chip.native.drain_trace().tolist()))
    assert logs[0] == logs[1]


# ---- broken variants -------------------------------------------------------------------------------------------------------


def in_flight(chip: Chip) -> None:
    """A store on its way to memory."""
    chip.context()
    chip.execute(chip.instruction(Op.VSET, va=BASE, count=1))
    chip.do(chip.issue(0, 1, chip.instruction(Op.VSET, va=BASE, count=1)))
    chip.settle(30)


def shoot_in_flight(chip: Chip) -> None:
    in_flight(chip)
    chip.do(chip.shootdown(0, 0, BASE, 1))


def fill_without_miss(chip: Chip) -> None:
    chip.context()
    chip.tfh_command(0, g.TfhOpc.WRITE_RESTART, BASE)


def unload_in_flight(chip: Chip) -> None:
    in_flight(chip)
    chip.cch(0, g.CchOpc.INTERRUPT_SYNC)


def unload_with_fault(chip: Chip) -> None:
    chip.context()
    chip.do(chip.issue(0, 1, chip.instruction(Op.VSET, va=BASE, count=1)))
    chip.settle(50)
    chip.cch(0, g.CchOpc.INTERRUPT, wait=False)
    chip.settle(50)


def miss(chip: Chip) -> None:
    chip.context()
    chip.execute(chip.instruction(Op.VSET, va=BASE, count=1))


def crowd(chip: Chip) -> None:
    chip.context(cbrs=32)
    chip.execute(chip.instruction(Op.VSET, va=BASE, count=1))
    chip.do(chip.issue_all([(chip.cb_addr(0, cb), chip.instruction(Op.VSET, va=BASE, count=512)) for cb in range(32)]))
    chip.settle(2000)


MUTANTS: list[tuple[int, Callable[[Chip], None], str]] = [
    (g.RtlMutant.ACK_EARLY, shoot_in_flight, "sd_2"),
    (g.RtlMutant.LATE_FILL, fill_without_miss, "tfh_fill_needs_miss"),
    (g.RtlMutant.UNLOAD_BUSY, unload_in_flight, "ctx_sync_no_access"),
    (g.RtlMutant.NO_FMM_LOCK, unload_with_fault, "ctx_lock_fault_map"),
    (g.RtlMutant.USE_DONE_EARLY, shoot_in_flight, "sd_2"),
    (g.RtlMutant.AXI_UNSTABLE, crowd, "axi_w_stable"),
    (g.RtlMutant.QUIET_LIE, miss, "quiescent_is_true"),
    (g.RtlMutant.IRQ_PULSE, miss, "fq_6_level_until_empty"),
    (g.RtlMutant.TWO_ACCESSES, miss, "one_access"),
    (g.RtlMutant.FAULT_LOST, miss, "fq_1_fault_recorded"),
]


@pytest.mark.parametrize(("mutant", "scenario", "label"), MUTANTS, ids=lambda value: getattr(value, "name", None))
def test_broken_variants_are_caught(mutant: int, scenario: Callable[[Chip], None], label: str) -> None:
    options = {"write_latency": 300} | ({"bytes_per_cycle": 8} if scenario is crowd else {})
    scenario(Chip(**options))  # the product passes
    with pytest.raises(AssertionFailure, match=label):
        scenario(Chip(mutant=int(mutant), **options))
