"""The GRU's handles in RTL: window and bus errors, contexts, misses and their answers, shootdowns, save and restore."""

from __future__ import annotations

import numpy as np
import pytest
from support.chip import BASE, PAGE, Chip

from hwif.fields import Line, new_line
from hwif.gen import gru as g
from hwif.port import LineKind, MmioWrite

Op, X = g.CbOpc, g.CbXtype
IDLE, EXCEPTION, CALL_OS, ACTIVE = g.CbIstatus.IDLE, g.CbIstatus.EXCEPTION, g.CbIstatus.CALL_OS, g.CbIstatus.ACTIVE
MISS = {g.TfhState.MISS_UPM, g.TfhState.MISS_FMM}


@pytest.fixture
def chip() -> Chip:
    chip = Chip()
    chip.context(0, core=None)
    return chip


# ---- window ----------------------------------------------------------------------------------------------------------------


def test_what_is_not_there_is_refused(chip: Chip) -> None:
    absent = [
        chip.cb_addr(0, 4),  # context 0 has four control blocks
        chip.cb_addr(1, 0),  # no such context
        chip.cb_addr(0, 0) + 0x40,  # past the line
        chip.dsr_addr(0, 4 * g.DSR_AU_BYTES),
        chip.dsr_addr(1, 0),
        g.TGH_BASE + 24 * g.HANDLE_STRIDE,
        g.TFM_BASE + 16 * g.HANDLE_STRIDE,
        g.CCH_BASE + 16 * g.HANDLE_STRIDE,
        0x402_8000,
        0x10_0000,
    ]
    for addr in absent:
        assert chip.refused(addr), hex(addr)
        assert chip.refused(addr, [0]), hex(addr)
    for addr in (chip.cb_addr(0, 3), chip.dsr_addr(0, 4 * g.DSR_AU_BYTES - 8), g.TGH_BASE + 23 * g.HANDLE_STRIDE, g.CBE_BASE):
        assert not chip.refused(addr), hex(addr)


def test_allocation_maps_translate_user_numbers() -> None:
    chip = Chip()
    line = new_line()
    g.Cch.cbr_allocation_map.put(line, 1 << 3 | 1 << 60)
    g.Cch.dsr_allocation_map.put(line, 1 << 2 | 1 << 31)
    chip.cch(7, g.CchOpc.ALLOCATE, line)
    chip.cch(7, g.CchOpc.START)
    for user, cbr in ((0, 6), (1, 7), (2, 120), (3, 121)):
        before = len(chip.snoops(LineKind.CB))
        chip.do(chip.issue(7, user, chip.instruction(Op.GAMXR)))
        chip.settle(100)
        assert len(chip.snoops(LineKind.CB)) == before + 1
        assert g.Cbe.ecause.get(chip.cbe(cbr)) == 1 << g.CbEcause.INVALID_INSTRUCTION
    other = new_line()
    g.Cch.cbr_allocation_map.put(other, 1)
    g.Cch.dsr_allocation_map.put(other, 1)
    chip.cch(2, g.CchOpc.ALLOCATE, other)
    chip.dsr_put(1024, bytes(range(64)), ctx=7)
    chip.dsr_put(0, bytes(64), ctx=2)
    assert chip.dsr(1024, 64, ctx=7).tobytes() == bytes(range(64))


