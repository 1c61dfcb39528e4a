"""Sequence items: what a driver is asked to put on a port. `delay`: cycles the port stays idle before it."""

from __future__ import annotations

from pyuvm import uvm_sequence_item

from pymodels.oracle import Shootdown, Translation

__all__ = ["AccessItem", "FillItem", "LookupItem", "ShootItem"]


class LookupItem(uvm_sequence_item):
    """A control block looks up an address."""

    def __init__(self, name: str = "lookup") -> None:
        super().__init__(name)
        self.cbr = self.asid = self.va = self.ctx = self.sizes = self.delay = 0
        self.write = False


class AccessItem(uvm_sequence_item):
    """Accesses of up to two control blocks end."""

    def __init__(self, name: str = "access") -> None:
        super().__init__(name)
        self.cbrs: tuple[int, ...] = ()
        self.delay = 0


class FillItem(uvm_sequence_item):
    """A drop-in for a control block's miss."""

    def __init__(self, name: str = "fill") -> None:
        super().__init__(name)
        self.cbr = self.delay = 0
        self.translation = Translation(0, 0, 0)


class ShootItem(uvm_sequence_item):
    """A shootdown by a handle."""

    def __init__(self, name: str = "shoot") -> None:
        super().__init__(name)
        self.handle = self.delay = 0
        self.what = Shootdown()
