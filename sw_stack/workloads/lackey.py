"""The text of `valgrind --tool=lackey --trace-mem=yes --trace-syscalls=yes`, read at the speed it is written.

Promises: `feed` accepts the log in pieces of any size and calls the sink in the log's order: `accesses` with arrays, `call` with
each successful memory call, `started` when a program image begins. Unknown lines are passed over. Accesses that cross
a page end count in both pages.
Costs: a few numpy passes over each piece, about 0.1 us a line; Python runs once a stretch without system calls.
"""

from __future__ import annotations

import re
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sw_stack.workloads.trace_records import (
    PAGE_SHIFT,
    PAGE_SIZE,
    USER_TOP,
    Exit,
    Fork,
    Madvise,
    Mmap,
    Mprotect,
    Mremap,
    Munmap,
    Record,
)

__all__ = ["LackeyParser", "LackeySink"]

Bytes = NDArray[np.uint8]

_NEWLINE, _SPACE, _COMMA, _FETCH = b"\n ,I"
_LOAD, _STORE, _MODIFY = b"LSM"
_ADDRESS_AT = 3  # " L 1ffeffe7e,8"
_WIDEST = 16
_LONGEST_LINE = 32  # of a memory line

_HEX = np.zeros(256, dtype=np.int64)
for _digit, _character in enumerate(b"0123456789abcdef"):
    _HEX[_character] = _digit

_CALL = re.compile(rb"SYSCALL\[\d+,(\d+)\]\(\s*\d+\) (?:\.\.\.|(?:sys_)?(\w+) ?\(([^()]*)\))")
_SUCCESS = re.compile(rb"--> (?:\[[\w-]+\] )?Success\((0x[0-9a-f]+)\)")
_PROT = 7
_CLONE_VM = 0x100
_CLONE_VFORK = 0x4000
_PAGE_MASK = PAGE_SIZE - 1
_CONTINUED = b" -->"
_BANNER = b"== Lackey, "


class LackeySink(Protocol):
    """Receives what the log says."""

    def started(self) -> None:
        """A program image starts in a fresh address space (again after each execve)."""
        ...

    def accesses(self, pages: NDArray[np.int64], offsets: NDArray[np.int64], writes: NDArray[np.bool_]) -> None:
        """Accesses in order, to addresses of the user space."""
        ...

    def strange(self, count: int) -> None:
        """Accesses outside the user space, left out."""
        ...

    def break_at(self, address: int) -> None:
        """The program break is at `address`."""
        ...

    def call(self, event: Record) -> None:
        """A memory call that succeeded."""
        ...


def _round(length: int) -> int:
    return (length + _PAGE_MASK) & ~_PAGE_MASK


