"""What a regression leaves: a table, the failures in buckets, JUnit XML, and merged coverage.

Promises: works on whatever outcomes there are, so an interrupted regression has its table too. A bucket gathers failures whose
first objection reads the same but for its numbers; each names one command that plays the first of them again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hwif.gen.gru import RtlMutant
from tb.uvm.launch import Outcome

__all__ = ["buckets", "coverage", "coverage_line", "reproduce", "table", "write_coverage", "write_junit"]

SHOWN_HOLES = 12


def table(outcomes: Sequence[Outcome]) -> str:
    """One line a run, in the order of the test list, and the totals."""
    rows = [("test", "seed", "result", "cycles", "items", "seconds")]
    for outcome in outcomes:
        task, result = outcome.task, outcome.result
        rows.append(
            (task.entry.name, str(task.seed), outcome.status, str(result.cycles), str(result.items), f"{outcome.seconds:.1f}")
        )
    passed = sum(outcome.status == "pass" for outcome in outcomes)
    rate = 100 * passed / len(outcomes) if outcomes else 0.0
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(_align(cell, width, index) for index, (cell, width) in enumerate(zip(row, widths))) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    cycles, items = (sum(getattr(outcome.result, name) for outcome in outcomes) for name in ("cycles", "items"))
    return "\n".join([*lines, f"passed {passed} of {len(outcomes)} ({rate:.0f} %), {cycles} cycles, {items} items"])


def _align(cell: str, width: int, index: int) -> str:
    return cell.ljust(width) if index in (0, 2) else cell.rjust(width)


def reproduce(outcome: Outcome) -> str:
    """The command that plays this run again."""
    task = outcome.task
    mutant = f" MUTANT={RtlMutant(task.mutant).name.lower()}" if task.mutant else ""
    scale = f" ARGS='--scale {task.scale:g}'" if task.scale != 1 else ""
    return f"make regress TEST={task.entry.name} SEED={task.seed}{mutant}{scale}"


def signature(outcome: Outcome) -> str:
    """The first thing that went wrong, without its numbers."""
    text = re.sub(r"^cycle \d+: ", "", outcome.text)
    return f"{outcome.status}: " + re.sub(r"\b(0x[0-9a-f]+|\d+)\b", "#", re.sub(r"\bSD-(\d)", r"SD-_\1", text)).replace(
        "SD-_", "SD-"
    )


def buckets(outcomes: Sequence[Outcome]) -> str:
    """Failures by signature, the largest bucket first; empty when all passed."""
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.status != "pass":
            found.setdefault(signature(outcome), []).append(outcome)
    lines = []
    for name, members in sorted(found.items(), key=lambda item: -len(item[1])):
        first = members[0]
        lines += [
            f"{len(members)} x {name}",
            f"    first: {first.text}",
            f"    log:   {_short(first.log)}",
            f"    again: {reproduce(first)}",
        ]
    return "\n".join(lines)


def _short(path: Path) -> str:
    """As seen from here, if it is below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def coverage(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Bins of all runs added up: {"hit", "total", "holes", "bins": {group: {bin: times}}}."""
    merged: dict[str, dict[str, int]] = {}
    for outcome in outcomes:
        for group, bins in outcome.result.coverage.items():
            into = merged.setdefault(group, {})
            for name, times in bins.items():
                into[name] = into.get(name, 0) + times
    holes = [f"{group}: {name}" for group, bins in merged.items() for name, times in bins.items() if not times]
    total = sum(len(bins) for bins in merged.values())
    return {"hit": total - len(holes), "total": total, "holes": holes, "bins": merged}


def coverage_line(found: dict[str, Any]) -> str:
    """Said in a line, and the holes."""
    if not found["total"]:
        return "functional coverage: none"
    line = f"functional coverage: {found['hit']} of {found['total']} bins ({100 * found['hit'] / found['total']:.0f} %)"
    holes = found["holes"]
    more = f" and {len(holes) - SHOWN_HOLES} more" if len(holes) > SHOWN_HOLES else ""
    return f"{line}; holes: {'; '.join(holes[:SHOWN_HOLES])}{more}" if holes else line


def write_coverage(found: dict[str, Any], path: Path) -> None:
    """As JSON."""
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def write_junit(outcomes: Sequence[Outcome], path: Path) -> None:
    """For whatever collects test results."""
    failed = sum(outcome.status == "fail" for outcome in outcomes)
    passed = sum(outcome.status == "pass" for outcome in outcomes)
    suite = ElementTree.Element("testsuite", name="uvm", tests=str(len(outcomes)), failures=str(failed))
    suite.set("errors", str(len(outcomes) - failed - passed))
    suite.set("time", f"{sum(outcome.seconds for outcome in outcomes):.3f}")
    for outcome in outcomes:
        name = f"{outcome.task.entry.name}[{outcome.task.seed}]"
        case = ElementTree.SubElement(suite, "testcase", classname="tb.uvm", name=name, time=f"{outcome.seconds:.3f}")
        if outcome.status != "pass":
            kind = "failure" if outcome.status == "fail" else "error"
            ElementTree.SubElement(case, kind, message=outcome.text, type=outcome.status).text = "\n".join(
                [*outcome.result.objections, f"again: {reproduce(outcome)}"]
            )
    ElementTree.indent(suite)
    ElementTree.ElementTree(suite).write(path, encoding="unicode", xml_declaration=True)
