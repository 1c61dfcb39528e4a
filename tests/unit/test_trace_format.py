"""The trace file: what is written comes back, and nothing else is accepted."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sw_stack.workloads.trace import (
    MAGIC,
    MAP_IMAGE,
    PAGE_SIZE,
    USER_TOP,
    Brk,
    Exit,
    Fork,
    Madvise,
    Mmap,
    Mprotect,
    Mremap,
    Munmap,
    Record,
    Run,
    Trace,
    TraceError,
    TraceInfo,
    TraceWriter,
    read_trace,
)
from sw_stack.workloads.trace_codec import decode_varints, encode_varints, unzigzag, zigzag

INFO = TraceInfo(program="sort", argv=("sort", "-u"), tool="valgrind-3.19.0 lackey", window=8)
PAGES = USER_TOP // PAGE_SIZE


def spans() -> st.SearchStrategy[tuple[int, int]]:
    """Whole pages in the user space: address and length."""
    return st.tuples(st.integers(0, PAGES - 1), st.integers(1, PAGES)).map(
        lambda span: (span[0] * PAGE_SIZE, min(span[1], PAGES - span[0]) * PAGE_SIZE)
    )


RUNS = st.builds(Run, st.integers(0, PAGES - 1), st.booleans(), st.integers(0, PAGE_SIZE - 1), st.integers(1, (1 << 32) - 1))
EVENTS = st.one_of(
    st.tuples(spans(), st.integers(0, 7), st.integers(0, 1 << 31)).map(lambda v: Mmap(*v[0], v[1], v[2])),
    spans().map(lambda v: Munmap(*v)),
    st.tuples(spans(), st.integers(0, 7)).map(lambda v: Mprotect(*v[0], v[1])),
    st.tuples(spans(), spans()).map(lambda v: Mremap(*v[0], *v[1])),
    st.builds(Brk, st.integers(0, USER_TOP), st.integers(0, USER_TOP)),
    st.tuples(spans(), st.integers(0, 25)).map(lambda v: Madvise(*v[0], v[1])),
    st.just(Fork()),
    st.just(Exit()),
)


def write(path: Path, records: list[Record], image: tuple[Mmap, ...] = (), info: TraceInfo = INFO) -> Trace:
    writer = TraceWriter(path, info)
    for record in records:
        writer.record(record)
    writer.close(image=image)
    return read_trace(path)


SMALL: list[Record] = [Run(0x4000, True, 8, 3), Mmap(0x4001000, 8192, 3, 0x22), Run(0x4001, False, 0, 1), Munmap(0x4001000, 8192)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.one_of(RUNS, EVENTS), max_size=60), st.integers(0, 255))
def test_round_trip(tmp_path: Path, records: list[Record], status: int) -> None:
    info = TraceInfo("sort", ("sort",), "lackey", 4, accesses=9, ended="exit", exit_status=status, dropped=2, note="n")
    image = (Mmap(0x1000, 0x2000, 3, MAP_IMAGE),)
    trace = write(tmp_path / "t.sdt", records, image, info)
    assert list(trace.records()) == [*image, *records]
    assert trace.info == info
    assert trace.runs == sum(isinstance(record, Run) for record in records)
    assert trace.vm_events == len(records) - trace.runs
    assert sum(trace.event_counts().values()) == trace.vm_events


def test_many_blocks_keep_the_order(tmp_path: Path) -> None:
    records: list[Record] = []
    for index in range(70_000):
        records.append(Run(index * 7919 % PAGES, index % 3 == 0, index % PAGE_SIZE, 1 + index % 5))
        if index % 10 == 0:
            records.append(Munmap(index * PAGE_SIZE, PAGE_SIZE))
    trace = write(tmp_path / "t.sdt", records)
    assert len(trace.blocks) == 2
    assert list(trace.records()) == records
    assert trace.pages == len({record.page for record in records if isinstance(record, Run)})


def test_a_trace_without_records(tmp_path: Path) -> None:
    trace = write(tmp_path / "t.sdt", [])
    assert list(trace.records()) == []
    assert trace.pages == 0


@given(st.lists(st.integers(0, (1 << 64) - 1)))
def test_varints(values: list[int]) -> None:
    column = np.array(values, dtype=np.uint64)
    assert decode_varints(encode_varints(column), len(values)).tolist() == values


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1)))
def test_zigzag(values: list[int]) -> None:
    assert unzigzag(zigzag(np.array(values, dtype=np.int64))).tolist() == values


@pytest.mark.parametrize("data", [b"\x80", b"\x01\x01", b"", b"\xff" * 10 + b"\x01", b"\xff" * 9 + b"\x02"])
def test_varints_that_are_none(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_varints(data, 1)


def refused(path: Path) -> str:
    """The one line a bad trace gives."""
    with pytest.raises(TraceError) as caught:
        read_trace(path)
    text = str(caught.value)
    assert "\n" not in text and text.startswith(f"{path}: ") and "; " in text
    return text


def test_truncated_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "t.sdt"
    write(path, SMALL, (Mmap(0x1000, 0x1000, 3, MAP_IMAGE),))
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        assert ("truncated" if length else "empty") in refused(path)


def test_every_damaged_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "t.sdt"
    write(path, SMALL)
    data = path.read_bytes()
    for index in range(len(data)):
        path.write_bytes(data[:index] + bytes([data[index] ^ 0x10]) + data[index + 1 :])
        refused(path)


def test_bytes_after_the_end(tmp_path: Path) -> None:
    path = tmp_path / "t.sdt"
    write(path, SMALL)
    path.write_bytes(path.read_bytes() + b"more")
    assert "4 bytes follow its end" in refused(path)


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.sdt"
    path.write_bytes(data)
    refused(path)
    path.write_bytes(MAGIC + data)
    refused(path)


def test_not_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "t.sdt"
    path.write_text("I  04023790,3\n L 1ffeffe7e,8\n")
    assert "not a shootdown trace" in refused(path)
    assert "cannot read" in refused(tmp_path / "absent.sdt")
    assert "cannot read" in refused(tmp_path)


def test_another_version(tmp_path: Path) -> None:
    path = tmp_path / "t.sdt"
    write(path, SMALL)
    data = path.read_bytes()
    path.write_bytes(MAGIC + struct.pack("<H", 7) + data[len(MAGIC) + 2 :])
    assert "version 7" in refused(path)


@pytest.mark.parametrize("page", [PAGES, (1 << 52) - 1])
def test_an_impossible_access(tmp_path: Path, page: int) -> None:
    path = tmp_path / "t.sdt"
    writer = TraceWriter(path, INFO)
    writer.run(page, False, 0, 1)
    writer.close()
    assert "outside the 47-bit user space" in refused(path)


IMPOSSIBLE: list[Record] = [
    Mmap(USER_TOP, PAGE_SIZE, 3, 0),
    Munmap(USER_TOP - PAGE_SIZE, 2 * PAGE_SIZE),
    Munmap(0x1001, PAGE_SIZE),
    Mprotect(0x1000, 0, 1),
    Mprotect(0x1000, 100, 1),
    Mremap(0x1000, 0x1000, USER_TOP, 0x1000),
    Brk(0, USER_TOP + 1),
    Madvise((1 << 64) - PAGE_SIZE, PAGE_SIZE, 4),
]


@pytest.mark.parametrize("event", IMPOSSIBLE)
def test_an_impossible_call(tmp_path: Path, event: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.sdt"
    with pytest.raises(ValueError):
        TraceWriter(path, INFO).event(event)
    with monkeypatch.context() as patch:
        patch.setattr("sw_stack.workloads.trace_file.event_problem", lambda event: None)
        writer = TraceWriter(path, INFO)
        writer.event(event)
        writer.close()
    assert "impossible address" in refused(path)


def test_a_block_that_unpacks_without_end(tmp_path: Path) -> None:
    """A hostile file costs a bounded amount of memory."""
    path = tmp_path / "t.sdt"
    writer = TraceWriter(path, INFO)
    writer._section(b"B", zlib.compress(bytes(1 << 27)))
    writer.close()
    assert "damaged" in refused(path)


def test_a_failed_writer_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.sdt"
    with pytest.raises(RuntimeError), TraceWriter(path, INFO) as writer:
        writer.run(1, False, 0, 1)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TraceError, match="cannot write"):
        TraceWriter(tmp_path / "absent" / "t.sdt", INFO)


def test_the_same_trace_is_the_same_file(tmp_path: Path) -> None:
    write(tmp_path / "a.sdt", SMALL)
    write(tmp_path / "b.sdt", SMALL)
    assert (tmp_path / "a.sdt").read_bytes() == (tmp_path / "b.sdt").read_bytes()


def test_the_shipped_trace() -> None:
    """Small, whole, of a program that ended, and with every call the virtual memory knows."""
    path = Path(__file__).parents[2] / "examples" / "traces" / "blockcache.sdt"
    trace = read_trace(path)
    assert path.stat().st_size < 2_000_000
    assert (trace.info.ended, trace.info.exit_status, trace.info.dropped) == ("exit", 0, 0)
    assert all(trace.event_counts().values())
    brks = [event for block in trace.blocks for event in block.events if isinstance(event, Brk)]
    assert any(brk.new < brk.old for brk in brks) and any(brk.new > brk.old for brk in brks)
    assert b"/home" not in path.read_bytes()
