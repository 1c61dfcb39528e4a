"""What takes from a port: a function, where a component with a `write` of its own would say no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyuvm import uvm_analysis_export, uvm_component

__all__ = ["Inlet"]


class Inlet(uvm_analysis_export):
    """Calls a function with what is written to a port."""

    def __init__(self, name: str, parent: uvm_component, function: Callable[[Any], None]) -> None:
        super().__init__(name, parent)
        self.write = function
