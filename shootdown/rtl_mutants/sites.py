"""Where the RTL may be changed, and how.

Promises: every `Edit` replaces an expression or a statement of the design's logic: what is assigned, compared, chosen or passed in.
Left alone are what elaboration needs (ranges, parameters, loops' bounds, labels of cases), clocks, resets' conditions, and the
variants that `mutant_i` selects: nothing that exists only for them is touched, and no edit switches one on. A default at the head
of a combinational block is never lost: the block would become a latch, which is no defect of a flop's RTL.
Needs: scopes of parsed.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shootdown.rtl_mutants.operators import changes, constant, inner, text_of
from shootdown.rtl_mutants.parsed import Scope

__all__ = ["Edit", "edits"]

VARIANT = re.compile(r"\bmutant(_i)?\b")
RESET = re.compile(r"\brst_ni\b")
PINS = re.compile(r"\b(clk_i|rst_ni|mutant_i|mutant)\b")
SYSTEM_CALLS = ("$countones", "$onehot", "$onehot0", "$signed", "$unsigned")


@dataclass(frozen=True)
class Edit:
    """Bytes `start` to `end` of a file below rtl/ (`file`). An expression becomes `new`; a statement with new == "" is lost."""

    file: str
    start: int
    end: int
    operator: str
    new: str
    statement: bool = False


def edits(scope: Scope, rtl: Path) -> list[Edit]:
    """All of one module or function, in order, each once."""
    walk = _Walk(scope, str(scope.path.relative_to(rtl)))
    return sorted(dict.fromkeys(walk.found()), key=lambda edit: (edit.start, edit.end, edit.operator, edit.new))


def _called_with_constants(body: Any) -> set[str]:
    """Functions that elaboration may call: these must stay functions of their arguments alone."""
    found = set()

    def look(node: Any) -> None:
        if node.kind.name == "Call" and not node.isSystemCall and all(constant(one) for one in node.arguments):
            found.add(node.subroutineName)

    body.visit(look)
    return found


class _Walk:
    def __init__(self, scope: Scope, file: str) -> None:
        self._scope, self._file = scope, file
        self._text = scope.path.read_bytes().decode("latin-1")
        self._elaborated = _called_with_constants(scope.node)

    def found(self) -> Iterator[Edit]:
        if self._scope.node.kind.name == "Subroutine":
            yield from self._subroutine(self._scope.node)
        else:
            yield from self._members(self._scope.node)

    # ---- a module's parts ------------------------------------------------------------------------------------------------

    def _members(self, body: Any) -> Iterator[Edit]:
        for member in body:
            kind = member.kind.name
            if kind == "ContinuousAssign":
                yield from self._expression(member.assignment.right, assigned=True)
            elif kind == "ProceduralBlock":
                clocked = member.procedureKind.name != "AlwaysComb"
                yield from self._statement(member.body, _Around(clocked=clocked, known=frozenset()))[0]
            elif kind == "Subroutine":
                yield from self._subroutine(member)
            elif kind == "GenerateBlock" and not member.isUninstantiated:
                yield from self._members(member)
            elif kind == "GenerateBlockArray":
                for block in member.entries:
                    yield from self._members(block)
            elif kind == "Instance":
                yield from self._connections(member)
            elif kind in ("Net", "Variable") and member.initializer is not None and kind == "Net":
                yield from self._expression(member.initializer, assigned=True)

    def _connections(self, instance: Any) -> Iterator[Edit]:
        for connection in instance.portConnections:
            value = connection.expression
            if value is None or connection.port.kind.name != "Port" or connection.port.direction.name != "In":
                continue
            start = value.sourceRange.start.offset
            if self._text[start - 1] != "." and not PINS.search(text_of(value, self._text)):
                yield from self._expression(value, assigned=True)

    def _subroutine(self, function: Any) -> Iterator[Edit]:
        if function.name in self._elaborated:
            return
        arguments = frozenset(argument.name for argument in function.arguments)
        yield from self._statement(function.body, _Around(clocked=False, known=arguments))[0]

    # ---- statements --------------------------------------------------------------------------------------------------------

    def _statement(self, statement: Any, around: _Around) -> tuple[list[Edit], frozenset[str]]:
        """Edits, and the names that have a value after it."""
        kind = statement.kind.name
        if kind == "Block":
            return self._statement(statement.body, around)
        if kind == "Timed":
            return self._statement(statement.stmt, around)
        if kind == "List":
            found: list[Edit] = []
            for one in statement.list:
                more, known = self._statement(one, around)
                found += more
                around = around.having(known)
            return found, around.known
        if kind == "VariableDeclaration":
            initial = statement.symbol.initializer
            if initial is None:
                return [], around.known
            return [*self._expression(initial, assigned=True)], around.known | {statement.symbol.name}
        if kind == "Return" and statement.expr is not None:
            return [*self._expression(statement.expr, assigned=True)], around.known
        if kind == "ForLoop":
            return self._statement(statement.body, around)[0], around.known
        if kind == "Conditional":
            return self._conditional(statement, around)
        if kind == "Case":
            return self._case(statement, around)
        if kind == "ExpressionStatement" and statement.expr.kind.name == "Assignment":
            return self._assignment(statement, around)
        return [], around.known

    def _assignment(self, statement: Any, around: _Around) -> tuple[list[Edit], frozenset[str]]:
        assignment = statement.expr
        target = re.match(r"\w+", text_of(assignment.left, self._text))
        name = target[0] if target else ""
        found = []
        if around.clocked or name in around.known:
            found.append(self._lost(statement, "reset lost" if around.reset else "lost"))
        if not assignment.isCompound:
            found += self._expression(assignment.right, assigned=True)
        return found, around.known | {name}

    def _lost(self, statement: Any, operator: str) -> Edit:
        where = statement.sourceRange
        return Edit(self._file, where.start.offset, where.end.offset, operator, "", statement=True)

    def _conditional(self, statement: Any, around: _Around) -> tuple[list[Edit], frozenset[str]]:
        condition = statement.conditions[0].expr
        text = text_of(condition, self._text)
        reset = around.clocked and RESET.search(text) is not None
        found: list[Edit] = []
        if not reset:
            found += self._expression(condition)
            if not VARIANT.search(text) and not constant(condition):
                for operator, new in (("never", "1'b0"), ("always", "1'b1"), ("negated", f"!({text})")):
                    found.append(self._edit(condition, operator, new))
        value = self._value(condition)
        known = []
        for branch, dead in ((statement.ifTrue, value is False), (statement.ifFalse, value is True)):
            if branch is None or dead:
                known.append(around.known)
                continue
            inside = _Around(around.clocked, around.known, reset and branch is statement.ifTrue)
            more, names = self._statement(branch, inside)
            found += more
            known.append(names)
        return found, known[0] & known[1]

    def _case(self, statement: Any, around: _Around) -> tuple[list[Edit], frozenset[str]]:
        found, known = [*self._expression(statement.expr)], []
        for body in [item.stmt for item in statement.items] + [statement.defaultCase]:
            if body is None:
                known.append(around.known)
                continue
            more, names = self._statement(body, around)
            known.append(names)
            # Losing a case must not leave without a value what only the cases give one.
            if more and (around.clocked or names == around.known):
                found.append(self._lost(body, "case lost"))
            found += more
        return found, frozenset.intersection(*known)

    # ---- expressions -------------------------------------------------------------------------------------------------------

    def _edit(self, node: Any, operator: str, new: str) -> Edit:
        where = node.sourceRange
        return Edit(self._file, where.start.offset, where.end.offset, operator, new)

    def _expression(self, given: Any, *, assigned: bool = False) -> Iterator[Edit]:
        expression = inner(given)
        text = text_of(expression, self._text)
        variant = VARIANT.search(text) is not None
        if not variant:
            place = f"{self._file}:{text}"
            for operator, new in changes(expression, self._text, assigned=assigned, place=place):
                yield self._edit(expression, operator, new)
            if constant(expression):
                return
        for part in self._parts(expression):
            yield from self._expression(part)

    def _parts(self, expression: Any) -> Sequence[Any]:
        """Operands that are alive and that no elaboration needs."""
        kind = expression.kind.name
        if kind in ("UnaryOp", "Conversion"):
            return [expression.operand]
        if kind == "BinaryOp":
            if any(VARIANT.fullmatch(text_of(one, self._text)) for one in (expression.left, expression.right)):
                return []
            left, right = self._value(expression.left), self._value(expression.right)
            dead = {"LogicalAnd": False, "LogicalOr": True}.get(expression.op.name)
            if dead is not None and dead in (left, right):
                return []
            return [expression.left, expression.right]
        if kind == "ConditionalOp":
            condition = expression.conditions[0].expr
            value = self._value(condition)
            alive = [] if value is False else [expression.left]
            alive += [] if value is True else [expression.right]
            return [*([] if value is not None else [condition]), *alive]
        # What is selected from stays as it is: SystemVerilog has no selection from an expression.
        if kind == "ElementSelect":
            return [*self._parts(expression.value), *([] if constant(expression.selector) else [expression.selector])]
        if kind == "RangeSelect":
            moving = expression.selectionKind.name != "Simple" and not constant(expression.left)
            return [*self._parts(expression.value), *([expression.left] if moving else [])]
        if kind == "MemberAccess":
            return self._parts(expression.value)
        if kind == "Concatenation":
            return list(expression.operands)
        if kind == "Replication":
            return [expression.concat]
        if kind == "Inside":
            return [expression.left]
        if kind in ("SimpleAssignmentPattern", "StructuredAssignmentPattern"):
            return list(expression.elements)
        if kind == "Call":
            if expression.isSystemCall and expression.subroutineName not in SYSTEM_CALLS:
                return []
            return [one for one in expression.arguments if one.kind.name != "Assignment"]
        return []

    def _value(self, given: Any) -> bool | None:
        """Of a condition in the design as it is, without a variant: true, false, or depends."""
        expression = inner(given)
        kind = expression.kind.name
        if kind == "UnaryOp" and expression.op.name == "LogicalNot":
            value = self._value(expression.operand)
            return None if value is None else not value
        if kind == "BinaryOp":
            name = expression.op.name
            if name in ("LogicalAnd", "LogicalOr"):
                both = {self._value(expression.left), self._value(expression.right)}
                short = name == "LogicalOr"
                return short if short in both else (not short if both == {not short} else None)
            if name in ("Equality", "Inequality") and VARIANT.fullmatch(text_of(expression.left, self._text)):
                return bool(name == "Inequality")
        if kind == "Inside" and VARIANT.fullmatch(text_of(expression.left, self._text)):
            return False
        return None


@dataclass(frozen=True)
class _Around:
    """Of a statement: is it clocked, which names have a value before it, is it what a reset does."""

    clocked: bool
    known: frozenset[str]
    reset: bool = False

    def having(self, known: frozenset[str]) -> _Around:
        return _Around(self.clocked, known, self.reset)