def test_handles_ignore_written_status_and_keep_delresp(chip: Chip) -> None:
    line = new_line()
    g.Tfh.delresp.put(line, 1)
    g.Tfh.status.put(line, 3)
    g.Tfh.state.put(line, g.TfhState.MISS_FMM)
    g.Tfh.cause.put(line, 2)
    g.Tfh.missvaddr.put(line, 1234)
    chip.do(chip.write(g.TFH_BASE, line))
    back = chip.tfh(0)
    assert g.Tfh.delresp.get(back) == 1
    assert (g.Tfh.status.get(back), g.Tfh.state.get(back), g.Tfh.cause.get(back)) == (0, g.TfhState.IDLE, 0)
    assert g.Tfh.state.get(chip.tfh(100)) == g.TfhState.INACTIVE
    tgh = [1 << g.Tgh.delresp.lsb | 3 << g.Tgh.status.lsb | 7 << g.Tgh.state.lsb, 1, 2, 3, 4, 0, 0, 0]
    chip.do(chip.write(g.TGH_BASE, tgh))
    assert chip.do(chip.read(g.TGH_BASE, 5)) == (1 << g.Tgh.delresp.lsb, 1, 2, 3, 4)


# ---- contexts --------------------------------------------------------------------------------------------------------------


def refusal(chip: Chip, ctx: int, opc: g.CchOpc, line: Line | None = None) -> g.CchCause:
    after = chip.cch(ctx, opc, line)
    assert g.Cch.status.get(after) == g.HandleStatus.EXCEPTION and g.Cch.cmd.get(after) == 0
    return g.CchCause(g.Cch.cause.get(after))


def test_context_commands_are_checked(chip: Chip) -> None:
    cause, opc = g.CchCause, g.CchOpc
    line = new_line()
    assert refusal(chip, 1, opc.ALLOCATE, line) is cause.NO_CBRS_TO_ALLOCATE
    g.Cch.cbr_allocation_map.put(line, 1)
    assert refusal(chip, 1, opc.ALLOCATE, line) is cause.CBR_RESOURCES_OVERSUBSCRIPED
    g.Cch.cbr_allocation_map.put(line, 1 << 40)
    g.Cch.dsr_allocation_map.put(line, 1)
    assert refusal(chip, 1, opc.ALLOCATE, line) is cause.DSR_RESOURCES_OVERSUBSCRIPED
    g.Cch.dsr_allocation_map.put(line, 1 << 20)
    g.Cch.tlb_int_enable.put(line, 1)
    assert refusal(chip, 1, opc.ALLOCATE, line) is cause.BAD_TFM_CONFIG
    g.Cch.tlb_int_enable.put(line, 0)
    for wrong, why in ((opc.START, "INVALID_START_REQUEST"), (opc.INTERRUPT, "INVALID_INTERRUPT_REQUEST")):
        assert refusal(chip, 1, wrong, line) is cause[why]
    assert refusal(chip, 1, opc.DEALLOCATE, line) is cause.INVALID_DEALLOCATION_REQUEST
    assert refusal(chip, 1, opc.NONE, line) is cause.ILLEGAL_OPCODE
    after = chip.cch(1, opc.ALLOCATE, line)
    assert (g.Cch.status.get(after), g.Cch.state.get(after)) == (g.HandleStatus.IDLE, g.CchState.MAPPED)
    assert refusal(chip, 1, opc.ALLOCATE) is cause.INVALID_ALLOCATION_REQUEST
    assert g.Cch.state.get(chip.cch(1, opc.START)) == g.CchState.ACTIVE
    assert refusal(chip, 1, opc.DEALLOCATE) is cause.INVALID_DEALLOCATION_REQUEST
    assert g.Cch.state.get(chip.cch(1, opc.INTERRUPT)) == g.CchState.INTERRUPTED
    assert g.Cch.state.get(chip.cch(1, opc.DEALLOCATE)) == g.CchState.INACTIVE
    assert g.Cch.state.get(chip.cch(1, opc.ALLOCATE)) == g.CchState.MAPPED  # its units are free again


