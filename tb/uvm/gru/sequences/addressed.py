"""A user whose instructions name address attributes, and may go unmapped.

Promises: with `bare` all of them are unmapped, at `place` in the bare space; the attribute named is that of the pages but for the
odds WRONG. A mistake is never made without permission to go unmapped: which of two exceptions it ends with is not drawn here.
"""

from __future__ import annotations

from dataclasses import replace

from hwif.fields import Line
from hwif.gen import gru as g
from tb.uvm.gru.attributes import GAA_LSB
from tb.uvm.gru.mix import Mix
from tb.uvm.gru.sequences.worker import Worker
from tb.uvm.gru.software import Software, User

__all__ = ["AddressedWorker"]

WRONG = 0.1


class AddressedWorker(Worker):
    """One control block's."""

    def __init__(self, software: Software, user: User, index: int, place: tuple[int, int], mix: Mix, *, bare: bool) -> None:
        super().__init__(software, user, index, place, replace(mix, mistakes=0.0) if bare else mix, None)
        self.bare = bare
        if bare:
            self.space = software.config.spaces.bare

    def draw(self, opc: g.CbOpc) -> tuple[Line, list[int]]:
        """With attributes."""
        line, indices = super().draw(opc)
        for field in (g.Cb.iaa0, g.Cb.iaa1):
            field.put(line, self.rng.getrandbits(2) if self.rng.random() < WRONG else self.attribute)
        unmapped = g.CbIma.UNMAPPED if self.bare else g.CbIma.MAPPED
        g.Cb.ima.put(line, unmapped | self.rng.choice([g.CbIma.MAPPED, g.CbIma.CB_DELAY]))
        return line, indices

    @property
    def attribute(self) -> int:
        """Of the pages it works on."""
        if self.bare:
            return self.plot.start >> GAA_LSB
        page = self.space.page(self.plot.start)
        assert page is not None
        return page.gaa
