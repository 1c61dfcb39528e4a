"""The oracle of the HCA's trace: it objects to each rule's breach, and to nothing a device does that is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support import hca_traffic

from hwif.gen.events import TraceEvent as E
from hwif.gen.hca import QPN_WIDTH, FaultDir
from hwif.trace import node_of
from pymodels.hca.faults import Faults
from pymodels.hca.walk import Walks
from pymodels.oracle import LegalHca

KEY = 0x501
VA = 0x40_0000
PAGE = 4096
LARGE = 21

Record = tuple[int, ...]


def judged(*records: Record) -> list[str]:
    """The rules objected to."""
    oracle = LegalHca()
    return [objection.rule for objection in [*oracle.feed(records), *oracle.end()]]


def walk(cycle: int, va: int = VA) -> Record:
    return cycle, E.HDEV_WALK, KEY, va, 0, 0, 0, 0


def fill(cycle: int, va: int = VA, shift: int = 12) -> Record:
    return cycle, E.HDEV_FILL, KEY, va, 7, shift, 1, 0


def dropped(cycle: int, va: int = VA) -> Record:
    return cycle, E.HDEV_FILL_DROPPED, KEY, va, 0, 0, 0, 0


def shoot(cycle: int, index: int = 1, va: int = VA, length: int = PAGE, whole: int = 0) -> Record:
    return cycle, E.HDEV_INVALIDATE, index, KEY, va, length, whole, 0


def kill(cycle: int, va: int = VA, shift: int = 12) -> Record:
    return cycle, E.HDEV_KILL, KEY >> 8, va, shift, 0, 0, 0


def fault(cycle: int, generation: int, qpn: int = 3, direction: int = FaultDir.RESPONDER) -> Record:
    return cycle, E.HDEV_FAULT, qpn, direction, KEY, VA, 1, generation << QPN_WIDTH | qpn


def record(cycle: int, generation: int, producer: int, qpn: int = 3, direction: int = FaultDir.RESPONDER) -> Record:
    return cycle, E.HDEV_RECORD, qpn, direction, generation << QPN_WIDTH | qpn, producer, 0, 0


def resume(cycle: int, generation: int, ok: int = 1, qpn: int = 3) -> Record:
    return cycle, E.HDEV_RESUME, qpn, FaultDir.RESPONDER, generation << QPN_WIDTH | qpn, 0, ok, 0


LEGAL: dict[str, list[Record]] = {
    "a fill": [walk(1), fill(9)],
    "a fault, walked for again": [walk(1), walk(50), fill(60)],
    "dropped and walked again": [walk(1), shoot(5), dropped(9), walk(10), fill(20)],
    "an invalidation beside it": [walk(1), shoot(5, va=VA + PAGE), fill(9)],
    "accepted in the cycle of the fill": [walk(1), fill(9), shoot(9), kill(30)],
    "accepted in the cycle of the drop": [walk(1), dropped(9), shoot(9), walk(12), fill(30)],
    "a page of a large leaf drops its walk": [walk(1), shoot(5, va=VA + 100 * PAGE), dropped(9), walk(10), fill(20, shift=LARGE)],
    "killed once each": [
        walk(1),
        walk(2, VA + PAGE),
        fill(9),
        fill(10, VA + PAGE),
        shoot(20, length=2 * PAGE),
        kill(21),
        kill(22, VA + PAGE),
    ],
    "killed inside a large leaf": [walk(1), fill(9, shift=LARGE), shoot(20, va=VA + 5 * PAGE), kill(25, shift=LARGE)],
    "the key": [walk(1), fill(9), shoot(20, va=0, length=0, whole=1), kill(25)],
    "a fault's life": [fault(1, 1), record(60, 1, 1), resume(100, 1), fault(120, 2), record(180, 2, 2)],
    "a refused token": [fault(1, 1), record(60, 1, 1), resume(90, 9, ok=0), resume(100, 1), resume(110, 1, ok=0)],
    "two directions": [
        fault(1, 1),
        fault(2, 1, direction=FaultDir.REQUESTER),
        record(60, 1, 1),
        record(120, 1, 2, direction=FaultDir.REQUESTER),
    ],
}


@pytest.mark.parametrize("what", LEGAL)
def test_legal(what: str) -> None:
    assert judged(*LEGAL[what]) == []


ILLEGAL: dict[str, tuple[str, list[Record]]] = {
    "filled although covered": ("SD-3", [walk(1), shoot(5), fill(9)]),
    "filled although its leaf was covered": ("SD-3", [walk(1), shoot(5, va=VA + PAGE), fill(9, shift=LARGE)]),
    "filled from nowhere": ("SD-3", [fill(9)]),
    "filled from a walk that is long over": ("SD-3", [walk(1), walk(50), fill(60), walk(70), fill(80), fill(90)]),
    "dropped without a reason": ("SD-3", [walk(1), dropped(9)]),
    "killed without a reason": ("SD-4", [walk(1), fill(9), kill(25)]),
    "killed twice": ("SD-4", [walk(1), fill(9), shoot(20), kill(25), kill(26)]),
    "killed beside": ("SD-4", [walk(1), fill(9), shoot(20, va=VA + PAGE), kill(25)]),
    "a command twice": ("order", [shoot(5, 7), shoot(9, 7)]),
    "a second fault": ("FQ-3", [fault(1, 1), record(50, 1, 1), fault(60, 2), record(120, 2, 2)]),
    "a generation left out": ("FQ-4", [fault(1, 2), record(60, 2, 1)]),
    "a record lost": ("FQ-1", [fault(1, 1)]),
    "a record out of order": ("FQ-1", [fault(1, 1), fault(2, 1, qpn=4), record(60, 1, 1, qpn=4), record(120, 1, 2)]),
    "a record twice": ("FQ-1", [fault(1, 1), record(60, 1, 1), record(120, 1, 2)]),
    "an index left out": ("FQ-1", [fault(1, 1), record(60, 1, 2)]),
    "a stale token": ("FQ-4", [fault(1, 1), record(60, 1, 1), resume(90, 7)]),
    "resumed before its record": ("FQ-4", [fault(1, 1), resume(9, 1), record(60, 1, 1)]),
    "refused although right": ("FQ-4", [fault(1, 1), record(60, 1, 1), resume(90, 1, ok=0)]),
}


@pytest.mark.parametrize("what", ILLEGAL)
def test_illegal(what: str) -> None:
    rule, records = ILLEGAL[what]
    assert rule in judged(*records)


def objections(seed: int) -> list[str]:
    """Of random traffic on the model, one oracle a node."""
    device = hca_traffic.run(seed, 60)
    rows = device.drain_trace().tolist()
    found = []
    for node in range(2):
        oracle = LegalHca()
        mine = [row for row in rows if node_of(row[1]) == node]
        assert len(mine) > 100
        found += [str(objection) for objection in [*oracle.feed(mine), *oracle.end()]]
    return found


@pytest.mark.parametrize("seed", range(4))
def test_the_models_traces_are_legal(seed: int) -> None:
    assert objections(seed) == []


def _resumes_anything(original: Callable[..., bool]) -> Callable[..., bool]:
    def resume_twice(self: Faults, qpn: int, direction: int, token: int, **more: Any) -> bool:
        answer = original(self, qpn, direction, token, **more)
        self._node.emit(E.HDEV_RESUME, qpn, direction, token, False, True)
        return answer

    return resume_twice


def test_a_model_that_keeps_covered_walks_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Walks, "_covered", staticmethod(lambda _walk, leaf: leaf is None))
    device_objections: list[str] = []
    for seed in range(3):
        try:
            device_objections += objections(seed)
        except Exception as failure:
            device_objections.append(f"noticed: {failure}")
    assert any("SD-3" in text for text in device_objections) or any("noticed" in text for text in device_objections)


def test_a_model_that_accepts_a_token_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Faults, "resume", _resumes_anything(Faults.resume))
    assert any("FQ-4" in text for text in objections(0))
