"""What the model of the HCA takes over from the RTL (spec/timing.toml, [hca_model]): the same records in the same order, each about
when the RTL has it, and whole runs in about the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.hca_chip import A_VA, B_VA, PAGE, Made, Pair, model

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from hwif.trace import EVENT_MASK, node_of
from tb.hil.abi import HcaOptions
from tb.hil.native import NativeHca

NEAR = 8
"""Cycles a record may be off, in an operation of some hundred cycles."""
TOTAL = 0.05
"""Of a run's cycles."""
LATENCY = 0.20
"""Of a fault's or an invalidation's latency."""

Row = tuple[int, str, int, tuple[int, ...]]
Made_by = Callable[..., Any]


def rtl(nodes: Any, **options: int) -> Any:
    """The RTL on the native host."""
    return NativeHca(nodes, HcaOptions(**options))


def rows(pair: Pair, since: int) -> list[Row]:
    """Trace records since the last look: cycle after `since`, event, node, arguments."""
    found = []
    for cycle, word, *args in pair.bare.device.drain_trace().tolist():
        found.append((cycle - since, TraceEvent(word & EVENT_MASK).name, node_of(word), tuple(args)))
    return sorted(found)


def made(make: Made_by, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """A device of that make, with warm caches."""
    monkeypatch.setattr(Made, "make", staticmethod(make))
    pair = Pair()
    for operation in ("write", "read"):
        getattr(pair.qa, operation)(pair.ka, A_VA, pair.kb, B_VA, 8)
        pair.ok()
    pair.bare.sleep(2000)
    pair.bare.device.drain_trace()
    return pair


def both(steps: Callable[[Pair], None], monkeypatch: pytest.MonkeyPatch) -> tuple[list[Row], list[Row]]:
    """The records of these steps, of the RTL and of the model."""
    found = []
    for make in (rtl, model):
        pair = made(make, monkeypatch)
        since = pair.bare.device.cycle
        steps(pair)
        pair.bare.sleep(600)
        found.append(rows(pair, since))
    return found[0], found[1]


def write(pair: Pair) -> None:
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA + 3, 64)
    pair.ok()


def large_write(pair: Pair) -> None:
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA, PAGE)
    pair.ok()


def read(pair: Pair) -> None:
    pair.qa.read(pair.ka, A_VA, pair.kb, B_VA, 64)
    pair.ok()


def send(pair: Pair) -> None:
    pair.qb.recv(pair.kb, B_VA, 64)
    pair.qa.send(pair.ka, A_VA, 64)
    pair.ok()


def atomic(pair: Pair) -> None:
    pair.qa.fetch_add(pair.ka, A_VA, pair.kb, B_VA, 1)
    pair.ok()


def invalidate_and_fence(pair: Pair) -> None:
    pair.b.invalidate(pair.kb, B_VA, PAGE)
    pair.b.fence(3)


def remote_fault(pair: Pair) -> None:
    frame = pair.b.unmap(pair.kb, B_VA + PAGE)
    pair.qa.write(pair.ka, A_VA, pair.kb, B_VA + PAGE, 64)
    (fault,) = pair.b.wait_faults()
    pair.b.map(pair.kb, B_VA + PAGE, frame)
    pair.b.resume(fault)
    pair.ok()


def local_fault(pair: Pair) -> None:
    frame = pair.a.unmap(pair.ka, A_VA + PAGE)
    pair.qa.write(pair.ka, A_VA + PAGE, pair.kb, B_VA, 64)
    (fault,) = pair.a.wait_faults()
    pair.a.map(pair.ka, A_VA + PAGE, frame)
    pair.a.resume(fault)
    pair.ok()


def bad_key(pair: Pair) -> None:
    pair.qa.write(pair.ka, A_VA, pair.kb + 1, B_VA, 64)
    pair.done()


STEPS = [write, large_write, read, send, atomic, invalidate_and_fence, remote_fault, local_fault, bad_key]


@pytest.mark.parametrize("steps", STEPS, ids=lambda steps: steps.__name__)
def test_the_same_records_at_about_the_same_time(steps: Callable[[Pair], None], monkeypatch: pytest.MonkeyPatch) -> None:
    real, modelled = both(steps, monkeypatch)
    assert [row[1:] for row in real] == [row[1:] for row in modelled]
    assert real
    late = 0
    for (cycle, event, *_), (other, *_rest) in zip(real, modelled, strict=True):
        late = max(late, abs(cycle - other))
        assert abs(cycle - other) <= NEAR, f"{event}: RTL {cycle}, model {other}"
    print(f"{steps.__name__}: {late} cycles off at most")


def took(make: Made_by, operation: str, size: int, count: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Cycles of `count` operations of `size` bytes, one behind the other."""
    pair = made(make, monkeypatch)
    pair.qa, pair.qb = pair.more(1, sq_log=10, rq_log=10)
    began = pair.bare.device.cycle
    for number in range(count):
        more = {"ring": False, "signaled": int(number == count - 1)}
        at = number % 4 * size
        if operation == "send":
            pair.qb.recv(pair.kb, B_VA + at, size, ring=number == count - 1)
            pair.qa.send(pair.ka, A_VA + at, size, **more)
        else:
            getattr(pair.qa, operation)(pair.ka, A_VA + at, pair.kb, B_VA + at, size, **more)
    pair.qa.ring_send()
    pair.ok()
    return int(pair.bare.device.cycle) - began


RUNS = [
    ("write", 3 * PAGE, 60),
    ("read", 3 * PAGE, 30),
    ("write", 64, 400),
    ("send", 64, 200),
    ("send", PAGE, 60),
    ("read", 64, 40),
]


@pytest.mark.parametrize(("operation", "size", "count"), RUNS)
def test_runs_take_about_as_long(operation: str, size: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, modelled = (took(make, operation, size, count, monkeypatch) for make in (rtl, model))
    print(f"{operation} {size}: RTL {real}, model {modelled}")
    assert abs(modelled - real) <= TOTAL * real


def latencies(make: Made_by, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Of random faults: the packet's arrival to the record; of invalidations: command rung to fence written."""
    pair = made(make, monkeypatch)
    faults, fences = [], []
    for number in range(24):
        va = B_VA + number % 11 * PAGE
        frame = pair.b.unmap(pair.kb, va)
        pair.bare.device.drain_trace()
        rung = pair.bare.device.cycle
        pair.b.post_command(h.CmdOp.INVALIDATE_RANGE, ring=False, key=pair.kb, addr=va, length=PAGE)
        pair.b.fence(number + 1)
        fences += [cycle for cycle, event, *_ in rows(pair, rung) if event == "HDEV_FENCE"]
        pair.qa.write(pair.ka, A_VA, pair.kb, va, 512)
        (fault,) = pair.b.wait_faults()
        found = {event: cycle for cycle, event, node, _ in rows(pair, 0) if node == 1}
        faults.append(found["HDEV_RECORD"] - found["HDEV_PACKET"])
        pair.b.map(pair.kb, va, frame)
        pair.b.resume(fault)
        pair.ok()
    return {"fault": sorted(faults), "invalidation": sorted(fences)}


def test_latencies_of_faults_and_invalidations(monkeypatch: pytest.MonkeyPatch) -> None:
    real, modelled = (latencies(make, monkeypatch) for make in (rtl, model))
    for what, values in real.items():
        print(f"{what}: RTL {values[-1]}, model {modelled[what][-1]}")
        assert len(values) == len(modelled[what]) == 24
        assert abs(values[-1] - modelled[what][-1]) <= LATENCY * values[-1]
