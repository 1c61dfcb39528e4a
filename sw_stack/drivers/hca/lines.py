"""Lines of 64 bytes and words of 8 in host memory.

Promises: a word is stored in one piece; `write_line` stores double-word 0 last, so that an entry whose valid bit stands there
becomes visible whole.
"""

from __future__ import annotations

import struct

from hwif.fields import Line
from hwif.memory import HostMemory

__all__ = ["read_line", "read_word", "write_line", "write_word"]

_LINE = struct.Struct("<8Q")
_REST = struct.Struct("<7Q")
_WORD = struct.Struct("<Q")


def read_line(memory: HostMemory, address: int) -> Line:
    """Eight double-words."""
    return list(_LINE.unpack(memory.read(address, _LINE.size)))


def write_line(memory: HostMemory, address: int, line: Line) -> None:
    """Eight double-words, the first last."""
    memory.write(address + _WORD.size, _REST.pack(*line[1:]))
    memory.write(address, _WORD.pack(line[0]))


def read_word(memory: HostMemory, address: int) -> int:
    """One double-word."""
    word: int = _WORD.unpack(memory.read(address, _WORD.size))[0]
    return word


def write_word(memory: HostMemory, address: int, word: int) -> None:
    """One double-word."""
    memory.write(address, _WORD.pack(word))
