"""Bad input, said in one line.

Promises: whatever goes wrong because of what the user gave (or lacks) is raised as an InputError or one of the readers' own
one-line errors; the command line prints that line and exits with 2. Anything else that is raised is a defect of this program.
"""

from __future__ import annotations

__all__ = ["InputError"]


class InputError(Exception):
    """What is wrong, where, and what to do about it: one line."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(f"{what}; {hint}" if hint else what)
