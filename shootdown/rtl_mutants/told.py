"""What came of the mutants: by block, the survivors one by one, and the same as data.

Promises: `as_json` has total, killed (hung ones included) and survivors, and what these are made of. A survivor with a reason in
equivalents.toml is an equivalent: it stays in `total` and among the survivors, and is told apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from shootdown.rtl_mutants.hunt import Report

__all__ = ["as_json", "contradicted", "open_survivors", "show"]


def open_survivors(reports: Sequence[Report], reasons: Mapping[str, str]) -> list[Report]:
    """Survived without a reason."""
    return [report for report in reports if report.by is None and report.mutant.key not in reasons]


def contradicted(reports: Sequence[Report], reasons: Mapping[str, str]) -> list[Report]:
    """Killed, though the list gives a reason why nothing can tell them from the design."""
    return [report for report in reports if report.by is not None and report.mutant.key in reasons]


def _sums(reports: Sequence[Report], reasons: Mapping[str, str]) -> dict[str, int]:
    fates = Counter(report.fate for report in reports)
    equivalent = sum(report.by is None and report.mutant.key in reasons for report in reports)
    return {"total": len(reports), "killed": fates["killed"] + fates["hung"], "hung": fates["hung"], "equivalent": equivalent}


def as_json(reports: Sequence[Report], reasons: Mapping[str, str], more: Mapping[str, Any]) -> dict[str, Any]:
    """For --json."""
    blocks = sorted({report.mutant.block for report in reports})
    survivors = [
        {
            "number": report.mutant.number,
            "place": report.mutant.place,
            "block": report.mutant.block,
            "what": report.mutant.what,
            "key": report.mutant.key,
            "reason": reasons.get(report.mutant.key),
            "asked": report.asked,
        }
        for report in reports
        if report.by is None
    ]
    rows = [
        {
            "number": report.mutant.number,
            "place": report.mutant.place,
            "what": report.mutant.what,
            "fate": report.fate,
            "by": f"{report.by.test}.{report.by.seed}" if report.by else None,
            "said": report.by.text if report.by else None,
        }
        for report in reports
    ]
    by_block = {block: _sums([one for one in reports if one.mutant.block == block], reasons) for block in blocks}
    wrong = [report.mutant.key for report in contradicted(reports, reasons)]
    return {**_sums(reports, reasons), "survivors": survivors, "contradicted": wrong, **more, "blocks": by_block, "mutants": rows}


def show(reports: Sequence[Report], reasons: Mapping[str, str]) -> None:
    """On standard output."""
    table = Table(box=None, pad_edge=False)
    for title in ("block", "mutants", "killed", "of them hung", "equivalent", "survived"):
        table.add_column(title, justify="left" if title == "block" else "right")
    for block in sorted({report.mutant.block for report in reports}):
        sums = _sums([one for one in reports if one.mutant.block == block], reasons)
        left = sums["total"] - sums["killed"] - sums["equivalent"]
        table.add_row(block, *(str(number or "") for number in (*list(sums.values()), left)))
    Console(highlight=False).print(table)
    for report in sorted(reports, key=lambda one: one.mutant.place):
        if report.by is None:
            reason = reasons.get(report.mutant.key)
            print(f"{'equivalent' if reason else 'SURVIVED'} {report.mutant.place}: {report.mutant.what}")
            print(f"  {reason}" if reason else f"  key: {report.mutant.key}")
    for report in contradicted(reports, reasons):
        print(f"killed, though it has a reason: {report.mutant.key}")
    sums = _sums(reports, reasons)
    real = sums["total"] - sums["equivalent"]
    print(f"{sums['killed']} of {sums['total']} mutants killed ({_share(sums['killed'], sums['total'])})", end="")
    print(f"; of the {real} that are defects {_share(sums['killed'], real)}" if sums["equivalent"] else "")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"
