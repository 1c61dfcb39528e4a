"""Bad input, said in one line.

Promises: whatever goes wrong because of what the user gave (or lacks) is raised as an InputError or one of the readers' own
one-line errors; the command line prints that line and exits with 2. Anything else that is raised is a defect of this program.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["InputError", "input_errors", "unknown"]


class InputError(Exception):
    """What is wrong, where, and what to do about it: one line."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(f"{what}; {hint}" if hint else what)


def unknown(where: str, name: str, kind: str, known: Iterable[str]) -> InputError:
    """There is no `kind` of this name: says so where it was given, with the nearest of the known ones (all, if none is near)."""
    names = list(known)
    near = difflib.get_close_matches(name, names, 3, 0.4) or names
    return InputError(f"{where} {name}: there is no such {kind}", f"try {', '.join(near)}")


def input_errors() -> tuple[type[Exception], ...]:
    """The errors of the harness that are the machine's or the user's, and InputError. Asked for only when something was raised."""
    from tb.hil.build import BuildError  # noqa: PLC0415 - the harness is not loaded for the sake of --help

    return (InputError, BuildError)
