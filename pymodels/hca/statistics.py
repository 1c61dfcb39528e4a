"""The counters of a run by name: those of the harness (tb/hil/api.cpp), node 1's with `b_` before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hwif.gen.events import TraceEvent
from hwif.gen.hca import Counter

if TYPE_CHECKING:
    from pymodels.hca.bus import Bus
    from pymodels.hca.device import Recorder
    from pymodels.hca.link import Link
    from pymodels.hca.node import Node

__all__ = ["statistics"]

_BY_EVENT = {
    "walks": TraceEvent.HDEV_WALK,
    "fills": TraceEvent.HDEV_FILL,
    "fills_dropped": TraceEvent.HDEV_FILL_DROPPED,
    "invalidations": TraceEvent.HDEV_INVALIDATE,
    "kills": TraceEvent.HDEV_KILL,
    "fences": TraceEvent.HDEV_FENCE,
    "faults": TraceEvent.HDEV_FAULT,
    "fault_records": TraceEvent.HDEV_RECORD,
    "resumes": TraceEvent.HDEV_RESUME,
    "naks": TraceEvent.HDEV_NAK,
    "packets_landed": TraceEvent.HDEV_LAND,
    "completions": TraceEvent.HDEV_CQE,
}


def statistics(nodes: Sequence[Node], buses: Sequence[Bus], links: Sequence[Link], recorder: Recorder) -> dict[str, int]:
    """All counters, but for the device's own cycles."""
    counters: dict[str, int] = {}
    for node, bus in zip(nodes, buses, strict=True):
        prefix = "b_" if node.number else ""
        for name, value in _of_node(node, bus, recorder).items():
            counters[prefix + name] = value
    for name in ("packets", "lost", "corrupted", "truncated"):
        counters[f"link_{name}"] = sum(int(getattr(link, name)) for link in links)
    return counters


def _of_node(node: Node, bus: Bus, recorder: Recorder) -> Mapping[str, int]:
    port, oracle = node.memory, node.memory.oracle
    number = node.number
    return {
        "lookups": node.count[Counter.LOOKUPS],
        "translations": node.hits,
        "refusals": node.refusals,
        "hit_latency_min": node.hit_latency_min,
        "hit_latency_max": node.hit_latency_max,
        "hit_latency_sum": node.hit_latency_sum,
        "packets_sent": node.packets_sent,
        "packets_taken": recorder.kinds.get((number, TraceEvent.HDEV_PACKET), 0) - node.packets_sent,
        **{name: recorder.kinds.get((number, event), 0) for name, event in _BY_EVENT.items()},
        "irq_changes": recorder.irqs[number],
        "snoops": recorder.snoops[number],
        "mmio_reads": bus.reads,
        "mmio_writes": bus.writes,
        "mmio_errors": bus.errors,
        "memory_read_beats": port.read_beats,
        "memory_read_bytes": port.read_bytes,
        "memory_write_beats": port.write_beats,
        "memory_write_bytes": port.write_bytes,
        "memory_decode_errors": port.errors,
        "exclusive_reads": port.exclusive_reads,
        "exclusive_passed": port.exclusive_passed,
        "exclusive_failed": port.exclusive_failed,
        "checked_beats": oracle.checked_beats,
        "checked_bytes": oracle.checked_bytes,
        "violations": oracle.violations,
    }
