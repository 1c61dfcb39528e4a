"""The processors' side of the window: the queue of requests, and the master that plays them word by word.

Promises: as tb/hil/bus.h: one request at a time in the order (at, serial), taken in cycle at + 1 at the earliest; writes go from
  the highest address down, reads upwards, a swap reads all its words and writes back what it read.
"""

from __future__ import annotations

from typing import Any

from pymodels.gru.jit import inner
from pymodels.gru.layout import (
    BUS_IDLE,
    BUS_READ,
    BUS_WRITE,
    E_COUNT,
    E_CYCLE,
    E_INDEX,
    E_KIND,
    E_SERIAL,
    E_VALUE,
    E_WORD0,
    EV_DONE,
    NEVER,
    Q_ADDR,
    Q_AT,
    Q_COUNT,
    Q_KIND,
    Q_SERIAL,
    Q_WORD0,
    Q_WORDS,
    REQ_SWAP,
    REQ_WRITE,
)


@inner
def _before(a: Any, b: Any) -> bool:
    return a[Q_AT] < b[Q_AT] or (a[Q_AT] == b[Q_AT] and a[Q_SERIAL] < b[Q_SERIAL])


@inner
def _move(target: Any, source: Any) -> None:
    for word in range(Q_WORDS):
        target[word] = source[word]


@inner
def push_request(st: Any, heap: Any, fresh: Any) -> None:
    """A request joins the queue, a binary heap; the caller has seen that there is room."""
    place = st.queued
    st.queued += 1
    while place > 0:
        parent = (place - 1) >> 1
        if not _before(fresh, heap[parent]):
            break
        _move(heap[place], heap[parent])
        place = parent
    _move(heap[place], fresh)
    st.wake = min(st.wake, max(fresh[Q_AT], st.done) + 1)


@inner
def _pop(st: Any, heap: Any) -> None:
    """The first request leaves the queue for st.bus."""
    _move(st.bus, heap[0])
    st.queued -= 1
    last = heap[st.queued]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= st.queued:
            break
        if child + 1 < st.queued and _before(heap[child + 1], heap[child]):
            child += 1
        if not _before(heap[child], last):
            break
        _move(heap[place], heap[child])
        place = child
    if place != st.queued:
        _move(heap[place], last)


@inner
def next_request(st: Any, heap: Any) -> int:
    """The cycle whose end takes the next request."""
    if st.queued == 0 or st.bus_state != BUS_IDLE:
        return NEVER
    return heap[0, Q_AT] + 1


@inner
def _drive(st: Any) -> None:
    """The present word on the pins of the next cycle."""
    st.pin = 1
    if st.bus_state == BUS_READ:
        st.ax_addr = st.bus[Q_ADDR] + 8 * st.bus_pos
        st.ax_write = 0
    else:
        word = st.bus[Q_COUNT] - 1 - st.bus_pos
        st.ax_addr = st.bus[Q_ADDR] + 8 * word
        st.ax_data = st.bus[Q_WORD0 + word]
        st.ax_write = 1


@inner
def processor_tick(st: Any, heap: Any, now: int) -> None:
    """End of the cycle: an answer is taken, the next word or request goes out."""
    answered = st.answer != 0
    error = st.answer_error
    data = st.answer_data
    st.answer = st.w_next_answer
    if st.w_next_answer != 0:
        st.ax_valid = 0
        st.answer_error = st.w_next_error
        st.answer_data = st.w_next_data
    if st.pin != 0:
        st.pin = 0
        st.ax_valid = 1
    if st.bus_state != BUS_IDLE:
        if not answered:
            return
        st.bus_error |= error
        if st.bus_state == BUS_READ:
            st.mmio_reads += 1
            st.bus[Q_WORD0 + st.bus_pos] = data
        else:
            st.mmio_writes += 1
        st.bus_pos += 1
        if st.bus_pos < st.bus[Q_COUNT]:
            _drive(st)
            return
        if st.bus_state == BUS_READ and st.bus[Q_KIND] == REQ_SWAP:
            st.bus_state = BUS_WRITE
            st.bus_pos = 0
            _drive(st)
            return
        _answer(st, now)
        st.bus_state = BUS_IDLE
    if st.queued != 0 and heap[0, Q_AT] < now:
        _pop(st, heap)
        st.bus_state = BUS_WRITE if st.bus[Q_KIND] == REQ_WRITE else BUS_READ
        st.bus_pos = 0
        st.bus_error = 0
        _drive(st)


@inner
def _answer(st: Any, now: int) -> None:
    """The request is over: tell who asked."""
    row = st.event[st.events]
    st.events += 1
    row[E_KIND] = EV_DONE
    row[E_COUNT] = 0 if st.bus[Q_KIND] == REQ_WRITE else st.bus[Q_COUNT]
    row[E_CYCLE] = now
    row[E_SERIAL] = st.bus[Q_SERIAL]
    row[E_INDEX] = 0
    row[E_VALUE] = st.bus_error
    for word in range(8):
        row[E_WORD0 + word] = st.bus[Q_WORD0 + word]
    st.mmio_errors += st.bus_error
