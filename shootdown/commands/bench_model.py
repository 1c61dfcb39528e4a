"""`shootdown bench model`: how far the model is from the RTL, beside what the project wants to reach."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from shootdown.console import Display
from shootdown.result import ProgressUpdate

__all__ = ["REACH", "run_model"]

# Key -> (what it is, at most; None for no bound of its own).
REACH: Mapping[str, tuple[str, float | None]] = {
    "cycle_error": ("total cycles of the run", 0.05),
    "p99_error": ("99th percentile, the worse of the two below", 0.20),
    "fault_p99_error": ("of the fault latency", None),
    "shootdown_p99_error": ("of the shootdown latency", None),
}


def run_model(as_json: bool) -> int:
    """The whole command; its exit status."""
    with Display() as display:
        display(ProgressUpdate("build"))
        from bench.model import measure  # noqa: PLC0415 - loads the simulator and the model

        numbers = measure(display)
    if as_json:
        print(json.dumps(numbers, indent=2))
        return 0
    console = Console()
    console.print(error_table(numbers))
    console.print(side_table(numbers))
    return 0


def error_table(numbers: Mapping[str, Any]) -> Table:
    """The errors beside what they are to reach."""
    shown = Table("key", "what", "measured", "to reach", "")
    shown.columns[0].no_wrap = True  # a key cut short cannot be looked up
    shown.columns[0].overflow = "fold"
    for column in (2, 3):
        shown.columns[column].justify = "right"
    for key, (what, bound) in REACH.items():
        value = numbers[key]
        reach, verdict = ("", "") if bound is None else (f"at most {bound:g}", "yes" if value <= bound else "NO")
        shown.add_row(key, what, f"{value:.4f}", reach, verdict)
    return shown


def side_table(numbers: Mapping[str, Any]) -> Table:
    """What both sides did."""
    shown = Table("", "RTL", "model")
    for column in (1, 2):
        shown.columns[column].justify = "right"
    for key, value in numbers["rtl"].items():
        shown.add_row(key.replace("_", " "), _cell(value), _cell(numbers["model"][key]))
    return shown


def _cell(value: float | str) -> str:
    if isinstance(value, str):
        return value[:12]
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
