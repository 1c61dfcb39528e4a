"""The harness's memory model and oracle, cycle by cycle: latency, bandwidth, limits, exclusive accesses, and every objection."""

from __future__ import annotations

import pytest
from support.hil_shim import DECERR, EXOKAY, OKAY, Beat, MemoryBench

from hwif.memory import HostMemory
from hwif.port import ViolationReason
from hwif.shadow import KERNEL, READ, WRITE, Shadow

FRAMES = 16
MM = 3
CTX = 2


@pytest.fixture
def memory() -> HostMemory:
    memory = HostMemory(FRAMES)
    for frame in range(FRAMES):
        memory.frame(frame)[:] = frame + 1
    return memory


@pytest.fixture
def shadow() -> Shadow:
    """All frames the kernel's."""
    shadow = Shadow(FRAMES)
    for frame in range(FRAMES):
        shadow.grant_kernel(frame)
    return shadow


def at(address: int, **more: object) -> Beat:
    return Beat(at=1, cbr=more.pop("cbr", 7), pa=address, **more)  # type: ignore[arg-type]


def test_a_read_answers_exactly_after_its_latency(memory: HostMemory, shadow: Shadow) -> None:
    bench = MemoryBench(memory, shadow, read_latency=10)
    bench.reads = [at(0x2040)]
    (answer,) = bench.run(20)
    ((_, _, accepted),) = bench.accepted
    assert (answer.cycle - accepted, answer.cbr, answer.resp, answer.line) == (10, 7, OKAY, bytes([3]) * 64)


def test_data_is_sampled_the_cycle_before_it_shows(memory: HostMemory, shadow: Shadow) -> None:
    bench = MemoryBench(memory, shadow, read_latency=10)
    bench.reads = [at(0x2000), Beat(at=2, cbr=8, pa=0x3000)]
    bench.run(10)  # cycle 10's tick samples for cycle 11
    memory.write(0x2000, bytes(64))
    bench.run(1)
    memory.write(0x3000, bytes(64))
    memory.write(0x2000, bytes([9]) * 64)
    first, second = bench.run(9)
    assert first.cycle == 11 and first.line == bytes(64)
    assert second.cycle == 12 and second.line == bytes(64)


@pytest.mark.parametrize("beat_cycles", [1, 4])
def test_reads_stream_at_the_bandwidth_in_order(memory: HostMemory, shadow: Shadow, beat_cycles: int) -> None:
    bench = MemoryBench(memory, shadow, read_latency=10, beat_cycles=beat_cycles)
    bench.reads = [Beat(at=1, cbr=i, pa=i * 64) for i in range(6)]
    answers = bench.run(60)
    assert [answer.cbr for answer in answers] == list(range(6))
    assert [answer.cycle for answer in answers] == [11 + beat_cycles * i for i in range(6)]


def test_outstanding_reads_are_limited(memory: HostMemory, shadow: Shadow) -> None:
    bench = MemoryBench(memory, shadow, read_latency=10, outstanding=2)
    bench.reads = [Beat(at=1, cbr=i, pa=i * 64) for i in range(4)]
    bench.run(40)
    accepted = [cycle for _, _, cycle in bench.accepted]
    taken = [answer.taken for answer in bench.responses]
    assert accepted[:2] == [1, 2]
    assert accepted[2:] == [taken[0] + 1, taken[1] + 1]  # room is seen the cycle after


def test_a_held_response_waits_and_those_behind_it_too(memory: HostMemory, shadow: Shadow) -> None:
    bench = MemoryBench(memory, shadow, read_latency=10, hold=frozenset(range(11, 16)))
    bench.reads = [Beat(at=1, cbr=1, pa=0), Beat(at=1, cbr=2, pa=64)]
    first, second = bench.run(30)
    assert (first.cycle, first.taken) == (11, 16)
    assert second.cycle == 17


