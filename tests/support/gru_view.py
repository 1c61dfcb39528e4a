"""A look into a device behind the port, for tests: handles as a debugger reads them, and the model's TLB."""

from __future__ import annotations

from collections.abc import Iterator

from hwif.fields import Line
from hwif.gen.gru import PAGE_SHIFT
from hwif.port import Device, MmioDone, MmioRead
from pymodels.gru import GruModel, layout

SERIAL = 1 << 60


def read_line(device: Device, address: int) -> Line:
    """The eight double-words of a handle."""
    device.submit(MmioRead(device.cycle, SERIAL, address, 8))
    while True:
        for event in device.advance(device.cycle + 1000):
            if isinstance(event, MmioDone) and event.serial == SERIAL:
                return list(event.data)


def translations(model: Device) -> Iterator[tuple[int, int]]:
    """First byte and size of every page in the model's TLB."""
    assert isinstance(model, GruModel)
    state = model._st
    for number, tag in enumerate(state["tag"].tolist()):
        if state["valid"][number // layout.WAYS] >> number % layout.WAYS & 1:
            yield tag[layout.T_LO] << PAGE_SHIFT, int(layout.SIZE_SPAN[tag[layout.T_SIZE]] + 1) << PAGE_SHIFT
