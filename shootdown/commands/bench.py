"""`shootdown bench rtl`: exact cycle counts of the RTL, beside what the project wants to reach."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from shootdown.commands.reach import Reach, reach_table
from shootdown.console import Display
from shootdown.result import ProgressUpdate

__all__ = ["REACH", "run_rtl"]

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


def flatten(numbers: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested numbers under dotted keys."""
    flat: dict[str, float] = {}
    for key, value in numbers.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        elif isinstance(value, int | float):
            flat[f"{prefix}{key}"] = value
    return flat


def run_rtl(as_json: bool) -> int:
    """The whole command; its exit status."""
    with Display() as display:
        display(ProgressUpdate("build"))
        from bench.rtl import measure  # noqa: PLC0415 - loads the simulator

        numbers = measure()
    if as_json:
        print(json.dumps(numbers, indent=2))
    else:
        Console().print(reach_table(flatten(numbers), REACH))
    return 0
