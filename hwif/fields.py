"""Fields of 64-byte handles, as positions in eight little-endian 64-bit double-words.

Promises: `put` changes no other field and raises on a value that does not fit. A line is a list of eight ints.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Field", "Line", "new_line"]

Line = list[int]
"""Eight 64-bit double-words of a handle."""

WORD = 64
WORD_MASK = (1 << WORD) - 1


def new_line() -> Line:
    """A handle of zeros."""
    return [0] * 8


@dataclass(frozen=True, slots=True)
class Field:
    """A field: `lsb` from bit 0 of double-word 0, `width` in bits. May run over several double-words."""

    name: str
    lsb: int
    width: int

    @property
    def dw(self) -> int:
        """First double-word."""
        return self.lsb // WORD

    @property
    def words(self) -> int:
        """Double-words touched."""
        return (self.lsb + self.width - 1) // WORD - self.dw + 1

    def get(self, line: Line) -> int:
        """The field's value in a whole line."""
        return self.of(line[self.dw]) if self.words == 1 else self._wide(line)

    def of(self, word: int) -> int:
        """The field's value in its own double-word (single-word fields)."""
        return (word >> (self.lsb % WORD)) & ((1 << self.width) - 1)

    def _wide(self, line: Line) -> int:
        value = 0
        for index in range(self.words):
            value |= line[self.dw + index] << (WORD * index)
        return (value >> (self.lsb % WORD)) & ((1 << self.width) - 1)

    def put(self, line: Line, value: int) -> None:
        """Set the field in a whole line. Raises ValueError when `value` does not fit."""
        if value < 0 or value >> self.width:
            raise ValueError(f"{self.name}: {value:#x} does not fit {self.width} bits")
        shift = self.lsb % WORD
        for index in range(self.words):
            mask = (((1 << self.width) - 1) << shift >> (WORD * index)) & WORD_MASK
            part = (value << shift >> (WORD * index)) & WORD_MASK
            line[self.dw + index] = (line[self.dw + index] & ~mask & WORD_MASK) | part

    def place(self, value: int) -> int:
        """`value` shifted to its place in its own double-word (single-word fields)."""
        if value < 0 or value >> self.width:
            raise ValueError(f"{self.name}: {value:#x} does not fit {self.width} bits")
        return value << (self.lsb % WORD)