def test_fault_map_miss_locks_the_context() -> None:
    chip = Chip()
    chip.context(0, core=3)
    chip.do(chip.issue(0, 0, chip.instruction(Op.VSET, va=BASE, count=1)))
    chip.settle(100)
    assert chip.irq == 1 << 3
    for opc in (g.CchOpc.INTERRUPT_SYNC, g.CchOpc.INTERRUPT):
        after = chip.cch(0, opc, wait=False)
        chip.settle(5000)
        after = list(chip.do(chip.read(g.CCH_BASE, 8)))
        assert g.Cch.status.get(after) == g.HandleStatus.ACTIVE
        assert g.Cbe.cbrstate.get(chip.cbe(0)) == g.CbrState.BUSY_INTERRUPT_MISS_FMM
        assert g.Tfh.state.get(chip.tfh_command(0, g.TfhOpc.USER_POLLING_MODE)) == g.TfhState.MISS_UPM
        chip.settle(50)
        assert g.Cch.state.get(list(chip.do(chip.read(g.CCH_BASE, 8)))) == g.CchState.INTERRUPTED
        assert g.Cbe.cbrstate.get(chip.cbe(0)) == g.CbrState.INTERRUPTED_MISS_UPM
        assert chip.do(chip.istatus(0, 0)) is CALL_OS
        chip.cch(0, g.CchOpc.START)
        chip.settle(100)
        assert g.Tfh.state.get(chip.tfh(0)) == g.TfhState.MISS_FMM  # asked again
        assert chip.do(chip.istatus(0, 0)) is ACTIVE


@pytest.mark.parametrize("wait", [0, 150, 700, 1500, 2600])
def test_saved_context_goes_on_elsewhere(wait: int) -> None:
    """A BCOPY is interrupted, saved, and restored in other control blocks and data segment; so is an instruction that missed."""
    chip = Chip()
    chip.context(0, cbrs=4, dsr_units=2, core=None)
    for page in range(8):
        chip.do(chip.issue(0, 0, chip.instruction(Op.VLOAD, va=BASE + page * PAGE, count=1)))
        chip.settle(100)
        chip.tfh_command(0, g.TfhOpc.WRITE_RESTART, BASE + page * PAGE)
        chip.settle(300)
    chip.do(chip.issue(0, 1, chip.instruction(Op.BCOPY, va=BASE + 8, value=BASE + 4 * PAGE, count=600, tri0=512, tri1=3)))
    chip.do(chip.issue(0, 2, chip.instruction(Op.VSET, va=BASE + 20 * PAGE, count=8, value=77)))
    chip.settle(100 + wait)
    chip.cch(0, g.CchOpc.INTERRUPT_SYNC)
    saved = [(chip.cb(0, cb), chip.cbe(chip.cbr(0, cb))) for cb in range(4)]
    segment = chip.dsr(0, 2048).tobytes()
    assert g.Cb.istatus.get(saved[2][0]) == CALL_OS
    assert g.Cbe.cbrstate.get(saved[2][1]) == g.CbrState.INTERRUPTED_MISS_UPM
    chip.cch(0, g.CchOpc.DEALLOCATE)
    chip.native.shadow.set_context(0, 0)

    line = list(chip.do(chip.read(g.CCH_BASE, 8)))
    chip.context(1, cbrs=6, dsr_units=5, core=None)
    chip.execute(chip.instruction(Op.NOP), ctx=1)
    g.Cch.cbr_allocation_map.put(line, 1 << 50 | 1 << 51)
    g.Cch.dsr_allocation_map.put(line, 1 << 30 | 1 << 21)
    chip.cch(5, g.CchOpc.ALLOCATE, line)
    chip.native.shadow.set_context(5, 1)
    chip.dsr_put(0, segment, ctx=5)
    for cb, (words, extension) in enumerate(saved):
        chip.do(chip.write(chip.cb_addr(5, cb), words))
        chip.do(chip.write(g.CBE_BASE + (100 + cb) * g.HANDLE_STRIDE, extension))
        assert chip.cb(5, cb) == words
    chip._cbrs[5] = [100, 101, 102, 103]
    chip.cch(5, g.CchOpc.START)
    chip.settle(200)
    assert g.Tfh.missvaddr.get(chip.tfh(102)) == BASE + 20 * PAGE and g.Tfh.ctxnum.get(chip.tfh(102)) == 5
    chip.tfh_command(102, g.TfhOpc.WRITE_RESTART, BASE + 20 * PAGE)
    for _ in range(200):
        chip.settle(300)
        for cbr in (101, 102):
            if g.Tfh.state.get(chip.tfh(cbr)) in MISS:
                chip.tfh_command(cbr, g.TfhOpc.WRITE_RESTART, g.Tfh.missvaddr.get(chip.tfh(cbr)))
        if chip.do(chip.istatus(5, 1)) is IDLE:
            break
    assert [chip.do(chip.istatus(5, cb)) for cb in range(4)] == [IDLE] * 4
    assert (chip.window(BASE + 4 * PAGE, 4800) == chip.window(BASE + 8, 4800)).all()
    assert (chip.window(BASE + 20 * PAGE, 64).view(np.uint64) == 77).all()
    assert not chip.native.violations()


