"""64-byte lines of memory as double-words and back."""

from __future__ import annotations

import struct

from hwif.fields import Field, Line

__all__ = ["build", "parse"]

_LINE = struct.Struct("<8Q")


def parse(data: bytes) -> Line:
    """The double-words of a line."""
    return list(_LINE.unpack(data))


def build(*fields: tuple[Field, int]) -> bytes:
    """A line with these fields, the rest 0."""
    line = [0] * 8
    for field, value in fields:
        field.put(line, int(value))
    return _LINE.pack(*line)
