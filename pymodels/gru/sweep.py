"""What leaves and enters the TLB: shootdown slots and their sweep, drop-ins, and the log that drops late ones.

Promises: covered entries die in the cycle after acceptance and are removed by a sweep of one set a cycle; a drop-in whose miss
  precedes a covering shootdown is dropped, in the same cycle too, and only then, except when the log no longer reaches back to the
  miss (SD-3); a drop-in replaces what it overlaps, of other page sizes through a slot of its own (SD-7).
Needs: `decide` before the hit stage moves pseudo-LRU state, `commit` after it; both once a cycle.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.jit import ctz, inner
from pymodels.gru.layout import (
    ALL_CTX,
    BY_CTX,
    BY_RANGE,
    F_ASID,
    F_CTX,
    F_DIRTY,
    F_GAA,
    F_PFN,
    F_SIZE,
    F_VA,
    FIRST_SLOTS,
    LAST_SLOTS,
    LOG_BANKS,
    LOG_DEPTH,
    PAGE_SHIFT,
    SETS,
    SH_ASID,
    SH_CTXS,
    SH_FIRST,
    SH_LAST,
    SH_MASK,
    SH_SCOPE,
    SH_WORDS,
    SIZE_MASK,
    SIZE_SPAN,
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
from pymodels.gru.tlb import covers, dead, place, set_of, size_of, touched


@inner
def decide(st: Any) -> None:
    """Is the drop-in at hand dropped, and which entries go this cycle? Reads only."""
    st.w_go_fill = 0
    st.w_decide = 0
    st.w_drop = 0
    st.w_match = 0
    st.w_commit = 0
    st.w_kill = 0
    if st.f_busy != 0:
        page = SIZE_SPAN[st.fl_size]
        st.w_match_now = 1 if st.w_accept != 0 and covers(st.out, 0, st.fl_asid, st.fl_ctx, st.fl_lo, page) else 0
        if st.f_decide != 0:
            st.w_decide = 1
            st.w_drop = 1 if st.f_killed + st.f_match + st.w_match_now + st.f_lapped != 0 else 0
            st.w_commit = 1 - st.w_drop
        else:
            _search_log(st)
    if st.m1v != 0:
        _removals(st)


@inner
def _search_log(st: Any) -> None:
    """Compare the drop-in with the next few shootdowns since its miss."""
    until = st.log_count if st.f_first != 0 else st.f_until
    since = until - st.f_from
    lapped = st.f_lapped
    if st.f_first != 0:
        lapped = 1 if (since > LOG_DEPTH if st.f_known != 0 else st.log_count != 0) else 0
    if lapped == 0:
        for step in range(min(since, LOG_BANKS)):
            if covers(st.log, (st.f_from + step) & (LOG_DEPTH - 1), st.fl_asid, st.fl_ctx, st.fl_lo, st.fl_span):
                st.w_match = 1
    last = lapped != 0 or since <= LOG_BANKS
    st.w_lapped = lapped
    st.w_until = until
    st.w_from = st.f_from if last else st.f_from + LOG_BANKS
    other = st.sizes & ~(1 << st.fl_size) & SIZE_MASK
    room = other == 0 or (st.slots & LAST_SLOTS) != LAST_SLOTS
    visited = st.m1v != 0 and st.m1_fill == 0 and st.m1_sweep == 0
    if last and st.visit == 0 and not visited and room:
        st.w_go_fill = 1


@inner
def _removals(st: Any) -> None:
    """Entries of the set at hand that a slot covers or the drop-in replaces, and the drop-in's way."""
    where = st.m1_set
    valid = st.valid[where]
    by = st.slots & ~st.swept[where]
    if st.m1_fill != 0 and st.w_commit == 0:
        by = 0
    kill = 0
    if valid != 0 and (by != 0 or st.w_commit != 0):
        for way in range(WAYS):
            if (valid >> way) & 1 == 0:
                continue
            tag = st.tag[where * WAYS + way]
            span = SIZE_SPAN[tag[T_SIZE]]
            gone = dead(st, by, tag[T_ASID], tag[T_CTX], tag[T_LO], span)
            if st.w_commit != 0 and tag[T_ASID] == st.fl_asid and ((tag[T_LO] ^ st.fl_lo) & ~(span | st.fl_span)) == 0:
                gone = True
            if gone:
                kill |= 1 << way
    st.w_kill = kill
    if st.w_commit != 0:
        st.w_way = place(valid & ~kill, st.plru[where])
        st.w_plru = touched(st.plru[where], st.w_way)


@inner
def note_miss(st: Any) -> None:
    """Where the log stands when a lookup misses."""
    st.missed_at[st.h_cbr] = st.log_count
    st.has_missed[st.h_cbr >> 6] |= 1 << (st.h_cbr & 63)


@inner
def commit(st: Any) -> None:
    """End of the cycle: log, slots, sweep, the drop-in. A miss of this cycle notes the log as it was."""
    if st.h_miss != 0:
        note_miss(st)
    slots = st.slots
    slot_taken = st.w_commit != 0 and st.other_sizes != 0
    if st.m1v != 0:
        _rewrite(st)
    visiting = st.visit != 0 and (st.m1v == 0 or st.m1_sweep != 0)
    took = _slots(st, slot_taken)
    _third_port(st, slots, visiting, slot_taken)
    if took != 0:
        st.last_fill = took
    if st.w_accept != 0:
        if st.out[0, SH_SCOPE] == BY_CTX and st.out[0, SH_CTXS] == ALL_CTX:
            st.sizes = 0
        elif st.w_commit != 0:
            st.sizes |= 1 << st.fl_size
        _copy(st.log[st.log_count & (LOG_DEPTH - 1)], st.out[0])
        st.log_count += 1
    elif st.w_commit != 0:
        st.sizes |= 1 << st.fl_size
    _drop_in(st)


