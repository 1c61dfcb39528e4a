"""The end of an access: what it does to its control block and the data segment, and the arithmetic of the atomics.

Promises: one outcome (o_*) for each access that ends; an exclusive write that failed sends the control block back to its read.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.jit import copy_bytes, inner
from pymodels.gru.layout import (
    A_BYTES,
    A_DONE,
    A_DSR,
    A_ER,
    A_EXOPC,
    A_KIND,
    A_MAPPED,
    A_MESQ,
    A_OP1,
    A_VA,
    A_WORD,
    AGAIN,
    AMO,
    CONT,
    DONE,
    EC_READ,
    EC_WRITE,
    ER_ADD,
    ER_AND,
    ER_CADD,
    ER_CSWAP,
    ER_EPOLL,
    ER_OR,
    ER_SWAP,
    ER_XOR,
    EXOKAY,
    FROM_READ,
    FROM_WRITE,
    IR_CLR,
    IR_DEC,
    IR_DECZ,
    IR_INC,
    IR_QCHK1,
    IR_QCHK2,
    LINE,
    N_IDEF5,
    N_IDEF6,
    POLL,
    QLIMIT,
)

WORD32 = 0xFFFFFFFF


@inner
def retire(st: Any) -> None:
    """Outcome of the access that ends in this cycle."""
    cbr = st.ret_cbr
    acc = st.acc[cbr]
    st.o_out = AGAIN
    st.o_step = 0
    st.o_exc = 0
    st.o_ecause = 0
    st.o_sub = 0
    st.o_avalue_we = 0
    st.o_dsr_we = 0
    st.o_push = 0
    st.o_use_done = 0
    amo = acc[A_KIND] == AMO
    failed = st.ret_resp & 2 != 0
    if st.ret_src == FROM_READ:
        if failed:
            st.o_out = DONE
            st.o_exc = 1
            st.o_ecause = EC_READ
            st.o_use_done = 1 if amo and acc[A_MAPPED] != 0 else 0
        elif amo:
            _atomic(st, cbr, acc)
        else:
            st.o_dsr_we = 1
            st.o_step = 1
            st.o_out = DONE if acc[A_DONE] != 0 else AGAIN
    elif st.ret_src == FROM_WRITE:
        if failed:
            st.o_out = DONE
            st.o_exc = 1
            st.o_ecause = EC_WRITE
        elif not amo or st.ret_resp == EXOKAY:
            st.o_step = 1
            st.o_out = DONE if acc[A_DONE] != 0 else AGAIN
    else:
        st.o_out = DONE
        st.o_exc = 1 if st.ret_ecause != 0 else 0
        st.o_ecause = st.ret_ecause
        st.o_use_done = st.ret_used


@inner
def _atomic(st: Any, cbr: int, acc: Any) -> None:
    """Memory's word has come: what follows it, if anything, is the write of o_data."""
    at = acc[A_VA] & (LINE - 8)
    dword = 0
    for byte in range(7, -1, -1):
        dword = (dword << 8) | st.rline[cbr, at + byte]
    word = acc[A_WORD] != 0
    old = dword
    if word:
        old = (dword >> 32 if acc[A_VA] & 4 != 0 else dword) & WORD32
    exopc = acc[A_EXOPC]
    op1 = acc[A_OP1]
    er = acc[A_ER] != 0
    write = True
    limit = False
    poll = False
    result = old
    if acc[A_MESQ] != 0 or (not er and exopc in (IR_QCHK1, IR_QCHK2)):
        want = acc[N_IDEF5] if acc[A_MESQ] != 0 else (2 if exopc == IR_QCHK2 else 1)
        head = old & WORD32
        limit = (want >> 32) & WORD32 != 0 or head + (want & WORD32) > ((old >> 32) & WORD32)
        write = not limit
        result = (old & ~WORD32) | ((head + want) & WORD32)
    elif not er:
        if exopc == IR_CLR:
            result = 0
        elif exopc == IR_INC:
            result = old + 1
        elif exopc == IR_DEC:
            result = old - 1
        elif exopc == IR_DECZ:
            result = old - 1
            write = old != 0
        else:
            write = False
    elif exopc == ER_SWAP:
        result = op1
    elif exopc == ER_OR:
        result = old | op1
    elif exopc == ER_AND:
        result = old & op1
    elif exopc == ER_XOR:
        result = old ^ op1
    elif exopc == ER_ADD:
        result = old + op1
    elif exopc in (ER_CSWAP, ER_CADD):
        result = op1 if exopc == ER_CSWAP else old + op1
        write = _same(old, acc[N_IDEF6], word)
    else:
        write = False
        poll = _same(old, op1, word) != (exopc == ER_EPOLL)

    st.o_avalue_we = 1
    st.o_avalue = old
    if write:
        st.o_out = CONT
        st.o_push = 1
        st.o_data = result
    else:
        st.o_use_done = 1 if acc[A_MAPPED] != 0 else 0
        if poll:
            st.o_out = POLL
        else:
            st.o_out = DONE
            st.o_exc = 1 if limit else 0
            st.o_sub = QLIMIT if limit else 0


@inner
def _same(a: int, b: int, word: bool) -> bool:
    """Equal on the operand's width."""
    return (a ^ b) & (WORD32 if word else -1) == 0


@inner
def store_read(st: Any, cbr: int) -> None:
    """What a read returned goes to the data segment."""
    acc = st.acc[cbr]
    if acc[A_BYTES] == LINE:
        copy_bytes(st.dsr, acc[A_DSR], st.rline[cbr], 0, LINE)
    else:
        copy_bytes(st.dsr, acc[A_DSR], st.rline[cbr], acc[A_VA] & (LINE - 1), acc[A_BYTES])
