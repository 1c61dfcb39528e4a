"""What the port promises, as programs: each returns what it saw for tests/contract/test_port.py to judge."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from hwif.gen import gru as g
from hwif.port import Event, MmioDone, MmioRead, MmioSwap, MmioWrite, Request
from tb.hil.baremetal import BareMetal

Seen = Generator[int, Sequence[Event], Any]
VA = 0x40_0000
VPN = VA >> g.PAGE_SHIFT
SCRATCH = g.TGH_BASE + 3 * g.HANDLE_STRIDE  # a handle nobody starts


def quiet_time() -> Any:
    def program(gru: BareMetal) -> Seen:
        seen = [gru.device.cycle]
        for until in (1, 2, 10, 10, 1000, 123_456):
            events = yield until
            assert not events
            seen.append(gru.device.cycle)
        return seen

    return program


def many_requests(order: Sequence[int]) -> Any:
    """Requests submitted in `order`; the serials answered and in which cycles."""

    def program(gru: BareMetal) -> Seen:
        requests: list[Request] = [
            MmioWrite(300, 1, SCRATCH + 8, (0x11, 0x22)),
            MmioRead(300, 2, SCRATCH + 8, 2),
            MmioRead(200, 3, SCRATCH + 8, 1),
            MmioWrite(400, 4, SCRATCH + 8, (0x33,)),
            MmioSwap(400, 5, g.TFM_BASE, 2),
            MmioRead(401, 6, SCRATCH + 8, 1),
        ]
        for number in order:
            gru.device.submit(requests[number])
        return (yield from _collect(gru, len(requests)))

    return program


def late_requests(step: int) -> Any:
    """Each request submitted in the very cycle it is for; between them, time advances by `step` at most."""

    def program(gru: BareMetal) -> Seen:
        answers: list[MmioDone] = []
        for serial, at in enumerate((50, 200, 201, 999), 1):
            while gru.device.cycle < at:
                events = yield min(at, gru.device.cycle + step)
                answers += [event for event in events if isinstance(event, MmioDone)]
            gru.device.submit(MmioRead(at, serial, SCRATCH + 8, 2))
        return answers + (yield from _collect(gru, 4 - len(answers)))

    return program


def early_requests() -> Any:
    def program(gru: BareMetal) -> Seen:
        for serial, at in enumerate((50, 200, 201, 999), 1):
            gru.device.submit(MmioRead(at, serial, SCRATCH + 8, 2))
        return (yield from _collect(gru, 4))

    return program


def bus_errors() -> Any:
    def program(gru: BareMetal) -> Seen:
        gru.device.submit(MmioRead(0, 1, g.CCH_BASE + 16 * g.HANDLE_STRIDE, 2))
        gru.device.submit(MmioWrite(0, 2, gru.cb_addr(5, 0), (1, 2)))  # no context 5
        gru.device.submit(MmioRead(0, 3, SCRATCH, 1))
        return (yield from _collect(gru, 3))

    return program


def past_request() -> Any:
    def program(gru: BareMetal) -> Seen:
        yield 100
        gru.device.submit(MmioRead(99, 1, SCRATCH, 1))
        yield 200

    return program


def fault_and_answer() -> Any:
    """A miss raises the line; the map is swapped, the fault answered, the instruction ends. Returns the swapped words."""

    def program(gru: BareMetal) -> Seen:
        yield from gru.start_context(0, 2, 2, core=3)
        gru.map_page(0, VPN, 5)
        yield from gru.issue(0, 1, gru.instruction(g.CbOpc.VSET, va=VA, count=8, value=0x5A))
        yield from gru.sleep(300)
        words = yield from gru.swap(g.TFM_BASE + 3 * g.HANDLE_STRIDE, 2)
        again = yield from gru.swap(g.TFM_BASE + 3 * g.HANDLE_STRIDE, 2)
        yield from gru.answer_fault(gru.cbr(0, 1))
        status = yield from gru.finish(0, [1])
        return words, again, status, gru.device.memory.read(5 << 12, 16)

    return program


def shootdown_line() -> Any:
    """A whole handle in one write: its start bit lands last, so the shootdown has every field."""

    def program(gru: BareMetal) -> Seen:
        yield from gru.start_context(0, 2, 2)
        yield from gru.shootdown(7, 0, VA, 5)

    return program


def violation(kind: str) -> Any:
    """One beat that the oracle must object to (kind "none": the same, legal)."""

    def program(gru: BareMetal) -> Seen:
        yield from gru.start_context(0, 2, 2, unmapped=True)
        shadow = gru.device.shadow
        gru.map_page(0, VPN, 5)
        line = gru.instruction(g.CbOpc.VSET, va=VA, count=8, value=1)
        if kind == "READ_ONLY":
            shadow.grant(5, 1, VPN, 1)
        elif kind == "REVOKED":
            shadow.revoke(5, 1, VPN)
        elif kind == "OUTSIDE":
            gru.map_page(0, VPN, gru.device.memory.frames + 1)
        elif kind == "NO_CONTEXT":
            shadow.set_context(0, 0)
        elif kind in ("NOT_KERNEL", "KERNEL"):
            line = gru.instruction(g.CbOpc.VSET, va=9 << g.PAGE_SHIFT, count=8, value=1, ima=g.CbIma.UNMAPPED)
            if kind == "KERNEL":
                shadow.grant_kernel(9)
        yield from gru.issue(0, 0, line)
        return (yield from gru.finish(0, [0]))

    return program


def _collect(gru: BareMetal, count: int) -> Generator[int, Sequence[Event], list[MmioDone]]:
    answers: list[MmioDone] = []
    while len(answers) < count:
        for event in (yield gru.device.cycle + 10_000):
            assert event.cycle == gru.device.cycle, "advance returns in the cycle of its events"
            if isinstance(event, MmioDone):
                answers.append(event)
    return answers


def revoked_under_read() -> Any:
    """A page is shot down and revoked while the memory has not yet answered a load from it."""

    def program(gru: BareMetal) -> Seen:
        yield from gru.start_context(0, 2, 2)
        gru.map_page(0, VPN, 5)
        yield from gru.issue(0, 0, gru.instruction(g.CbOpc.VLOAD, va=VA, count=8))
        yield from gru.serve(lambda: gru.answered == 1)
        yield from gru.sleep(40)
        page = gru.unmap_page(0, VPN)
        yield from gru.shootdown(0, 0, VA, 1)
        gru.revoke(0, VPN, page)
        gru.stop_on_violation = False
        return (yield from gru.finish(0, [0]))

    return program