@pytest.mark.parametrize("delay", [-500, *range(-6, 30)])
def test_an_instruction_written_while_the_context_is_interrupted_waits_for_start(delay: int) -> None:
    """A user is not told that its context is being interrupted. `delay`: cycles from START's request to the instruction's."""
    chip = Chip()
    chip.context(0, core=None)
    chip.cch(0, g.CchOpc.INTERRUPT)
    start = list(chip.do(chip.read(g.CCH_BASE, 8)))
    g.Cch.cmd.put(start, 1)
    g.Cch.opc.put(start, g.CchOpc.START)
    instruction = chip.instruction(Op.VSET, va=BASE, count=4, value=7)
    chip.do(chip.write(chip.cb_addr(0, 1) + 8, instruction[1:]))
    at = chip.native.cycle + 20
    requests = [(at + max(0, -delay), g.CCH_BASE, start[:1]), (at + max(0, delay), chip.cb_addr(0, 1), instruction[:1])]
    for when, address, words in sorted(requests):
        chip.native.submit(MmioWrite(when, chip.next_serial(), address, tuple(words)))
    if delay == -500:
        chip.settle(100)
        assert g.Cbe.cbrstate.get(chip.cbe(1)) == g.CbrState.INTERRUPTED and chip.do(chip.istatus(0, 1)) is ACTIVE
    chip.settle(700)
    assert g.Tfh.state.get(chip.tfh(1)) in MISS
    chip.tfh_command(1, g.TfhOpc.WRITE_RESTART, BASE)
    chip.settle(300)
    assert chip.do(chip.istatus(0, 1)) is IDLE
    assert (chip.window(BASE, 32).view(np.uint64) == 7).all()


# ---- misses ----------------------------------------------------------------------------------------------------------------


def parked(chip: Chip, line: Line) -> None:
    chip.do(chip.issue(0, 0, line))
    chip.settle(100)
    assert g.Tfh.state.get(chip.tfh(0)) in MISS


def test_a_miss_names_itself_to_the_user(chip: Chip) -> None:
    colour = g.Cb.tlb_fault_color.get(chip.cb())
    parked(chip, chip.instruction(Op.VSET, va=BASE + PAGE + 8, count=4, value=9, ima=g.CbIma.INTERRUPT))
    handle = chip.tfh(0)
    assert g.Tfh.missvaddr.get(handle) == BASE + PAGE + 8 and g.Tfh.missasid.get(handle) == chip.asid(0)
    assert g.Tfh.cause.get(handle) == g.TfhCause.TLB_MISS and g.Tfh.ctxnum.get(handle) == 0
    assert g.Tfh.status.get(handle) == g.HandleStatus.EXCEPTION and g.Tfh.cb_int.get(handle) == 1
    assert chip.do(chip.istatus(0, 0)) is CALL_OS
    assert g.Cb.tlb_fault_color.get(chip.cb()) == 1 - colour
    chip.do(chip.write(chip.cb_addr(0, 0), new_line()))  # ignored: it is in progress
    after = chip.tfh_command(0, g.TfhOpc.WRITE_RESTART, BASE + PAGE)
    assert g.Tfh.status.get(after) == g.HandleStatus.IDLE and g.Tfh.cmd.get(after) == 0
    chip.settle(300)
    assert chip.do(chip.istatus(0, 0)) is IDLE
    assert (chip.window(BASE + PAGE + 8, 32).view(np.uint64) == 9).all()


