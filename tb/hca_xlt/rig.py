"""A CheckedXlt with one region, for directed tests and cycle counts.

Promises: `rig()` gives one and, at its end, insists that no assertion failed. `lookup` runs one look-up to its answer; `stream`
offers look-ups back to back and says when each was accepted and answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

from hwif.gen.hca import TABLE_BITS, Mtt, Need, XltResult
from tb.hca_xlt.checked import SLOTS, USER_SHIFT, Ask, CheckedXlt, Shoot, live_of, use_of
from tb.hca_xlt.world import PAGE, Inval, Region

__all__ = ["INDEX", "KEY", "Answer", "Rig", "asks", "page_shoot", "rig", "uses"]

INDEX = 3
KEY = INDEX << 8 | 0x55


@dataclass(frozen=True)
class Answer:
    accepted: int
    answered: int
    result: XltResult
    live: bool  # with the answer

    @property
    def latency(self) -> int:
        """Cycles from acceptance to answer."""
        return self.answered - self.accepted


class Rig(CheckedXlt):
    """One region of 2**40 bytes from address 0."""

    def region(self, **options: int) -> None:
        """Register it."""
        self.world.set_region(INDEX, Region(**{"key": KEY, "root": self.world.new_table(), **options}))

    def map(self, page: int, *, level: int = 0, write: bool = True, pfn: int | None = None) -> None:
        """A leaf in the table."""
        at = self.world.place(INDEX, page, level)
        assert at is not None
        pages = 1 << TABLE_BITS * level
        pfn = self.world.frames(pages) if pfn is None else pfn
        self.world.put(at, Mtt.read.place(1) | Mtt.write.place(int(write)) | Mtt.pfn.place(pfn))

    def entry(self, page: int, value: int, *, level: int = 0) -> None:
        """Any entry."""
        at = self.world.place(INDEX, page, level)
        assert at is not None
        self.world.put(at, value)

    def idle(self, cycles: int) -> None:
        """Nothing is asked."""
        for _ in range(cycles):
            self.cycle()

    def lookup(
        self, va: int, need: Need = Need.LOCAL_READ, *, use: int = 0, key: int = KEY, pd: int = 1, length: int = 1
    ) -> XltResult:
        """One look-up, alone."""
        return self.stream([Ask(use, key, va, length, need, pd)])[0].result

    def stream(self, asks: Sequence[Ask], shoots: dict[int, Shoot] | None = None, limit: int = 10_000) -> list[Answer]:
        """Look-ups offered back to back on the ports of their uses; the answers in that order. `shoots`: by cycle from here."""
        queues = [[ask for ask in asks if ask.use >> USER_SHIFT == user] for user in (0, 1)]
        begin = self.now
        accepted: dict[int, int] = {}
        answers: dict[int, Answer] = {}
        owed = dict(shoots or {})
        while len(answers) < len(asks) or owed:
            if self.now - begin > limit:
                raise AssertionError(f"{len(asks) - len(answers)} look-ups are not answered after {limit} cycles")
            now = self.now
            offer = [queue[0] if queue else None for queue in queues]
            shoot = owed.get(now - begin)
            out = self.cycle(offer[0], offer[1], shoot)
            if shoot:
                assert out.inv_ready
                del owed[now - begin]
            for user in (0, 1):
                if out.req_ready >> user & 1:
                    accepted[queues[user].pop(0).use] = now
            if out.rsp_valid:
                live = live_of(out) >> out.rsp_use & 1
                answers[out.rsp_use] = Answer(accepted[out.rsp_use], now, XltResult(out.rsp_result), bool(live))
        return [answers[ask.use] for ask in asks]

    def shoot(self, first: int, last: int | None = None, *, tag: int = 0, whole: bool = False) -> SimpleNamespace:
        """Invalidate pages first..last, in one cycle."""
        out = self.cycle(shoot=page_shoot(first, last, tag=tag, whole=whole))
        assert out.inv_ready
        return out


def page_shoot(first: int, last: int | None = None, *, tag: int = 0, whole: bool = False) -> Shoot:
    """An invalidation of pages first..last of the region."""
    return Shoot(tag, Inval(INDEX, whole, first * PAGE, (first if last is None else last) * PAGE + PAGE - 1))


def uses(count: int, user: int = 0) -> list[int]:
    """Uses of one user, one a slot first."""
    slots = SLOTS[user]
    return [use_of(user, number % slots, number // slots) for number in range(count)]


def asks(pages: Iterable[int], user: int = 0) -> list[Ask]:
    """One look-up of each page, each a use of its own."""
    found = list(pages)
    return [Ask(use, KEY, page * PAGE) for use, page in zip(uses(len(found), user), found)]


@contextmanager
def rig(*, mutant: int = 0, latency: tuple[int, int] = (20, 20), check: bool = True, **region: int) -> Iterator[Rig]:
    """A rig with the region registered and nothing mapped."""
    made = Rig(mutant=mutant, check=check, latency=latency)
    try:
        made.region(**region)
        made.idle(2)
        yield made
        assert mutant or made.dut.failed == set()
    finally:
        made.dut.close()