def test_a_write_lands_when_address_and_data_have_met(memory: HostMemory, shadow: Shadow) -> None:
    for address_at, data_at in ((1, 4), (4, 1), (3, 3)):
        bench = MemoryBench(memory, shadow, write_latency=5)
        bench.writes = [Beat(at=address_at, cbr=9, pa=0x5000, data=bytes([0xAA]) * 64, strobe=0x0F, data_at=data_at)]
        memory.write(0x5000, bytes(64))
        met = max(address_at, data_at)
        bench.run(met)
        assert memory.read(0x5000, 8) == bytes(8)
        bench.run(1)
        assert memory.read(0x5000, 8) == bytes([0xAA] * 4 + [0] * 4), "only the strobed bytes, in the cycle they met"
        (answer,) = bench.run(20)
        assert (answer.kind, answer.cycle, answer.cbr, answer.resp) == ("b", met + 5, 9, OKAY)


def test_the_write_channel_rests_by_the_bandwidth(memory: HostMemory, shadow: Shadow) -> None:
    bench = MemoryBench(memory, shadow, beat_cycles=4)
    bench.writes = [Beat(at=1, cbr=i, pa=64 * i, data=bytes(64), data_at=1) for i in range(4)]
    bench.run(40)
    assert [cycle for kind, _, cycle in bench.accepted if kind == "w"] == [1, 5, 9, 13]


def test_a_read_after_a_write_sees_it(memory: HostMemory, shadow: Shadow) -> None:
    bench = MemoryBench(memory, shadow, read_latency=1)
    bench.writes = [Beat(at=3, cbr=1, pa=0x1000, data=b"\x55" * 64, data_at=3)]
    bench.reads = [Beat(at=1, cbr=2, pa=0x1000), Beat(at=3, cbr=3, pa=0x1000)]
    bench.run(20)
    lines = {answer.cbr: answer.line for answer in bench.responses if answer.kind == "r"}
    assert lines == {2: b"\x02" * 64, 3: b"\x55" * 64}


@pytest.mark.parametrize("address", [FRAMES * 4096, 1 << 52])
def test_outside_memory_is_a_decode_error(memory: HostMemory, shadow: Shadow, address: int) -> None:
    before = bytes(memory.bytes)
    bench = MemoryBench(memory, shadow)
    bench.reads = [at(address)]
    bench.writes = [at(address, data=b"\xff" * 64, cbr=8)]
    assert {(answer.kind, answer.resp) for answer in bench.run(20)} == {("r", DECERR), ("b", DECERR)}
    assert bytes(memory.bytes) == before
    assert {record.reason for record in bench.violations} == {ViolationReason.OUTSIDE}


@pytest.mark.parametrize(("disturb", "outcome"), [(None, EXOKAY), (0x100, OKAY), (0x108, EXOKAY), (0x10F, EXOKAY)])
def test_an_exclusive_write_passes_iff_its_bytes_are_unchanged(
    memory: HostMemory, shadow: Shadow, disturb: int | None, outcome: int
) -> None:
    bench = MemoryBench(memory, shadow, read_latency=3)
    bench.reads = [at(0x100, size=3, lock=True)]
    (read,) = bench.run(6)
    assert read.resp == EXOKAY
    if disturb is not None:
        memory.write(disturb, b"\x77")
    bench.writes = [at(0x100, size=3, lock=True, data=b"\x99" * 64, strobe=0xFF, data_at=1)]
    (_, write) = bench.run(20)
    assert write.resp == outcome
    assert (memory.read(0x100, 8) == b"\x99" * 8) == (outcome == EXOKAY)


def test_an_exclusive_write_needs_its_own_read(memory: HostMemory, shadow: Shadow) -> None:
    bench = MemoryBench(memory, shadow, read_latency=3)
    bench.reads = [at(0x100, size=3, lock=True, cbr=1)]
    bench.run(6)
    for cbr, address in ((2, 0x100), (1, 0x108)):
        bench.writes = [at(address, size=3, lock=True, cbr=cbr, data=b"\x99" * 64, strobe=0xFF00 if address % 16 else 0xFF)]
        bench.run(10)
    assert [answer.resp for answer in bench.responses] == [EXOKAY, OKAY, OKAY]
    assert memory.read(0x100, 16) == b"\x01" * 16


# ---- the oracle ---------------------------------------------------------------------------------------------------------


