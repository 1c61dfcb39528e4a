"""Sets of control blocks (two words), fields of words, and the trace. Called from every kernel, inlined everywhere."""

from __future__ import annotations

from typing import Any

from pymodels.gru.jit import ctz, inner
from pymodels.gru.layout import DEV_FIRST


@inner
def has(some: Any, cbr: int) -> int:
    """1 if the set holds the control block."""
    return (some[cbr >> 6] >> (cbr & 63)) & 1


@inner
def add(some: Any, cbr: int) -> None:
    """Put a control block into a set."""
    some[cbr >> 6] |= 1 << (cbr & 63)


@inner
def drop(some: Any, cbr: int) -> None:
    """Take a control block out of a set."""
    some[cbr >> 6] &= ~(1 << (cbr & 63))


@inner
def drop_all(some: Any, low: int, high: int) -> None:
    """Take the control blocks of a mask out of a set."""
    some[0] &= ~low
    some[1] &= ~high


@inner
def lowest(low: int, high: int) -> int:
    """The lowest member of a set that has one."""
    if low != 0:
        return ctz(low)
    return 64 + ctz(high)


@inner
def drop_lowest(some: Any) -> None:
    """Take the lowest member out of a set, if it has one."""
    if some[0] != 0:
        some[0] &= some[0] - 1
    else:
        some[1] &= some[1] - 1


@inner
def emit(st: Any, now: int, event: int, a0: int, a1: int, a2: int, a3: int, a4: int, a5: int) -> None:
    """A trace record of this cycle."""
    row = st.trace[st.traces]
    row[0] = now
    row[1] = event
    row[2] = a0
    row[3] = a1
    row[4] = a2
    row[5] = a3
    row[6] = a4
    row[7] = a5
    st.traces += 1
    st.kinds[event - DEV_FIRST] += 1
