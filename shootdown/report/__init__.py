"""What a run leaves in its folder: summary.json for programs, index.html for people.

Promises: both are written whole or not at all, whatever the verdict. index.html is one file without references to anything
outside it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from shootdown.report.page import render
from shootdown.report.summary import summarise
from shootdown.result import RunResult

__all__ = ["write_report"]


def write_report(result: RunResult) -> Path:
    """Write both files into the run's folder; the page's path."""
    out = result.config.out
    out.mkdir(parents=True, exist_ok=True)
    # The summary first: it is small, and the one a script waits for.
    _write(out / "summary.json", json.dumps(summarise(result), indent=2) + "\n")
    page = out / "index.html"
    _write(page, render(result))
    return page


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
