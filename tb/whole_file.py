"""Files that others read while they are written: whole or not there.

Promises: who opens `path` finds all of the new text or all of the old one, also when the writer is killed or the disk is full.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, text: str) -> None:
    """The text as UTF-8. Raises OSError, and leaves what was there."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
