"""Choices of a policy that have names."""

from __future__ import annotations

from typing import Any, get_args

__all__ = ["check_choice"]


def check_choice(owner: str, name: str, value: object, legal: Any, *, optional: bool = False) -> None:
    """ValueError, in one line, unless `value` is one of the Literal `legal`, or None if that is `optional`."""
    if not (value in get_args(legal) or (optional and value is None)):
        raise ValueError(f"{owner}: {name} {value!r} is not one of {', '.join(map(str, get_args(legal)))}")
