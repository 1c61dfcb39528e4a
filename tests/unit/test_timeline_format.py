"""Timeline files against Perfetto's own schema, whatever the records say; cuts; and reading them back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as schema
from support.perfetto_trace import parse
from support.stories import FAULT, POLLED, SHOOTDOWN, TASKS, Row, blocks, timeline, write

from hwif.gen.events import CATALOGUE, TraceEvent
from hwif.gen.timing import CLOCK_MHZ
from hwif.trace import CPU_SHIFT
from shootdown.errors import InputError
from shootdown.timeline import Timeline, wire
from shootdown.timeline.read import read_timeline

NS = 1000 // CLOCK_MHZ
MARGIN = 400  # bytes kept free on a track for the ends of its open slices, at most
FIELDS: dict[str, tuple[Any, str]] = {
    "TRACE_PACKET": (schema.Trace, "packet"),
    "PACKET_TIMESTAMP": (schema.TracePacket, "timestamp"),
    "PACKET_SEQUENCE_ID": (schema.TracePacket, "trusted_packet_sequence_id"),
    "PACKET_TRACK_EVENT": (schema.TracePacket, "track_event"),
    "PACKET_INTERNED_DATA": (schema.TracePacket, "interned_data"),
    "PACKET_SEQUENCE_FLAGS": (schema.TracePacket, "sequence_flags"),
    "PACKET_TRACK_DESCRIPTOR": (schema.TracePacket, "track_descriptor"),
    "EVENT_CATEGORY_IIDS": (schema.TrackEvent, "category_iids"),
    "EVENT_DEBUG_ANNOTATIONS": (schema.TrackEvent, "debug_annotations"),
    "EVENT_TYPE": (schema.TrackEvent, "type"),
    "EVENT_NAME_IID": (schema.TrackEvent, "name_iid"),
    "EVENT_TRACK_UUID": (schema.TrackEvent, "track_uuid"),
    "EVENT_FLOW_IDS": (schema.TrackEvent, "flow_ids"),
    "EVENT_TERMINATING_FLOW_IDS": (schema.TrackEvent, "terminating_flow_ids"),
    "ANNOTATION_NAME_IID": (schema.DebugAnnotation, "name_iid"),
    "ANNOTATION_UINT": (schema.DebugAnnotation, "uint_value"),
    "ANNOTATION_POINTER": (schema.DebugAnnotation, "pointer_value"),
    "INTERNED_CATEGORIES": (schema.InternedData, "event_categories"),
    "INTERNED_EVENT_NAMES": (schema.InternedData, "event_names"),
    "INTERNED_ANNOTATION_NAMES": (schema.InternedData, "debug_annotation_names"),
    "NAMED_IID": (schema.EventName, "iid"),
    "NAMED_NAME": (schema.EventName, "name"),
    "TRACK_UUID": (schema.TrackDescriptor, "uuid"),
    "TRACK_NAME": (schema.TrackDescriptor, "name"),
    "TRACK_PROCESS": (schema.TrackDescriptor, "process"),
    "TRACK_THREAD": (schema.TrackDescriptor, "thread"),
    "TRACK_PARENT_UUID": (schema.TrackDescriptor, "parent_uuid"),
    "TRACK_CHILD_ORDERING": (schema.TrackDescriptor, "child_ordering"),
    "TRACK_SIBLING_RANK": (schema.TrackDescriptor, "sibling_order_rank"),
    "TRACK_MERGE": (schema.TrackDescriptor, "sibling_merge_behavior"),
    "PROCESS_PID": (schema.ProcessDescriptor, "pid"),
    "PROCESS_NAME": (schema.ProcessDescriptor, "process_name"),
    "THREAD_PID": (schema.ThreadDescriptor, "pid"),
    "THREAD_TID": (schema.ThreadDescriptor, "tid"),
    "THREAD_NAME": (schema.ThreadDescriptor, "thread_name"),
}
VALUES = {
    "FLAG_STATE_CLEARED": schema.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED,
    "FLAG_NEEDS_STATE": schema.TracePacket.SEQ_NEEDS_INCREMENTAL_STATE,
    "TYPE_SLICE_BEGIN": schema.TrackEvent.TYPE_SLICE_BEGIN,
    "TYPE_SLICE_END": schema.TrackEvent.TYPE_SLICE_END,
    "TYPE_INSTANT": schema.TrackEvent.TYPE_INSTANT,
    "ORDER_EXPLICIT": schema.TrackDescriptor.EXPLICIT,
    "MERGE_NONE": schema.TrackDescriptor.SIBLING_MERGE_BEHAVIOR_NONE,
}


def test_every_field_number_is_the_schemas() -> None:
    prefixes = ("TRACE_", "PACKET_", "EVENT_", "ANNOTATION_", "INTERNED_", "NAMED_", "TRACK_", "PROCESS_", "THREAD_")
    assert {name for name in vars(wire) if name.startswith(prefixes)} == set(FIELDS), "a number nobody checks"
    for name, (message, field) in FIELDS.items():
        assert getattr(wire, name) == message.DESCRIPTOR.fields_by_name[field].number, name
    for name, value in VALUES.items():
        assert getattr(wire, name) == value, name


def test_a_file_begins_with_its_tracks_and_a_cleared_state(tmp_path: Path) -> None:
    path = tmp_path / "timeline.pftrace"
    info = write([*SHOOTDOWN, *FAULT], path)
    trace = schema.Trace()
    trace.ParseFromString(path.read_bytes())
    kinds = [packet.WhichOneof("data") for packet in trace.packet]
    assert kinds == sorted(kinds, key=["track_descriptor", "track_event"].index)
    first = trace.packet[kinds.index("track_event")]
    assert first.sequence_flags == VALUES["FLAG_STATE_CLEARED"] | VALUES["FLAG_NEEDS_STATE"]
    parsed = parse(path.read_bytes())
    assert list(parsed.processes.values()) == ["CPU 0", "CPU 1", "GRU"]
    assert info.slices == sum(not event.instant for event in parsed.events)
    assert info.flows == len(parsed.arrows) == 12
    assert (info.path, info.truncated_at, info.note) == (path, None, "")


ARGUMENT = st.one_of(st.integers(0, 30), st.sampled_from((4096, 0x7F00_0000_0000, (1 << 64) - 1)))
RECORD = st.tuples(
    st.integers(0, 40),  # cycles since the one before
    st.integers(0, 1),
    st.integers(0, 5),
    st.sampled_from(sorted(CATALOGUE)),
    st.lists(ARGUMENT, min_size=6, max_size=6),
)


def rows_of(drawn: list[tuple[int, int, int, TraceEvent, list[int]]]) -> list[Row]:
    """Records in order of time; those of the device without a processor."""
    rows: list[Row] = []
    now = 1
    for step, cpu, task, event, args in drawn:
        now += step
        device = CATALOGUE[event][0] == "device"
        rows.append((now, -1 if device else cpu, 0 if device else task, event, tuple(args)))
    return rows


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RECORD, min_size=1, max_size=120), st.integers(0, 9_000))
def test_whatever_the_records_say_the_file_is_one(tmp_path: Path, drawn: list[Any], limit: int) -> None:
    """Also records that no run would give: slices nest, arrows have both ends; also when the file is cut anywhere."""
    path = tmp_path / "timeline.pftrace"
    rows = rows_of(drawn)
    whole = write(rows, path)
    parsed = parse(path.read_bytes())
    assert all(source.start <= target.start for source, target in parsed.arrows)
    size = path.stat().st_size
    cut = write(rows, path, limit_bytes=limit)
    parse(path.read_bytes())
    assert cut.slices <= whole.slices and cut.flows <= whole.flows
    if cut.truncated_at is None:
        assert path.stat().st_size == size
    else:
        assert path.stat().st_size < size and limit < size + MARGIN * len(parsed.tracks), "cut, though it fits"


def test_a_file_too_large_is_cut_at_the_end_of_a_cycle_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "timeline.pftrace"
    rows = [*SHOOTDOWN, *FAULT]
    write(rows, path)
    whole = parse(path.read_bytes())
    seen = set()
    for limit in range(1_200, path.stat().st_size, 100):
        info = write(rows, path, limit_bytes=limit)
        assert path.stat().st_size <= limit
        cut = info.truncated_at
        assert cut is not None and f"{cut:,}" in info.note and f"{limit:,}" in info.note
        parsed = parse(path.read_bytes())
        seen.add(cut)
        assert max(event.start for event in parsed.events) < cut * NS
        kept = [(event.track, event.name, event.start) for event in parsed.events]
        assert kept == [(e.track, e.name, e.start) for e in whole.events if e.start < cut * NS], "whole cycles, nothing else"
        assert all(event.end <= cut * NS for event in parsed.events)
    assert len(seen) > 5


def test_more_records_than_it_keeps_are_cut_and_that_is_said(tmp_path: Path) -> None:
    """Blocks of the two streams come interleaved; the cut is where the first of them is incomplete."""
    made = Timeline(TASKS, limit_records=14)
    software, device = (
        [block for block in blocks([*SHOOTDOWN, *FAULT], size=4) if bool(block[0, 1] >> np.uint64(CPU_SHIFT)) == kind]
        for kind in (True, False)
    )
    assert len(software) == len(device) == 3
    for pair in zip(software, device, strict=True):
        for block in pair:
            made(block)
    path = tmp_path / "timeline.pftrace"
    info = made.write(path)
    assert info.truncated_at == device[1][0, 0] == 260
    assert "260" in info.note and "14 records" in info.note
    parsed = parse(path.read_bytes())
    everything = parse(_whole(tmp_path))
    expected = [(e.track, e.name, e.start) for e in everything.events if e.start < info.truncated_at * NS]
    assert [(e.track, e.name, e.start) for e in parsed.events] == expected


def _whole(tmp_path: Path) -> bytes:
    path = tmp_path / "whole.pftrace"
    write([*SHOOTDOWN, *FAULT], path)
    return path.read_bytes()


def test_a_run_without_records_gives_a_file_without_tracks(tmp_path: Path) -> None:
    path = tmp_path / "timeline.pftrace"
    info = timeline([]).write(path)
    assert (info.slices, info.flows, path.read_bytes()) == (0, 0, b"")


def test_what_is_read_back_is_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "timeline.pftrace"
    write([*SHOOTDOWN, *POLLED], path)
    parsed, view = parse(path.read_bytes()), read_timeline(path)
    key = sorted(
        (s.row.name, s.name, s.category, s.start * NS, s.end * NS, s.depth, s.instant, s.details["cycle"]) for s in view.spans()
    )
    assert key == sorted(
        (e.track, e.name, e.category, e.start, e.end, e.depth, e.instant, e.details["cycle"]) for e in parsed.events
    )
    assert sorted((a.source.name, a.target.name) for a in view.arrows) == sorted(parsed.arrow_names())
    assert [row.group for row in view.rows] == sorted((row.group for row in view.rows), key=["CPU 0", "CPU 1", "GRU"].index)


def test_a_window_holds_what_touches_it(tmp_path: Path) -> None:
    path = tmp_path / "timeline.pftrace"
    write([*SHOOTDOWN, *FAULT], path)
    view = read_timeline(path, 200, 331)
    assert {span.name for span in view.spans()} == {
        "munmap 0x10000 +4 pages",
        "range active: 4 pages",
        "invalidate_range_begin",
        "invalidate_range_begin returned",
        "shootdown TGH 5: 4 pages",
        "status seen",
        "drain: 4 pages",
        "ACTIVE",
    }
    assert ("drain: 4 pages", "status seen") in {(arrow.source.name, arrow.target.name) for arrow in view.arrows}
    assert "post" not in {arrow.source.name for arrow in view.arrows}
    assert (view.first, view.last, view.whole) == (200, 331, False)
    assert {span.name: span.end for span in view.spans()}["drain: 4 pages"] == 260
    assert "IRQ 1" in view.described, "also rows that have nothing there"


def test_of_a_file_no_more_is_read_than_the_window_needs(tmp_path: Path) -> None:
    path = tmp_path / "timeline.pftrace"
    write([*SHOOTDOWN, *FAULT], path)
    path.write_bytes(path.read_bytes()[:-7] + bytes(7))
    assert {span.name for span in read_timeline(path, 150, 160).spans()} >= {"post", "shootdown TGH 5: 4 pages"}
    with pytest.raises(InputError, match="no timeline"):
        read_timeline(path)


@pytest.mark.parametrize("clock", [500, 333, 1000])
def test_cycles_survive_the_way_through_nanoseconds(tmp_path: Path, clock: int) -> None:
    path = tmp_path / "timeline.pftrace"
    write(SHOOTDOWN, path, clock_mhz=clock)
    for span in read_timeline(path, clock_mhz=clock).spans():
        assert span.start == span.details["cycle"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "timeline.pftrace"
    good = _whole(tmp_path)
    at = data.draw(st.integers(0, len(good) - 1))
    path.write_bytes(good[:at] + data.draw(st.binary(max_size=4)) + good[at + data.draw(st.integers(0, 40)) :])
    try:
        read_timeline(path)
    except InputError as error:
        assert "\n" not in str(error) and str(path) in str(error)


@pytest.mark.parametrize("content", [b"", b"\x00", b"all: build\n", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"])
def test_what_is_no_timeline_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no timeline"):
        read_timeline(path)
