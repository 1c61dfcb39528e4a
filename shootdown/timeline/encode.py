"""A story as a Perfetto trace file.

Promises: the file follows Perfetto's published format: descriptors of all tracks first, then events in order of time, names
interned, one flow id an arrow, with both its ends in the file. A file that would be larger than the limit ends at the end of a
cycle; what is open there is closed there. Costs a few microseconds an event and about 60 bytes of file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hwif.gen.events import CATALOGUE, TraceEvent
from shootdown.timeline import wire
from shootdown.timeline.story import BEGIN, DEVICE, END, Entry, Story, Track
from shootdown.timeline.wire import blob, fixed64, integer, text, varint

__all__ = ["Encoded", "encode"]

SEQUENCE: Final = 1
PID_STEP: Final = 1000  # processor n is process (n + 1) * PID_STEP, task t of it its thread t further on; nothing is process 0

# Arguments that are addresses, shown in hexadecimal.
ADDRESSES: Final = frozenset({"vaddr", "start", "end", "old", "new", "baddr0", "baddr1", "va", "addr", "key", "token", "remote"})

FLOW_BYTES: Final = len(fixed64(wire.EVENT_FLOW_IDS, 0))
FRAME_BYTES: Final = 8  # tags and lengths of a packet and its event, at most
CLOSING_BYTES: Final = 32  # more than the end of a slice takes


@dataclass(frozen=True)
class Encoded:
    """A file's content, and what is in it. `cut`: the cycle from which on nothing is in it, None for a whole run."""

    content: bytes
    slices: int
    flows: int
    cut: int | None


