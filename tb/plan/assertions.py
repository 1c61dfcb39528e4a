"""The assertions of the RTL, by label, and the rule each keeps.

Promises: every concurrent or immediate assertion and cover property below rtl/ is found, in order of file and line, the unlabelled
ones too (label ""). A label that begins with a rule's id (sd_1_...) keeps that rule. Reads text, runs nothing: what stands in
comments or strings is not an assertion.
Costs: milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hwif.gen.rules import RULES
from tb.toolchain import ROOT

__all__ = ["Assertion", "assertions", "by_rule", "read"]

RTL = ROOT / "rtl"
HIDDEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL)
STATEMENT = re.compile(r"(?:\b(?P<label>\w+)\s*:\s*)?\b(?P<kind>assert|assume|cover)\b(?=\s*(?:property|final|#0|\())")
RULE_LABEL = re.compile(r"(sd|fq|mn)_(\d+)_\w")


@dataclass(frozen=True)
class Assertion:
    """`kind`: assert, assume or cover. `rule`: "" if its label names none. `file`: from the project's root."""

    label: str
    kind: str
    rule: str
    file: str
    line: int


def read(text: str, file: str) -> Iterator[Assertion]:
    """Those of one file. Raises ValueError for a label of a rule that does not exist."""
    shown = HIDDEN.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)
    for found in STATEMENT.finditer(shown):
        label = found["label"] or ""
        line = shown.count("\n", 0, found.start("kind")) + 1
        named = RULE_LABEL.match(label)
        rule = f"{named[1].upper()}-{named[2]}" if named else ""
        if rule and rule not in RULES:
            raise ValueError(f"{file}:{line}: {label}: no rule {rule}")
        yield Assertion(label, found["kind"], rule, file, line)


def assertions(folder: Path = RTL, root: Path = ROOT) -> list[Assertion]:
    """Those of every file below a folder."""
    files = sorted([*folder.rglob("*.sv"), *folder.rglob("*.svh")])
    return [one for path in files for one in read(path.read_text(), str(path.relative_to(root)))]


def by_rule(found: list[Assertion]) -> dict[str, list[Assertion]]:
    """Assertions alone, without cover properties and assumptions; every rule is there."""
    return {rule: [one for one in found if one.rule == rule and one.kind == "assert"] for rule in RULES}
