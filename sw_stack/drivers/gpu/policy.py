"""What a run may choose about the GPU's driver. Everything here is fixed when the driver starts.

Promises: an impossible policy raises ValueError with one line, before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sw_stack.drivers.choices import check_choice

__all__ = ["MUTANT_TEXT", "GpuPolicy", "Mutant"]

Mutant = Literal["unpin_early", "leak_on_error", "overtake"]
"""A driver broken on purpose, for tests of the checks; MUTANT_TEXT says what is broken."""

MUTANT_TEXT: Mapping[str, str] = {
    "unpin_early": "pages are given back when the command is handed to the GPU, not when it is done",
    "leak_on_error": "an operand that cannot be pinned leaves those before it pinned",
    "overtake": "whoever fits goes first: a large request waits behind every small one",
}


@dataclass(frozen=True, slots=True)
class GpuPolicy:
    """`aperture_pages`: entries of the GPU's page table, so pages pinned at once."""

    aperture_pages: int = 256
    mutant: Mutant | None = None

    def __post_init__(self) -> None:
        check_choice("gpu policy", "mutant", self.mutant, Mutant, optional=True)
        if self.aperture_pages < 1:
            raise ValueError(f"gpu policy: aperture_pages {self.aperture_pages} is less than one")
