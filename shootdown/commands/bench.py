"""`shootdown bench rtl`: exact cycle counts of the RTL, beside what the project wants to reach."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from shootdown.console import Display
from shootdown.result import ProgressUpdate

__all__ = ["REACH", "run_rtl"]

# Key -> (what it is, "least" or "most", the number). Nested keys are joined with a dot.
REACH: Mapping[str, tuple[str, str, float]] = {
    "hits_per_cycle": ("translations per cycle, all hits", "least", 1.0),
    "hit_latency_cycles": ("lookup latency, hit", "most", 3),
    "hits_per_cycle_during_shootdown": ("lookups per cycle while 1,024 pages are shot down", "least", 0.95),
    "shootdown_dead_cycles_max": ("shootdown accepted to covered entries dead", "most", 4),
    "shootdown_idle_cycles.1": ("shootdown of 1 page, idle TLB, command to status", "most", 16),
    "shootdown_idle_cycles.1024": ("shootdown of 1,024 pages, idle TLB", "most", 16),
    "shootdown_idle_cycles.global": ("global shootdown, idle TLB", "most", 16),
    "drain_cycles": ("last covered beat's response to status", "most", 4),
    "dropin_to_restart_cycles": ("drop-in to restart of the control block", "most", 10),
    "outstanding_misses": ("misses outstanding side by side", "least", 128),
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


def table(numbers: Mapping[str, Any]) -> Table:
    """The numbers beside what they are to reach."""
    shown = Table("key", "what", "measured", "to reach", "")
    shown.columns[0].no_wrap = True  # a key cut short cannot be looked up
    shown.columns[0].overflow = "fold"
    for column in (2, 3):
        shown.columns[column].justify = "right"
    for key, value in flatten(numbers).items():
        what, sense, bound = REACH.get(key, ("", "", 0.0))
        good = value >= bound if sense == "least" else value <= bound
        reach = f"at {sense} {bound:g}" if sense else ""
        shown.add_row(key, what, f"{value:g}", reach, ("yes" if good else "NO") if sense else "")
    return shown


def run_rtl(as_json: bool) -> int:
    """The whole command; its exit status."""
    with Display() as display:
        display(ProgressUpdate("build"))
        from bench.rtl import measure  # noqa: PLC0415 - loads the simulator

        numbers = measure()
    if as_json:
        print(json.dumps(numbers, indent=2))
    else:
        Console().print(table(numbers))
    return 0
