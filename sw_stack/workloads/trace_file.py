"""The trace file: writing it block by block, reading it whole. docs/trace-format.md is the contract with other programs.

Promises: `TraceWriter` never leaves a damaged file under the final name (it writes beside it and renames at the end); `read`
accepts exactly what a writer closed, and turns anything else into a TraceError. Every byte is under a checksum.
Costs: the writer holds one block (65,536 records) in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sw_stack.workloads.trace_codec import U64, decode_varints, encode_varints, unzigzag, zigzag
from sw_stack.workloads.trace_records import (
    EVENT_TYPES,
    PAGE_SHIFT,
    PAGE_SIZE,
    USER_TOP,
    Brk,
    Kind,
    Madvise,
    Mmap,
    Mprotect,
    Mremap,
    Munmap,
    Record,
    Run,
    Trace,
    TraceBlock,
    TraceError,
    TraceInfo,
)

__all__ = ["FORMAT_VERSION", "MAGIC", "TraceWriter", "event_problem", "read"]

# A byte over 127, both line ends and an end-of-file mark: a transfer that treats the file as text shows at once.
MAGIC = b"\x89SDT\r\n\x1a\n"
FORMAT_VERSION = 1

_HEAD = struct.Struct("<HI")  # version, length of the JSON header
_SECTION = struct.Struct("<cII")  # tag, length, CRC-32 of the payload
_CHECKSUM = 16
_BLOCK_RECORDS = 65536
_BLOCK_BYTES = 1 << 26  # no honest block unpacks to more

_TAG_BLOCK = b"B"
_TAG_IMAGE = b"I"
_TAG_END = b"E"

_KIND_OF = {kind: number for number, kind in EVENT_TYPES.items()}
_ARGUMENTS = {number: len(kind._fields) for number, kind in EVENT_TYPES.items()}

_RECORD_AGAIN = "record it again with 'shootdown record'"
_COPY_AGAIN = "copy it again or record it again with 'shootdown record'"


def event_problem(event: Record) -> str | None:
    """Why a memory call cannot have happened, or None."""
    spans: list[tuple[int, int]] = []
    match event:
        case Mmap() | Munmap() | Mprotect() | Madvise():
            spans = [(event.addr, event.length)]
        case Mremap():
            spans = [(event.old, event.old_len), (event.new, event.new_len)]
        case Brk():
            if max(event.old, event.new) > USER_TOP:
                return f"brk {max(event.old, event.new):#x} lies outside the 47-bit user space"
    name = type(event).__name__.lower()
    for start, length in spans:
        if start + length > USER_TOP:
            return f"{name} of {start:#x}, {length:#x} bytes, lies outside the 47-bit user space"
        if length == 0 or (start | length) & (PAGE_SIZE - 1):
            return f"{name} of {start:#x}, {length:#x} bytes, is not made of whole pages"
    return None


def _pack(kinds: bytes, columns: Sequence[U64]) -> bytes:
    parts = [struct.pack("<I", len(kinds)), kinds]
    for column in columns:
        data = encode_varints(column)
        parts += [struct.pack("<I", len(data)), data]
    return zlib.compress(b"".join(parts), 9)


class TraceWriter:
    """Writes a trace. Use as a context manager: leaving it normally closes the file, an exception discards it."""

    def __init__(self, path: Path | str, info: TraceInfo) -> None:
        self.path = Path(path)
        self.info = info
        self.runs = 0
        self.events = 0
        self._hash = hashlib.blake2b(digest_size=_CHECKSUM)
        self._kinds = bytearray()
        self._pages, self._offsets, self._counts, self._arguments = (array("Q") for _ in range(4))
        self._part = self.path.with_name(self.path.name + ".part")
        self._file: BinaryIO | None = None
        try:
            self._file = self._part.open("wb")
            header = {"program": info.program, "argv": info.argv, "tool": info.tool, "window": info.window}
            text = json.dumps({**header, "page_size": PAGE_SIZE}, sort_keys=True).encode()
            self._put(MAGIC + _HEAD.pack(FORMAT_VERSION, len(text)) + text + struct.pack("<I", zlib.crc32(text)))
        except OSError as error:
            self.discard()
            raise TraceError(path, f"cannot write the trace: {error.strerror}", "choose another --out") from None

    def run(self, page: int, write: bool, offset: int, count: int) -> None:
        """Append a run."""
        self._kinds.append(Kind.WRITE if write else Kind.READ)
        self._pages.append(page)
        self._offsets.append(offset)
        self._counts.append(count)
        self.runs += 1
        if len(self._kinds) >= _BLOCK_RECORDS:
            self._flush()

    def event(self, event: Record) -> None:
        """Append a memory call; raises ValueError for an impossible one."""
        problem = event_problem(event)
        if problem is not None:
            raise ValueError(problem)
        self._kinds.append(_KIND_OF[type(event)])
        self._arguments.extend(event)
        self.events += 1
        if len(self._kinds) >= _BLOCK_RECORDS:
            self._flush()

    def record(self, record: Record) -> None:
        """Append a record of either sort."""
        if isinstance(record, Run):
            self.run(*record)
        else:
            self.event(record)

    def close(self, info: TraceInfo | None = None, image: Sequence[Mmap] = ()) -> None:
        """Finish the file. `info` replaces what is only known at the end; `image` is the initial address space."""
        self.info = info if info is not None else self.info
        try:
            self._flush()
            if image:
                arguments = np.array([value for area in image for value in area], dtype=np.uint64)
                empty = np.zeros(0, dtype=np.uint64)
                kinds = bytes([Kind.MMAP]) * len(image)
                self._section(_TAG_IMAGE, _pack(kinds, (empty, empty, empty, arguments)))
            known = {k: v for k, v in asdict(self.info).items() if k not in ("program", "argv", "tool", "window")}
            end = {**known, "runs": self.runs, "events": self.events, "image": len(image)}
            self._section(_TAG_END, json.dumps(end, sort_keys=True).encode())
            assert self._file is not None
            self._file.write(self._hash.digest())
            self._file.close()
            os.replace(self._part, self.path)
            self._file = None
        except OSError as error:
            self.discard()
            raise TraceError(self.path, f"cannot write the trace: {error.strerror}", "free some space") from None

    def discard(self) -> None:
        """Forget the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        with contextlib.suppress(OSError):
            self._part.unlink()

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is None:
            return
        if kind is None:
            self.close()
        else:
            self.discard()

    def _put(self, data: bytes) -> None:
        assert self._file is not None
        self._hash.update(data)
        self._file.write(data)

    def _section(self, tag: bytes, payload: bytes) -> None:
        self._put(_SECTION.pack(tag, len(payload), zlib.crc32(payload)) + payload)

    def _flush(self) -> None:
        if not self._kinds:
            return
        pages = np.array(self._pages, dtype=np.int64)
        deltas = zigzag(np.diff(pages, prepend=np.int64(0)))
        rest = (np.array(column, dtype=np.uint64) for column in (self._offsets, self._counts, self._arguments))
        self._section(_TAG_BLOCK, _pack(bytes(self._kinds), (deltas, *rest)))
        self._kinds.clear()
        for column in (self._pages, self._offsets, self._counts, self._arguments):
            del column[:]


