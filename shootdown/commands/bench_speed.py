"""`shootdown bench speed`: what a run costs, as ratios, beside what the project wants to reach."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from shootdown.console import Display
from shootdown.errors import InputError
from shootdown.result import ProgressUpdate

__all__ = ["REACH", "run_speed"]

# Key -> (what it is, "least", "most" or "" for no bound, the number).
REACH: Mapping[str, tuple[str, str, float]] = {
    "native_over_conventional": ("VM events per second, over a cocotb testbench with bus models", "least", 20),
    "native_over_bare_no_skip": ("bare C++ loop over native, both simulate every cycle", "least", 0.6),
    "native_over_bare": ("bare C++ loop over native with idle time skipped", "least", 1.5),
    "native_over_cocotb": ("cocotb host over native, same digest", "", 0),
    "model_over_native": ("translations per second of the model, device-bound run", "least", 5),
    "model_over_native_trace": ("the same, shipped program", "", 0),
    "oracle_overhead": ("what the oracle costs", "most", 0.10),
    "timeline_overhead": ("what the timeline costs, when asked for", "most", 0.50),
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
    console.print(ratios(numbers))
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
            near = difflib.get_close_matches(key, REACH, 3, 0.4) or list(REACH)
            raise InputError(f"--only {key}: there is no such key", f"try {', '.join(near)}")
    return keys


def ratios(numbers: Mapping[str, Any]) -> Table:
    """The ratios beside what they are to reach."""
    shown = Table("key", "what", "measured", "to reach", "")
    shown.columns[0].no_wrap = True  # a key cut short cannot be looked up
    shown.columns[0].overflow = "fold"
    for column in (2, 3):
        shown.columns[column].justify = "right"
    for key, (what, sense, bound) in REACH.items():
        if key not in numbers:
            continue
        value = numbers[key]
        good = value >= bound if sense == "least" else value <= bound
        reach = f"at {sense} {bound:g}" if sense else ""
        shown.add_row(key, what, f"{value:.2f}", reach, ("yes" if good else "NO") if sense else "")
    return shown


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
