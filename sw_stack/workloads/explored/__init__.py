"""Plays small enough that every order of their steps can be tried. One file a play; the file's name is the play's.

A play says what is there before (`prepare`), who does what at the same time (`actors`), and what must hold afterwards (`settle`,
which also goes back to where the next round begins). `PLANTED` names the defects that can be switched on in it: races real drivers
had. shootdown/explore plays it again and again, each time in another order.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from sw_stack.workloads.explored.play import Planted, Play

__all__ = ["Planted", "Play", "describe", "load", "names", "planted"]

_NOT_PLAYS = ("play", "hca_play", "regcache_play", "xpmem_play")


@cache
def names() -> tuple[str, ...]:
    """Every play."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name not in _NOT_PLAYS))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")


def load(name: str) -> type[Play]:
    """The class of a play."""
    found: type[Play] = _module(name).Scene
    return found


def describe(name: str) -> tuple[str, str]:
    """Its first line, and the rest of what it says of itself."""
    title, _, rest = (_module(name).__doc__ or "").strip().partition("\n")
    return title.rstrip("."), rest.strip()


@cache
def planted() -> dict[str, tuple[str, Planted]]:
    """Every defect by its name: the play it is in, and what it is."""
    found: dict[str, tuple[str, Planted]] = {}
    for name in names():
        for defect, what in load(name).PLANTED.items():
            if defect in found:
                raise ValueError(f"{defect} is planted in {found[defect][0]} and in {name}")
            found[defect] = name, what
    return found
