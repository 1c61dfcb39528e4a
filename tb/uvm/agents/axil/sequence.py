"""Register accesses as calls: the base of sequences that read and write registers, and of what wants to without being one.

Promises: any number of tasks may call one sequence; accesses of one kind stay in the order of the calls. `read` and `write` raise
RefusedError when the device refuses, ResetError when a reset came in between. `asking` gives an item to the driver and does not
wait.
Needs: to be started on the sequencer of a RegisterAgent (its own body does nothing). `shape` may set delay, skew and patience of
items.
"""

from __future__ import annotations

from collections.abc import Callable

from pyuvm import uvm_sequence

from tb.uvm.agents.axil.config import OKAY
from tb.uvm.agents.axil.item import RegisterItem

__all__ = ["RefusedError", "RegisterSequence", "ResetError", "settled"]


class RefusedError(Exception):
    """The device answered with an error."""


class ResetError(Exception):
    """The access was lost in a reset."""


class RegisterSequence(uvm_sequence):
    """Calls for the tasks of a device's sequences."""

    shape: Callable[[RegisterItem], None] | None = None
    closed = False  # who called it is to end: every further call raises ResetError

    async def asking(self, item: RegisterItem) -> RegisterItem:
        """Hand it over; `await item.done.wait()` is for whoever wants the answer."""
        if self.closed:
            raise ResetError
        await self.start_item(item)
        if self.shape is not None:
            self.shape(item)
        await self.finish_item(item)
        return item

    async def access(self, item: RegisterItem) -> RegisterItem:
        """To its end, whatever that is."""
        await self.asking(item)
        await item.done.wait()
        return item

    async def read(self, addr: int) -> int:
        """A word."""
        return settled(await self.access(RegisterItem(addr=addr))).data

    async def write(self, addr: int, data: int, strobe: int | None = None) -> None:
        """A word."""
        settled(await self.access(RegisterItem(write=True, addr=addr, data=data, strobe=strobe)))


def settled(item: RegisterItem) -> RegisterItem:
    """An item that has ended well. Raises ResetError, RefusedError."""
    if item.resp is None:
        raise ResetError
    if item.resp != OKAY:
        raise RefusedError(f"{'write' if item.write else 'read'} of {item.addr:#x}: response {item.resp}")
    return item
