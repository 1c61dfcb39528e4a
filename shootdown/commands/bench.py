"""`shootdown bench rtl`: exact cycle counts of a device's RTL, beside what the project wants to reach."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from shootdown.commands.reach import Reach, reach_table
from shootdown.console import Display
from shootdown.errors import unknown
from shootdown.result import ProgressUpdate

__all__ = ["HCA_REACH", "REACH", "run_rtl"]

# Nested keys are joined with a dot.
REACH: Mapping[str, Reach] = {
    "hits_per_cycle": Reach("translations per cycle, all hits", "least", 1.0),
    "hit_latency_cycles": Reach("lookup latency, hit", "most", 3),
    "hits_per_cycle_during_shootdown": Reach("lookups per cycle while 1,024 pages are shot down", "least", 0.95),
    "shootdown_dead_cycles_max": Reach("shootdown accepted to covered entries dead", "most", 4),
    "shootdown_idle_cycles.1": Reach("shootdown of 1 page, idle TLB, command to status", "most", 16),
    "shootdown_idle_cycles.1024": Reach("shootdown of 1,024 pages, idle TLB", "most", 16),
    "shootdown_idle_cycles.global": Reach("global shootdown, idle TLB", "most", 16),
    "drain_cycles": Reach("last covered beat's response to status", "most", 4),
    "dropin_to_restart_cycles": Reach("drop-in to restart of the control block", "most", 10),
    "outstanding_misses": Reach("misses outstanding side by side", "least", 128),
}
HCA_REACH: Mapping[str, Reach] = {
    "hits_per_cycle": Reach("translations per cycle, cached", "least", 1.0),
    "hit_latency_cycles": Reach("look-up latency, cached", "most", 4),
    "walks_outstanding": Reach("walks outstanding side by side", "least", 16),
    "sixteen_misses_over_one": Reach("16 misses to different pages over one", "most", 2),
    "write_share": Reach("WRITE payload, large transfers, share of the link's payload rate", "least", 0.95),
    "read_share": Reach("READ payload, likewise", "least", 0.90),
    "write_bytes_per_cycle": Reach("WRITE payload, bytes a cycle"),
    "read_bytes_per_cycle": Reach("READ payload, bytes a cycle"),
    "cycles_per_small_write": Reach("cycles a WRITE of 64 bytes takes, one queue pair", "most", 4),
    "others_share_while_faulting": Reach("rate of others while a queue pair faults without end", "least", 0.95),
    "fault_storm.faults": Reach("queue pairs faulting at once, fault queue of 64", "least", 4096),
    "fault_storm.lost": Reach("of them without a record", "most", 0),
    "fault_storm.duplicated": Reach("reported twice", "most", 0),
    "fault_storm.resumed": Reach("resumed and complete", "least", 4096),
    "invalidate_dead_cycles_max": Reach("invalidation fetched to covered translations dead", "most", 8),
    "invalidate_fence_cycles.1": Reach("invalidation of 1 page fetched to fence written, idle", "most", 40),
    "invalidate_fence_cycles.512": Reach("of 512 pages", "most", 40),
    "invalidate_fence_cycles.key": Reach("of a whole key", "most", 40),
    "record_to_irq_cycles": Reach("fault record written to interrupt", "most", 12),
}
RTL_REACH: Mapping[str, Mapping[str, Reach]] = {"gru": REACH, "hca": HCA_REACH}
"""By device."""


def flatten(numbers: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested numbers under dotted keys."""
    flat: dict[str, float] = {}
    for key, value in numbers.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        elif isinstance(value, int | float):
            flat[f"{prefix}{key}"] = value
    return flat


def run_rtl(as_json: bool, device: str = "gru") -> int:
    """The whole command; its exit status."""
    if device not in RTL_REACH:
        raise unknown("--device", device, "device", RTL_REACH)
    with Display() as display:
        display(ProgressUpdate("build"))
        numbers = _measure(device)
    if as_json:
        print(json.dumps(numbers, indent=2))
    else:
        Console().print(reach_table(flatten(numbers), RTL_REACH[device]))
    return 0


def _measure(device: str) -> dict[str, Any]:
    """The device's numbers; loads its simulator and no other."""
    if device == "hca":
        from bench.hca import measure as measure_hca  # noqa: PLC0415

        return measure_hca()
    from bench.rtl import measure  # noqa: PLC0415

    return measure()