def _unpack(payload: bytes) -> TraceBlock:
    """Raises ValueError for anything a writer would not write."""
    engine = zlib.decompressobj()
    try:
        data = engine.decompress(payload, _BLOCK_BYTES)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not engine.eof or engine.unused_data:
        raise ValueError("a block does not end where it should")
    cursor = 0

    def take() -> bytes:
        nonlocal cursor
        (length,) = struct.unpack_from("<I", data, cursor)
        part = data[cursor + 4 : cursor + 4 + length]
        if len(part) != length:
            raise ValueError("a column is short")
        cursor += 4 + length
        return part

    try:
        kinds = np.frombuffer(take(), dtype=np.uint8)
        columns = [take() for _ in range(4)]
    except struct.error:
        raise ValueError("a column is missing") from None
    if cursor != len(data) or bool((kinds > max(Kind)).any()):
        raise ValueError("a block holds records of no known kind")
    runs = int((kinds <= Kind.WRITE).sum())
    numbers = [Kind(number) for number in kinds[kinds > Kind.WRITE].tolist()]
    pages = np.cumsum(unzigzag(decode_varints(columns[0], runs))).view(np.uint64)
    offsets = decode_varints(columns[1], runs)
    counts = decode_varints(columns[2], runs)
    values = iter(decode_varints(columns[3], sum(_ARGUMENTS[number] for number in numbers)).tolist())
    events = tuple(EVENT_TYPES[number](*(next(values) for _ in range(_ARGUMENTS[number]))) for number in numbers)
    if bool((offsets >= PAGE_SIZE).any()) or bool(((counts == 0) | (counts >= 1 << 32)).any()):
        raise ValueError("a run leaves its page or is empty")
    return TraceBlock(kinds, pages, offsets.astype(np.uint16), counts.astype(np.uint32), events)


def _check_possible(path: Path, block: TraceBlock) -> None:
    bad = np.flatnonzero(block.pages >= USER_TOP >> PAGE_SHIFT)
    problem = None
    if len(bad):
        problem = f"access to page {int(block.pages[bad[0]]):#x} lies outside the 47-bit user space"
    for event in block.events if problem is None else ():
        problem = problem or event_problem(event)
    if problem is not None:
        raise TraceError(path, f"impossible address: {problem}", _RECORD_AGAIN)