class _Names:
    """Strings the file holds once. `take` gives the number of a string; what is new goes into the next packet."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, str], int] = {}
        self._fresh: list[tuple[int, bytes]] = []

    def take(self, kind: int, name: str) -> int:
        number = self._numbers.get((kind, name))
        if number is None:
            number = self._numbers[kind, name] = len(self._numbers) + 1
            named = integer(wire.NAMED_IID, number) + text(wire.NAMED_NAME, name)
            self._fresh.append((kind, blob(kind, named)))
        return number

    def fresh(self) -> bytes:
        """The field of the packet that holds the new ones; empty if there are none."""
        if not self._fresh:
            return b""
        content = b"".join(field for _kind, field in sorted(self._fresh, key=lambda named: named[0]))
        self._fresh.clear()
        return blob(wire.PACKET_INTERNED_DATA, content)


def encode(story: Story, clock_mhz: int, limit_bytes: int) -> Encoded:
    """Needs a story that is finished."""
    uuids = {track: number for number, track in enumerate(_ordered(story.tracks), 1)}
    head = _descriptors(story.tracks, uuids, story.devices)
    packets = _Packets(uuids, clock_mhz)
    encoded = [packets.encode(operation) for operation in story.operations]
    ends = [0] * len(encoded)
    for source, target in story.arrows:
        ends[source.index] += 1
        ends[target.index] += 1
    count, cut = _fit(story, encoded, ends, limit_bytes - len(head))
    flows: dict[int, bytes] = {}
    arrows = [(source, target) for source, target in story.arrows if target.index < count]
    for number, kind in ((0, wire.EVENT_FLOW_IDS), (1, wire.EVENT_TERMINATING_FLOW_IDS)):  # in the order of the fields
        for flow, arrow in enumerate(arrows, 1):
            index = arrow[number].index
            flows[index] = flows.get(index, b"") + fixed64(kind, flow)
    parts = [head, *(_packet(encoded[index], flows.get(index, b"")) for index in range(count))]
    if cut is not None:
        parts += [_packet(packets.encode((cut, END, entry)), b"") for entry in _open(story, count)]
    slices = sum(1 for _cycle, kind, _entry in story.operations[:count] if kind == BEGIN)
    return Encoded(b"".join(parts), slices, len(arrows), cut)


SHORT: Final = tuple(bytes((size,)) for size in range(128))  # lengths that take one byte, which nearly all do


def _packet(encoded: tuple[bytes, bytes, bytes], flows: bytes) -> bytes:
    before, event, after = encoded
    event += flows
    size = len(event)
    packet = before + b"\x5a" + (SHORT[size] if size < 128 else varint(size)) + event + after  # 0x5a: field 11, track_event
    size = len(packet)
    return b"\x0a" + (SHORT[size] if size < 128 else varint(size)) + packet  # 0x0a: field 1, packet


class _Packets:
    """Encodes operations one by one: what comes before the event in its packet, the event without its flows, what comes after.

    Fields are written in the order of their numbers, as protobuf's own writers do, so that re-writing a file changes nothing.
    """

    def __init__(self, uuids: dict[Track, int], clock_mhz: int) -> None:
        self._clock = clock_mhz
        self._names = _Names()
        self._sequence = integer(wire.PACKET_SEQUENCE_ID, SEQUENCE)
        self._flags = integer(wire.PACKET_SEQUENCE_FLAGS, wire.FLAG_NEEDS_STATE)
        self._first_flags: bytes | None = integer(wire.PACKET_SEQUENCE_FLAGS, wire.FLAG_NEEDS_STATE | wire.FLAG_STATE_CLEARED)
        self._uuid = {track: integer(wire.EVENT_TRACK_UUID, uuid) for track, uuid in uuids.items()}
        self._end = {track: integer(wire.EVENT_TYPE, wire.TYPE_SLICE_END) + uuid for track, uuid in self._uuid.items()}
        self._categories: dict[str, bytes] = {}
        self._titles: dict[tuple[int, str], bytes] = {}
        self._arguments: dict[TraceEvent, list[bytes]] = {}
        self._cycle = self._argument("cycle")
        self._unfinished = _annotation(self._argument("unfinished"), 1)

    def encode(self, operation: tuple[int, int, Entry]) -> tuple[bytes, bytes, bytes]:
        cycle, kind, entry = operation
        before = b"\x40" + varint(cycle * 1000 // self._clock) + self._sequence  # 0x40: field 8, timestamp
        if kind == END:
            return before, self._end[entry.track], self._flags
        event = self._category(entry.layer) + self._details(cycle, entry) + self._title(kind, entry.name) + self._uuid[entry.track]
        after = self._flags
        if self._first_flags is not None:
            after, self._first_flags = self._first_flags, None
        fresh = self._names.fresh()
        return before, event, fresh + after if fresh else after

    def _category(self, name: str) -> bytes:
        found = self._categories.get(name)
        if found is None:
            found = integer(wire.EVENT_CATEGORY_IIDS, self._names.take(wire.INTERNED_CATEGORIES, name))
            self._categories[name] = found
        return found

    def _title(self, kind: int, name: str) -> bytes:
        found = self._titles.get((kind, name))
        if found is None:
            number = self._names.take(wire.INTERNED_EVENT_NAMES, name)
            found = self._titles[kind, name] = integer(wire.EVENT_TYPE, kind) + integer(wire.EVENT_NAME_IID, number)
        return found

    def _details(self, cycle: int, entry: Entry) -> bytes:
        details = _annotation(self._cycle, cycle)
        if entry.event is not None:
            heads = self._arguments.get(entry.event)
            if heads is None:
                heads = self._arguments[entry.event] = [self._argument(name) for name in CATALOGUE[entry.event][1]]
            for head, value in zip(heads, entry.args):
                details += _annotation(head, value)
        return details + self._unfinished if entry.unfinished else details

    def _argument(self, name: str) -> bytes:
        """An annotation up to its value."""
        number = self._names.take(wire.INTERNED_ANNOTATION_NAMES, name)
        kind = wire.ANNOTATION_POINTER if name in ADDRESSES else wire.ANNOTATION_UINT
        return integer(wire.ANNOTATION_NAME_IID, number) + varint(kind << 3)


def _annotation(head: bytes, value: int) -> bytes:
    content = head + (SHORT[value] if value < 128 else varint(value))
    return b"\x22" + SHORT[len(content)] + content  # 0x22: field 4, debug_annotations


# ---- the limit ---------------------------------------------------------------------------------------------------------


def _fit(story: Story, encoded: Sequence[tuple[bytes, bytes, bytes]], ends: Sequence[int], room: int) -> tuple[int, int | None]:
    """How many operations fit, up to the end of a cycle, and the cycle of the first that does not."""
    used = depth = 0
    operations = story.operations
    for index, parts in enumerate(encoded):
        cycle, kind, _entry = operations[index]
        depth += 1 if kind == BEGIN else -1 if kind == END else 0
        used += sum(map(len, parts)) + FLOW_BYTES * ends[index] + FRAME_BYTES
        if used + CLOSING_BYTES * depth > room:
            count = index
            while count and operations[count - 1][0] == cycle:
                count -= 1
            return count, cycle
    return len(encoded), None


def _open(story: Story, count: int) -> list[Entry]:
    """Slices that are open after `count` operations, the innermost of a track first."""
    running: dict[int, Entry] = {}
    for index in range(count):
        _cycle, kind, entry = story.operations[index]
        if kind == BEGIN:
            running[entry.index] = entry
        elif kind == END:
            del running[entry.index]
    return [running[index] for index in sorted(running, reverse=True)]


# ---- tracks ------------------------------------------------------------------------------------------------------------


def _place(group: int) -> tuple[bool, int]:
    """Processors first, in order; then devices, node by node."""
    return group <= DEVICE, abs(group)


def _ordered(tracks: Sequence[Track]) -> list[Track]:
    return sorted(tracks, key=lambda track: (_place(track.group), track.order))


def _descriptors(tracks: Sequence[Track], uuids: dict[Track, int], devices: Mapping[int, str]) -> bytes:
    """A process for each processor and one for each device, their rows under them."""
    groups = sorted({track.group for track in tracks}, key=_place)
    process = {group: len(uuids) + 1 + place for place, group in enumerate(groups)}
    pids = {group: (place + 1) * PID_STEP for place, group in enumerate(groups)}
    out = b""
    for order, group in enumerate(groups):
        name = devices[group] if group <= DEVICE else f"CPU {group}"
        body = integer(wire.PROCESS_PID, pids[group]) + text(wire.PROCESS_NAME, name)
        out += _descriptor(
            integer(wire.TRACK_UUID, process[group])
            + blob(wire.TRACK_PROCESS, body)
            + integer(wire.TRACK_CHILD_ORDERING, wire.ORDER_EXPLICIT)
            + integer(wire.TRACK_SIBLING_RANK, order)
        )
    for rank, track in enumerate(_ordered(tracks)):
        uuid, place = integer(wire.TRACK_UUID, uuids[track]), integer(wire.TRACK_SIBLING_RANK, rank)
        if track.group > DEVICE and track.parent is None:
            thread = integer(wire.THREAD_PID, pids[track.group])
            thread += integer(wire.THREAD_TID, pids[track.group] + 1 + track.task) + text(wire.THREAD_NAME, track.name)
            out += _descriptor(uuid + blob(wire.TRACK_THREAD, thread) + place)
        else:
            parent = uuids[track.parent] if track.parent is not None else process[track.group]
            row = text(wire.TRACK_NAME, track.name) + integer(wire.TRACK_PARENT_UUID, parent)
            out += _descriptor(uuid + row + place + integer(wire.TRACK_MERGE, wire.MERGE_NONE))
    return out


def _descriptor(body: bytes) -> bytes:
    packet = integer(wire.PACKET_SEQUENCE_ID, SEQUENCE) + blob(wire.PACKET_TRACK_DESCRIPTOR, body)
    return blob(wire.TRACE_PACKET, packet)
