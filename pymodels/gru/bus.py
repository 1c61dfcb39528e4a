"""The bus side of the engine: the queue of accesses, the bus's channels, and the one retirement a cycle.

Promises: accesses leave in the order of the queue; one retirement a cycle, chosen as the RTL chooses; the TLB hears that a
  translation is no longer used in the cycle of the last response.
Needs: `bus_cycle` with the state as it was before this cycle; what it chooses to retire goes to n_*, and becomes ret_* in
  `bus_commit`.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.bits import add, drop, has
from pymodels.gru.jit import copy_bytes, inner
from pymodels.gru.layout import (
    A_BYTES,
    A_DSR,
    A_PA,
    A_SET,
    A_WORD,
    AMO,
    ATOMIC_QUEUE,
    BUS_QUEUE,
    EC_FAULT,
    FROM_LOCAL,
    FROM_READ,
    FROM_TFH,
    FROM_WRITE,
    LINE,
    LOCAL,
    WRITE,
)
from pymodels.gru.memory import accept_read, perform_write

Q_CBR, Q_KIND, Q_USED, Q_ECAUSE = range(4)
HELD = ATOMIC_QUEUE - 1  # the retirement at hand may still push one


@inner
def handshakes(st: Any, mem: Any, words: Any, ctx_mm: Any, now: int) -> None:
    """What the memory takes in this cycle. Channel registers are freed; what follows them comes in `bus_cycle`."""
    if st.ar != 0 and st.arready != 0:
        accept_read(st, now, st.ar_cbr)
        st.ar = 0
    if st.aw != 0 and st.awready != 0:
        st.aw = 0
        st.aw_taken = 1
    if st.w != 0 and st.wready != 0:
        st.w = 0
        st.w_taken = 1
        st.write_ready = now + st.beat_cycles
    if st.aw_taken != 0 and st.w_taken != 0:
        st.aw_taken = 0
        st.w_taken = 0
        perform_write(st, mem, words, ctx_mm, now)


@inner
def bus_cycle(st: Any) -> None:
    """One cycle of the queue, the channels and the choice of what retires next."""
    st.w_count = st.wr - st.rd
    st.n_valid = 0
    st.w_use0 = -1
    st.w_exc_ready = 0
    _retire_next(st)

    # The channels, last stage first.
    w_free = st.aw == 0 and st.w == 0
    atomics = st.am_rd != st.am_wr
    if atomics and w_free:
        st.aw = 1
        st.w = 1
        st.aw_amo = 1
        st.aw_cbr = st.am[st.am_rd & (ATOMIC_QUEUE - 1), 0]
        st.am_rd += 1
    if st.m1_valid != 0:
        if st.m1_write != 0:
            if w_free and not atomics:
                st.aw = 1
                st.w = 1
                st.aw_amo = 0
                st.aw_cbr = st.m1_cbr
                st.m1_valid = 0
        elif st.ar == 0:
            st.ar = 1
            st.ar_cbr = st.m1_cbr
            st.m1_valid = 0
    if st.m1_valid == 0 and st.w_count != 0 and st.wr - st.rd == st.w_count:  # nothing left by the other door
        head = st.queue[st.rd & (BUS_QUEUE - 1)]
        if head[Q_KIND] != LOCAL:
            _pop(st, head)


@inner
def _pop(st: Any, head: Any) -> None:
    """The oldest access leaves the queue for the bus; a write takes its bytes from the data segment."""
    cbr = head[Q_CBR]
    kind = head[Q_KIND]
    st.m1_valid = 1
    st.m1_cbr = cbr
    st.m1_write = kind == WRITE
    drop(st.used, cbr)
    drop(st.amo, cbr)
    if head[Q_USED] != 0:
        add(st.used, cbr)
    if kind == AMO:
        add(st.amo, cbr)
    elif kind == WRITE:
        acc = st.acc[cbr]
        if acc[A_SET] == 0:
            if acc[A_BYTES] == LINE:
                copy_bytes(st.wline[cbr], 0, st.dsr, acc[A_DSR], LINE)
            else:
                copy_bytes(st.wline[cbr], 0, st.dsr, acc[A_DSR], acc[A_BYTES])
    st.rd += 1


@inner
def _retire_next(st: Any) -> None:
    """Which response, local end or fault handle's exception retires in the next cycle."""
    if st.w_block != 0:
        return
    read = st.rvalid != 0 and (has(st.amo, st.rid) == 0 or st.am_wr - st.am_rd < HELD)
    bus = read or st.bvalid != 0
    local = st.w_count != 0 and st.queue[st.rd & (BUS_QUEUE - 1), Q_KIND] == LOCAL
    yields = st.bus_first != 0 and bus
    if st.w_tfh_exc != 0 and not yields:
        st.w_exc_ready = 1
        st.n_src = FROM_TFH
        st.n_cbr = st.tfh_cur
        st.n_used = 0
        st.n_ecause = EC_FAULT
        st.bus_first = 1
    elif local and not yields:
        head = st.queue[st.rd & (BUS_QUEUE - 1)]
        st.n_src = FROM_LOCAL
        st.n_cbr = head[Q_CBR]
        st.n_used = head[Q_USED]
        st.n_ecause = head[Q_ECAUSE]
        st.bus_first = 1
        st.rd += 1
    elif st.bvalid != 0 and (st.prefer_b != 0 or not read):
        st.n_src = FROM_WRITE
        st.n_cbr = st.bid
        st.n_resp = st.bresp
        st.bvalid = 0
        st.bus_first = 0
        st.prefer_b = 0
        if has(st.used, st.n_cbr) != 0:
            st.w_use0 = st.n_cbr
    elif read:
        st.n_src = FROM_READ
        st.n_cbr = st.rid
        st.n_resp = st.rresp
        st.rvalid = 0
        st.bus_first = 0
        st.prefer_b = 1
        if has(st.used, st.n_cbr) != 0 and has(st.amo, st.n_cbr) == 0:
            st.w_use0 = st.n_cbr
    else:
        return
    st.n_valid = 1


@inner
def queue_access(st: Any, cbr: int, kind: int, used: int, ecause: int, pa: int) -> None:
    """An access with its physical address, or a local end, enters the queue."""
    place = st.queue[st.wr & (BUS_QUEUE - 1)]
    place[Q_CBR] = cbr
    place[Q_KIND] = kind
    place[Q_USED] = used
    place[Q_ECAUSE] = ecause
    st.acc[cbr, A_PA] = pa
    st.wr += 1


@inner
def push_atomic(st: Any) -> None:
    """The second half of the atomic that retires."""
    cbr = st.ret_cbr
    st.am[st.am_wr & (ATOMIC_QUEUE - 1), 0] = cbr
    value = st.o_data
    for byte in range(4 if st.acc[cbr, A_WORD] != 0 else 8):
        st.wline[cbr, byte] = (value >> (8 * byte)) & 0xFF
    st.am_wr += 1


@inner
def bus_commit(st: Any) -> None:
    """What was chosen retires in the next cycle."""
    st.ret_valid = st.n_valid
    if st.n_valid != 0:
        st.ret_src = st.n_src
        st.ret_cbr = st.n_cbr
        st.ret_used = st.n_used
        st.ret_resp = st.n_resp
        st.ret_ecause = st.n_ecause