def test_commands_that_leave_the_miss(chip: Chip) -> None:
    parked(chip, chip.instruction(Op.VLOAD, va=BASE, count=1))
    for opc, va in ((g.TfhOpc.NOOP, None), (g.TfhOpc.WRITE_ONLY, BASE + PAGE), (g.TfhOpc.USER_POLLING_MODE, None)):
        after = chip.tfh_command(0, opc, va)
        assert g.Tfh.status.get(after) == g.HandleStatus.EXCEPTION and g.Tfh.state.get(after) == g.TfhState.MISS_UPM
    chip.tfh_command(0, g.TfhOpc.RESTART)  # nothing was filled for this page: misses again
    chip.settle(100)
    assert g.Tfh.state.get(chip.tfh(0)) == g.TfhState.MISS_UPM and chip.native.statistics()["tlb_misses"] == 2
    chip.tfh_command(0, g.TfhOpc.WRITE_RESTART, BASE)
    chip.settle(300)
    assert chip.execute(chip.instruction(Op.VLOAD, va=BASE + PAGE, count=1)) is IDLE  # WRITE_ONLY had filled it
    assert chip.native.statistics()["tlb_misses"] == 2


def test_exception_ends_the_instruction(chip: Chip) -> None:
    parked(chip, chip.instruction(Op.VLOAD, va=BASE, count=1))
    assert g.Tfh.status.get(chip.tfh_command(0, g.TfhOpc.EXCEPTION)) == g.HandleStatus.IDLE
    chip.settle(10)
    assert chip.do(chip.istatus(0, 0)) is EXCEPTION
    assert g.Cbe.ecause.get(chip.cbe(0)) == 1 << g.CbEcause.OS_FATAL_TLB_FAULT
    assert g.Cbe.idef1upd.get(chip.cbe(0)) == BASE


@pytest.mark.parametrize("opc", list(g.TfhOpc))
def test_command_without_a_miss_changes_nothing(chip: Chip, opc: g.TfhOpc) -> None:
    before = chip.cb(), chip.cbe(0)
    after = chip.tfh_command(0, opc, BASE)
    chip.settle(100)
    assert g.Tfh.status.get(after) == g.HandleStatus.IDLE and (chip.cb(), chip.cbe(0)) == before
    assert chip.native.statistics()["dropins"] == 0


def test_write_to_a_clean_entry_is_a_mod_miss(chip: Chip) -> None:
    parked(chip, chip.instruction(Op.VLOAD, va=BASE, count=1))
    chip.tfh_command(0, g.TfhOpc.WRITE_RESTART, BASE, write=False)
    chip.settle(300)
    parked(chip, chip.instruction(Op.VSET, va=BASE, count=1))
    assert g.Tfh.cause.get(chip.tfh(0)) == g.TfhCause.TLB_MOD
    chip.tfh_command(0, g.TfhOpc.WRITE_RESTART, BASE)
    chip.settle(300)
    assert chip.do(chip.istatus(0, 0)) is IDLE


# ---- shootdowns ------------------------------------------------------------------------------------------------------------


