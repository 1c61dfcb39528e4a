"""The software stack at random: what judges a client's calls, and that a stack that breaks the contract is caught."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mm_rig import Log, Rig, register, unregister

from pymodels.oracle.notifier_client import LegalClient
from pymodels.oracle.records import Objection
from shootdown.regress.cosim_points import CALLS, LIFE, PAGES, RANGES
from shootdown.regress.notifier_job import play
from sw_stack.mm import Mm
from sw_stack.notifier import ActiveRange, MmuNotifierChain, NotifierError
from sw_stack.sched.task import DONE
from tb.plan.run import RunConfig, RunResult

A, B, C = 0x1000, 0x3000, 0x8000
Said = Callable[[LegalClient], list[Objection]]


def begins(start: int = A, end: int = B, *, atomic: bool = False, held: bool = False) -> Said:
    return lambda client: client.begins(start, end, atomic=atomic, held=held)


def ends(start: int = A, end: int = B, *, atomic: bool = False, held: bool = False) -> Said:
    return lambda client: client.ends(start, end, atomic=atomic, held=held)


def asked(*, held: bool = True) -> Said:
    return lambda client: client.asked("age_page", held=held)


RIGHT: dict[str, list[Said]] = {
    "one inside the other": [begins(), begins(A, C), ends(), ends(A, C), LegalClient.rests],
    "twice the same": [begins(), begins(), ends(), ends(), LegalClient.leaves],
    "atomic, and held to it": [begins(atomic=True, held=True), ends(atomic=True, held=True), asked()],
    "an exit under a range": [begins(), LegalClient.releases, LegalClient.outlives],
}
WRONG: dict[str, tuple[str, list[Said]]] = {
    "an end without its begin": ("MN-1", [ends()]),
    "an end too many": ("MN-1", [begins(), ends(), ends()]),
    "another end": ("MN-1", [begins(), ends(A, C)]),
    "it leaves inside": ("MN-1", [begins(), LegalClient.leaves]),
    "no end": ("MN-1", [begins(), LegalClient.rests]),
    "not held to it": ("MN-2", [begins(atomic=True)]),
    "held, and not told": ("MN-2", [begins(held=True)]),
    "a question that may sleep": ("MN-2", [asked(held=False)]),
    "a begin after release": ("MN-4", [LegalClient.releases, begins()]),
    "a question after release": ("MN-4", [LegalClient.releases, asked()]),
    "a second release": ("MN-4", [LegalClient.releases, LegalClient.releases]),
    "no release": ("MN-4", [LegalClient.outlives]),
    "the end of what was before": ("MN-5", [ends(B, C)]),
}


def judged(steps: list[Said]) -> list[str]:
    client = LegalClient([(B, C)])
    return [one.rule for step in steps for one in step(client)]


@pytest.mark.parametrize("what", RIGHT)
def test_what_a_client_may_hear_is_let_pass(what: str) -> None:
    assert judged(RIGHT[what]) == []


@pytest.mark.parametrize("what", WRONG)
def test_what_it_may_not_hear_is_named_by_its_rule(what: str) -> None:
    rule, steps = WRONG[what]
    assert judged(steps) == [rule]


def played(folder: Path, seed: int = 1, scale: float = 0.2) -> RunResult:
    return play(RunConfig("sw_notifiers", seed, str(folder / "result.json"), scale=scale))


def test_the_stack_keeps_the_contract_and_every_situation_is_met(tmp_path: Path) -> None:
    result, again, other = played(tmp_path, scale=1), played(tmp_path, scale=1), played(tmp_path, 2)
    assert result.objections == other.objections == [] and result.items > 5000
    assert result == again and result.digest != other.digest
    for group in (CALLS, RANGES):
        assert all(result.coverage[group.name].values()), group.name
    lives, pages = result.coverage[LIFE.name], result.coverage[PAGES.name]
    assert lives["comes beside a range"] and lives["out of memory"] and lives["exit"] == 30 and pages["comes back from swap"]


# ---- stacks that break the contract ---------------------------------------------------------------------------------------------


def forgets_an_end(patch: pytest.MonkeyPatch) -> None:
    """The last client of a range is not told its end."""
    right = MmuNotifierChain._dispatch_end

    async def wrong(chain: MmuNotifierChain, active: ActiveRange) -> None:
        del active.clients[1:]
        await right(chain, active)

    patch.setattr(MmuNotifierChain, "_dispatch_end", wrong)


def tells_everybody(patch: pytest.MonkeyPatch) -> None:
    """Whoever is there when a range ends hears it."""
    right = MmuNotifierChain._dispatch_end

    async def wrong(chain: MmuNotifierChain, active: ActiveRange) -> None:
        active.clients[:] = chain._clients
        await right(chain, active)

    patch.setattr(MmuNotifierChain, "_dispatch_end", wrong)


def lets_everything_sleep(patch: pytest.MonkeyPatch) -> None:
    """Nothing holds a call to what it says."""
    right = MmuNotifierChain._call

    async def wrong(chain: MmuNotifierChain, client: Any, operation: str, atomic: bool, start: Any) -> Any:
        return await right(chain, client, operation, False, start)

    patch.setattr(MmuNotifierChain, "_call", wrong)


def releases_twice(patch: pytest.MonkeyPatch) -> None:
    """A client's release is called again."""
    right = MmuNotifierChain._call

    async def wrong(chain: MmuNotifierChain, client: Any, operation: str, atomic: bool, start: Any) -> Any:
        if operation == "release":
            await right(chain, client, operation, atomic, start)
        return await right(chain, client, operation, atomic, start)

    patch.setattr(MmuNotifierChain, "_call", wrong)


