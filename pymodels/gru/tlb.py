"""The TLB's hit stage and its accesses in flight: who hits what, and whose acknowledgement waits for whom.

Promises: hits, misses, victims and hints as the RTL decides them (sets, hash, ways, pseudo-LRU, one pair of page sizes a cycle);
  from the cycle after a shootdown is accepted nothing it covers is hit (SD-1, SD-5); a shootdown is done when no access is left
  that used a covered translation at acceptance, and waits for no other (SD-2, exact).
Needs: called once a cycle in the order of core.py, with the arrays as they were before this cycle.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.bits import add, drop, has
from pymodels.gru.jit import ctz, inner
from pymodels.gru.layout import (
    A_ASID,
    A_CTX,
    A_SIZES,
    A_VA,
    A_WPERM,
    BY_ASID,
    BY_RANGE,
    NUM_CBR,
    P_ASID,
    P_CTX,
    P_LO,
    P_SPAN,
    P_USER,
    PAGE_SHIFT,
    SETS,
    SH_ASID,
    SH_CTXS,
    SH_FIRST,
    SH_LAST,
    SH_MASK,
    SH_SCOPE,
    SH_TGH,
    SIZE_SHIFT,
    SIZE_SPAN,
    SIZES,
    T_ASID,
    T_CTX,
    T_DIRTY,
    T_GAA,
    T_LO,
    T_PFN,
    T_SIZE,
    VPN_MASK,
    WAYS,
)


@inner
def size_of(code: int) -> int:
    """Page size codes past the last are the last."""
    return min(code, SIZES - 1)


@inner
def set_of(asid: int, vpn: int, size: int) -> int:
    """The set a page lives in: its page number, shifted by the address space."""
    return ((vpn >> SIZE_SHIFT[size]) ^ (asid >> 3)) & (SETS - 1)


@inner
def covers(shoots: Any, index: int, asid: int, ctx: int, lo: int, span: int) -> bool:
    """Does this shootdown cover the page? Overlap is enough, whatever the two sizes."""
    shoot = shoots[index]
    if shoot[SH_SCOPE] == BY_RANGE:
        if shoot[SH_ASID] != asid:
            return False
        return (lo & shoot[SH_MASK]) <= shoot[SH_LAST] and ((lo | span) & shoot[SH_MASK]) >= shoot[SH_FIRST]
    if shoot[SH_SCOPE] == BY_ASID:
        return shoot[SH_ASID] == asid
    return (shoot[SH_CTXS] >> ctx) & 1 != 0


@inner
def dead(st: Any, by: int, asid: int, ctx: int, lo: int, span: int) -> bool:
    """Is the page covered by one of these slots?"""
    while by != 0:
        if covers(st.slot, ctz(by), asid, ctx, lo, span):
            return True
        by &= by - 1
    return False


@inner
def touched(state: int, way: int) -> int:
    """Pseudo-LRU state of a set after a use of a way. Bit 0 is the root; a bit names the half to evict from."""
    node = 1 + (way >> 1)
    state = (state & ~1) | (1 - (way >> 1))
    return (state & ~(1 << node)) | ((1 - (way & 1)) << node)


@inner
def victim(state: int) -> int:
    """The way to evict."""
    half = state & 1
    return 2 * half + ((state >> (1 + half)) & 1)


@inner
def place(used: int, state: int) -> int:
    """Where a drop-in goes: the lowest free way, else the victim."""
    free = ~used & ((1 << WAYS) - 1)
    if free != 0:
        return ctz(free)
    return victim(state)


@inner
def probe(st: Any, sizes: int) -> None:
    """Prepare the hit stage for the two smallest of these page sizes; the rest follow in later cycles."""
    rest = sizes & (sizes - 1)
    st.s1_probe[0] = sizes != 0
    st.s1_probe[1] = rest != 0
    st.s1_size[0] = ctz(sizes) if sizes != 0 else 0
    st.s1_size[1] = ctz(rest) if rest != 0 else 0
    st.s1_rest = rest & (rest - 1)
    vpn = (st.s1_va >> PAGE_SHIFT) & VPN_MASK
    st.s1_set[0] = set_of(st.s1_asid, vpn, st.s1_size[0])
    if rest != 0:
        st.s1_set[1] = set_of(st.s1_asid, vpn, st.s1_size[1])


@inner
def hit_stage(st: Any) -> None:
    """Decide the lookup in the hit stage: answer in rsp_*, hit or miss of this cycle in h_*. Moves the pseudo-LRU state."""
    st.rsp_valid = 0
    st.h_hit = 0
    st.h_miss = 0
    if st.s1_valid == 0:
        return
    vpn = (st.s1_va >> PAGE_SHIFT) & VPN_MASK
    found = -1
    sel = 1
    for p in range(2):
        if st.s1_probe[p] == 0:
            continue
        size = st.s1_size[p]
        span = SIZE_SPAN[size]
        lo = vpn & ~span
        where = st.s1_set[p]
        valid = st.valid[where]
        match = -1
        for way in range(WAYS):
            if (valid >> way) & 1 == 0:
                continue
            tag = st.tag[where * WAYS + way]
            if tag[T_LO] == lo and tag[T_SIZE] == size and tag[T_ASID] == st.s1_asid:
                match = way
        if match < 0:
            continue
        ctx = st.tag[where * WAYS + match][T_CTX]
        by = st.slots & ~st.swept[where]
        if by == 0 or not dead(st, by, st.s1_asid, ctx, lo, span):
            found = where * WAYS + match
            sel = p
            st.h_page[P_ASID] = st.s1_asid
            st.h_page[P_CTX] = ctx
            st.h_page[P_LO] = lo
            st.h_page[P_SPAN] = span
            st.h_page[P_USER] = st.s1_ctx
            break
    if found < 0 and st.s1_rest != 0:
        return
    mod = 1 if found >= 0 and st.s1_write != 0 and st.tag[found][T_DIRTY] == 0 else 0
    st.rsp_valid = 1
    st.rsp_cbr = st.s1_cbr
    st.rsp_mod = mod
    st.h_cbr = st.s1_cbr
    if found >= 0 and mod == 0:
        st.h_hit = 1
        st.rsp_hit = 1
        entry = st.tag[found]
        span = SIZE_SPAN[st.s1_size[sel]]
        st.rsp_pa = (((entry[T_PFN] & ~span) | (vpn & span)) << PAGE_SHIFT) | (st.s1_va & ((1 << PAGE_SHIFT) - 1))
        st.rsp_gaa = entry[T_GAA]
        where = st.s1_set[sel]
        st.plru[where] = touched(st.plru[where], found & (WAYS - 1))
    else:
        st.h_miss = 1
        st.rsp_hit = 0
        where = st.s1_set[0]
        st.rsp_way = where * WAYS + place(st.valid[where], st.plru[where])


@inner
def next_lookup(st: Any, resolved: int) -> None:
    """What the hit stage holds next: further page sizes of the same lookup, or the one just accepted (w_lookup)."""
    if st.s1_valid != 0 and st.s1_rest != 0:
        if resolved != 0:
            st.s1_valid = 0
        else:
            probe(st, st.s1_rest)
        return
    cbr = st.w_lookup
    if cbr < 0:
        st.s1_valid = 0
        return
    acc = st.acc[cbr]
    st.s1_valid = 1
    st.s1_cbr = cbr
    st.s1_ctx = acc[A_CTX]
    st.s1_asid = acc[A_ASID]
    st.s1_va = acc[A_VA]
    st.s1_write = acc[A_WPERM]
    probe(st, acc[A_SIZES])


@inner
def nobody_drained(st: Any) -> bool:
    """No shootdown has just lost the last access it waited for."""
    waiting = st.draining
    while waiting != 0:
        tgh = ctz(waiting)
        waiting &= waiting - 1
        if st.pending[tgh, 0] | st.pending[tgh, 1] == 0:
            return False
    return True


@inner
def flights(st: Any) -> None:
    """Accesses end (w_use0, w_use1) and begin (h_hit)."""
    if st.w_use0 >= 0:
        _over(st, st.w_use0)
    if st.w_use1 >= 0:
        _over(st, st.w_use1)
    if st.h_hit != 0:
        add(st.flying, st.h_cbr)
        page = st.page[st.h_cbr]
        page[P_ASID] = st.h_page[P_ASID]
        page[P_CTX] = st.h_page[P_CTX]
        page[P_LO] = st.h_page[P_LO]
        page[P_SPAN] = st.h_page[P_SPAN]
        page[P_USER] = st.h_page[P_USER]


@inner
def drain(st: Any) -> None:
    """Accesses begin and end; shootdowns begin to wait and are done. `drained` says who is done this cycle."""
    done = 0
    waiting = st.draining
    while waiting != 0:
        tgh = ctz(waiting)
        waiting &= waiting - 1
        if st.pending[tgh, 0] == 0 and st.pending[tgh, 1] == 0:
            done |= 1 << tgh
    st.draining &= ~done
    st.drained = done
    flights(st)
    if st.w_accept != 0:
        tgh = st.out[0, SH_TGH]
        st.pending[tgh, 0] = 0
        st.pending[tgh, 1] = 0
        if st.flying[0] != 0 or st.flying[1] != 0:
            for cbr in range(NUM_CBR):
                if has(st.flying, cbr) != 0 and _waits(st, st.page[cbr]):
                    add(st.pending[tgh], cbr)
        st.draining |= 1 << tgh


@inner
def _over(st: Any, cbr: int) -> None:
    drop(st.flying, cbr)
    waiting = st.draining
    while waiting != 0:
        drop(st.pending[ctz(waiting)], cbr)
        waiting &= waiting - 1


@inner
def _waits(st: Any, page: Any) -> bool:
    """Of a context-wide shootdown: users of the contexts' entries, and every access of the contexts."""
    if covers(st.out, 0, page[P_ASID], page[P_CTX], page[P_LO], page[P_SPAN]):
        return True
    shoot = st.out[0]
    return shoot[SH_SCOPE] > BY_ASID and (shoot[SH_CTXS] >> page[P_USER]) & 1 != 0
