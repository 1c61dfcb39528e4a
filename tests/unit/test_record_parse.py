"""The recorder: lackey's text to records, an address space that makes sense, and programs recorded for real."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sw_stack.workloads.areas import AreaMap
from sw_stack.workloads.collapse import Collapser, RunLimitError
from sw_stack.workloads.lackey import LackeyParser
from sw_stack.workloads.record import RecordError, RecordProgress, record
from sw_stack.workloads.trace import (
    MAP_IMAGE,
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

BANNER = "==12== Lackey, an example Valgrind tool\n==12== Command: prog\n==12== \n"

LOG = """\
I  04023790,3
 L 1ffeffe7e8,8
 S 04034000,4
I  04023793,3
 M 04034ffc,8
SYSCALL[12,1](12) sys_brk ( 0x0 ) --> [pre-success] Success(0x4035000)\x20
SYSCALL[12,1](257) sys_openat ( 4294967196, 0x4034bb0(/usr/lib/libx (1).so), 524288 ) --> [async] ...\x20
SYSCALL[12,1](257) ... [async] --> Success(0x4)\x20
SYSCALL[12,1](9) sys_mmap ( 0x0, 16400, 1, 2050, 4, 0 ) --> [pre-success] Success(0x4837000)\x20
SYSCALL[12,1](9) sys_mmap ( 0x0, 99, 1, 2050, 77, 0 ) --> [pre-fail] Failure(0x9)\x20
 L 04837ff8,16
SYSCALL[12,1](10) sys_mprotect ( 0x4838000, 4096, 3 )[sync] --> Success(0x0)\x20
SYSCALL[12,1](25) sys_mremap ( 0x4837000, 20480, 40960, 0x1 ) --> [pre-success] Success(0x5000000)\x20
SYSCALL[12,1](28) sys_madvise ( 0x5000000, 4097, 4 ) --> [async] ...\x20
 S 1ffeffe7e8,8
SYSCALL[12,1](28) ... [async] --> Success(0x0)\x20
SYSCALL[12,1](12) sys_brk ( 0x4056000 ) --> [pre-success] Success(0x4056000)\x20
SYSCALL[12,1](56) sys_clone ( 3d0f00, 0x5b89f70, 0x5b8a990, 0x5b8a990, 0x5b8a6c0 ) --> [pre-success] Success(0x1f17)\x20
SYSCALL[12,1](56) sys_clone ( 1200011, 0x0, 0x0, 0x50c2f10, 0x0 )   clone(fork): process 12 created child 13
 --> [pre-success] Success(0xd)\x20
