"""The TLB alone, one call a clock cycle, in any size.

Promises and needs: as tb/block/stepped.py; `Size` has the RTL's parameters, `CORNERS` the smallest, the largest, and what lies
between and is easily got wrong.
Costs: about 20 s to build, once a size; some 5 us a cycle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tb.block.stepped import Block, Library
from tb.toolchain import ROOT

__all__ = ["CORNERS", "DEFAULT", "LABELS", "SOURCES", "Size", "Tlb", "library"]

HERE = Path(__file__).resolve().parent
PROPS = ROOT / "rtl/props/gru_tlb_props.sv"
SOURCES = (
    ROOT / "rtl/lint/waivers.vlt",
    ROOT / "rtl/pkg/gru_pkg.sv",
    ROOT / "rtl/pkg/gru_int_pkg.sv",
    *sorted((ROOT / "rtl/common").glob("*.sv")),
    *sorted((ROOT / "rtl/gru").glob("gru_tlb*.sv")),
    PROPS,
    HERE / "tlb_tb.sv",
)


@dataclass(frozen=True)
class Size:
    """Parameters of gru_tlb."""

    entries: int = 512
    ways: int = 4
    slots: int = 8
    log_depth: int = 64

    @property
    def sets(self) -> int:
        """Sets of `ways` entries."""
        return self.entries // self.ways

    @property
    def parameters(self) -> tuple[tuple[str, int], ...]:
        """As gru_tlb calls them."""
        return (("Entries", self.entries), ("Ways", self.ways), ("ShootSlots", self.slots), ("LogDepth", self.log_depth))

    @property
    def chip_parameters(self) -> tuple[tuple[str, int], ...]:
        """As gru_top does."""
        return (("TlbEntries", self.entries), ("TlbWays", self.ways), ("ShootSlots", self.slots), ("ShootLog", self.log_depth))


DEFAULT = Size()
CORNERS = {
    "smallest": Size(4, 2, 1, 8),
    "two ways": Size(64, 2, 3, 16),
    "one slot": Size(128, 4, 1, 32),
    "many slots": Size(32, 4, 24, 128),
    "largest": Size(4096, 4, 12, 256),
}
"""By name, besides DEFAULT."""


@cache
def library(size: Size = DEFAULT) -> Library:
    """What a TLB of that size is built from."""
    return Library("tlb", "tlb_tb", SOURCES, [PROPS], HERE / "tlb_lib.cpp", parameters=size.parameters)


LABELS = library().labels
"""Labels of the assertions, by file and line."""


class Tlb(Block):
    """One TLB under test."""

    def __init__(self, mutant: int = 0, seed: int = 1, size: Size = DEFAULT) -> None:
        super().__init__(library(size), mutant, seed)