class LackeyParser:
    """Feed it the log."""

    def __init__(self, sink: LackeySink) -> None:
        self._sink = sink
        self._carry = b""
        self._waiting: dict[bytes, tuple[bytes, bytes]] = {}  # thread -> call whose result comes on a later line
        self._last: bytes = b""
        self.last_message = ""
        """The last line valgrind itself wrote: the reason when it fails."""

    def feed(self, piece: bytes) -> None:
        """The next bytes of the log."""
        data = self._carry + piece
        end = data.rfind(b"\n") + 1
        self._carry = data[end:]
        if end:
            self._lines(data[:end])

    def _lines(self, data: bytes) -> None:
        # Padding: a memory line may be read as if it were as long as the longest.
        buffer = np.frombuffer(data + bytes(_LONGEST_LINE), dtype=np.uint8)
        ends = np.flatnonzero(buffer == _NEWLINE)
        starts = np.concatenate(([0], ends[:-1] + 1))
        first, second = buffer[starts], buffer[starts + 1]
        memory = (first == _SPACE) & ((second == _LOAD) | (second == _STORE) | (second == _MODIFY))
        done = 0
        for index in np.flatnonzero(~memory & (first != _FETCH)).tolist():
            self._memory(buffer, starts[done:index][memory[done:index]])
            self._special(data[int(starts[index]) : int(ends[index])])
            done = index + 1
        self._memory(buffer, starts[done:][memory[done:]])

    def _memory(self, buffer: Bytes, lines: NDArray[np.int64]) -> None:
        if not len(lines):
            return
        pages = np.zeros(len(lines), dtype=np.int64)
        offsets = np.zeros(len(lines), dtype=np.int64)
        widths = np.zeros(len(lines), dtype=np.int64)
        for width in range(1, _WIDEST + 1):
            here = np.flatnonzero((widths == 0) & (buffer[lines + _ADDRESS_AT + width] == _COMMA))
            if not len(here):
                continue
            widths[here] = width
            value = np.zeros(len(here), dtype=np.int64)
            for digit in range(width):
                value = (value << 4) | _HEX[buffer[lines[here] + _ADDRESS_AT + digit]]
            pages[here] = value >> PAGE_SHIFT
            offsets[here] = value & _PAGE_MASK
            if int(widths.min()):
                break
        writes = buffer[lines + 1] != _LOAD
        # Sixteen digits may have the top bit set: negative here, and no user address either way.
        possible = (pages >= 0) & (pages < USER_TOP >> PAGE_SHIFT) & (widths > 0)
        if not bool(possible.all()):
            self._sink.strange(int((~possible).sum()))
            pages, offsets, writes, lines, widths = (a[possible] for a in (pages, offsets, writes, lines, widths))
        self._hand_on(buffer, lines + _ADDRESS_AT + widths + 1, pages, offsets, writes)

    def _hand_on(
        self,
        buffer: Bytes,
        sizes_at: NDArray[np.int64],
        pages: NDArray[np.int64],
        offsets: NDArray[np.int64],
        writes: NDArray[np.bool_],
    ) -> None:
        # Sizes matter only near a page's end. The largest access is a state save of a few kilobytes at most.
        near = np.flatnonzero(offsets > PAGE_SIZE // 4)
        size = np.zeros(len(near), dtype=np.int64)
        more = np.ones(len(near), dtype=np.bool_)
        for digit in range(4):
            character = buffer[sizes_at[near] + digit]
            more &= (character >= ord("0")) & (character <= ord("9"))
            size = np.where(more, size * 10 + character - ord("0"), size)
        crossing = near[offsets[near] + size > PAGE_SIZE]
        if len(crossing):
            after = crossing + 1
            pages = np.insert(pages, after, pages[crossing] + 1)
            offsets = np.insert(offsets, after, 0)
            writes = np.insert(writes, after, writes[crossing])
        if len(pages):
            self._sink.accesses(pages, offsets, writes)

    def _special(self, line: bytes) -> None:
        if _BANNER in line:  # alone, or behind an execve that worked: such a line never ends
            self._waiting.clear()
            self._last = b""
            self._sink.started()
            return
        if line.startswith(b"=="):
            text = line.rsplit(b"==", 1)[-1].decode(errors="replace").strip()
            self.last_message = text or self.last_message
            return
        if line.startswith(b"valgrind: "):
            self.last_message = line.decode(errors="replace")
            return
        if line.startswith(_CONTINUED):  # the result of a call whose line something else was written to
            line, self._last = self._last + line, b""
        match = _CALL.match(line)
        if match is None:
            return
        thread, name, arguments = match.groups()
        if name is None:
            name, arguments = self._waiting.pop(thread, (b"", b""))
        elif b"[async] ..." in line:
            self._waiting[thread] = (name, arguments)
            return
        elif b"-->" not in line:
            self._last = line
            if name == b"exit_group":
                self._sink.call(Exit())
            return
        result = _SUCCESS.search(line, match.end())
        if result is not None:
            self._call(name, arguments, int(result[1], 16))

    def _call(self, name: bytes, arguments: bytes, result: int) -> None:
        words = [word.strip() for word in arguments.split(b",")]
        sink = self._sink
        match name:
            case b"mmap":
                _, length, prot, flags = _numbers(words, 4)
                sink.call(Mmap(result, _round(length), prot & _PROT, flags & 0xFFFF_FFFF))
            case b"munmap":
                address, length = _numbers(words, 2)
                sink.call(Munmap(address, _round(length)))
            case b"mprotect" | b"pkey_mprotect":
                address, length, prot = _numbers(words, 3)
                if length:
                    sink.call(Mprotect(address, _round(length), prot & _PROT))
            case b"mremap":
                address, length, target = _numbers(words, 3)
                sink.call(Mremap(address, _round(length), result, _round(target)))
            case b"brk":
                sink.break_at(result)
            case b"madvise":
                address, length, advice = _numbers(words, 3)
                if length:
                    sink.call(Madvise(address, _round(length), advice))
            case b"fork":
                sink.call(Fork())
            case b"clone":
                # Flags are hexadecimal without a prefix. A thread shares the address space; so does a vfork child.
                if not int(words[0], 16) & (_CLONE_VM | _CLONE_VFORK):
                    sink.call(Fork())
            case b"exit_group":
                sink.call(Exit())
            case _:
                pass


def _numbers(words: list[bytes], count: int) -> list[int]:
    return [int(word, 0) for word in words[:count]]