def test_shootdown_between_miss_and_drop_in_drops_it(chip: Chip) -> None:
    parked(chip, chip.instruction(Op.VSET, va=BASE, count=1))
    chip.do(chip.shootdown(4, 0, BASE, 1))
    chip.tfh_command(0, g.TfhOpc.WRITE_RESTART, BASE)
    chip.settle(100)
    assert chip.native.statistics()["dropins_dropped"] == 1
    assert g.Tfh.state.get(chip.tfh(0)) == g.TfhState.MISS_UPM  # restarted and missed again
    assert g.Cbe.cbrexecstatus.get(chip.cbe(0)) & 1 << g.CbrExs.TLB_INVAL
    chip.tfh_command(0, g.TfhOpc.WRITE_RESTART, BASE)
    chip.settle(300)
    assert chip.do(chip.istatus(0, 0)) is IDLE


def test_all_handles_at_once(chip: Chip) -> None:
    lines = [(g.TGH_BASE + tgh * g.HANDLE_STRIDE, chip.shootdown_line(0, BASE + tgh * PAGE, 1)) for tgh in range(g.NUM_TGH)]
    chip.do(chip.issue_all(lines))
    chip.settle(1000)
    assert all(chip.do(chip.read(addr))[0] >> g.Tgh.status.lsb & 3 == 0 for addr, _ in lines)
    assert chip.native.statistics()["shootdowns_done"] == g.NUM_TGH


def test_nop_completes(chip: Chip) -> None:
    line = chip.shootdown_line(0, BASE, 1)
    g.Tgh.opc.put(line, g.TghOpc.NOP)
    chip.do(chip.write(g.TGH_BASE, line))
    assert g.Tgh.cmd.of(chip.do(chip.wait_handle(g.TGH_BASE, LineKind.TGH, 0))) == 0
    assert chip.native.statistics()["shootdowns"] == 0


@pytest.mark.parametrize("seed", range(4))
def test_shootdowns_under_traffic(seed: int) -> None:
    """Four contexts copy and store while their pages are shot down and given back; the oracle and the assertions watch."""
    rng = np.random.default_rng(seed)
    chip = Chip(read_latency=int(rng.integers(5, 200)), write_latency=int(rng.integers(3, 80)))
    for ctx in range(4):
        chip.context(ctx, cbrs=8, dsr_units=8, core=ctx)
    for ctx in range(4):
        for cb in range(8):
            tri0 = 1024 * cb
            source, target = BASE + PAGE * int(rng.integers(0, 20)), BASE + PAGE * int(rng.integers(0, 20))
            opc = Op.BCOPY if cb < 4 else Op.VSET if cb < 6 else Op.VLOAD
            count = 1500 if opc is not Op.VLOAD else 120
            lines = int(rng.integers(1, 8))
            chip.do(chip.issue(ctx, cb, chip.instruction(opc, va=source, value=target, count=count, tri0=tri0, tri1=lines)))
    for _ in range(60):
        ctx, page, pages = int(rng.integers(0, 4)), int(rng.integers(0, 20)), int(rng.integers(1, 5))
        vpns = [BASE // PAGE + page + extra for extra in range(min(pages, 24 - page))]
        taken = {vpn: chip.unmap_page(ctx, vpn) for vpn in vpns}
        everything = bool(rng.random() < 0.2)
        chip.do(chip.shootdown(int(rng.integers(0, g.NUM_TGH)), ctx, vpns[0] * PAGE, len(vpns), everything=everything))
        for vpn, entry in taken.items():
            chip.revoke(ctx, vpn, entry)
        chip.settle(int(rng.integers(0, 300)))
        for vpn, entry in taken.items():
            chip.map_page(ctx, vpn, entry.frame)
        stop = chip.native.cycle + int(rng.integers(1, 400))
        chip.do(chip.serve(lambda stop=stop: chip.native.cycle >= stop or not busy(chip)))
    for ctx in range(4):
        assert chip.do(chip.finish(ctx, range(8))) == [IDLE] * 8
    assert not chip.native.violations()
    numbers = chip.native.statistics()
    assert numbers["shootdowns"] == numbers["shootdowns_done"] == 60 and numbers["kills"] > 0


def busy(chip: Chip) -> bool:
    return bool(chip.irq)
