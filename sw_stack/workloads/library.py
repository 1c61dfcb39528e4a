"""A library of scenarios: one file a scenario in a package, found by its name.

A scenario's file has a docstring (its first line is the title), `NEEDS`, and `async def play(stage)`. Files are listed in the order
of their names.

Promises: `names` costs no import of a scenario; `page` raises KeyError for a name that is not one of them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from types import ModuleType

__all__ = ["Library", "Page"]


@dataclass(frozen=True)
class Page:
    """A scenario's file: what its docstring says, and the module."""

    name: str
    title: str
    description: str
    module: ModuleType


class Library:
    """The scenarios of one package."""

    def __init__(self, package: str) -> None:
        self._package = package

    def names(self) -> list[str]:
        """Every scenario, in order."""
        folders = importlib.import_module(self._package).__path__  # as it is now: whoever adds a folder, adds its scenarios
        return sorted(module.name for module in pkgutil.iter_modules(folders))

    def page(self, name: str) -> Page:
        """The file of that name."""
        if name not in self.names():
            raise KeyError(name)
        module = importlib.import_module(f"{self._package}.{name}")
        title, _, description = inspect.cleandoc(module.__doc__ or "").partition("\n")
        return Page(name, title.rstrip("."), description.strip(), module)
