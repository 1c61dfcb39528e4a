"""A CheckedXlt that counts what it was in, and names what it saw by a digest.

Promises: `Watch` before Rig in a class adds `tally`, `items` and `digest`, and changes nothing else. Equal seeds
give equal digests.
Needs: nothing.
Costs: some us a cycle.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from hwif.gen.hca import KEY_IDX_WIDTH, TABLE_BITS, XltResult
from tb.block.points_hca import SIZES, XLT, XLT_KEY, XLT_SIZE, XLT_WINDOW, bin_name
from tb.hca_xlt.checked import CheckedXlt, Shoot
from tb.hca_xlt.rig import Rig
from tb.hca_xlt.world import Leaf
from tb.plan.cover import Tally

__all__ = ["WatchedRig", "WatchedXlt"]

HIT_CYCLES = 3
KEY_MASK = (1 << KEY_IDX_WIDTH) - 1


def _size(pages: int) -> str:
    return SIZES[(pages.bit_length() - 1) // TABLE_BITS]


@dataclass
class Watch(CheckedXlt):
    """The watching half."""

    tally: Tally = field(default_factory=lambda: Tally(XLT))
    items: int = 0  # answers and invalidations judged
    answering: tuple[int, int] | None = None  # key index and page of the table read memory answers in this cycle
    answered: dict[tuple[int, int], int] = field(default_factory=dict)  # the last cycle one was answered

    def __post_init__(self) -> None:
        super().__post_init__()
        self._seen = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Of everything seen so far."""
        return self._seen.hexdigest()[:16]

    def _note(self, *numbers: int) -> None:
        self.items += 1
        self._seen.update(repr((self.now, *numbers)).encode())

    def _respond(self, inputs: dict[str, int]) -> None:
        super()._respond(inputs)
        self.answering = self.walks.get(inputs["mem_id"]) if inputs.get("mem_valid") else None
        if self.answering:
            self.answered[self.answering] = self.now

    def _answered(self, out: SimpleNamespace) -> None:
        asked = self.asked.get(out.rsp_use)
        super()._answered(out)
        self._note(out.rsp_use, out.rsp_result, out.rsp_pa)
        if asked is None:
            return
        ask, since = asked
        result, index, page = XltResult(out.rsp_result), ask.key >> 8 & KEY_MASK, ask.va >> 12
        self.tally.hit(XLT_KEY, f"{bin_name(ask.need)}, {bin_name(result)}")
        if result == XltResult.OK and ask.use in self.uses:
            how = "hit" if self.now - since == HIT_CYCLES else "walked"
            self.tally.hit(XLT_SIZE, f"{_size(self.uses[ask.use].pages)}, {how}")
        elif result == XltResult.FAULT_READ_ONLY and isinstance(leaf := self.world.look(index, page), Leaf):
            self.tally.hit(XLT_SIZE, f"{_size(leaf.pages)}, read-only fault")

    def _account(self, asks: list[Any], shoot: Shoot | None, *more: Any) -> None:
        if shoot and more[-1].inv_ready:
            self._shot(shoot)
        super()._account(asks, shoot, *more)

    def _shot(self, shoot: Shoot) -> None:
        inval = shoot.inval
        self._note(shoot.tag, inval.index, inval.first, inval.last)
        for it in self.uses.values():
            if inval.covers(it.index, it.first, it.pages):
                what = "access in flight waited for" if it.flying else "held use taken away"
                self.tally.hit(XLT_SIZE, f"{_size(it.pages)}, {what}")
        begun: dict[tuple[int, int], int] = {}
        for ask, since in self.asked.values():
            index, page = ask.key >> 8 & KEY_MASK, ask.va >> 12
            if self.now - since > HIT_CYCLES and inval.covers(index, page, 1):
                begun.setdefault((index, page), since)
        for at, since in begun.items():
            if at == self.answering:
                when = "with the answer"
            elif at in self.walks.values():
                when = "read in flight"
            else:
                when = "after an answer" if self.answered.get(at, -1) >= since else "before its read"
            self.tally.hit(XLT_WINDOW, f"{'key' if inval.whole else 'range'}, {when}")


@dataclass
class WatchedXlt(Watch):
    """For random traffic."""


@dataclass
class WatchedRig(Watch, Rig):
    """For two things at chosen distances."""
