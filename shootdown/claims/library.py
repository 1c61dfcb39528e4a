"""The claims by name, in the order of the page.

Promises: `NAMES` costs no import of an experiment. KeyError for a name that is not one of them. Add a claim: a module of this
package with a `CLAIM` of the module's name, and the name here.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

from shootdown.claims.base import Claim

__all__ = ["NAMES", "load"]

NAMES: Final = (
    "livelock",
    "processors",
    "moving",
    "startup",
    "paging",
    "deadlock",
    "collective",
    "small_messages",
    "larger",
    "registration",
    "take_down",
)


def load(name: str) -> Claim[Any, Any]:
    """The claim of that name."""
    if name not in NAMES:
        raise KeyError(name)
    claim: Claim[Any, Any] = importlib.import_module(f"shootdown.claims.{name}").CLAIM
    return claim
