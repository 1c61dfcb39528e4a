"""The hang doctor of a pair of HCAs: what each driver waits for, and what each adapter holds.

As shootdown/doctor.py for the GRU: reads registers through the port as a debugger would and adds what is not at rest: commands rung
and not done, fault records nobody took, interrupts masked, queue pairs that are parked or wait for the other end, regions with
invalidations or faults at work on them, ranges between begin and end.

Promises: changes nothing a driver would notice (reads of registers and memory only), and ends even if an adapter no longer answers
its bus: the report says so. Needs: a scheduler at a standstill; the host goes on driving the generator.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence

from hwif.gen import hca as h
from hwif.port import Event, MmioDone, MmioRead, Request
from sw_stack.drivers.hca import HcaDriver
from sw_stack.mm.machine import Machine

__all__ = ["examine"]

FIRST_SERIAL = 1 << 62  # far from any request of the software's
PATIENCE = 100_000  # cycles for all answers
SYSTEMS = "AB"
LISTED = 16  # queue pairs and regions named, at most

REGISTERS = {
    "CTRL": h.CtrlReg.offset,
    "STATUS": h.StatusReg.offset,
    "IRQ_ENABLE": h.IrqEnableReg.offset,
    "CMDQ_PROD": h.CmdqProdReg.offset,
    "CMDQ_CONS": h.CmdqConsReg.offset,
    "FQ_PROD": h.FqProdReg.offset,
    "FQ_CONS": h.FqConsReg.offset,
}


def examine(
    report: str,
    drivers: Sequence[HcaDriver],
    machines: Sequence[Machine],
    submit: Callable[[Request], None],
    cycle: Callable[[], int],
) -> Generator[int, Sequence[Event], str]:
    """The scheduler's `report`, completed. Yields the cycle to advance to, is sent the events, as hwif.loop.drive."""
    lines = [report]
    wanted = [(node, name, offset) for node in range(len(drivers)) for name, offset in REGISTERS.items()]
    for number, (node, _name, offset) in enumerate(wanted):
        submit(MmioRead(cycle(), FIRST_SERIAL + number, offset, 1, node))
    found: dict[int, int] = {}
    limit = cycle() + PATIENCE
    while len(found) < len(wanted) and cycle() < limit:
        for event in (yield limit):
            if isinstance(event, MmioDone) and event.serial >= FIRST_SERIAL:
                found[event.serial - FIRST_SERIAL] = event.data[0]
    for node, (driver, machine) in enumerate(zip(drivers, machines, strict=True)):
        values = {name: found[number] for number, (where, name, _offset) in enumerate(wanted) if where == node and number in found}
        lines += [f"  system {SYSTEMS[node]}:", *(f"    {text}" for text in (*_adapter(values), *_software(driver, machine)))]
    return "\n".join(lines)


def _adapter(values: dict[str, int]) -> Iterator[str]:
    """What the registers say."""
    missing = len(REGISTERS) - len(values)
    if missing:
        yield f"{missing} of {len(REGISTERS)} registers cannot be read: the adapter does not answer its bus"
        return
    if not h.CtrlReg.enable.of(values["CTRL"]):
        yield "the adapter is not enabled"
        return
    mask = (1 << h.INDEX_WIDTH) - 1
    commands = (h.CmdqProdReg.index.of(values["CMDQ_PROD"]) - h.CmdqConsReg.index.of(values["CMDQ_CONS"])) & mask
    records = (h.FqProdReg.index.of(values["FQ_PROD"]) - h.FqConsReg.index.of(values["FQ_CONS"])) & mask
    yield f"commands rung and not done: {commands}; fault records not taken: {records}"
    if h.StatusReg.command_stopped.of(values["STATUS"]):
        yield "the command queue has stopped"
    if records and not h.IrqEnableReg.fault.of(values["IRQ_ENABLE"]):
        yield "the fault interrupt is masked"


def _software(driver: HcaDriver, machine: Machine) -> Iterator[str]:
    """What the driver's books say."""
    for qp in list(driver.qps.values())[:LISTED]:
        if qp.sends or qp.users or qp.flushing:
            yield (
                f"QP {qp.number} {qp.state.name} ({qp.policy.name}): {len(qp.sends)} sends and {len(qp.recvs)} receives not "
                f"completed, {qp.users} faults at work"
            )
    for mr in list(driver.keys.regions())[:LISTED]:
        if mr.pending or mr.users:
            yield f"{mr!r}: {mr.pending} invalidations and {mr.users} faults or prefetches at work"
    for mm in machine.mms.values():
        for active in mm.notifiers.active_ranges():
            yield f"mm {mm.id} between begin and end: {active.start:#x}..{active.end:#x}{' (atomic)' if active.atomic else ''}"
    yield f"free frames: {machine.frames.free} of {machine.frames.count}"