def releases_nobody(patch: pytest.MonkeyPatch) -> None:
    """An address space goes, and its clients are not told."""

    async def wrong(chain: MmuNotifierChain) -> None:
        chain._clients.clear()
        chain._observer.released()

    patch.setattr(MmuNotifierChain, "release", wrong)


def keeps_a_page_secret(patch: pytest.MonkeyPatch) -> None:
    """Reclaim asks and does not tell."""

    def wrong(_chain: MmuNotifierChain, _address: int) -> Awaitable[None]:
        return DONE

    patch.setattr(MmuNotifierChain, "invalidate_page", wrong)


def takes_what_is_used(patch: pytest.MonkeyPatch) -> None:
    """Reclaim asks and does not listen."""
    right = MmuNotifierChain.age_page

    async def wrong(chain: MmuNotifierChain, address: int) -> bool:
        await right(chain, address)
        return False

    patch.setattr(MmuNotifierChain, "age_page", wrong)


BROKEN: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    forgets_an_end: "MN-1: [",
    tells_everybody: "MN-5: end of [",
    lets_everything_sleep: "MN-2: ",
    releases_twice: "MN-4: the client is released twice",
    releases_nobody: "MN-4: the client's address space is gone without its release",
    keeps_a_page_secret: "MN-3: frame ",
    takes_what_is_used: "MN-6: frame ",
}


@pytest.mark.parametrize("breaks", BROKEN, ids=lambda breaks: breaks.__name__)
def test_a_stack_that_breaks_the_contract_is_caught(
    breaks: Callable[[pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a judge, or by the stack's own check, which the runner counts as a crash."""
    breaks(monkeypatch)
    try:
        said = played(tmp_path).objections
    except NotifierError as error:
        said = [str(error)]
    assert any(BROKEN[breaks] in text for text in said), said


@pytest.mark.parametrize("may_fail", [False, True])
def test_a_client_that_goes_while_others_are_called_hears_neither_begin_nor_end(may_fail: bool) -> None:
    """Truncate holds no mmap lock, so a client can go in the middle of a begin; what follows must not look for it."""
    rig = Rig()
    mm: Mm = rig.machine.new_mm("mm")
    goes, slow = Log(rig.sched), Log(rig.sched, cycles=1000)  # the newest is called first

    async def truncates() -> None:
        await register(mm, goes)
        await register(mm, slow)
        active = await (mm.notifiers.try_range(A, B) if may_fail else mm.notifiers.range_begin(A, B, False))
        await rig.sched.sleep(5000)
        assert active is not None
        await mm.notifiers.range_end(active)

    async def closes() -> None:
        await rig.sched.sleep(600)
        assert len(mm.notifiers.active_ranges()) == 1
        await unregister(mm, goes)

    rig.run(truncates(), closes())
    assert goes.calls == [] and [call[0] for call in slow.calls] == ["begin", "end"]


def test_a_client_stays_until_it_has_answered_whether_a_range_may_begin() -> None:
    rig = Rig()
    mm: Mm = rig.machine.new_mm("mm")
    asked = Log(rig.sched, cycles=1000)

    async def takes() -> None:
        await register(mm, asked)
        active = await mm.notifiers.try_range(A, B)
        await rig.sched.sleep(5000)
        assert active is not None
        await mm.notifiers.range_end(active)

    async def closes() -> None:
        await rig.sched.sleep(600)
        await unregister(mm, asked)

    rig.run(takes(), closes())
    assert [call[0] for call in asked.calls] == ["begin", "end"]
