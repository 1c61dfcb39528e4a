"""The hang doctor: who waits for whom, from the waiting tasks down to the device's handles.

When a run has made no progress, the scheduler's own report (tasks, locks, requests in flight) is only half of it. The other half
is in the device. `examine` reads every handle through the port as a debugger would and adds those that are busy, together with
the ranges between begin and end and the drop-ins they hold off.

Promises: changes nothing a driver would notice (reads only), and ends even if the device no longer answers: the report says so.
Needs: a scheduler at a standstill; the host goes on driving the generator. Costs a few thousand device cycles, once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from enum import IntEnum

from hwif.fields import Field
from hwif.gen.gru import (
    NUM_CBR,
    NUM_CTX,
    NUM_TGH,
    Cbe,
    CbrState,
    Cch,
    CchState,
    HandleStatus,
    Tfh,
    TfhState,
    Tgh,
    TghState,
)
from hwif.port import Event, MmioDone, MmioRead, Request
from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.state import GruState
from sw_stack.mm.machine import Machine

__all__ = ["examine"]

FIRST_SERIAL = 1 << 62  # far from any request of the software's
PATIENCE = 100_000  # cycles for all answers; a read takes a handful
LINE_WORDS = 8


def examine(
    report: str, driver: GruDriver, machine: Machine, submit: Callable[[Request], None], cycle: Callable[[], int]
) -> Generator[int, Sequence[Event], str]:
    """The scheduler's `report`, completed. Yields the cycle to advance to, is sent the events, as hwif.loop.drive."""
    lines = [report, *_software(driver, machine)]
    for gru in driver.grus:
        found: dict[int, tuple[int, ...]] = {}
        addresses = list(_handles(gru))
        for number, (_kind, _index, address) in enumerate(addresses):
            submit(MmioRead(cycle(), FIRST_SERIAL + number, address, LINE_WORDS))
        limit = cycle() + PATIENCE
        while len(found) < len(addresses) and cycle() < limit:
            for event in (yield limit):
                if isinstance(event, MmioDone) and event.serial >= FIRST_SERIAL:
                    found[event.serial - FIRST_SERIAL] = event.data
        lines.append(f"  device {gru.gs_gid}, handles that are not idle:")
        missing = len(addresses) - len(found)
        if missing:
            lines.append(f"    {missing} of {len(addresses)} handles cannot be read: the device does not answer its bus")
        busy = [
            text
            for number, (kind, index, _address) in enumerate(addresses)
            if number in found and (text := _describe(gru, kind, index, list(found[number]))) is not None
        ]
        lines += [f"    {text}" for text in busy] or ["    none"]
    return "\n".join(lines)


def _software(driver: GruDriver, machine: Machine) -> Iterator[str]:
    """What holds drop-ins off: ranges between their begin and end, by address space."""
    for mm, gms in driver.address_spaces():
        waiters = gms.ms_wait_queue.waiting()
        if gms.ms_range_active or waiters:
            waiting = ", ".join(waiters) or "nobody"
            yield f"  ms_range_active of mm {mm.id}: {gms.ms_range_active}, waited for by {waiting}"
        for active in mm.notifiers.active_ranges():
            yield f"    between begin and end: {active.start:#x}..{active.end:#x}{' (atomic)' if active.atomic else ''}"
    yield f"  free frames: {machine.frames.free} of {machine.frames.count}"


def _handles(gru: GruState) -> Iterator[tuple[str, int, int]]:
    port = gru.gs_port
    yield from (("CCH", index, port.cch(index)) for index in range(NUM_CTX))
    yield from (("TGH", index, port.tgh(index)) for index in range(NUM_TGH))
    yield from (("TFH", index, port.tfh(index)) for index in range(NUM_CBR))
    yield from (("CBE", index, port.cbe(index)) for index in range(NUM_CBR))


def _name(kind: type[IntEnum], field: Field, line: list[int]) -> str:
    value = field.get(line)
    return kind(value).name if value in {member.value for member in kind} else f"{value}?"


def _pages(count: int) -> str:
    return "1 page" if count == 1 else f"{count} pages"


def _owner(gru: GruState, cbr: int) -> str:
    """The context a control block belongs to."""
    for ctx, gts in enumerate(gru.gs_gts):
        if gts is not None and cbr in gts.cbrs():
            return f"context {ctx} of mm {gts.ts_mm.id}"
    return "no context"


def _describe(gru: GruState, kind: str, index: int, line: list[int]) -> str | None:
    """One line about a handle that is at work, None for one that rests."""
    if kind == "CCH":
        status = Cch.status.get(line)
        if status == HandleStatus.IDLE and Cch.state.get(line) == CchState.INACTIVE:
            return None
        return f"CCH {index}: status {_name(HandleStatus, Cch.status, line)}, state {_name(CchState, Cch.state, line)}"
    if kind == "TGH":
        if Tgh.status.get(line) != HandleStatus.ACTIVE:
            return None
        lock = gru.gs_tgh_lock[index].describe()
        return (
            f"TGH {index}: status ACTIVE, state {_name(TghState, Tgh.state, line)}: {_pages(Tgh.n.get(line) + 1)} from "
            f"{Tgh.vaddr.get(line):#x} of asid {Tgh.asid.get(line):#x} ({lock})"
        )
    if kind == "TFH":
        state = Tfh.state.get(line)
        if state in (TfhState.INACTIVE, TfhState.IDLE):
            return None
        return (
            f"TFH {index}: state {_name(TfhState, Tfh.state, line)}, miss at {Tfh.missvaddr.get(line):#x} of asid "
            f"{Tfh.missasid.get(line):#x} ({_owner(gru, index)})"
        )
    state = Cbe.cbrstate.get(line)
    if state in (CbrState.INACTIVE, CbrState.IDLE):
        return None
    return f"control block {index}: {_name(CbrState, Cbe.cbrstate, line)} at {Cbe.idef1upd.get(line):#x} ({_owner(gru, index)})"
