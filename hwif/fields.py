"""Fields of 64-byte handles, as positions in eight little-endian 64-bit double-words.

Promises: `put` changes no other field and raises on a value that does not fit. A line is a list of eight ints.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
    """A field: `lsb` from bit 0 of double-word 0, `width` in bits. May run over several double-words.

    `dw`: first double-word; `words`: double-words touched. Both, and the place inside the first one, are worked out once: every
    access to a handle comes through here.
    """

    name: str
    lsb: int
    width: int
    dw: int = field(init=False, repr=False)
    words: int = field(init=False, repr=False)
    _shift: int = field(init=False, repr=False)
    _mask: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        put = object.__setattr__  # the dataclass is frozen from here on
        put(self, "dw", self.lsb // WORD)
        put(self, "words", (self.lsb + self.width - 1) // WORD - self.dw + 1)
        put(self, "_shift", self.lsb % WORD)
        put(self, "_mask", (1 << self.width) - 1)

    def get(self, line: Line) -> int:
        """The field's value in a whole line."""
        if self.words == 1:
            return (line[self.dw] >> self._shift) & self._mask
        value = 0
        for index in range(self.words):
            value |= line[self.dw + index] << (WORD * index)
        return (value >> self._shift) & self._mask

    def of(self, word: int) -> int:
        """The field's value in its own double-word (single-word fields)."""
        return (word >> self._shift) & self._mask

    def put(self, line: Line, value: int) -> None:
        """Set the field in a whole line. Raises ValueError when `value` does not fit."""
        if value < 0 or value >> self.width:
            raise ValueError(f"{self.name}: {value:#x} does not fit {self.width} bits")
        if self.words == 1:
            line[self.dw] = (line[self.dw] & ~(self._mask << self._shift) & WORD_MASK) | value << self._shift
            return
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
