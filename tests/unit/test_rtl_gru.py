"""The GRU's instructions in RTL, against numpy: every opcode, every exception, random vectors, atomics, message queues."""

from __future__ import annotations

import numpy as np
import pytest
from support.chip import BASE, FIRST, PAGE, Chip

from hwif.gen import gru as g

Op, X = g.CbOpc, g.CbXtype
SIZES = {X.B: 1, X.S: 2, X.W: 4, X.DW: 8, X.CL: 64}
IDLE, EXCEPTION = g.CbIstatus.IDLE, g.CbIstatus.EXCEPTION


@pytest.fixture
def chip() -> Chip:
    chip = Chip()
    chip.context()
    return chip


def cause(chip: Chip, cb: int = 0) -> int:
    """The one exception cause set."""
    bits = g.Cbe.ecause.get(chip.cbe(chip.cbr(0, cb)))
    assert bits and bits & (bits - 1) == 0
    return bits.bit_length() - 1


def test_nop_and_empty_vectors_end_at_once(chip: Chip) -> None:
    assert chip.execute(chip.instruction(Op.NOP)) is IDLE
    for opc in (Op.VLOAD, Op.VSTORE, Op.VSET, Op.IVSET, Op.BCOPY):
        assert chip.execute(chip.instruction(opc, va=3, count=0, tri1=8)) is IDLE
    assert chip.native.statistics()["translations"] == 0
    assert g.Cb.icmd.get(chip.cb()) == 0


