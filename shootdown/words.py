"""Numbers in sentences."""

from __future__ import annotations

__all__ = ["plural"]


def plural(count: int, word: str) -> str:
    """'1 run', '2,000 runs'."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