@inner
def _copy(target: Any, source: Any) -> None:
    for word in range(SH_WORDS):
        target[word] = source[word]


@inner
def _rewrite(st: Any) -> None:
    """The set at hand: entries out, the drop-in in."""
    where = st.m1_set
    if st.w_kill != 0:
        st.valid[where] &= ~st.w_kill
    if st.w_commit != 0:
        st.valid[where] |= 1 << st.w_way
        tag = st.tag[where * WAYS + st.w_way]
        tag[T_ASID] = st.fl_asid
        tag[T_CTX] = st.fl_ctx
        tag[T_LO] = st.fl_lo
        tag[T_SIZE] = st.fl_size
        tag[T_PFN] = st.fl_pfn
        tag[T_GAA] = st.fl_gaa
        tag[T_DIRTY] = st.fl_dirty
        st.plru[where] = st.w_plru


@inner
def _slots(st: Any, slot_taken: bool) -> int:
    """Slots begin and end; which sets are swept for whom. Returns the slot a drop-in took."""
    before = st.slots
    after = before
    if st.m1_sweep != 0:
        some = before
        while some != 0:
            slot = ctz(some)
            some &= some - 1
            st.left[slot] -= 1
            if st.left[slot] == 0:
                after &= ~(1 << slot)
    if st.m1_last != 0:
        after &= ~st.last_fill
    if st.m1v != 0 and (st.m1_fill == 0 or st.w_commit != 0):
        st.swept[st.m1_set] |= before
    taken = 0
    if st.w_accept != 0:
        slot = ctz(~before & FIRST_SLOTS)
        taken = 1 << slot
        st.left[slot] = SETS
        _copy(st.slot[slot], st.out[0])
    by_fill = 0
    if slot_taken:
        slot = ctz(~before & LAST_SLOTS)
        by_fill = 1 << slot
        st.left[slot] = SETS
        internal = st.slot[slot]
        internal[SH_SCOPE] = BY_RANGE
        internal[SH_ASID] = st.fl_asid
        internal[SH_FIRST] = st.fl_lo
        internal[SH_LAST] = st.fl_lo | st.fl_span
        internal[SH_MASK] = VPN_MASK
        internal[SH_CTXS] = 0
    if (taken | by_fill) != 0:
        keep = ~(taken | by_fill)
        for index in range(SETS):
            st.swept[index] &= keep
        if by_fill != 0:
            st.swept[st.m1_set] |= by_fill  # its own set has just been cleaned
    st.slots = after | taken | by_fill
    return by_fill


@inner
def _third_port(st: Any, slots: int, visiting: bool, slot_taken: bool) -> None:
    """Which set the third copy of the tags reads next: one a drop-in's slot must visit, the drop-in's own, or the sweep's."""
    going = st.w_go_fill != 0
    st.m1_last = 0
    if visiting:
        st.m1_set = set_of(st.visit_asid, st.visit_vpn, ctz(st.visit))
        st.m1_last = 1 if st.visit & (st.visit - 1) == 0 else 0
    elif going:
        st.m1_set = set_of(st.fl_asid, st.fl_lo, st.fl_size)
    elif slots != 0:
        st.m1_set = st.sweep
    st.m1v = 1 if going or slots != 0 else 0
    st.m1_fill = 1 if going else 0
    st.m1_sweep = 0
    if slots != 0 and not going and not visiting:
        st.m1_sweep = 1
        st.sweep = (st.sweep + 1) & (SETS - 1)
    if visiting:
        st.visit &= st.visit - 1
    if going:
        own = 1 << st.fl_size
        st.other_sizes = st.sizes & ~own & SIZE_MASK
        st.visit_next = st.sizes & ~(own | (own - 1)) & SIZE_MASK if st.sizes & (own - 1) == 0 else 0
    if slot_taken:
        st.visit = st.visit_next
        st.visit_asid = st.fl_asid
        st.visit_vpn = st.fl_lo


@inner
def _drop_in(st: Any) -> None:
    """The drop-in on its way, and the next one taken."""
    st.f_done = st.w_decide
    if st.w_decide != 0:
        st.f_dropped = st.w_drop
    if st.w_fill >= 0:
        row = st.tfh[st.w_fill]
        st.f_busy = 1
        st.f_first = 1
        st.f_decide = 0
        st.f_killed = 0
        st.f_match = 0
        st.f_lapped = 0
        st.f_known = (st.has_missed[st.w_fill >> 6] >> (st.w_fill & 63)) & 1
        st.f_from = st.missed_at[st.w_fill]
        st.fl_cbr = st.w_fill
        st.fl_ctx = row[F_CTX]
        st.fl_asid = row[F_ASID]
        st.fl_va = row[F_VA]
        st.fl_pfn = row[F_PFN]
        st.fl_size = size_of(row[F_SIZE])
        st.fl_gaa = row[F_GAA]
        st.fl_dirty = row[F_DIRTY]
        st.fl_span = SIZE_SPAN[st.fl_size]
        st.fl_lo = (row[F_VA] >> PAGE_SHIFT) & VPN_MASK & ~st.fl_span
    elif st.f_busy != 0:
        if st.f_decide != 0:
            st.f_busy = 0
            st.f_decide = 0
        else:
            st.f_killed |= st.f_match | st.w_match_now
            st.f_match = st.w_match
            st.f_lapped = st.w_lapped
            st.f_until = st.w_until
            st.f_from = st.w_from
            st.f_first = 0
            st.f_decide = st.w_go_fill
