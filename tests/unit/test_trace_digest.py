"""The digest covers every word of both streams and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwif.gen.events import CATALOGUE, TraceEvent
from hwif.trace import CPU_MASK, CPU_SHIFT, EVENT_MASK, RECORD_WORDS, TASK_SHIFT, Trace


def run(cycle: int = 5, argument: int = 7, device: int = 1, cpu: int = 0, split: bool = False) -> str:
    trace = Trace()
    trace.current_cpu = lambda: cpu
    trace.emit(cycle, TraceEvent.VM_MUNMAP, 1, argument, 3)
    if split:
        trace.flush()
    trace.emit(9, TraceEvent.VM_EXIT, 1)
    trace.feed_device(np.full((2, RECORD_WORDS), device, dtype=np.uint64))
    return trace.digest()


def test_equal_runs_have_equal_digests_however_they_were_blocked() -> None:
    assert run() == run() == run(split=True)


def test_every_part_counts() -> None:
    assert len({run(), run(cycle=6), run(argument=8), run(device=2), run(cpu=1)}) == 5


def test_sinks_see_both_streams_with_the_processor() -> None:
    trace, seen = Trace(), list[np.ndarray]()
    trace.subscribe(seen.append)
    trace.current_cpu = lambda: 3
    trace.emit(1, TraceEvent.VM_EXIT, 2)
    trace.feed_device(np.ones((1, RECORD_WORDS), dtype=np.uint64))
    trace.flush()
    software = next(block for block in seen if block[0, 1] > EVENT_MASK)
    assert int(software[0, 1]) & EVENT_MASK == TraceEvent.VM_EXIT
    assert int(software[0, 1]) >> CPU_SHIFT == 4
    assert trace.records == 2


def test_no_event_has_more_arguments_than_a_record_holds() -> None:
    assert all(len(names) <= RECORD_WORDS - 2 for _layer, names in CATALOGUE.values())


@dataclass
class Thread:
    """A task as the trace knows it."""

    name: str
    cpu: int


def test_records_name_their_task_in_the_order_of_appearance() -> None:
    trace, seen = Trace(), list[np.ndarray]()
    trace.subscribe(seen.append)
    first, second = Thread("late", 0), Thread("early", 1)
    for task in (second, first, None, second):
        trace.current_task = lambda task=task: task  # type: ignore[misc]
        trace.emit(1, TraceEvent.VM_EXIT, 2)
    trace.flush()
    assert [int(word) >> TASK_SHIFT for word in seen[0][:, 1]] == [1, 2, 0, 1]
    assert [int(word) >> CPU_SHIFT & CPU_MASK for word in seen[0][:, 1]] == [1] * 4
    assert [task.name for task in trace.tasks] == ["early", "late"]
