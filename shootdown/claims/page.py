"""The page: docs/claims.md, its pictures and claims.json, or the same in another folder.

Promises: the page is a function of the findings and the seed; `stale` says what of a folder is not what its claims.json gives; of
pictures, which are missing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hwif.gen import timing
from shootdown.claims import record
from shootdown.claims.base import Source, Table
from shootdown.claims.library import NAMES
from shootdown.claims.plot import draw
from shootdown.claims.run import Finding
from shootdown.errors import InputError

__all__ = ["PAGE", "check_folder", "render", "stale", "write_page"]

PAGE: Final = "claims.md"
FOLDER: Final = "claims"
RECORD: Final = "claims.json"

INTRO: Final = """\
# The claims

The notifiers were argued over on linux-mm in February 2008, in the thread "MMU Notifiers V6", mostly without figures. This page has
what was claimed there, who said it (by role), an experiment for each claim on this project's software and devices, and what came of
it. A verdict is computed from the figures beside it; none is written by hand.

    {command}

writes this page, its pictures and `claims/claims.json` again, every figure the same for the same seed; one claim alone is remade by
the command under it. Cycles are of the device's clock, {mhz} MHz; what each step of software, memory and link costs is
`spec/timing.toml`, every default with its source. The software is `sw_stack/`, the adapters are the models of `pymodels/hca/`, two
systems and a link. An experiment that breaks a rule of the oracle has no verdict, and the command fails.
"""


def write_page(folder: Path, findings: Sequence[Finding], seed: int) -> Path:
    """Write page, pictures and claims.json; where the page is."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for finding in findings:
        if not finding.breaks:
            draw(finding.claim.panels(finding.rows), folder / FOLDER / f"{finding.name}.png")
    record.write(folder / FOLDER / RECORD, findings, seed)
    page = folder / PAGE
    page.write_text(render(findings, seed))
    return page


def stale(folder: Path) -> list[str]:
    """What of the folder is not what its claims.json gives. InputError if there is none."""
    findings, seed = record.read(folder / FOLDER / RECORD)
    wrong = []
    missing = [name for name in NAMES if name not in {finding.name for finding in findings}]
    if missing:
        wrong.append(f"{RECORD} lacks {', '.join(missing)}")
    page = folder / PAGE
    if not page.exists() or page.read_text() != render(findings, seed):
        wrong.append(f"{page} is not the page of its figures")
    with tempfile.TemporaryDirectory() as scratch:
        again = Path(scratch) / RECORD
        record.write(again, findings, seed)
        if again.read_text() != (folder / FOLDER / RECORD).read_text():
            wrong.append(f"{RECORD} has a verdict that does not follow from its rows")
    wrong += [
        f"{FOLDER}/{finding.name}.png is missing"
        for finding in findings
        if not finding.breaks and not (folder / FOLDER / f"{finding.name}.png").exists()
    ]
    return wrong


def render(findings: Sequence[Finding], seed: int) -> str:
    """The page."""
    whole = f"shootdown claims --docs{_seed(seed)}"
    parts = [INTRO.format(command=whole, mhz=timing.CLOCK_MHZ), _summary(findings)]
    parts += [_section(finding, seed) for finding in findings]
    return "\n".join(parts)


def _seed(seed: int) -> str:
    return "" if seed == 1 else f" --seed {seed}"


def _summary(findings: Sequence[Finding]) -> str:
    lines = ["| claim | who | verdict |", "|---|---|---|"]
    for finding in findings:
        roles = ", ".join(dict.fromkeys(source.role for source in finding.claim.sources))
        verdict = finding.verdict
        word = "none: a rule was broken" if verdict is None else f"**{verdict.outcome.value}**"
        lines.append(f"| [{finding.claim.title}](#{finding.name}) | {roles} | {word} |")
    return "\n".join(lines) + "\n"


def _section(finding: Finding, seed: int) -> str:
    claim, verdict = finding.claim, finding.verdict
    lines = [f'<a id="{finding.name}"></a>', "", f"## {claim.title}", "", claim.claim, "", "Said by", ""]
    lines += [_source(source) for source in claim.sources]
    lines += ["", "**Measured.** " + claim.setting[0], ""]
    for paragraph in claim.setting[1:]:
        lines += [paragraph, ""]
    if verdict is None:
        lines += ["**No verdict**: a run broke a rule.", ""]
        lines += [f"* {one.rule}: {one.what} ({one.point})" for one in finding.breaks]
    else:
        lines += [f"![{_alt(finding)}]({FOLDER}/{finding.name}.png)", ""]
        for table in claim.tables(finding.rows):
            lines += [_table(table), ""]
        lines += [f"**Verdict: {verdict.outcome.value}.** {verdict.text}", ""]
    if claim.assumed:
        lines += ["What the model cannot tell:", "", *(f"* {text}" for text in claim.assumed)]
    lines += ["", f"    shootdown claims --only {finding.name} --out build/claims{_seed(seed)}", ""]
    return "\n".join(lines)


def _source(source: Source) -> str:
    return f"* {source.role}, {source.when}: {source.said}"


def _alt(finding: Finding) -> str:
    return "; ".join(f"{panel.title}, by {panel.x}" for panel in finding.claim.panels(finding.rows))


def _table(table: Table) -> str:
    bars = "|".join(["---"] + ["---:"] * (len(table.heads) - 1))
    lines = [f"{table.caption}:", "", f"| {' | '.join(table.heads)} |", f"|{bars}|"]
    lines += [f"| {' | '.join(row)} |" for row in table.rows]
    return "\n".join(lines)


def check_folder(folder: Path) -> None:
    """InputError unless a page can be written there."""
    try:
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        probe = folder / FOLDER / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"--out {folder}: cannot write there: {error.strerror}") from None