def user(shadow: Shadow, frame: int, rights: int, vpn: int = 0x1234) -> None:
    shadow.revoke_kernel(frame)
    shadow.grant(frame, MM, vpn, rights)
    shadow.set_context(CTX, MM)


def access(memory: HostMemory, shadow: Shadow, *, write: bool, pa: int, va: int, ctx: int = CTX, mapped: bool = True) -> list[str]:
    """Objections to one beat."""
    bench = MemoryBench(memory, shadow)
    beat = Beat(at=1, cbr=5, pa=pa, mapped=mapped, ctx=ctx, va=va, data=b"\0" * 64 if write else b"", data_at=1)
    (bench.writes if write else bench.reads).append(beat)
    bench.run(20)
    assert bench.checked == 1
    for record in bench.violations:
        assert (record.write, record.mapped, record.ctx, record.cbr, record.va, record.pa) == (write, mapped, ctx, 5, va, pa)
        # A write is judged when performed, a read when sampled: the cycle before its response.
        assert record.cycle == (1 if write else 10)
    return [ViolationReason(record.reason).name for record in bench.violations]


VA = 0x1234_040
PA = 0x6040


@pytest.mark.parametrize("write", [False, True])
def test_a_live_translation_with_the_right_is_legal(memory: HostMemory, shadow: Shadow, write: bool) -> None:
    user(shadow, 6, READ | WRITE)
    assert access(memory, shadow, write=write, pa=PA, va=VA) == []


def test_a_write_needs_the_write_right(memory: HostMemory, shadow: Shadow) -> None:
    user(shadow, 6, READ)
    assert access(memory, shadow, write=False, pa=PA, va=VA) == []
    assert access(memory, shadow, write=True, pa=PA, va=VA) == ["READ_ONLY"]


@pytest.mark.parametrize("write", [False, True])
def test_a_revoked_translation_is_illegal(memory: HostMemory, shadow: Shadow, write: bool) -> None:
    user(shadow, 6, READ | WRITE)
    shadow.revoke(6, MM, 0x1234)
    assert access(memory, shadow, write=write, pa=PA, va=VA) == ["REVOKED"]


@pytest.mark.parametrize(("pa", "va"), [(0x7040, VA), (PA, VA + 0x1000), (PA, VA + (1 << 63))])
def test_another_page_or_frame_is_illegal(memory: HostMemory, shadow: Shadow, pa: int, va: int) -> None:
    user(shadow, 6, READ | WRITE)
    assert access(memory, shadow, write=True, pa=pa, va=va) == ["REVOKED"]


def test_another_address_space_is_illegal(memory: HostMemory, shadow: Shadow) -> None:
    user(shadow, 6, READ | WRITE)
    shadow.set_context(CTX, MM + 1)
    assert access(memory, shadow, write=True, pa=PA, va=VA) == ["REVOKED"]
    shadow.set_context(CTX, 0)
    assert access(memory, shadow, write=True, pa=PA, va=VA) == ["NO_CONTEXT"]


def test_every_mapping_of_a_shared_frame_counts(memory: HostMemory, shadow: Shadow) -> None:
    user(shadow, 6, READ | WRITE, vpn=0x99)
    shadow.grant(6, MM + 1, 0x1234, READ | WRITE)
    shadow.grant(6, MM, 0x1234, READ)
    assert access(memory, shadow, write=False, pa=PA, va=VA) == []
    assert access(memory, shadow, write=True, pa=PA, va=VA) == ["READ_ONLY"]
    shadow.revoke(6, MM, 0x99)
    assert access(memory, shadow, write=False, pa=PA, va=VA) == []


def test_unmapped_accesses_are_the_kernels_only(memory: HostMemory, shadow: Shadow) -> None:
    assert int(shadow.words[5, 1]) == KERNEL
    assert access(memory, shadow, write=True, pa=0x5000, va=0x5000, mapped=False) == []
    user(shadow, 6, READ | WRITE)
    assert access(memory, shadow, write=True, pa=PA, va=PA, mapped=False) == ["NOT_KERNEL"]
    assert access(memory, shadow, write=False, pa=0x5000, va=VA) == ["REVOKED"], "nor may a mapped one touch the kernel's"