SYSCALL[12,1](11) sys_munmap ( 0x5000000, 38815 )[sync] --> Success(0x0)\x20
SYSCALL[12,1](231) exit_group( 0 ) --> [pre-success] Success(0x0)\x20
==12== Counted 1 call to main()
"""

EXPECTED: list[Record] = [
    Run(0x1FFEFFE, False, 0x7E8, 1),
    Run(0x4034, True, 0, 2),
    Run(0x4035, True, 0, 1),  # the end of the access that crossed
    Mmap(0x4837000, 0x5000, 1, 2050),
    Run(0x4837, False, 0xFF8, 1),
    Run(0x4838, False, 0, 1),
    Mprotect(0x4838000, 0x1000, 3),
    Mremap(0x4837000, 0x5000, 0x5000000, 0xA000),
    Run(0x1FFEFFE, True, 0x7E8, 1),
    Madvise(0x5000000, 0x2000, 4),
    Brk(0x4035000, 0x4056000),
    Fork(),
    Munmap(0x5000000, 0xA000),
    Exit(),
]


def parse(tmp_path: Path, log: bytes, piece: int = 1 << 20, window: int = 8, max_runs: int = 1 << 30) -> Trace:
    path = tmp_path / "t.sdt"
    info = TraceInfo("prog")
    collapser = Collapser(lambda: TraceWriter(path, info), window, max_runs)
    parser = LackeyParser(collapser)
    try:
        for start in range(0, len(log), piece):
            parser.feed(log[start : start + piece])
    except RunLimitError:
        pass
    collapser.finish(TraceInfo("prog", accesses=collapser.accesses_seen, dropped=collapser.dropped))
    return read_trace(path)


def program(trace: Trace) -> list[Record]:
    """Without the image."""
    return [record for block in trace.blocks for record in block.records()]


@pytest.mark.parametrize("piece", [1, 7, 64, 1 << 20])
def test_canned_log(tmp_path: Path, piece: int) -> None:
    trace = parse(tmp_path, (BANNER + LOG).encode(), piece)
    assert program(trace) == EXPECTED
    assert trace.info.accesses == 7
    assert trace.image == (
        Mmap(0x4034000, 0x2000, 3, MAP_IMAGE),
        Mmap(0x1FFEFFE000, 0x1000, 3, MAP_IMAGE),
    )


def test_execve_starts_afresh(tmp_path: Path) -> None:
    first = " S 00001000,8\nSYSCALL[12,1](59) sys_execve ( 0x1fff0002c0(/usr/bin/bash), 0x1fff000660, 0x1fff000690 )"
    trace = parse(tmp_path, (BANNER + first + BANNER + " L 00002000,8\n").encode())
    assert program(trace) == [Run(2, False, 0, 1)]


def test_failed_execve_goes_on(tmp_path: Path) -> None:
    line = "SYSCALL[12,1](59) sys_execve ( 0x1fff0002c0(/bin/no), 0x1, 0x2 ) --> [pre-fail] Failure(0x2) \n L 00002000,8\n"
    trace = parse(tmp_path, (BANNER + " L 00001000,8\n" + line).encode())
    assert program(trace) == [Run(1, False, 0, 1), Run(2, False, 0, 1)]


def test_reads_then_writes_are_two_runs_writes_then_reads_one(tmp_path: Path) -> None:
    trace = parse(tmp_path, b" L 00001000,8\n S 00001008,8\n L 00001010,8\n S 00001018,8\n")
    assert program(trace) == [Run(1, False, 0, 1), Run(1, True, 8, 3)]


def test_the_window_merges_ping_pong(tmp_path: Path) -> None:
    log = b" L 00001000,8\n L 00002000,8\n" * 5
    assert program(parse(tmp_path, log, window=2)) == [Run(1, False, 0, 5), Run(2, False, 0, 5)]
    assert len(program(parse(tmp_path, log, window=1))) == 10


def test_the_window_forgets_the_least_recently_used(tmp_path: Path) -> None:
    pages = [1, 2, 1, 3, 1, 2]
    log = "".join(f" L 0000{page}000,8\n" for page in pages).encode()
    assert [run.page for run in program(parse(tmp_path, log, window=2)) if isinstance(run, Run)] == [1, 2, 3, 2]


def test_accesses_without_a_right_are_dropped(tmp_path: Path) -> None:
    log = b"SYSCALL[1,1](9) sys_mmap ( 0x0, 4096, 1, 34, 4, 0 ) --> [pre-success] Success(0x7000)\n S 00007000,8\n L 00007000,8\n"
    trace = parse(tmp_path, log)
    assert program(trace) == [Mmap(0x7000, 0x1000, 1, 34), Run(7, False, 0, 1)]
    assert trace.info.dropped == 1


def test_addresses_outside_the_user_space_are_dropped(tmp_path: Path) -> None:
    trace = parse(tmp_path, b" L ffffffffff600000,8\n L 800000000000,8\n L 00001000,8\n L 7fffffffffff,1\n")
    assert [run.page for run in program(trace) if isinstance(run, Run)] == [1, (1 << 35) - 1]
    assert trace.info.dropped == 2


def test_an_area_made_unseen_is_mapped_where_it_is_used(tmp_path: Path) -> None:
    gone = b"SYSCALL[1,1](11) sys_munmap ( 0x7000, 4096 )[sync] --> Success(0x0)\n"
    trace = parse(tmp_path, b" L 00007000,8\n" + gone + b" S 00007000,8\n")
    assert program(trace) == [Run(7, False, 0, 1), Munmap(0x7000, 0x1000), Mmap(0x7000, 0x1000, 3, MAP_IMAGE), Run(7, True, 0, 1)]
    assert trace.image == (Mmap(0x7000, 0x1000, 1, MAP_IMAGE),)


def test_the_image_joins_segments_not_mappings(tmp_path: Path) -> None:
    made = b"SYSCALL[1,1](9) sys_mmap ( 0x0, 4096, 1, 34, 4, 0 ) --> [pre-success] Success(0x22000)\n"
    reads = [0x10, 0x14, 0x21, 0x23, 0x60]
    log = made + b"".join(b" L %08x,4\n" % (page << 12) for page in reads)
    areas = [(area.addr >> 12, area.length >> 12) for area in parse(tmp_path, log).image]
    assert areas == [(0x10, 0x12), (0x23, 1), (0x60, 1)]


def test_the_run_limit(tmp_path: Path) -> None:
    log = b"".join(b" L %08x,4\n" % (page << 12) for page in range(1, 100))
    assert parse(tmp_path, log, max_runs=10).runs == 10


class Plain:
    """The sink that keeps every access."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int, bool]] = []

    def started(self) -> None: ...
    def strange(self, count: int) -> None: ...
    def break_at(self, address: int) -> None: ...
    def call(self, event: Record) -> None: ...

    def accesses(self, pages: NDArray[np.int64], offsets: NDArray[np.int64], writes: NDArray[np.bool_]) -> None:
        self.seen += zip(pages.tolist(), offsets.tolist(), writes.tolist(), strict=True)


