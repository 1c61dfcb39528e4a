"""What the GRU in RTL says of itself while an instruction is held up: trace, probes, busy bit; and whose ASID it uses."""

from __future__ import annotations

import pytest
from support.chip import BASE, PAGE, Chip

from hwif.fields import new_line
from hwif.gen import gru as g
from hwif.gen.events import TraceEvent
from hwif.port import LineKind

Op = g.CbOpc
VLOAD_PAGE = BASE + 3 * PAGE


def missing(chip: Chip, cb: int = 1, va: int = VLOAD_PAGE) -> int:
    """Control block `cb` of context 0 asks for a page the TLB does not have; its physical number."""
    chip.do(chip.issue(0, cb, chip.instruction(Op.VLOAD, va=va, count=1)))
    chip.settle(100)
    assert chip.do(chip.istatus(0, cb)) is g.CbIstatus.CALL_OS
    return chip.cbr(0, cb)


@pytest.fixture
def chip() -> Chip:
    chip = Chip()
    chip.context(0, core=None)
    return chip


def test_the_trace_says_what_missed_and_what_goes_on(chip: Chip) -> None:
    cbr = missing(chip)
    (miss,) = chip.events(TraceEvent.DEV_MISS)
    assert miss[1:5] == (cbr, VLOAD_PAGE, chip.asid(0), g.TfhCause.TLB_MISS)
    chip.tfh_command(cbr, g.TfhOpc.WRITE_RESTART, VLOAD_PAGE)
    chip.settle(300)
    (restart,) = chip.events(TraceEvent.DEV_RESTART)
    assert restart[1] == cbr


def test_whoever_looks_at_the_block_is_told_that_it_goes_on(chip: Chip) -> None:
    """Its line is probed as it waits for software and as it goes on, long before it is done: memory takes its time."""
    chip.native.configure("read_latency", 500)
    cbr = missing(chip)
    assert len(chip.snoops(LineKind.CB)) == 1
    chip.tfh_command(cbr, g.TfhOpc.WRITE_RESTART, VLOAD_PAGE)
    chip.settle(100)
    assert chip.do(chip.istatus(0, 1)) is g.CbIstatus.ACTIVE
    assert len(chip.snoops(LineKind.CB)) == 2
    chip.settle(1000)
    assert chip.do(chip.istatus(0, 1)) is g.CbIstatus.IDLE
    assert len(chip.snoops(LineKind.CB)) == 3


def test_a_restored_block_is_in_progress_once_its_context_starts(chip: Chip) -> None:
    """It says so, and what is written to it then is lost, as on a block that has never been away."""
    cbr = missing(chip)
    chip.cch(0, g.CchOpc.INTERRUPT_SYNC)
    line, extension = chip.cb(0, 1), chip.cbe(cbr)
    context = list(chip.do(chip.read(g.CCH_BASE, 8)))
    chip.cch(0, g.CchOpc.DEALLOCATE)
    chip.cch(0, g.CchOpc.ALLOCATE, context)
    chip.do(chip.write(chip.cb_addr(0, 1), line))
    chip.do(chip.write(g.CBE_BASE + cbr * g.HANDLE_STRIDE, extension))
    chip.cch(0, g.CchOpc.START)
    chip.settle(200)
    before = chip.cb(0, 1)
    assert g.Cb.icmd.get(before) == 1
    chip.do(chip.write(chip.cb_addr(0, 1), new_line()))
    assert chip.cb(0, 1) == before
    chip.tfh_command(cbr, g.TfhOpc.WRITE_RESTART, VLOAD_PAGE)
    chip.settle(1000)
    assert chip.do(chip.istatus(0, 1)) is g.CbIstatus.IDLE


@pytest.mark.parametrize("region", range(g.NUM_REGION))
def test_start_takes_the_asids_of_all_regions(region: int) -> None:
    """Those of START count, not those of ALLOCATE."""
    chip = Chip()
    line = new_line()
    g.Cch.cbr_allocation_map.put(line, 1)
    g.Cch.dsr_allocation_map.put(line, 1)
    for opc, base in ((g.CchOpc.ALLOCATE, 100), (g.CchOpc.START, 200)):
        g.Cch.asid.put(line, sum((base + number) << (32 * number) for number in range(g.NUM_REGION)))
        g.Cch.sizeavail.put(line, sum(1 << (16 * number) for number in range(g.NUM_REGION)))
        chip.cch(0, opc, line)
    va = region << g.REGION_LSB | VLOAD_PAGE
    chip._cbrs[0] = [0, 1]
    missing(chip, 0, va)
    (miss,) = chip.events(TraceEvent.DEV_MISS)
    assert miss[1:4] == (0, va, 200 + region)
