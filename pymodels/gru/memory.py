"""The memory behind the bus, its timing, and the oracle that judges every beat.

Promises: as tb/hil/memory.h and oracle.h: a read's bytes are taken in the cycle before its response, a write's bytes change when
  address and data have come; responses in order in each direction; an exclusive write changes memory only if the bytes are still
  what the exclusive read returned; outside memory no byte is touched. Every beat is judged by the oracle's records as they are in
  that cycle.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.jit import copy_bytes, inner
from pymodels.gru.layout import (
    A_ASID,
    A_BYTES,
    A_CTX,
    A_KIND,
    A_MAPPED,
    A_OP1,
    A_PA,
    A_SET,
    A_VA,
    A_WORD,
    A_WPERM,
    AMO,
    DECERR,
    EXOKAY,
    KERNEL,
    LINE,
    MAY_READ,
    MAY_WRITE,
    MM_SHIFT,
    NEXT_MASK,
    NEXT_SHIFT,
    NO_CONTEXT,
    NOT_KERNEL,
    NUM_CTX,
    OKAY,
    OUTSIDE,
    PAGE_SHIFT,
    READ_ONLY,
    REVOKED,
    V_ASID,
    V_CBR,
    V_CTX,
    V_CYCLE,
    V_KEPT,
    V_MAPPED,
    V_MM,
    V_PA,
    V_REASON,
    V_VA,
    V_WRITE,
    VPN_MASK,
)

RING = 255  # places of the response queues, less one: one access a control block, so they never fill
M_VALID, M_PA, M_VALUE = range(3)


@inner
def _judge(words: Any, ctx_mm: Any, frames: int, acc: Any, pa: int, write: bool, inside: bool) -> int:
    """Why the oracle objects to a beat; 0 if it does not."""
    frame = pa >> PAGE_SHIFT
    if not inside or frame >= frames:
        return OUTSIDE
    if acc[A_MAPPED] == 0:
        return 0 if words[frame, 1] & KERNEL != 0 else NOT_KERNEL
    mm = ctx_mm[acc[A_CTX]] if acc[A_CTX] < NUM_CTX else 0
    if mm == 0:
        return NO_CONTEXT
    tag = (mm << MM_SHIFT) | ((acc[A_VA] >> PAGE_SHIFT) & VPN_MASK)
    index = frame
    while True:
        rights = words[index, 1]
        if words[index, 0] == tag:
            if write:
                return 0 if rights & MAY_WRITE != 0 else READ_ONLY
            return 0 if rights & MAY_READ != 0 else REVOKED
        index = (rights >> NEXT_SHIFT) & NEXT_MASK
        if index == 0:
            return REVOKED


@inner
def _check(st: Any, words: Any, ctx_mm: Any, now: int, cbr: int, pa: int, write: bool, inside: bool, length: int) -> None:
    """Count a beat and record it if it is illegal."""
    if st.oracle == 0:
        return
    st.checked_beats += 1
    st.checked_bytes += length
    acc = st.acc[cbr]
    reason = _judge(words, ctx_mm, st.frames, acc, pa, write, inside)
    if reason == 0:
        return
    st.violations += 1
    if st.kept < min(st.max_violations, V_KEPT):
        row = st.violation[st.kept]
        row[V_CYCLE] = now
        row[V_REASON] = reason
        row[V_WRITE] = write
        row[V_MAPPED] = acc[A_MAPPED]
        row[V_CTX] = acc[A_CTX]
        row[V_CBR] = cbr
        row[V_ASID] = acc[A_ASID]
        row[V_MM] = ctx_mm[acc[A_CTX]] if acc[A_MAPPED] != 0 and inside and pa >> PAGE_SHIFT < st.frames else 0
        row[V_VA] = acc[A_VA]
        row[V_PA] = pa
        st.kept += 1


@inner
def accept_read(st: Any, now: int, cbr: int) -> None:
    """A read address was taken."""
    due = max(now + st.read_latency, st.last_read + st.beat_cycles)
    st.last_read = due
    place = st.reads[st.reads_wr & RING]
    place[0] = cbr
    place[1] = due
    st.reads_wr += 1


@inner
def _dword(mem: Any, pa: int) -> int:
    word = 0
    for byte in range(7, -1, -1):
        word = (word << 8) | mem[pa + byte]
    return word


@inner
def perform_write(st: Any, mem: Any, words: Any, ctx_mm: Any, now: int) -> None:
    """Address and data of a write have come: memory changes, the response gets its cycle."""
    cbr = st.aw_cbr
    acc = st.acc[cbr]
    atomic = st.aw_amo != 0
    pa = acc[A_PA]
    length = acc[A_BYTES]
    if atomic:
        length = 4 if acc[A_WORD] != 0 else 8
    beat = pa & ~(7 if atomic else LINE - 1)
    inside = pa | (LINE - 1) < st.memory_bytes
    st.memory_write_beats += 1
    _check(st, words, ctx_mm, now, cbr, beat, True, inside, length)
    resp = OKAY
    if not inside:
        st.memory_decode_errors += 1
        resp = DECERR
    elif atomic:
        resp = _exclusive(st, mem, cbr, beat, pa, length)
    else:
        st.memory_write_bytes += length
        if acc[A_SET] != 0:
            value = acc[A_OP1]
            for byte in range(length):
                mem[pa + byte] = (value >> (8 * ((pa + byte) & 7))) & 0xFF
        elif length == LINE:
            copy_bytes(mem, pa, st.wline[cbr], 0, LINE)
        else:
            copy_bytes(mem, pa, st.wline[cbr], 0, length)
    due = max(now + st.write_latency, st.last_response + 1)
    st.last_response = due
    place = st.responses[st.resp_wr & RING]
    place[0] = cbr
    place[1] = due
    place[2] = resp
    st.resp_wr += 1


@inner
def _exclusive(st: Any, mem: Any, cbr: int, beat: int, pa: int, length: int) -> int:
    monitor = st.monitor[cbr]
    passed = monitor[M_VALID] != 0 and monitor[M_PA] == beat and _dword(mem, beat) == monitor[M_VALUE]
    monitor[M_VALID] = 0
    if not passed:
        st.exclusive_failed += 1
        return OKAY
    st.exclusive_passed += 1
    st.memory_write_bytes += length
    copy_bytes(mem, pa, st.wline[cbr], 0, length)
    return EXOKAY


@inner
def _sample(st: Any, mem: Any, words: Any, ctx_mm: Any, now: int, cbr: int) -> None:
    """A read's bytes are taken."""
    acc = st.acc[cbr]
    atomic = acc[A_KIND] == AMO
    pa = acc[A_PA]
    beat = pa & ~(7 if atomic else LINE - 1)
    length = 8 if atomic else LINE
    inside = pa | (LINE - 1) < st.memory_bytes
    st.memory_read_beats += 1
    _check(st, words, ctx_mm, now, cbr, beat, False, inside, length)
    st.rid = cbr
    st.rresp = OKAY
    if not inside:
        st.memory_decode_errors += 1
        st.rresp = DECERR
        for byte in range(LINE):
            st.rline[cbr, byte] = 0
        return
    st.memory_read_bytes += length
    copy_bytes(st.rline[cbr], 0, mem, pa & ~(LINE - 1), LINE)
    if atomic and acc[A_WPERM] != 0:
        monitor = st.monitor[cbr]
        monitor[M_VALID] = 1
        monitor[M_PA] = beat
        monitor[M_VALUE] = _dword(mem, beat)
        st.exclusive_reads += 1
        st.rresp = EXOKAY