ACCESS = st.tuples(st.sampled_from("LSMI"), st.integers(0, (1 << 47) - 4097), st.integers(1, 832))


@settings(deadline=None)
@given(st.lists(ACCESS, max_size=40), st.integers(1, 50))
def test_every_access_is_seen_once(accesses: list[tuple[str, int, int]], piece: int) -> None:
    log = "".join(f"I  {a:08x},{n}\n" if kind == "I" else f" {kind} {a:08x},{n}\n" for kind, a, n in accesses).encode()
    sink = Plain()
    parser = LackeyParser(sink)
    for start in range(0, len(log), piece):
        parser.feed(log[start : start + piece])
    expected = []
    for kind, address, size in accesses:
        if kind != "I":
            expected.append((address >> 12, address & 0xFFF, kind != "L"))
            if (address & 0xFFF) + size > 4096:
                expected.append(((address >> 12) + 1, 0, kind != "L"))
    assert sink.seen == expected


OPERATION = st.tuples(st.sampled_from(["map", "unmap", "protect"]), st.integers(0, 40), st.integers(1, 12), st.integers(0, 2))


@given(st.lists(OPERATION, max_size=30))
def test_areas_against_a_dictionary(operations: list[tuple[str, int, int, int]]) -> None:
    areas, plain = AreaMap(), dict[int, int]()
    for name, start, length, rights in operations:
        pages = range(start, start + length)
        if name == "map":
            areas.map(start, start + length, rights)
            plain |= dict.fromkeys(pages, rights)
        elif name == "unmap":
            areas.unmap(start, start + length)
            plain = {page: right for page, right in plain.items() if page not in pages}
        else:
            areas.protect(start, start + length, rights)
            plain |= {page: rights for page in pages if page in plain}
    assert [areas.lookup(page) for page in range(60)] == [plain.get(page) for page in range(60)]
    bounds = list(areas)
    for before, after in zip(bounds, bounds[1:]):  # noqa: RUF007 - a pair each
        assert before[1] < after[0] or (before[1] == after[0] and before[2] != after[2])
    gaps = [page for low, high in areas.gaps(3, 50) for page in range(low, high)]
    assert gaps == [page for page in range(3, 50) if page not in plain]


needs_valgrind = pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")


