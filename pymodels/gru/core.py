"""One cycle of the chip, and the loop over the cycles in which something can happen.

Promises: each cycle reads the state the cycle before it left: wires first, then commits, in the order the RTL's registers resolve
  ties. A cycle costs what moves in it; between two cycles in which nothing can change by itself the clock jumps, as the harness's
  does.
Costs: about a hundred nanoseconds for each access that moves through the pipe; as much again in a cycle in which software, a
  handle, a context or the sweep takes part.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.bits import drop_lowest, has
from pymodels.gru.blocks import begin
from pymodels.gru.bus import bus_commit, bus_cycle, handshakes
from pymodels.gru.contexts import context_commit, context_wires, released, whole_contexts
from pymodels.gru.engine import answer, engine, nothing_to_do, wake_pollers
from pymodels.gru.handles import fault_commit, fault_wires, lower_lines, shoot_commit, shoot_wires
from pymodels.gru.jit import entry, inner
from pymodels.gru.layout import CC_IDLE, FIRST_SLOTS, NEVER, TF_IDLE, U_CCH, U_TFH, U_TGH
from pymodels.gru.memory import memory_tick, next_due
from pymodels.gru.monitor import lookup_seen, see_outputs, tell_chip, tell_outputs, tell_stop, tell_tlb
from pymodels.gru.outcome import answered_faults, commit_retirement, park
from pymodels.gru.processor import next_request, processor_tick, push_request
from pymodels.gru.retire import retire
from pymodels.gru.state import LOOKUP_ROOM, TRACE_CYCLE, TRACE_ROOM
from pymodels.gru.sweep import commit, decide, note_miss
from pymodels.gru.tlb import drain, flights, hit_stage, next_lookup, nobody_drained
from pymodels.gru.window import window_commit, window_wires

FULL = 1 << 40  # returned besides the events: Python must take records before the next cycle


@inner
def _calm(st: Any) -> bool:
    """Only the pipe, the hit stage and the bus have work: no software, handle, context, sweep or drop-in, and nothing to tell."""
    some = st.pin | st.ax_valid | st.answer | st.start | st.cpu_got | st.tfm_dirty | st.tfh_fsm | st.out_valid | st.cch_fsm
    some |= st.slots | st.m1v | st.f_busy | st.f_done | st.drained | st.draining | (st.irq ^ st.irq_seen)
    some |= st.tgh_pend | st.tgh_snoop | st.cch_pend | st.cch_wait | st.cch_snoop | st.tfh_pend[0] | st.tfh_pend[1] | st.visit
    return some | st.tfh_snoop[0] | st.tfh_snoop[1] | st.cb_snoop[0] | st.cb_snoop[1] == 0


@inner
def _translate(st: Any) -> None:
    """The hit stage decides, and takes the next lookup."""
    answered = st.rsp_valid
    hit_stage(st)
    next_lookup(st, st.rsp_valid)
    st.looking += (1 if st.w_lookup >= 0 else 0) - answered


@inner
def _plain_cycle(st: Any, mem: Any, words: Any, ctx_mm: Any, now: int) -> None:
    """A calm cycle: `_full_cycle` without what has nothing to do. Its wires are as `_rest` leaves them."""
    if st.ret_valid != 0:
        retire(st)
    st.w_use1 = st.ret_cbr if st.ret_valid != 0 and st.o_use_done != 0 else -1
    able0 = st.ready[0] & st.run[0]
    able1 = st.ready[1] & st.run[1]
    handshakes(st, mem, words, ctx_mm, now)
    bus_cycle(st)
    tell_chip(st, now)
    wake_pollers(st, now)
    engine(st, able0, able1)
    lookup_seen(st, now)
    if st.rsp_valid != 0:
        answer(st)
        if st.rsp_hit == 0:
            park(st)
    if st.ret_valid != 0:
        commit_retirement(st, now)
    _translate(st)
    flights(st)
    if st.h_miss != 0:
        note_miss(st)
    bus_commit(st)


@inner
def _full_cycle(st: Any, mem: Any, words: Any, ctx_mm: Any, now: int) -> None:
    """Any cycle."""
    # Wires: what every block does in this cycle, from the state the last one left.
    if st.ret_valid != 0:
        retire(st)
    st.w_use1 = st.ret_cbr if st.ret_valid != 0 and st.o_use_done != 0 else -1
    window_wires(st)
    fault_wires(st)
    free = context_wires(st)
    shoot_wires(st)
    room = (st.slots & FIRST_SLOTS) != FIRST_SLOTS
    done = st.drained
    st.w_tfh = st.tfh_cur
    st.w_resume_runs = has(st.run, st.w_tfh)
    copied = st.start != 0 and st.ret_valid == 0
    st.w_start = 1 if copied and st.held == 0 else 0
    st.w_start_cbr = st.start_cbr
    able0 = st.ready[0] & st.run[0]
    able1 = st.ready[1] & st.run[1]
    see_outputs(st)

    # The bus, then whole contexts, then single control blocks.
    handshakes(st, mem, words, ctx_mm, now)
    bus_cycle(st)
    decide(st)
    tell_tlb(st, now, done)
    tell_chip(st, now)
    wake_pollers(st, now)
    if st.w_go != 0 or st.w_dealloc != 0:
        whole_contexts(st)
    engine(st, able0, able1)
    lookup_seen(st, now)
    if copied:
        begin(st, st.start_cbr)
    again = st.start != 0 and st.ret_valid != 0
    if st.tfm_dirty != 0:
        lower_lines(st)
        st.tfm_dirty = 0
    command = window_commit(st)
    unit = command >> 8 if command >= 0 else 0
    index = command & 255
    st.start = 1 if st.go_start != 0 or again else 0
    drop_lowest(st.cb_snoop)
    fault_commit(st, index if unit == U_TFH else -1)
    if st.rsp_valid != 0:
        answer(st)
        if st.rsp_hit == 0:
            park(st)
    if st.ret_valid != 0:
        commit_retirement(st, now)
    answered_faults(st)

    # The TLB last: it makes the next cycle's answer.
    _translate(st)
    drain(st)
    commit(st)
    shoot_commit(st, index if unit == U_TGH else -1, done, room)
    context_commit(st, index if unit == U_CCH else -1, free)
    bus_commit(st)


@inner
def _rest(st: Any) -> None:
    """Wires of blocks that a calm cycle leaves out."""
    st.w_reg = 0
    st.w_block = 0
    st.w_next_answer = 0
    st.w_tfh_exc = 0
    st.w_resume = 0
    st.w_start = 0
    st.w_cch = 0


@inner
def _quiet(st: Any) -> bool:
    """Nothing in the chip changes in the next cycle unless an input does (a response, a request, the timer)."""
    if not nothing_to_do(st):
        return False
    if st.pin + st.ax_valid + st.answer + st.cpu_got + st.start + st.tfm_dirty != 0:
        return False
    if st.rd != st.wr or st.m1_valid + st.ar + st.aw + st.w + st.ret_valid + st.rvalid + st.bvalid != 0 or st.am_rd != st.am_wr:
        return False
    if st.s1_valid + st.rsp_valid + st.m1v + st.f_busy + st.f_done + st.drained != 0 or st.slots != 0:
        return False
    if st.tfh_fsm != TF_IDLE or st.out_valid != 0 or st.tgh_pend | st.tgh_snoop | st.cch_pend | st.cch_snoop != 0:
        return False
    if st.tfh_pend[0] | st.tfh_pend[1] | st.tfh_snoop[0] | st.tfh_snoop[1] | st.cb_snoop[0] | st.cb_snoop[1] != 0:
        return False
    if st.cch_fsm != CC_IDLE or (st.cch_wait != 0 and released(st) != 0):
        return False
    return st.irq == st.irq_seen and nobody_drained(st)


@entry
def run(state: Any, mem: Any, words: Any, ctx_mm: Any, requests: Any, fresh: Any, count: int, until: int) -> int:
    """Push `count` fresh requests, then run to the end of the first cycle with events or to `until`. Returns the number of events,
    plus FULL if records have to be taken before the next cycle."""
    st = state[0]
    for index in range(count):
        push_request(st, requests, fresh[index])
    while True:
        following = max(st.done + 1, st.wake)
        if following > until:
            st.done = max(st.done, until)
            return 0
        if st.traces > TRACE_ROOM - TRACE_CYCLE or st.lookups > LOOKUP_ROOM - 2:
            return FULL
        st.events = 0
        st.wready = 1 if following >= st.write_ready and st.armed != 0 else 0
        objections = st.violations
        if _calm(st):
            _plain_cycle(st, mem, words, ctx_mm, following)
            if st.queued != 0:
                processor_tick(st, requests, following)
        else:
            _full_cycle(st, mem, words, ctx_mm, following)
            processor_tick(st, requests, following)
            tell_outputs(st, following)
            _rest(st)
        memory_tick(st, mem, words, ctx_mm, following)
        st.armed = 1
        st.done = following
        st.evaluated += 1
        st.wake = following + 1
        if st.violations != objections:
            tell_stop(st, following)
        if _quiet(st):
            st.wake = max(following + 1, min(st.deadline, next_due(st, NEVER), next_request(st, requests)))
        if st.events != 0:
            return st.events
