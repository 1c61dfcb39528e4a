"""What a claim is: who said it, an experiment, and a verdict that follows from what the experiment measured.

Promises: values only. A verdict is a function of rows, and so are tables and pictures: a page written from claims.json is the page
of the run. Rows hold cycles, counts and words, never wall-clock time. Needs: a claim's `measure` depends on its point and its seed
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from shootdown.claims.words import number

__all__ = ["Claim", "Outcome", "Panel", "RuleBrokenError", "Series", "Source", "Table", "Verdict", "curves", "pick", "pivot"]

P = TypeVar("P")
R = TypeVar("R")


class Outcome(Enum):
    """What became of a claim."""

    HOLDS = "holds"
    PART = "holds in part"
    NOT = "does not hold"


@dataclass(frozen=True)
class Verdict:
    """`text`: why, with the run's figures."""

    outcome: Outcome
    text: str


@dataclass(frozen=True)
class Source:
    """Who said it in the thread, by role, when, and in our words what."""

    role: str
    when: str
    said: str


@dataclass(frozen=True)
class Series:
    """A curve. A y of None is a gap: there was nothing to measure."""

    label: str
    points: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True)
class Panel:
    """A plot of curves. `marks`: places on the x axis that are worth a name."""

    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    log_x: bool = False
    log_y: bool = False
    marks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class Table:
    """`heads` and `rows` of words; the first column names the row, the others are numbers."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class RuleBrokenError(Exception):
    """A run of an experiment broke a rule of the oracle or of the software: there is no figure to be had from it."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule
        self.what = what


@dataclass(frozen=True)
class Claim(Generic[P, R]):
    """One claim. `claim`: what was claimed, a sentence. `setting`: the experiment, in paragraphs. `assumed`: what the model cannot
    tell, and what stands in its place. `points`: what is measured; each is independent of the others."""

    name: str
    title: str
    claim: str
    sources: tuple[Source, ...]
    setting: tuple[str, ...]
    assumed: tuple[str, ...]
    points: Callable[[], Sequence[P]]
    measure: Callable[[P, int], R]
    row: Callable[..., R]
    verdict: Callable[[Sequence[R]], Verdict]
    panels: Callable[[Sequence[R]], Sequence[Panel]]
    tables: Callable[[Sequence[R]], Sequence[Table]]

    def all_rows(self, seed: int) -> list[R]:
        """Measure every point, here and one after the other."""
        return [self.measure(point, seed) for point in self.points()]

    def rows_of(self, plain: Sequence[Mapping[str, Any]]) -> list[R]:
        """Rows out of claims.json."""
        return [self.row(**values) for values in plain]

    @staticmethod
    def plain(row: Any) -> dict[str, Any]:
        """A row for claims.json."""
        return asdict(row)


def pick(rows: Sequence[R], **wanted: Any) -> list[R]:
    """The rows with these values, in order."""
    return [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]


def curves(
    rows: Sequence[R], x: str | Callable[[R], float], y: str | Callable[[R], float | None], across: str = "kind"
) -> tuple[Series, ...]:
    """A curve for each `across`, from the left to the right; x and y are a field or a function of a row."""

    def value(row: R, of: str | Callable[[R], Any]) -> Any:
        return getattr(row, of) if isinstance(of, str) else of(row)

    points: dict[Any, list[tuple[float, float | None]]] = {}
    for row in rows:
        points.setdefault(getattr(row, across), []).append((value(row, x), value(row, y)))
    return tuple(Series(str(label), tuple(sorted(line, key=lambda point: point[0]))) for label, line in points.items())


def pivot(
    rows: Sequence[R],
    caption: str,
    x: str,
    head: str,
    value: str | Callable[[R], str],
    *,
    across: str = "kind",
    show_x: Callable[[Any], str] = str,
) -> Table:
    """A table with a line for each `x`, and a column for each `across`; a dash where nothing was measured. `value`: a field, shown
    as a whole number, or the words for a row."""
    lines = sorted({getattr(row, x) for row in rows})
    columns = list(dict.fromkeys(getattr(row, across) for row in rows))
    show = (lambda row: number(getattr(row, value))) if isinstance(value, str) else value
    cells = {(getattr(row, x), getattr(row, across)): show(row) for row in rows}
    body = tuple((show_x(line), *(cells.get((line, column), "–") for column in columns)) for line in lines)
    return Table(caption, (head, *(str(column) for column in columns)), body)
