"""What a sequence asks of the register bus."""

from __future__ import annotations

from cocotb.triggers import Event
from pyuvm import uvm_sequence_item

__all__ = ["RegisterItem"]


class RegisterItem(uvm_sequence_item):
    """One access. `done` is set when it has ended: `resp` is then its response, None if a reset came in between, and `data` what
    a read returned. `strobe` None: every byte. `delay`: idle cycles before it; `skew`: cycles by which the data of a write
    follows its address (negative: precedes it); `patience`: cycles until the response is accepted."""

    def __init__(
        self, name: str = "access", *, write: bool = False, addr: int = 0, data: int = 0, strobe: int | None = None
    ) -> None:
        super().__init__(name)
        self.write = write
        self.addr = addr
        self.data = data
        self.strobe = strobe
        self.delay = self.skew = self.patience = 0
        self.resp: int | None = None
        self.done = Event()