@pytest.mark.parametrize("seed", range(6))
def test_random_vectors_move_exactly_their_bytes(chip: Chip, seed: int) -> None:
    rng = np.random.default_rng(seed)
    segment = bytearray(rng.integers(0, 256, 4096, dtype=np.uint8).tobytes())
    chip.dsr_put(0, bytes(segment))
    memory = chip.mem.bytes.copy()

    def place(va: int) -> int:
        return FIRST * PAGE + va - BASE

    for _ in range(25):
        xtype = X(rng.choice(list(SIZES)))
        size = SIZES[xtype]
        opc = Op(rng.choice([Op.VLOAD, Op.VSTORE, Op.VSET, Op.IVLOAD, Op.IVSTORE, Op.IVSET]))
        indexed = opc in (Op.IVLOAD, Op.IVSTORE, Op.IVSET)
        count = int(rng.integers(1, 2048 // size if not indexed else min(2048 // size, 64) + 1))
        stride = int(rng.choice([1, 1, 2, 3, 5])) if not indexed else 1
        count = count if stride == 1 else min(count, 100)  # these go one element an access
        stride = min(stride, max(1, 20 * PAGE // (count * size)))
        tri0 = int(rng.integers(0, (2048 - count * size) // size + 1)) * size
        va = BASE + int(rng.integers(0, (PAGE * 2) // size)) * size
        tri1 = 2048 + 8 * int(rng.integers(0, 100))
        index = rng.permutation(20 * PAGE // 2 // size)[:count] if indexed else np.arange(count) * stride
        if indexed:
            chip.dsr_put(tri1, index.astype(np.uint64).tobytes())
            segment[tri1 : tri1 + 8 * count] = index.astype(np.uint64).tobytes()
        value = int(rng.integers(0, 2**63))
        line = chip.instruction(opc, va=va, count=count, xtype=xtype, tri0=tri0, tri1=tri1, stride=stride, value=value)
        assert chip.execute(line) is IDLE
        for element in range(count):
            at, pos = place(va + int(index[element]) * size), tri0 + element * size
            if opc in (Op.VLOAD, Op.IVLOAD):
                segment[pos : pos + size] = memory[at : at + size].tobytes()
            elif opc in (Op.VSTORE, Op.IVSTORE):
                memory[at : at + size] = np.frombuffer(bytes(segment[pos : pos + size]), dtype=np.uint8)
            else:
                filler = (
                    (value.to_bytes(8, "little")[: min(size, 8)] * 8)[:size]
                    if size < 8
                    else value.to_bytes(8, "little") * (size // 8)
                )
                memory[at : at + size] = np.frombuffer(filler, dtype=np.uint8)
        assert (chip.mem.bytes == memory).all(), f"{opc.name} {xtype.name} count {count} stride {stride} va {va:#x} tri0 {tri0}"
    assert chip.dsr(0, 4096).tobytes() == bytes(segment)
    assert not chip.native.violations()


def test_negative_stride_walks_down(chip: Chip) -> None:
    expected = chip.window(BASE, PAGE).view(np.uint64)[::-1][:100].copy()
    line = chip.instruction(Op.VLOAD, va=BASE + PAGE - 8, count=100, stride=2**64 - 1)
    assert chip.execute(line) is IDLE
    assert (chip.dsr(0, 800).view(np.uint64) == expected).all()


@pytest.mark.parametrize(("xtype", "lines", "shift"), [(X.B, 1, 3), (X.S, 3, 14), (X.DW, 16, 24), (X.CL, 2, 64)])
def test_bcopy_copies_through_its_buffer(chip: Chip, xtype: g.CbXtype, lines: int, shift: int) -> None:
    size = SIZES[xtype]
    count = 5000 // size
    tri0 = 1024 + (0 if xtype is X.CL else 24)
    source, target = BASE + PAGE - 64, BASE + 8 * PAGE + shift
    before = chip.mem.bytes.copy()
    line = chip.instruction(Op.BCOPY, va=source, value=target, count=count, xtype=xtype, tri0=tri0, tri1=lines)
    assert chip.execute(line) is IDLE
    start, end = FIRST * PAGE + source - BASE, FIRST * PAGE + target - BASE
    before[end : end + count * size] = before[start : start + count * size]
    assert (chip.mem.bytes == before).all()
    last = chip.cbe(0)
    assert g.Cbe.idef5upd.get(last) == 0 and g.Cbe.idef6cpy.get(last) == 0
    assert g.Cbe.idef1upd.get(last) == source + count * size and g.Cbe.idef3upd.get(last) == target + count * size


ATOMICS = [
    (Op.GAMIR, g.ExopIr.FETCH, lambda old, a, b: old),
    (Op.GAMIR, g.ExopIr.CLR, lambda old, a, b: 0),
    (Op.GAMIR, g.ExopIr.INC, lambda old, a, b: old + 1),
    (Op.GAMIRR, g.ExopIr.DEC, lambda old, a, b: old - 1),
    (Op.GAMIRR, g.ExopIr.DECZ, lambda old, a, b: old - 1 if old else 0),
    (Op.GAMER, g.ExopEr.SWAP, lambda old, a, b: a),
    (Op.GAMER, g.ExopEr.OR, lambda old, a, b: old | a),
    (Op.GAMER, g.ExopEr.AND, lambda old, a, b: old & a),
    (Op.GAMERR, g.ExopEr.XOR, lambda old, a, b: old ^ a),
    (Op.GAMERR, g.ExopEr.ADD, lambda old, a, b: old + a),
    (Op.GAMER, g.ExopEr.CSWAP, lambda old, a, b: a if old == b else old),
    (Op.GAMER, g.ExopEr.CADD, lambda old, a, b: old + a if old == b else old),
]


@pytest.mark.parametrize(("opc", "exop", "result"), ATOMICS, ids=[f"{opc.name}-{exop.name}" for opc, exop, _ in ATOMICS])
@pytest.mark.parametrize("xtype", [X.W, X.DW])
def test_atomics(chip: Chip, opc: g.CbOpc, exop: int, result, xtype: g.CbXtype) -> None:  # type: ignore[no-untyped-def]
    size = SIZES[xtype]
    mask = (1 << (8 * size)) - 1
    for old, a, b in ((0, 5, 0), (mask, 1, mask), (0x1234, 0xFF0F, 0x1234), (7, 9, 8)):
        for va in (BASE + 8 * PAGE, BASE + 8 * PAGE + 2 * size + 56):
            word = chip.window(va - 8, 24)
            word[8 : 8 + size] = np.frombuffer(old.to_bytes(size, "little"), dtype=np.uint8)
            before = word.copy()
            assert chip.execute(chip.instruction(opc, va=va, xtype=xtype, exop=exop, stride=a, value=b)) is IDLE
            expected = (result(old, a, b) & mask).to_bytes(size, "little")
            before[8 : 8 + size] = np.frombuffer(expected, dtype=np.uint8)
            assert word.tobytes() == before.tobytes()
            assert g.Cb.avalue.get(chip.cb()) == old


def test_contended_atomics_lose_no_increment() -> None:
    """All read before the first writes: START makes every control block ready in the same cycle."""
    chip = Chip()
    chip.context(cbrs=32, core=None)
    word = chip.window(BASE, 8).view(np.uint64)
    word[0] = 0
    for cb in range(32):
        chip.do(chip.issue(0, cb, chip.instruction(Op.GAMIR, va=BASE, exop=g.ExopIr.INC)))
    chip.settle(50)
    chip.tfh_command(3, g.TfhOpc.WRITE_ONLY, BASE)
    chip.cch(0, g.CchOpc.INTERRUPT_SYNC)
    chip.cch(0, g.CchOpc.START)
    assert chip.do(chip.finish(0, range(32))) == [IDLE] * 32
    assert word[0] == 32
    assert sorted(g.Cb.avalue.get(chip.cb(0, cb)) for cb in range(32)) == list(range(32))
    assert chip.native.statistics()["exclusive_failed"] > 0


@pytest.mark.parametrize(("exop", "equal"), [(g.ExopEr.EPOLL, True), (g.ExopEr.NPOLL, False)])
def test_polls_wait_for_memory(chip: Chip, exop: int, equal: bool) -> None:
    word = chip.window(BASE, 8).view(np.uint64)
    word[0] = 1 if equal else 2
    chip.do(chip.issue(0, 0, chip.instruction(Op.GAMERR, va=BASE, exop=exop, stride=2)))
    chip.do(chip.issue(0, 1, chip.instruction(Op.NOP)))
    while chip.do(chip.istatus(0, 1)) is not IDLE or not chip.answered:
        chip.do(chip.serve(lambda: chip.answered > 0))
        chip.settle(10)
    chip.settle(5000)
    assert chip.do(chip.istatus(0, 0)) is g.CbIstatus.ACTIVE
    reads = chip.native.statistics()["memory_read_beats"]
    assert 10 < reads < 60
    word[0] = 2 if equal else 3
    assert chip.do(chip.finish(0, [0])) == [IDLE]
    assert g.Cb.avalue.get(chip.cb()) == (2 if equal else 3)


def test_message_queue_takes_its_limit_and_no_more(chip: Chip) -> None:
    queue = BASE + 4 * PAGE
    head = chip.window(queue, 8).view(np.uint32)
    head[:] = (2, 8)
    payload = bytes(range(128))
    chip.dsr_put(64, payload)
    for message in range(3):
        assert chip.execute(chip.instruction(Op.MESQ, va=queue, count=2, xtype=X.CL, tri0=64)) is IDLE
        assert chip.window(queue + 64 * (2 + 2 * message), 128).tobytes() == payload
        assert head[0] == 4 + 2 * message
    assert chip.execute(chip.instruction(Op.MESQ, va=queue, count=2, xtype=X.CL, tri0=64)) is EXCEPTION
    line = chip.cb()
    assert g.Cb.isubstatus.get(line) == g.CbSubstatus.QLIMIT_REACHED
    assert g.Cb.avalue.get(line) == 8 | 8 << 32 and tuple(head) == (8, 8)


def test_contended_queue_loses_no_message() -> None:
    """Sixteen senders start in the same cycle; the queue has room for thirteen."""
    chip = Chip()
    chip.context(cbrs=16, dsr_units=1, core=None)
    queue = BASE + PAGE
    head = chip.window(queue, 8).view(np.uint32)
    head[:] = (1, 14)
    for cb in range(16):
        chip.dsr_put(64 * cb, bytes([cb + 1]) * 64)
        chip.do(chip.issue(0, cb, chip.instruction(Op.MESQ, va=queue, count=1, xtype=X.CL, tri0=64 * cb)))
    chip.settle(50)
    chip.tfh_command(5, g.TfhOpc.WRITE_ONLY, queue)
    chip.cch(0, g.CchOpc.INTERRUPT_SYNC)
    chip.cch(0, g.CchOpc.START)
    outcome = chip.do(chip.finish(0, range(16)))
    assert outcome.count(IDLE) == 13 and outcome.count(EXCEPTION) == 3 and head[0] == 14
    sent = [int(line[0]) for line in chip.window(queue + 64, 13 * 64).reshape(13, 64) if (line == line[0]).all()]
    assert sorted(sent) == [cb + 1 for cb in range(16) if outcome[cb] is IDLE]
    assert chip.native.statistics()["exclusive_failed"] > 0


def test_queue_checks_reserve_or_refuse(chip: Chip) -> None:
    head = chip.window(BASE, 8).view(np.uint32)
    head[:] = (5, 8)
    assert chip.execute(chip.instruction(Op.GAMIR, va=BASE, exop=g.ExopIr.QCHK2)) is IDLE and head[0] == 7
    assert chip.execute(chip.instruction(Op.GAMIR, va=BASE, exop=g.ExopIr.QCHK2)) is EXCEPTION and head[0] == 7
    assert g.Cb.isubstatus.get(chip.cb()) == g.CbSubstatus.QLIMIT_REACHED
    assert chip.execute(chip.instruction(Op.GAMIR, va=BASE, exop=g.ExopIr.QCHK1)) is IDLE and head[0] == 8


INVALID = [
    {"opc": Op.VFLUSH},
    {"opc": Op.BSTORE},
    {"opc": Op.GAMXR},
    {"opc": Op.VLOAD, "va": BASE + 4, "count": 1},
    {"opc": Op.VLOAD, "va": BASE, "count": 1, "tri0": 2},
    {"opc": Op.IVLOAD, "va": BASE, "count": 1, "tri1": 4},
    {"opc": Op.GAMIR, "va": BASE, "exop": 3},
    {"opc": Op.GAMIR, "va": BASE, "exop": g.ExopIr.INC, "xtype": X.B},
    {"opc": Op.GAMER, "va": BASE, "exop": g.ExopEr.EPOLL},
    {"opc": Op.MESQ, "va": BASE, "count": 1, "xtype": X.DW},
    {"opc": Op.BCOPY, "va": BASE, "value": BASE, "count": 1, "tri1": 0},
]


@pytest.mark.parametrize("case", INVALID, ids=lambda case: f"{case['opc'].name}-{len(case)}")
def test_invalid_instructions(chip: Chip, case: dict) -> None:  # type: ignore[type-arg]
    assert chip.execute(chip.instruction(**case)) is EXCEPTION
    assert cause(chip) == g.CbEcause.INVALID_INSTRUCTION
    assert g.Cbe.cbrexecstatus.get(chip.cbe(0)) & (1 << g.CbrExs.EXCEPTION)
    assert chip.execute(chip.instruction(Op.NOP)) is IDLE  # the next instruction starts clean
    assert g.Cbe.ecause.get(chip.cbe(0)) == 0


@pytest.mark.parametrize("opc", [Op.VLOAD, Op.VSTORE, Op.BCOPY, Op.IVLOAD])
def test_data_segment_limit(chip: Chip, opc: g.CbOpc) -> None:
    outside = 4 * g.DSR_AU_BYTES
    tri0, tri1 = (outside - 64, 1) if opc is not Op.IVLOAD else (0, outside)
    assert (
        chip.execute(
            chip.instruction(opc, va=BASE, value=BASE + PAGE, count=9, tri0=tri0 + (64 if opc is Op.BCOPY else 0), tri1=tri1)
        )
        is EXCEPTION
    )
    assert cause(chip) == g.CbEcause.DATA_SEGMENT_LIMIT_EXCEPTION


def test_iaa_must_match_the_translation(chip: Chip) -> None:
    line = chip.instruction(Op.VSET, va=BASE, count=1)
    g.Cb.iaa0.put(line, g.Gaa.MMIO)
    assert chip.execute(line) is EXCEPTION
    assert cause(chip) == g.CbEcause.IAA_GAA_MISMATCH
    chip.do(chip.shootdown(0, 0, BASE, 1))  # the drain does not wait for the refused access


def test_unmapped_needs_permission_and_the_kernels_frames() -> None:
    chip = Chip()
    chip.context(0)
    chip.context(1, unmapped=True)
    assert chip.execute(chip.instruction(Op.VSET, va=3 * PAGE, count=4, value=5, ima=g.CbIma.UNMAPPED)) is EXCEPTION
    assert cause(chip) == g.CbEcause.UNMAPPED_MODE_FORBIDDEN
    chip.native.shadow.grant_kernel(3)
    assert chip.execute(chip.instruction(Op.VSET, va=3 * PAGE, count=4, value=5, ima=g.CbIma.UNMAPPED), ctx=1) is IDLE
    assert (chip.mem.frame(3)[:32].view(np.uint64) == 5).all() and chip.native.statistics()["translations"] == 0
    line = chip.instruction(Op.VSET, va=(1 << 62) | 3 * PAGE, count=4, ima=g.CbIma.UNMAPPED)
    assert chip.execute(line, ctx=1) is EXCEPTION
    assert g.Cbe.ecause.get(chip.cbe(chip.cbr(1, 0))) == 1 << g.CbEcause.IAA_GAA_MISMATCH


@pytest.mark.parametrize(
    ("opc", "expected"), [(Op.VLOAD, "RA_RESPONSE_FATAL"), (Op.VSET, "HA_RESPONSE_FATAL"), (Op.GAMIR, "RA_RESPONSE_FATAL")]
)
def test_memory_errors_end_the_instruction(opc: g.CbOpc, expected: str) -> None:
    chip = Chip()
    chip.stop_on_violation = False
    chip.map_page(0, 0x900, 10_000)
    chip.do(chip.start_context(0, 2, 1))
    assert chip.execute(chip.instruction(opc, va=0x900_000, count=4, exop=g.ExopIr.INC)) is EXCEPTION
    assert cause(chip) == g.CbEcause[expected]
    chip.do(chip.shootdown(0, 0, 0x900_000, 1))


def test_done_bit_and_interrupt(chip: Chip) -> None:
    line = chip.cch(0, g.CchOpc.INTERRUPT_SYNC)
    g.Cch.cb_int_enable.put(line, 1)
    g.Cch.tfm_done_bit_enable.put(line, 1)
    g.Cch.tlb_int_select.put(line, 5)
    chip.cch(0, g.CchOpc.START, line)
    chip.do(chip.issue(0, 1, chip.instruction(Op.NOP, ima=g.CbIma.INTERRUPT)))
    chip.do(chip.issue(0, 2, chip.instruction(Op.NOP)))
    chip.settle(100)
    assert chip.irq == 1 << 5
    low, _ = chip.do(chip.swap(g.TFM_BASE + 5 * g.HANDLE_STRIDE + 32, 2))
    chip.settle(10)
    assert low == 1 << 1 and chip.irq == 0
