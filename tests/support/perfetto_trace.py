"""A timeline file taken apart with Perfetto's own schema, checked on the way for what the viewer needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as schema

__all__ = ["Event", "Parsed", "parse"]

SLICE_BEGIN, SLICE_END, INSTANT = 1, 2, 3


@dataclass
class Event:
    """A slice or an instant, in nanoseconds; `depth` slices of its track are around it."""

    track: str
    name: str
    category: str
    start: int
    end: int
    depth: int
    instant: bool
    details: dict[str, int]


@dataclass
class Parsed:
    """What a file holds. `arrows`: pairs of events, as flow ids join them."""

    packets: int
    tracks: dict[int, str] = field(default_factory=dict)
    processes: dict[int, str] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    arrows: list[tuple[Event, Event]] = field(default_factory=list)

    def on(self, track: str) -> list[Event]:
        return [event for event in self.events if event.track == track]

    def named(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name]

    def arrow_names(self) -> list[tuple[str, str]]:
        return [(source.name, target.name) for source, target in self.arrows]


def parse(data: bytes) -> Parsed:
    """Read a file, asserting: the official schema writes the same bytes again; tracks are described before use; names are
    interned before use; time does not run back; slices nest and end; every flow has one begin and then one end."""
    trace = schema.Trace()
    trace.ParseFromString(data)
    assert trace.SerializeToString() == data, "the schema reads the file as something else than was written"
    parsed = Parsed(len(trace.packet))
    names: dict[str, dict[int, str]] = {"name": {}, "category": {}, "annotation": {}}
    stacks: dict[int, list[Event]] = {}
    sources: dict[int, Event] = {}
    finished: set[int] = set()
    threads: set[int] = set()
    now = 0
    for packet in trace.packet:
        assert packet.trusted_packet_sequence_id == 1
        if packet.HasField("track_descriptor"):
            _describe(parsed, packet.track_descriptor, threads)
            continue
        for kind, interned in (
            ("name", packet.interned_data.event_names),
            ("category", packet.interned_data.event_categories),
            ("annotation", packet.interned_data.debug_annotation_names),
        ):
            for entry in interned:
                assert entry.iid not in names[kind], f"{entry.name} interned twice"
                names[kind][entry.iid] = entry.name
        event = packet.track_event
        assert event.track_uuid in parsed.tracks, "an event on a track that is not described before"
        assert packet.timestamp >= now, "time runs back"
        now = packet.timestamp
        stack = stacks.setdefault(event.track_uuid, [])
        if event.type == SLICE_END:
            assert stack, "a slice ends that did not begin"
            stack.pop().end = now
            assert not event.flow_ids and not event.terminating_flow_ids
            continue
        assert event.type in (SLICE_BEGIN, INSTANT)
        details = {names["annotation"][note.name_iid]: note.uint_value or note.pointer_value for note in event.debug_annotations}
        (category,) = event.category_iids
        made = Event(
            parsed.tracks[event.track_uuid],
            names["name"][event.name_iid],
            names["category"][category],
            now,
            now,
            len(stack),
            event.type == INSTANT,
            details,
        )
        parsed.events.append(made)
        if event.type == SLICE_BEGIN:
            stack.append(made)
        for flow in event.terminating_flow_ids:
            parsed.arrows.append((sources.pop(flow), made))
            finished.add(flow)
        for flow in event.flow_ids:
            assert flow not in sources and flow not in finished, f"flow {flow} begins twice"
            sources[flow] = made
    assert not sources, f"{len(sources)} arrows without an end"
    assert not any(stacks.values()), "slices without an end"
    return parsed


def _describe(parsed: Parsed, descriptor: schema.TrackDescriptor, threads: set[int]) -> None:
    assert descriptor.uuid not in parsed.tracks and descriptor.uuid not in parsed.processes
    if descriptor.HasField("process"):
        parsed.processes[descriptor.uuid] = descriptor.process.process_name
    elif descriptor.HasField("thread"):
        pids = {descriptor.thread.pid}
        assert descriptor.thread.tid not in threads
        assert descriptor.thread.tid not in pids
        threads.add(descriptor.thread.tid)
        parsed.tracks[descriptor.uuid] = descriptor.thread.thread_name
    else:
        assert descriptor.parent_uuid in parsed.processes or descriptor.parent_uuid in parsed.tracks
        parent = parsed.processes.get(descriptor.parent_uuid) or parsed.tracks[descriptor.parent_uuid]
        parsed.tracks[descriptor.uuid] = descriptor.name
        parsed.parents[descriptor.name] = parent
