"""`shootdown bench speed`: what a run costs, as ratios, beside what the project wants to reach."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from shootdown.commands.reach import Reach, reach_table
from shootdown.console import Display
from shootdown.errors import InputError, unknown
from shootdown.result import ProgressUpdate

__all__ = ["REACH", "run_speed"]

REACH: Mapping[str, Reach] = {
    "native_over_conventional": Reach("VM events per second, over a cocotb testbench with bus models", "least", 20),
    "native_over_bare_no_skip": Reach("bare C++ loop over native, both simulate every cycle", "least", 0.6),
    "native_over_bare": Reach("bare C++ loop over native with idle time skipped", "least", 1.5),
    "native_over_cocotb": Reach("cocotb host over native, same digest"),
    "model_over_native": Reach("translations per second of the model, device-bound run", "least", 5),
    "model_over_native_trace": Reach("the same, shipped program"),
    "oracle_overhead": Reach("what the oracle costs", "most", 0.10),
    "timeline_overhead": Reach("what the timeline costs, when asked for", "most", 0.50),
}


def run_speed(as_json: bool, only: str | None) -> int:
    """The whole command; its exit status."""
    keys = chosen(only)
    with Display() as display:
        display(ProgressUpdate("build"))
        from bench.speed import measure  # noqa: PLC0415 - loads the simulator

        numbers = measure(keys, display)
    if as_json:
        print(json.dumps(numbers, indent=2))
        return 0
    console = Console()
    console.print(reach_table({key: numbers[key] for key in keys}, REACH, ".2f"))
    console.print(seconds(numbers))
    return 0


def chosen(only: str | None) -> list[str]:
    """The keys asked for. Raises InputError for one that does not exist, with the nearest names."""
    if only is None:
        return list(REACH)
    keys = [key.strip() for key in only.split(",") if key.strip()]
    if not keys:
        raise InputError("--only: no key given", f"choose from {', '.join(REACH)}")
    for key in keys:
        if key not in REACH:
            raise unknown("--only", key, "key", REACH)
    return keys


def seconds(numbers: Mapping[str, Any]) -> Table:
    """The runs behind the ratios."""
    shown = Table("run", "seconds", "VM events/s", "translations/s", "cycles/s")
    for column in range(1, 5):
        shown.columns[column].justify = "right"
    for name, taken in numbers["seconds"].items():
        rate = numbers["rates"][name]
        cells = (f"{rate[key]:,.0f}" for key in ("vm_events_per_s", "translations_per_s", "cycles_per_s"))
        shown.add_row(name.replace("_", " "), f"{taken:.2f}", *cells)
    return shown
