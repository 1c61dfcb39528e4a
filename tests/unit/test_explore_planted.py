"""All planted defects in a row: what an interruption leaves, and what is good."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from shootdown.commands.explore import Request
from shootdown.explore import planted
from shootdown.explore.case import Case
from shootdown.explore.engine import Covered, Outcome
from shootdown.explore.schedule import Schedule
from shootdown.explore.worker import Subject
from shootdown.explore.world import Failure

RACES = (("gru_dropin", "gru_free_before_ack"), ("gru_dropin", "gru_end_lost"), ("hmm_gone", "hmm_fault_after_exit"))
SUBJECT = Subject("", None, "dfs", 2, 1)


class Searches:
    """In place of `search`: everything planted is found; the search at `stop` is interrupted."""

    def __init__(self, stop: int = -1) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self._stop = stop

    def __call__(self, subject: Subject, _budget: int, **_more: Any) -> Case:
        self.asked.append((subject.play, subject.planted))
        stopped = len(self.asked) - 1 == self._stop
        failed = Failure("PLAY", "as planted", 3) if subject.planted and not stopped else None
        case = Case(Outcome(subject, Covered.nothing(2), None, failed, 1.0, stopped))
        return replace(case, schedule=Schedule(subject.play, subject.planted, "PLAY", "as planted", ())) if failed else case


def played(searches: Searches, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Exit status, and the races told of."""
    monkeypatch.setattr(planted, "search", searches)
    status = planted.all_of(RACES, SUBJECT, Request(None, as_json=True))
    return status, [race["name"] for race in json.loads(capsys.readouterr().out)["races"]]


def test_a_play_is_searched_once_without_its_defects(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    searches = Searches()
    assert played(searches, monkeypatch, capsys) == (0, [name for _play, name in RACES])
    assert searches.asked == [
        ("gru_dropin", None),
        ("gru_dropin", "gru_free_before_ack"),
        ("gru_dropin", "gru_end_lost"),
        ("hmm_gone", None),
        ("hmm_gone", "hmm_fault_after_exit"),
    ]


@pytest.mark.parametrize(("stop", "told"), [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2)])
def test_nothing_is_begun_after_an_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stop: int, told: int
) -> None:
    searches = Searches(stop)
    assert played(searches, monkeypatch, capsys) == (130, [name for _play, name in RACES[:told]])
    assert len(searches.asked) == stop + 1
