"""What the tests of the explored plays share: search with and without a planted race, shorten, compare with the search unpruned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from shootdown.explore.search import Dfs, DfsChooser, Plan, PlanChooser
from shootdown.explore.shrink import Found, Shrinker, record
from shootdown.explore.world import Failure, World
from sw_stack.workloads.explored import load

BUDGET = 20_000


def _round(world: World, search: Dfs, plan: Plan, used: int) -> Failure | None:
    chooser = DfsChooser(search, world.sched, plan, used)
    failure = world.round(chooser)
    chooser.finish()
    return failure


def failures(
    play: str, planted: str | None, bound: int, *, prune: bool = True, first: bool = False, budget: bool = False
) -> dict[str, str]:
    """Kinds of failures met by all orders with at most `bound` preemptions (or by the first that fails), with a message each. The
    search must come to its end within the budget unless `first`, or unless the `budget` is all that is asked for."""
    found: dict[str, str] = {}
    search = Dfs(bound, prune=prune)
    world = World(load(play), planted)
    for played, (used, plan) in enumerate(search.plans()):
        if budget and played == BUDGET:
            break
        assert played < BUDGET, f"{play} has no end within {BUDGET} schedules"
        failure = _round(world, search, plan, used)
        if failure is None:
            continue
        found.setdefault(failure.kind, failure.text)
        world.close()
        world = World(load(play), planted)
        if first:
            break
    world.close()
    return found


def planted_in(plays: Sequence[str]) -> list[tuple[str, str]]:
    """Every race of these plays: the play, and the race."""
    return [(play, name) for play in plays for name in load(play).PLANTED]


def check_words(races: Sequence[tuple[str, str]], words: Mapping[str, str], driver: Any = None) -> None:
    """Every race has the words by which its failure is known; every switch of a driver's Literal is set by one of them."""
    assert {name for _play, name in races} == set(words)
    assert set(get_args(driver)) <= {load(play).PLANTED[name].switch for play, name in races}


def check_shortest(play: str, name: str, words: Mapping[str, str]) -> Found:
    """The race is found, and made about as short as it is known to go: a shorter one is to be written down."""
    best = shortest(play, name)
    assert words[name] in best.failure.text
    known = load(play).PLANTED[name].steps
    assert known <= len(best.steps) <= 1.5 * known
    return best


def kind_on_rtl(play: str, name: str, best: Found) -> str | None:
    """How the schedule fails on the RTL; None if it does not."""
    shrinker = Shrinker(load(play), name, "native")
    again = shrinker.replay(best)
    shrinker.close()
    return None if again is None else again.failure.kind


def shortest(play: str, planted: str, bound: int = 2) -> Found:
    """The first schedule that shows the planted race, made short and replayed."""
    search = Dfs(bound)
    world = World(load(play), planted)
    for played, (used, plan) in enumerate(search.plans(), 1):
        assert played <= BUDGET, f"{planted} does not show within {BUDGET} schedules"
        if _round(world, search, plan, used) is not None:
            break
    else:
        raise AssertionError(f"{planted} does not show with {bound} preemptions")
    world.close()
    world = World(load(play), planted)
    found = record(world, PlanChooser(plan))
    world.close()
    assert found is not None, "the same plan does not fail on a new machine"
    shrinker = Shrinker(load(play), planted)
    best = shrinker(found)
    again = shrinker.replay(best)
    shrinker.close()
    assert again is not None and again.failure.kind == found.failure.kind, "the short schedule does not replay"
    return best
