"""claims.json: what a run has found, for programs, and for writing the page again.

Keys, which are an interface: `seed`; `claims`, by name: `title`, `outcome` ("holds", "holds in part", "does not hold", or null if a
rule was broken), `text`, `rows` (the fields of the claim's Row), `breaks` (`point`, `rule`, `what`).

Promises: the same findings give the same bytes; findings that are read are those that were written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shootdown.claims.library import NAMES
from shootdown.claims.run import Break, Finding
from shootdown.errors import InputError

__all__ = ["as_plain", "read", "write"]


def as_plain(findings: Sequence[Finding], seed: int) -> dict[str, Any]:
    """The file's contents."""
    claims = {}
    for finding in findings:
        verdict = finding.verdict
        claims[finding.name] = {
            "title": finding.claim.title,
            "outcome": None if verdict is None else verdict.outcome.value,
            "text": "" if verdict is None else verdict.text,
            "rows": [finding.claim.plain(row) for row in finding.rows],
            "breaks": [{"point": one.point, "rule": one.rule, "what": one.what} for one in finding.breaks],
        }
    return {"seed": seed, "claims": claims}


def write(path: Path, findings: Sequence[Finding], seed: int) -> None:
    """Write the file; a row is a line."""
    plain = as_plain(findings, seed)
    lines = []
    for name, claim in plain["claims"].items():
        rows = ",\n".join(f"    {json.dumps(row)}" for row in claim.pop("rows"))
        head = json.dumps(claim)[1:-1]
        lines.append(f'  {json.dumps(name)}: {{{head}, "rows": [\n{rows}\n  ]}}')
    body = ",\n".join(lines)
    path.write_text(f'{{"seed": {seed}, "claims": {{\n{body}\n}}}}\n')


def read(path: Path) -> tuple[list[Finding], int]:
    """Findings and seed out of a file. InputError if it is none."""
    try:
        plain = json.loads(path.read_text())
        findings = [
            Finding(
                name,
                tuple(Finding(name, ()).claim.rows_of(claim["rows"])),
                tuple(Break(**one) for one in claim["breaks"]),
            )
            for name, claim in plain["claims"].items()
            if name in NAMES
        ]
        return findings, int(plain["seed"])
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file", "make it with: shootdown claims --docs") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a claims.json ({type(error).__name__})", "make it with: shootdown claims --docs") from None
