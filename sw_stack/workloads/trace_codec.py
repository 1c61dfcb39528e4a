"""Columns of unsigned integers as LEB128 bytes, both ways, in numpy.

Promises: `decode_varints(encode_varints(v)) == v` for every uint64 array; `unzigzag(zigzag(v)) == v` for every int64 array.
Malformed bytes raise ValueError, never an array of another length than asked for. Costs a handful of numpy passes a column, so a
million records decode in some tens of milliseconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["U64", "decode_varints", "encode_varints", "unzigzag", "zigzag"]

U64 = NDArray[np.uint64]

_LONGEST = 10  # bytes of a 64-bit value at seven bits each


def zigzag(values: NDArray[np.int64]) -> U64:
    """Signed to unsigned, small magnitudes staying small."""
    return ((values << 1) ^ (values >> 63)).view(np.uint64)


def unzigzag(values: U64) -> NDArray[np.int64]:
    """The inverse of `zigzag`."""
    half = (values >> np.uint64(1)).view(np.int64)
    sign = (values & np.uint64(1)).view(np.int64)
    result: NDArray[np.int64] = half ^ -sign
    return result


def encode_varints(values: U64) -> bytes:
    """Seven bits a byte, low first, the top bit set on all but a value's last byte."""
    if not len(values):
        return b""
    lengths = np.ones(len(values), dtype=np.int64)
    for step in range(1, _LONGEST):
        lengths += values >= np.uint64(1 << (7 * step))
    starts = np.cumsum(lengths) - lengths
    out = np.zeros(int(lengths.sum()), dtype=np.uint8)
    for step in range(int(lengths.max())):
        here = lengths > step
        septet = (values[here] >> np.uint64(7 * step)).astype(np.uint8) & np.uint8(0x7F)
        more = (lengths[here] > step + 1).astype(np.uint8) << 7
        out[starts[here] + step] = septet | more
    return out.tobytes()


def decode_varints(data: bytes, count: int) -> U64:
    """Exactly `count` values, which must fill `data`."""
    octets = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(octets < 0x80)
    if len(ends) != count or (count and ends[-1] != len(octets) - 1) or (not count and len(octets)):
        raise ValueError(f"a column holds {len(ends)} values, {count} were announced")
    values = np.zeros(count, dtype=np.uint64)
    if not count:
        return values
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    longest = int(lengths.max())
    if longest > _LONGEST or (longest == _LONGEST and bool((octets[ends[lengths == _LONGEST]] > 1).any())):
        raise ValueError("a value has more than 64 bits")
    for step in range(longest):
        here = lengths > step
        values[here] |= (octets[starts[here] + step] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * step)
    return values
