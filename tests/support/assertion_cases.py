"""How each assertion of rtl/props is made to fail: what to put on the inputs of its module, and a twin that is legal.

`CASES` has every label at least once; a label that two files have, a case for each. Plays are written as props_alone.py says. Where
an assertion is implied by another that fails with it, `also` names that one.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Case"]


@dataclass(frozen=True)
class Case:
    """`module`: of rtl/props. After each play of `bad` exactly `label` and `also` have failed, after each of `good` nothing has."""

    module: str
    label: str
    good: tuple[str, ...]
    bad: tuple[str, ...]
    also: frozenset[str] = frozenset()
