"""`shootdown bench model`: how far the model is from the RTL, beside what the project wants to reach."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from shootdown.commands.cosim import DEVICES
from shootdown.commands.reach import Reach, reach_table
from shootdown.console import Display
from shootdown.errors import unknown
from shootdown.result import ProgressUpdate

__all__ = ["REACH", "run_model"]

REACH: Mapping[str, Reach] = {
    "cycle_error": Reach("total cycles of the run", "most", 0.05),
    "p99_error": Reach("99th percentile, the worse of the two below", "most", 0.20),
    "fault_p99_error": Reach("of the fault latency"),
    "shootdown_p99_error": Reach("of the shootdown latency"),
}
HCA_REACH: Mapping[str, Reach] = {**REACH, "model_over_native": Reach("model over native host, devices at work", "least", 5.0)}


def run_model(as_json: bool, device: str = "gru") -> int:
    """The whole command; its exit status. Raises InputError for a device there is no model of."""
    if device not in DEVICES:
        raise unknown("--device", device, "device", DEVICES)
    reach = HCA_REACH if device == "hca" else REACH
    with Display() as display:
        display(ProgressUpdate("build"))
        from bench.model import measure  # noqa: PLC0415 - loads the simulator and the model

        numbers = measure(display, device=device)
    if as_json:
        print(json.dumps(numbers, indent=2))
        return 0
    console = Console()
    console.print(reach_table({key: numbers[key] for key in reach}, reach, ".4f"))
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