@inner
def memory_tick(st: Any, mem: Any, words: Any, ctx_mm: Any, now: int) -> None:
    """End of the cycle: the responses and the readiness of the next one."""
    if st.rvalid == 0 and st.reads_rd != st.reads_wr and st.reads[st.reads_rd & RING][1] <= now + 1:
        _sample(st, mem, words, ctx_mm, now, st.reads[st.reads_rd & RING][0])
        st.reads_rd += 1
        st.rvalid = 1
    if st.bvalid == 0 and st.resp_rd != st.resp_wr and st.responses[st.resp_rd & RING][1] <= now + 1:
        first = st.responses[st.resp_rd & RING]
        st.bvalid = 1
        st.bid = first[0]
        st.bresp = first[2]
        st.resp_rd += 1
    # An address that waits for its data, or the other way round, is one; the master offers the next pair when both are taken.
    st.arready = 1 if st.reads_wr - st.reads_rd + st.rvalid < st.max_outstanding else 0
    st.awready = 1 if st.aw_taken + st.resp_wr - st.resp_rd + st.bvalid < st.max_outstanding else 0


@inner
def next_due(st: Any, never: int) -> int:
    """The cycle whose tick presents the next response."""
    due = never
    if st.reads_rd != st.reads_wr:
        due = st.reads[st.reads_rd & RING][1] - 1
    if st.resp_rd != st.resp_wr:
        due = min(due, st.responses[st.resp_rd & RING][1] - 1)
    return due
