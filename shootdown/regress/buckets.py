"""Failures that look alike, together: a bucket is a status and a text in which numbers no longer count.

Promises: every run that did not pass is in exactly one bucket; the largest bucket comes first, equals in order of their signature.
Two runs share a bucket when their texts differ in numbers, addresses, cycles and the names of temporary folders alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shootdown.regress.outcome import Outcome, Status

__all__ = ["Bucket", "buckets", "signature"]

RULE = re.compile(r"\b(?:SD|FQ|MN)-\d+\b|\b\w*[A-Za-z]_\w*\b")
"""What keeps its digits: a rule's id, and names in a code's own spelling (sd_2_ack_once, test_walk_4k)."""
NUMBER = re.compile(r"0x[0-9a-fA-F_]+|\b\d+'[hbd][0-9a-fA-F_]+|\d[\d,]*(?:\.\d+)?")
FOLDER = re.compile(r"(?<![\w.])/(?:[\w.+-]+/)+")
LONGEST = 160


@dataclass(frozen=True)
class Bucket:
    """`outcomes`: in order of test and seed, at least one."""

    signature: str
    status: Status
    outcomes: tuple[Outcome, ...]

    @property
    def first(self) -> Outcome:
        """The one to look at: the shortest to play again."""
        return min(self.outcomes, key=lambda outcome: (outcome.seconds, outcome.test, outcome.seed))

    @property
    def seeds(self) -> dict[str, list[int]]:
        """By test."""
        found: dict[str, list[int]] = {}
        for outcome in self.outcomes:
            found.setdefault(outcome.test, []).append(outcome.seed)
        return found


def signature(text: str) -> str:
    """The first line with every number as #."""
    line = next((one.strip() for one in text.splitlines() if one.strip()), "no text")
    line = FOLDER.sub("", line)
    parts, done = [], 0
    for kept in RULE.finditer(line):
        parts += [NUMBER.sub("#", line[done : kept.start()]), kept.group()]
        done = kept.end()
    general = "".join([*parts, NUMBER.sub("#", line[done:])])
    return general if len(general) <= LONGEST else general[: LONGEST - 1] + "…"


def buckets(outcomes: Iterable[Outcome]) -> list[Bucket]:
    """Of the runs that did not pass."""
    found: dict[tuple[str, Status], list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda one: (one.test, one.seed)):
        if not outcome.passed:
            found.setdefault((signature(outcome.text), outcome.status), []).append(outcome)
    made = [Bucket(text, status, tuple(group)) for (text, status), group in found.items()]
    return sorted(made, key=lambda bucket: (-len(bucket.outcomes), bucket.signature, bucket.status))
