"""`shootdown claims`: measure what the thread claimed, write page and pictures, say the verdicts.

Exit status: 0 all ran, whatever the verdicts; 1 an experiment broke a rule of the oracle, or --check found the page old; 2 bad
input; 130 interrupted, nothing written.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shootdown.claims.library import NAMES, load
from shootdown.console import Display
from shootdown.errors import InputError, unknown
from shootdown.result import ProgressUpdate

__all__ = ["DOCS", "Request", "run"]

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
INTERRUPTED: Final = 130
WRAP: Final = 110


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    out: Path | None
    only: Sequence[str]
    jobs: int
    seed: int
    as_json: bool = False
    listing: bool = False
    docs: bool = False
    check: bool = False


def run(request: Request) -> int:
    """The whole command; its exit status."""
    names = _chosen(request.only)
    if request.listing:
        return _list(request.as_json)
    if request.docs and (request.only or request.out is not None):
        raise InputError("--docs: writes all claims to docs/", "leave out --only and --out")
    folder = DOCS if request.docs else request.out if request.out is not None else Path("build/claims")
    if request.check:
        return _check(DOCS if request.out is None else request.out)
    if request.jobs < 1:
        raise InputError(f"--jobs {request.jobs}: must be at least 1")
    if request.seed < 0:
        raise InputError(f"--seed {request.seed}: must be at least 0")
    return _measure(request, names, folder)


def _chosen(only: Sequence[str]) -> list[str]:
    for name in only:
        if name not in NAMES:
            raise unknown("--only", name, "claim", NAMES)
    return [name for name in NAMES if not only or name in only]


def _list(as_json: bool) -> int:
    claims = [load(name) for name in NAMES]
    if as_json:
        plain = [
            {"name": one.name, "title": one.title, "roles": [source.role for source in one.sources], "points": len(one.points())}
            for one in claims
        ]
        print(json.dumps(plain, indent=2))
        return 0
    width = max(map(len, NAMES))
    for one in claims:
        print(f"{one.name.ljust(width)}  {one.title}")
    return 0


def _check(folder: Path) -> int:
    from shootdown.claims.page import stale  # noqa: PLC0415 - loads the plotting library

    wrong = stale(folder)
    for line in wrong:
        print(line)
    if wrong:
        print("remake the page with: shootdown claims --docs")
    return 1 if wrong else 0


def _measure(request: Request, names: Sequence[str], folder: Path) -> int:
    from shootdown.claims import record  # noqa: PLC0415
    from shootdown.claims.page import check_folder, write_page  # noqa: PLC0415
    from shootdown.claims.run import measure_all  # noqa: PLC0415

    check_folder(folder)
    with Display() as display:
        try:
            findings = measure_all(
                names,
                request.seed,
                request.jobs,
                lambda done, total, name: display(ProgressUpdate("claims", done, total, note=name)),
            )
        except KeyboardInterrupt:
            return INTERRUPTED
        page = write_page(folder, findings, request.seed)
    if request.as_json:
        print(json.dumps(record.as_plain(findings, request.seed), indent=2))
    else:
        for finding in findings:
            verdict = finding.verdict
            print(f"{finding.name}: {'no verdict' if verdict is None else verdict.outcome.value}")
            for one in finding.breaks:
                print(f"  {one.rule}: {one.what}\n    at {one.point}")
            if verdict is not None:
                print(textwrap.indent(textwrap.fill(verdict.text, WRAP), "  "))
        print(f"\nseed {request.seed}: {len(findings)} claims; page: {page}")
    return 1 if any(finding.breaks for finding in findings) else 0
