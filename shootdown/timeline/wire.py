"""The part of Perfetto's trace format that a timeline uses, and the protobuf wire format it is written in.

The format is published as protos/perfetto/trace/perfetto_trace.proto; the field numbers below are checked against its official
schema by the tests. Writing and reading it takes a page of code, so the product needs no protobuf library. Promises: what `fields`
reads is what the writers wrote; `fields` raises WireError, never anything else, for bytes that are no message.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["WireError", "blob", "fields", "fixed64", "integer", "text", "varint"]

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5

# message Trace
TRACE_PACKET: Final = 1
# message TracePacket
PACKET_TIMESTAMP: Final = 8
PACKET_SEQUENCE_ID: Final = 10
PACKET_TRACK_EVENT: Final = 11
PACKET_INTERNED_DATA: Final = 12
PACKET_SEQUENCE_FLAGS: Final = 13
PACKET_TRACK_DESCRIPTOR: Final = 60
FLAG_STATE_CLEARED: Final = 1
FLAG_NEEDS_STATE: Final = 2
# message TrackEvent
EVENT_CATEGORY_IIDS: Final = 3
EVENT_DEBUG_ANNOTATIONS: Final = 4
EVENT_TYPE: Final = 9
EVENT_NAME_IID: Final = 10
EVENT_TRACK_UUID: Final = 11
EVENT_FLOW_IDS: Final = 47
EVENT_TERMINATING_FLOW_IDS: Final = 48
TYPE_SLICE_BEGIN: Final = 1
TYPE_SLICE_END: Final = 2
TYPE_INSTANT: Final = 3
# message DebugAnnotation
ANNOTATION_NAME_IID: Final = 1
ANNOTATION_UINT: Final = 3
ANNOTATION_POINTER: Final = 7
# message InternedData, and the messages EventCategory, EventName and DebugAnnotationName, which are alike
INTERNED_CATEGORIES: Final = 1
INTERNED_EVENT_NAMES: Final = 2
INTERNED_ANNOTATION_NAMES: Final = 3
NAMED_IID: Final = 1
NAMED_NAME: Final = 2
# message TrackDescriptor
TRACK_UUID: Final = 1
TRACK_NAME: Final = 2
TRACK_PROCESS: Final = 3
TRACK_THREAD: Final = 4
TRACK_PARENT_UUID: Final = 5
TRACK_CHILD_ORDERING: Final = 11
TRACK_SIBLING_RANK: Final = 12
TRACK_MERGE: Final = 15
ORDER_EXPLICIT: Final = 3
MERGE_NONE: Final = 2
# message ProcessDescriptor, message ThreadDescriptor
PROCESS_PID: Final = 1
PROCESS_NAME: Final = 6
THREAD_PID: Final = 1
THREAD_TID: Final = 2
THREAD_NAME: Final = 5


class WireError(ValueError):
    """Bytes that are no protobuf message."""


def varint(value: int) -> bytes:
    """An unsigned integer, seven bits a byte."""
    # Nearly all numbers are short; a loop for them would be half the cost of a file.
    if value < 1 << 7:
        return bytes((value,))
    if value < 1 << 14:
        return bytes((value & 0x7F | 0x80, value >> 7))
    if value < 1 << 21:
        return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14))
    if value < 1 << 28:
        return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14 & 0x7F | 0x80, value >> 21))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(number: int, value: int) -> bytes:
    """A field of an integer or enumeration type."""
    return varint(number << 3 | VARINT) + varint(value)


def fixed64(number: int, value: int) -> bytes:
    """A field of type fixed64."""
    return varint(number << 3 | FIXED64) + value.to_bytes(8, "little")


def blob(number: int, content: bytes) -> bytes:
    """A field that holds a message."""
    return varint(number << 3 | LENGTH) + varint(len(content)) + content


def text(number: int, content: str) -> bytes:
    """A field that holds a string."""
    return blob(number, content.encode())


def fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int]]:
    """The fields of the message in data[start:end] as (number, first, second): for a number, its value and 0; for a string or
    message, where its content begins and ends in `data`."""
    at, stop = start, len(data) if end is None else end
    while at < stop:
        tag = data[at]  # most tags and lengths are one byte: those are not worth a call
        if tag < 0x80:
            at += 1
        else:
            tag, at = _read_varint(data, at, stop)
        kind = tag & 7
        if kind == VARINT:
            value, at = _read_varint(data, at, stop)
            yield tag >> 3, value, 0
        elif kind == LENGTH:
            size = data[at] if at < stop else 0x80
            if size < 0x80:
                at += 1
            else:
                size, at = _read_varint(data, at, stop)
            if at + size > stop:
                raise WireError(f"a field of {size} bytes at byte {at} passes the end of its message")
            yield tag >> 3, at, at + size
            at += size
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
            if at + size > stop:
                raise WireError(f"a number at byte {at} passes the end of its message")
            yield tag >> 3, int.from_bytes(data[at : at + size], "little"), 0
            at += size
        else:
            raise WireError(f"byte {at} begins no field")


def _read_varint(data: bytes, at: int, stop: int) -> tuple[int, int]:
    value = shift = 0
    while at < stop:
        byte = data[at]
        at += 1
        if byte < 0x80:
            return value | byte << shift, at
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > 63:
            break
    raise WireError(f"no number ends at byte {at}")
