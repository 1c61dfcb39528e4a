"""What a sequence asks of the link."""

from __future__ import annotations

from cocotb.triggers import Event
from pyuvm import uvm_sequence_item

from tb.hil.hca_lines import Entry

__all__ = ["LinkItem"]


class LinkItem(uvm_sequence_item):
    """A packet into the device. `crc`: bits of its CRC to turn; `count`: flits instead of the right number; `delay`: idle cycles
    before it, `gap`: between its flits. `done` is set when its last flit was taken."""

    def __init__(self, head: Entry, payload: bytes = b"", *, crc: int = 0, count: int | None = None) -> None:
        super().__init__("packet")
        self.head = head
        self.payload = payload
        self.crc = crc
        self.count = count
        self.delay = self.gap = 0
        self.done = Event()
