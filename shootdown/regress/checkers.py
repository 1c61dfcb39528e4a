"""The places in Python that object in the name of a rule, found in the source itself.

A place is a function that builds an objection out of a rule's id: the id alone as a value (Objection("SD-3", ...), a pair, what
is returned as "the rule"), or a text that names it first ("MN-4: release of ...") and is raised or handed on. Docstrings,
comments, and data such as test lists and cover groups object to nothing and are left out.

Promises: the same sources give the same list, in order of file and name. Needs sources that parse. Costs: half a second.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hwif.gen.rules import RULES
from tb.toolchain import ROOT

__all__ = ["CHECKING", "CONTRACT", "Checker", "checkers", "read"]

CHECKING = ("hwif", "pymodels/oracle", "sw_stack", "tb")
"""Folders whose functions may object."""
CONTRACT = ("sw_stack/notifier", "sw_stack/mm", "sw_stack/sched")
"""Where the software stack checks the notifier's contract while it runs: for rules that have no signals, its assertions."""
DATA = frozenset({"CoverGroup", "Test", "cross", "startswith", "hit"})
"""Calls whose arguments name rules and object to nothing."""
NAMED = re.compile(r"(?:^|: )((?:SD|FQ|MN)-\d+): ")
"""A message that names its rule: at its start, or behind who is spoken of ("task 0 (CPU 0): MN-5: ...")."""


@dataclass(frozen=True, order=True)
class Checker:
    """`file`: from the project's root. `function`: with its class. `raises`: it ends the run by itself."""

    file: str
    function: str
    rule: str
    raises: bool

    @property
    def of_contract(self) -> bool:
        """It is a run-time check of the software stack."""
        return self.raises and self.file.startswith(CONTRACT)


def checkers(root: Path = ROOT, folders: Iterable[str] = CHECKING) -> list[Checker]:
    """Those of every Python file below the folders."""
    found: set[Checker] = set()
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            if "gen" not in path.relative_to(root).parts:
                found |= set(read(path.read_text(), str(path.relative_to(root))))
    return sorted(found)


def read(text: str, file: str) -> Iterator[Checker]:
    """Those of one file."""
    yield from _inside(ast.parse(text), file, ())


def _inside(node: ast.AST, file: str, scope: tuple[str, ...]) -> Iterator[Checker]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _inside(child, file, (*scope, child.name))
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            name = ".".join((*scope, child.name))
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(child))
            yield from (Checker(file, name, rule, raises) for rule in sorted(_rules(child.body)))
        elif not isinstance(child, ast.expr):  # a condition around definitions
            yield from _inside(child, file, scope)


def _rules(body: Iterable[ast.AST]) -> set[str]:
    """The rules whose ids are values in these statements."""
    found: set[str] = set()
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                continue  # a docstring
            case ast.Compare():
                continue  # asks for a rule, objects to nothing
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)) if called in DATA:
                continue
            case ast.Constant(value=str(text)):
                found |= _named(text)
        waiting += ast.iter_child_nodes(node)
    return found


def _named(text: str) -> set[str]:
    named = NAMED.search(text)
    return {rule for rule in (text, named[1] if named else "") if rule in RULES}
