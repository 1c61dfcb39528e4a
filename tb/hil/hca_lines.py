"""The HCA's structures and registers as values: fields by name, from the layouts of hwif.gen.hca.

Promises: a field that does not exist or a value that does not fit is an error that names it.
"""

from __future__ import annotations

from hwif.fields import Field, Line, new_line
from hwif.gen.hca import ENTRY_BYTES

__all__ = ["Entry", "entry_of", "layout", "line_of", "raw_of", "word_of"]

Entry = dict[str, int]
"""A structure read back: its fields by name."""


def layout(structure: type) -> dict[str, Field]:
    """A structure's fields by name."""
    return {name: value for name, value in vars(structure).items() if isinstance(value, Field)}


def line_of(structure: type, **values: int) -> Line:
    """A line with these fields of a structure set, the others 0."""
    fields = layout(structure)
    line = new_line()
    for name, value in values.items():
        if name not in fields:
            raise AttributeError(f"{structure.__name__} has no field '{name}'")
        fields[name].put(line, value)
    return line


def entry_of(structure: type, raw: bytes) -> Entry:
    """All fields of a structure."""
    line = [int.from_bytes(raw[at : at + 8], "little") for at in range(0, ENTRY_BYTES, 8)]
    return {name: place.get(line) for name, place in layout(structure).items()}


def word_of(register: type, **values: int) -> int:
    """A register's value."""
    return line_of(register, **values)[0]


def raw_of(line: Line) -> bytes:
    """A line's bytes."""
    return b"".join(word.to_bytes(8, "little") for word in line)