def consistent(trace: Trace) -> None:
    """Every run lies in an area that is mapped, with the right it needs."""
    areas = AreaMap()
    for item in trace.records():
        match item:
            case Run():
                rights = areas.lookup(item.page)
                assert rights is not None and rights & (2 if item.write else 7), item
            case Mmap():
                areas.map(item.addr >> 12, (item.addr + item.length) >> 12, item.prot)
            case Munmap():
                areas.unmap(item.addr >> 12, (item.addr + item.length) >> 12)
            case Mprotect():
                assert areas.gaps(item.addr >> 12, (item.addr + item.length) >> 12) == []
                areas.protect(item.addr >> 12, (item.addr + item.length) >> 12, item.prot)
            case Mremap():
                rights = areas.lookup(item.old >> 12)
                assert rights is not None
                areas.unmap(item.old >> 12, (item.old + item.old_len) >> 12)
                areas.map(item.new >> 12, (item.new + item.new_len) >> 12, rights)
            case Brk():
                low, high = (item.old + 4095) >> 12, (item.new + 4095) >> 12
                areas.map(low, high, 3) if low < high else areas.unmap(high, low)


@needs_valgrind
def test_a_real_program(tmp_path: Path) -> None:
    recording = record(["/bin/true"], tmp_path / "true.sdt")
    trace = read_trace(recording.path)
    assert (trace.info.ended, trace.info.exit_status) == ("exit", 0)
    assert trace.runs == recording.runs > 100 and trace.event_counts()["exit"] == 1
    assert trace.info.dropped == 0
    consistent(trace)


@needs_valgrind
def test_a_launcher_is_followed_and_a_child_is_not(tmp_path: Path) -> None:
    out = tmp_path / "told"
    script = f'/bin/echo "[$LD_PRELOAD$VALGRIND_LAUNCHER]" > {out}; exec sh -c "exit 3"'
    trace = read_trace(record(["sh", "-c", script], tmp_path / "t.sdt").path)
    assert (trace.info.ended, trace.info.exit_status) == ("exit", 3)
    assert out.read_text().strip().endswith("]")
    assert trace.info.note == "after 1 execve"
    consistent(trace)


@needs_valgrind
def test_a_program_killed_by_a_signal(tmp_path: Path) -> None:
    trace = read_trace(record(["sh", "-c", "kill -9 $$"], tmp_path / "t.sdt").path)
    assert (trace.info.ended, trace.info.exit_status, trace.info.note) == ("signal", None, "SIGKILL")


@needs_valgrind
def test_the_limit_ends_a_program_that_does_not(tmp_path: Path) -> None:
    trace = read_trace(record(["sh", "-c", "while :; do :; done"], tmp_path / "t.sdt", max_runs=500, window=1).path)
    assert trace.info.ended == "max-runs" and trace.runs == 500
    consistent(trace)


@needs_valgrind
def test_an_interrupted_recording_is_whole(tmp_path: Path) -> None:
    stopped: list[int] = []

    def stop(counts: RecordProgress) -> None:
        if counts.runs > 100 and not stopped:
            stopped.append(counts.runs)
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    trace = read_trace(record(["sh", "-c", "while :; do :; done"], tmp_path / "t.sdt", progress=stop).path)
    assert trace.info.ended == "interrupted" and trace.info.exit_status is None
    assert trace.runs > 100
    assert signal.getsignal(signal.SIGINT) is before
    consistent(trace)


@needs_valgrind
def test_a_second_interrupt_does_not_wait(tmp_path: Path) -> None:
    sent: list[int] = []

    def insist(_counts: RecordProgress) -> None:
        if not sent:  # not again in the last report, when the handlers are gone
            sent.append(1)
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        record(["sh", "-c", "while :; do :; done"], tmp_path / "t.sdt", progress=insist)
    assert list(tmp_path.iterdir()) == []


@needs_valgrind
def test_a_recording_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(_counts: RecordProgress) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        record(["sh", "-c", "while :; do :; done"], tmp_path / "t.sdt", progress=fail)
    assert list(tmp_path.iterdir()) == []


@needs_valgrind
def test_what_cannot_be_recorded(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such program"):
        record(["no-such-program"], tmp_path / "t.sdt")
    with pytest.raises(TraceError, match="cannot write"):
        record(["/bin/true"], tmp_path / "absent" / "t.sdt")


def test_without_valgrind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent / "nowhere"))
    with pytest.raises(RecordError, match="apt-get install valgrind"):
        record(["/bin/true"], tmp_path / "t.sdt")
