"""Mutants that nothing can tell from the design, each with the reason: equivalents.toml beside this file.

Promises: a key that names no place of the RTL any more is an InputError, so the list cannot rot.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

__all__ = ["LIST", "equivalents"]

LIST = Path(__file__).with_name("equivalents.toml")


def equivalents() -> Mapping[str, str]:
    """Key of a mutant (draw.py) -> why it is no defect."""
    found: Mapping[str, str] = tomllib.loads(LIST.read_text())
    return found