def _sections(path: Path, data: bytes, cursor: int) -> Iterator[tuple[bytes, bytes, int]]:
    """Tag, payload and the position after each section, up to and including the end section."""
    tag = b""
    while tag != _TAG_END:
        if cursor + _SECTION.size > len(data):
            raise TraceError(path, f"truncated after {len(data)} bytes: the end mark is missing", _COPY_AGAIN)
        tag, length, crc = _SECTION.unpack_from(data, cursor)
        if tag not in (_TAG_BLOCK, _TAG_IMAGE, _TAG_END):
            raise TraceError(path, f"damaged at byte {cursor}: no section starts there", _COPY_AGAIN)
        cursor += _SECTION.size
        payload = data[cursor : cursor + length]
        if len(payload) < length:
            raise TraceError(path, f"truncated: {len(data)} bytes, {cursor + length} at least expected", _COPY_AGAIN)
        if zlib.crc32(payload) != crc:
            raise TraceError(path, f"damaged in the section at byte {cursor}: wrong checksum", _COPY_AGAIN)
        cursor += length
        yield tag, payload, cursor


def _header(path: Path, data: bytes) -> tuple[dict[str, Any], int]:
    if not data:
        raise TraceError(path, "not a trace: the file is empty", _RECORD_AGAIN)
    if not data.startswith(MAGIC):
        if MAGIC.startswith(data):
            raise TraceError(path, f"truncated after {len(data)} bytes", _COPY_AGAIN)
        raise TraceError(path, "not a shootdown trace", "make one with 'shootdown record --out F -- CMD'")
    cursor = len(MAGIC) + _HEAD.size
    if len(data) < len(MAGIC) + 2:
        raise TraceError(path, f"truncated after {len(data)} bytes", _COPY_AGAIN)
    version = int.from_bytes(data[len(MAGIC) : len(MAGIC) + 2], "little")
    if version != FORMAT_VERSION:
        raise TraceError(path, f"trace format version {version}, this program reads {FORMAT_VERSION}", _RECORD_AGAIN)
    length = _HEAD.unpack_from(data, len(MAGIC))[1] if len(data) >= cursor else 0
    if len(data) < cursor + length + 4:
        raise TraceError(path, f"truncated after {len(data)} bytes", _COPY_AGAIN)
    text = data[cursor : cursor + length]
    cursor += length + 4
    if zlib.crc32(text) != int.from_bytes(data[cursor - 4 : cursor], "little"):
        raise TraceError(path, "damaged header: wrong checksum", _COPY_AGAIN)
    return json.loads(text), cursor


def read(path: Path) -> Trace:
    """See trace.read_trace."""
    try:
        data = path.read_bytes()
    except OSError as error:
        hint = "give --trace the path of a recorded trace"
        raise TraceError(path, f"cannot read the trace: {error.strerror}", hint) from None
    header, cursor = _header(path, data)
    if header.get("page_size") != PAGE_SIZE:
        raise TraceError(path, f"recorded with pages of {header.get('page_size')} bytes, not {PAGE_SIZE}", _RECORD_AGAIN)
    blocks: list[TraceBlock] = []
    image: list[Mmap] = []
    end: dict[str, Any] = {}
    for tag, payload, after in _sections(path, data, cursor):
        if tag == _TAG_END:
            end, cursor = json.loads(payload), after
            break
        try:
            block = _unpack(payload)
        except ValueError as error:
            raise TraceError(path, f"damaged in the section before byte {after}: {error}", _COPY_AGAIN) from None
        _check_possible(path, block)
        if tag == _TAG_IMAGE:
            image += [event for event in block.events if isinstance(event, Mmap)]
        else:
            blocks.append(block)
    tail = data[cursor:]
    if len(tail) < _CHECKSUM:
        raise TraceError(path, f"truncated after {len(data)} bytes: the checksum is cut", _COPY_AGAIN)
    if tail != hashlib.blake2b(data[:cursor], digest_size=_CHECKSUM).digest():
        what = "wrong checksum" if len(tail) == _CHECKSUM else f"{len(tail) - _CHECKSUM} bytes follow its end"
        raise TraceError(path, f"damaged: {what}", _COPY_AGAIN)
    found = {"runs": sum(len(b.pages) for b in blocks), "events": sum(len(b.events) for b in blocks), "image": len(image)}
    wrong = [name for name, number in found.items() if end.pop(name, None) != number]
    if wrong:
        raise TraceError(path, f"damaged: the count of {wrong[0]} is wrong", _COPY_AGAIN)
    try:
        named = {name: header[name] for name in ("program", "tool", "window")}
        info = TraceInfo(**named, argv=tuple(header["argv"]), **end)
    except (KeyError, TypeError):
        raise TraceError(path, "its header misses a field", _RECORD_AGAIN) from None
    return Trace(path, info, tuple(image), tuple(blocks))
