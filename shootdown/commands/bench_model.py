"""`shootdown bench model`: how far the model is from the RTL, beside what the project wants to reach."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from shootdown.commands.reach import Reach, reach_table
from shootdown.console import Display
from shootdown.result import ProgressUpdate

__all__ = ["REACH", "run_model"]

REACH: Mapping[str, Reach] = {
    "cycle_error": Reach("total cycles of the run", "most", 0.05),
    "p99_error": Reach("99th percentile, the worse of the two below", "most", 0.20),
    "fault_p99_error": Reach("of the fault latency"),
    "shootdown_p99_error": Reach("of the shootdown latency"),
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
    console.print(reach_table({key: numbers[key] for key in REACH}, REACH, ".4f"))
    console.print(side_table(numbers))
    return 0


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
