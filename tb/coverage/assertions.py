"""Covers for assertions: source text of SystemVerilog in, the same with a cover statement beside every assertion out.

An assertion `label: assert (!a || b)` says that b holds where a does, so it was tried when a was seen: its cover, `label_seen`, is
of a. Of `assert (!a || b || c)` it is a && !b: the last operand is what is demanded, those before it say when not. A conjunction
of such terms gets a cover for each, `label_seen_2` and so on for those after the first. A condition of any other form demands
something at every clock edge that reaches it, and that is its cover.

Promises: lines keep their numbers and assertions their labels. A cover stands where its assertion does, under the same conditions,
in the same loops. Nothing else changes.
Needs: labelled immediate assertions. An assertion without a label, and one that is concurrent, is an UnlabelledError: its cover
would be counted for nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Assertion", "UnlabelledError", "assertions", "with_covers"]

# What is skipped as a whole, then operators of two characters, then any other character.
TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|[\w$]+|&&|\|\||\s+|.", re.DOTALL)
ALWAYS = "1'b1"
OPENING, CLOSING = {"(", "[", "{"}, {")", "]", "}"}


class UnlabelledError(Exception):
    """An assertion that a report could not name: file position and what to do."""


@dataclass(frozen=True)
class Assertion:
    """`start` to `end`: the statement in the text, label and action included. `seen`: conditions under which it says something."""

    label: str
    line: int
    start: int
    end: int
    seen: tuple[str, ...]


@dataclass(frozen=True)
class _Token:
    text: str
    at: int


def with_covers(text: str) -> str:
    """The text with a cover beside every assertion."""
    parts, done = [], 0
    for found in assertions(text):
        names = [f"{found.label}_seen{f'_{number}' if number > 1 else ''}" for number in range(1, len(found.seen) + 1)]
        covers = " ".join(f"{name}: cover ({condition});" for name, condition in zip(names, found.seen))
        # Verilator counts nothing in a block after a $error, and fails at a cover there; in an arm of its own it ends with the arm.
        parts += [text[done : found.start], f"begin {covers} if (1'b1) {text[found.start : found.end]} end"]
        done = found.end
    return "".join([*parts, text[done:]])


def assertions(text: str) -> list[Assertion]:
    """In order of the text."""
    tokens = [_Token(match[0], match.start()) for match in TOKEN.finditer(text) if not _blank(match[0])]
    return list(_found(text, tokens))


def _blank(token: str) -> bool:
    return token.isspace() or token.startswith(("//", "/*"))


def _found(text: str, tokens: list[_Token]) -> Iterator[Assertion]:
    for index, token in enumerate(tokens):
        if token.text != "assert":
            continue
        line = text.count("\n", 0, token.at) + 1
        if tokens[index + 1].text != "(" or tokens[index - 1].text != ":" or not re.fullmatch(r"\w+", tokens[index - 2].text):
            raise UnlabelledError(f"line {line}: an assertion must be immediate and have a label, `name: assert (condition)`")
        label = tokens[index - 2]
        closed = _closing(tokens, index + 1)
        last = _statement_end(tokens, closed)
        seen = tuple(_flat(condition) for condition in _antecedents(text, tokens[index + 2 : closed], tokens[closed].at))
        yield Assertion(label.text, line, label.at, tokens[last].at + 1, seen)


def _closing(tokens: list[_Token], opening: int) -> int:
    """Index of the bracket that closes the one at `opening`."""
    depth = 0
    for index in range(opening, len(tokens)):
        depth += (tokens[index].text in OPENING) - (tokens[index].text in CLOSING)
        if depth == 0:
            return index
    raise ValueError("a bracket is not closed")


def _statement_end(tokens: list[_Token], closed: int) -> int:
    """Index of the semicolon that ends the assertion: actions are single calls."""
    return next(index for index in range(closed, len(tokens)) if tokens[index].text == ";")


def _antecedents(text: str, condition: list[_Token], end: int) -> list[str]:
    """When a condition demands something; ALWAYS for a term that always does, if no other is more telling."""
    found: list[str] = []
    for term in _split(_stripped(condition), "&&"):
        choice = len(_split(_stripped(term), "?")) > 1
        excuses = [] if choice else _split(_stripped(term), "||")[:-1]
        found.append(" && ".join(f"!({_source(text, excuse, condition, end)})" for excuse in excuses) or ALWAYS)
    return [one for one in dict.fromkeys(found) if one != ALWAYS] or [ALWAYS]


def _stripped(tokens: list[_Token]) -> list[_Token]:
    """Without brackets around all of it."""
    while len(tokens) > 2 and tokens[0].text == "(" and _closing(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _split(tokens: list[_Token], operator: str) -> list[list[_Token]]:
    """Operands of an operator outside brackets. `||` binds weaker than `&&`, and both weaker than all else here but `?:`."""
    if operator == "&&" and any(len(_split(tokens, weaker)) > 1 for weaker in ("||", "?")):
        return [tokens]
    parts: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text in OPENING) - (token.text in CLOSING)
        if depth == 0 and token.text == operator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _source(text: str, part: list[_Token], condition: list[_Token], end: int) -> str:
    """The text of consecutive tokens of the condition."""
    last = condition.index(part[-1])
    stop = condition[last + 1].at if last + 1 < len(condition) else end
    return text[part[0].at : stop].rstrip()


def _flat(condition: str) -> str:
    """On one line, without comments: a cover adds no line."""
    return " ".join(re.sub(r"//[^\n]*|/\*.*?\*/", " ", condition, flags=re.DOTALL).split()).replace(" )", ")")
