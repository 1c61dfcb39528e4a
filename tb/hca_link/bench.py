"""The cable between two HCAs alone, one call a clock cycle.

Promises and needs: as tb/block/stepped.py. `cross` lets packets cross: when each flit was taken, when each came out.
Costs: about 10 s to build; some 10 us a cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from tb.block.stepped import Block, Library
from tb.toolchain import ROOT

__all__ = ["DEPTH", "Crossed", "Flit", "Link"]

HERE = Path(__file__).resolve().parent
DEPTH = 16
WORDS = 8
LIBRARY = Library(
    "hca_link",
    "link_tb",
    [
        ROOT / "rtl/lint/waivers.vlt",
        ROOT / "rtl/hca/gen/hca_pkg.sv",
        ROOT / "rtl/hca/hca_int_pkg.sv",
        ROOT / "rtl/common/ram_1r1w.sv",
        ROOT / "rtl/hca/hca_link.sv",
        HERE / "link_tb.sv",
    ],
    [],
    HERE / "link_lib.cpp",
    parameters=(("Depth", DEPTH),),
)


@dataclass(frozen=True)
class Flit:
    """One beat of the cable."""

    data: tuple[int, ...]
    sop: bool
    eop: bool
    crc: int

    def inputs(self) -> dict[str, int]:
        """As ports."""
        words = {f"data{number}": word for number, word in enumerate(self.data)}
        return {"valid": 1, "sop": int(self.sop), "eop": int(self.eop), "crc": self.crc, **words}


@dataclass(frozen=True)
class Crossed:
    """`taken`: cycle of each flit offered; `asked`: cycles in which a fate was taken; `came`: cycle and flit of each that came out;
    `steps`: cycles that were simulated."""

    taken: list[int]
    asked: list[int]
    came: list[tuple[int, Flit]]
    steps: int


class Link(Block):
    """One direction of a cable, and its clock value."""

    def __init__(self, latency: int, cycles_per_flit: int) -> None:
        super().__init__(LIBRARY, 0, 1)
        self._given = {"latency": latency, "cycles_per_flit": cycles_per_flit}
        self.now = 0

    def tick(self, **inputs: int) -> SimpleNamespace:
        """One clock cycle."""
        out = self.step(now=self.now, **self._given, **inputs)
        self.now += 1
        return out

    def cross(
        self, offers: Sequence[tuple[int, Flit, int]], ready: Callable[[int], bool], until: int, *, skip: bool = False
    ) -> Crossed:
        """Flits as (cycle from which it is offered, flit, fate offered with it), one after the other; `ready`: does the far end
        take in that cycle? `skip`: jump over what the block says nothing happens in."""
        crossed = Crossed([], [], [], 0)
        steps, waiting = 0, list(offers)
        held: Flit | None = None
        while self.now < until:
            now = self.now
            offered = waiting and waiting[0][0] <= now
            inputs = {**waiting[0][1].inputs(), "action": waiting[0][2]} if offered else {}
            takes = ready(now)
            out = self.tick(ready=int(takes), **inputs)
            steps += 1
            if offered and out.ready:
                crossed.taken.append(now)
                waiting.pop(0)
            if out.action_taken:
                crossed.asked.append(now)
            if out.valid:
                words = tuple(getattr(out, f"data{number}") for number in range(WORDS))
                flit = Flit(words, bool(out.sop), bool(out.eop), out.crc)
                assert held in (None, flit), "a waiting flit keeps its payload"
                held = None if takes else flit
                if takes:
                    crossed.came.append((now, flit))
            else:
                assert held is None, "a waiting flit stays"
            if skip and out.quiescent and not out.valid:  # whoever waits to be taken is woken by that
                stirs = [waiting[0][0]] if waiting and waiting[0][0] > now else []
                self.now = max(self.now, min([out.deadline, until, *stirs]))
        return Crossed(crossed.taken, crossed.asked, crossed.came, steps)
