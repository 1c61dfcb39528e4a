"""What one client of an address space may be called with: MN-1, MN-2, MN-4 and MN-5, seen from the client.

`LegalClient` is told each call as it comes, and what its caller may do. It knows nothing of the chain, of other clients or of the
trace; `notifier.py` judges that.

Promises: an objection names the rule and the call. It objects to
* MN-1: an end without its begin, leaving inside a range it was told of, and rest before that range's end;
* MN-2: a call that says it may sleep where its task may not, and one that says it may not where nothing holds it to that;
* MN-4: a call after release, a second release, and an address space that is gone without one;
* MN-5: the end of a range that was begun before the client came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pymodels.oracle.records import Objection

__all__ = ["LegalClient"]


class LegalClient:
    """One client, from its registration on. `earlier`: ranges (start, end) that are open then."""

    def __init__(self, earlier: Iterable[tuple[int, int]] = ()) -> None:
        self._earlier = set(earlier)
        self._open: Counter[tuple[int, int]] = Counter()
        self._released = False

    def begins(self, start: int, end: int, *, atomic: bool, held: bool) -> list[Objection]:
        """invalidate_range_begin. `atomic`: it says so; `held`: its task raises when it sleeps."""
        self._open[start, end] += 1
        return self._called("invalidate_range_begin", atomic, held)

    def ends(self, start: int, end: int, *, atomic: bool, held: bool) -> list[Objection]:
        """invalidate_range_end."""
        found = self._called("invalidate_range_end", atomic, held)
        if self._open[start, end]:
            self._open[start, end] -= 1
        elif (start, end) in self._earlier:
            found.append(Objection("MN-5", f"end of [{start:#x}, {end:#x}), which was begun before the client came"))
        else:
            found.append(Objection("MN-1", f"the client is told the end of [{start:#x}, {end:#x}) without its begin"))
        return found

    def asked(self, what: str, *, held: bool) -> list[Objection]:
        """invalidate_page or age_page, which never may sleep."""
        return self._called(what, True, held)

    def releases(self) -> list[Objection]:
        """release."""
        found = [Objection("MN-4", "the client is released twice")] if self._released else []
        self._released = True
        return found

    def leaves(self) -> list[Objection]:
        """It is no client any more, without a release."""
        return [Objection("MN-1", f"the client leaves inside [{start:#x}, {end:#x})") for start, end in self._inside()]

    def rests(self) -> list[Objection]:
        """Nothing is going on in its address space."""
        return [Objection("MN-1", f"[{start:#x}, {end:#x}) is over, and the client was not told") for start, end in self._inside()]

    def outlives(self) -> list[Objection]:
        """Its address space is gone."""
        return [] if self._released else [Objection("MN-4", "the client's address space is gone without its release")]

    def _inside(self) -> list[tuple[int, int]]:
        return [span for span, times in self._open.items() if times]

    def _called(self, what: str, atomic: bool, held: bool) -> list[Objection]:
        found = [Objection("MN-4", f"{what} after release")] if self._released else []
        if atomic and not held:
            found.append(Objection("MN-2", f"{what} may not sleep, and nothing holds it to that"))
        elif held and not atomic:
            found.append(Objection("MN-2", f"{what} says that it may sleep, inside what may not"))
        return found
