"""A replayed schedule as a table: one column a task, grouped by processor, and one for the device.

Promises: fits the width; nothing is left out; the same run gives the same table.
"""

from __future__ import annotations

import io

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from shootdown.explore.replay import Replayed
from sw_stack.sched.steered import DEVICE
from sw_stack.workloads import explored

__all__ = ["heading", "table"]


def heading(play: str, planted: str | None) -> list[str]:
    """What is being played, for somebody who has not seen it: the play's own words, and what is wrong if something is."""
    lines = [f"the play: {explored.describe(play)[0]}"]
    if planted is not None:
        lines.append(f"planted:  {explored.load(play).PLANTED[planted].text}")
    return lines


def table(replayed: Replayed, width: int) -> str:
    """The table as text, for a terminal or a pipe."""
    cpus = replayed.cpus
    told = {row.actor for row in replayed.rows if row.actor and row.actor != DEVICE}
    actors = sorted(told, key=lambda actor: (cpus.get(actor, 0), actor))
    columns = [*actors, *([DEVICE] if any(row.actor == DEVICE for row in replayed.rows) else [])]
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_lines=False)
    shown.add_column("step", justify="right", no_wrap=True)
    for actor in columns:
        shown.add_column(DEVICE if actor == DEVICE else f"CPU {cpus.get(actor, 0)}\n{actor}", overflow="fold", ratio=1)
    last = None
    for row in replayed.rows:
        number = str(row.step) if row.step != last else ""
        last = row.step
        cells = [row.text if row.actor == actor else "" for actor in columns]
        if row.actor not in columns:  # nobody was running: nobody can go on
            shown.add_row(number, row.text, *[""] * (len(columns) - 1), style="bold red" if row.failure else None)
            continue
        shown.add_row(number, *cells, style="bold red" if row.failure else None)
    text = io.StringIO()
    Console(file=text, width=width, highlight=False, markup=False, emoji=False).print(shown)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).strip("\n")
