"""Pieces of HTML the page is put together from. Every text is escaped here, once; what is named `html` is markup already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

__all__ = [
    "Below",
    "Cell",
    "anchor",
    "code",
    "fold",
    "link",
    "meter",
    "percent",
    "section",
    "span_of_time",
    "table",
    "tile",
]


class Cell(str):
    """Markup of a table's cell that is finished; any other string is a text. `kind`: its classes."""

    kind: str

    def __new__(cls, html: str, kind: str = "") -> Cell:
        """Markup with classes."""
        made = super().__new__(cls, html)
        made.kind = kind
        return made


class Below(str):
    """Markup that stands below a row, over the whole width of the table. Last of its row."""


def anchor(*words: str) -> str:
    """An id made of words; different words give different ids as long as they differ in letters, digits or their places."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-") for word in words)


def section(name: str, title: str, body: str, note: str = "") -> str:
    """A part of the page with a heading."""
    aside = f' <span class="muted">{escape(note)}</span>' if note else ""
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(title)}{aside}</h2>\n{body}\n</section>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = (), caption: str = "") -> str:
    """`numbers`: columns that hold numbers. A row may end with what stands below it."""
    right = set(numbers)

    def cell(text: str, column: int, tag: str) -> str:
        kind = " ".join(filter(None, ("n" if column in right else "", text.kind if isinstance(text, Cell) else "")))
        attributes = (' scope="col"' if tag == "th" else "") + (f' class="{kind}"' if kind else "")
        return f"<{tag}{attributes}>{text if isinstance(text, Cell) else escape(text)}</{tag}>"

    def line(cells: Sequence[str], tag: str) -> str:
        below = cells[-1] if isinstance(cells[-1], Below) else None
        shown = cells if below is None else cells[:-1]
        row = "".join(cell(text, column, tag) for column, text in enumerate(shown))
        if not below:
            return f"<tr>{row}</tr>"
        return f'<tr class="above">{row}</tr><tr><td colspan="{len(head)}">{below}</td></tr>'

    said = f'<caption class="muted">{escape(caption)}</caption>' if caption else ""
    body = "\n".join(line(row, "td") for row in rows)
    return f'<div class="scroll"><table>{said}<thead>{line(head, "th")}</thead><tbody>\n{body}\n</tbody></table></div>'


def tile(name: str, value: str, note: str, kind: str = "") -> str:
    """One figure."""
    chosen = f' class="{kind}"' if kind else ""
    return f"<div{chosen}><dt>{escape(name)}</dt><dd>{escape(value)}</dd><small>{escape(note)}</small></div>"


def meter(hit: int, total: int, goal: float = 1.0) -> Cell:
    """A bar and the numbers behind it."""
    if not total:
        return Cell("–", "m")
    share = hit / total
    kind = "met" if share >= goal else "missed"
    bar = f'<span class="meter {kind}" aria-hidden="true"><i style="width:{100 * share:.1f}%"></i></span>'
    return Cell(f"{bar}{hit:,} of {total:,} ({percent(share)})", "m")


def fold(summary: str, items: Sequence[str], at_most: int = 200) -> str:
    """A list to be opened; a line instead of it when it is empty."""
    if not items:
        return ""
    shown = "".join(f"<li>{escape(item)}</li>" for item in items[:at_most])
    rest = f"<li>{len(items) - at_most:,} more</li>" if len(items) > at_most else ""
    return f"<details><summary>{escape(summary)}</summary><ul>{shown}{rest}</ul></details>"


def link(target: str, text: str, title: str = "") -> str:
    """To a file beside the page or an anchor in it."""
    said = f' title="{escape(title)}"' if title else ""
    return f'<a href="{escape(target)}"{said}>{escape(text)}</a>'


def code(text: str) -> str:
    """A command to be copied."""
    return f'<code class="run">{escape(text)}</code>'


def percent(share: float) -> str:
    """Never 100 % for less than all."""
    if share >= 1:
        return "100 %"
    return f"{min(share, 0.999):.1%}".replace("%", " %")


def span_of_time(seconds: float) -> str:
    """For people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
