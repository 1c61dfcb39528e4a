"""What can be done to one expression of the RTL.

Promises: `changes` gives (operator, new text) for an expression, each of the same kind of value (a bit, a number of about that
width, a member of the same enumeration), so that it stands wherever the old one stood. Equal expressions give equal changes.
Needs: expressions elaborated by slang, and the text of their file.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

__all__ = ["changes", "constant", "inner", "text_of"]

SWAPS = {
    "Equality": ("relation", "!="),
    "Inequality": ("relation", "=="),
    "LessThan": ("bound", "<="),
    "LessThanEqual": ("bound", "<"),
    "GreaterThan": ("bound", ">="),
    "GreaterThanEqual": ("bound", ">"),
    "LogicalAnd": ("and/or", "||"),
    "LogicalOr": ("and/or", "&&"),
    "BinaryAnd": ("bitwise", "|"),
    "BinaryOr": ("bitwise", "&"),
    "BinaryXor": ("bitwise", "|"),
    "Add": ("sign", "-"),
    "Subtract": ("sign", "+"),
    "LogicalShiftLeft": ("shift", ">>"),
    "LogicalShiftRight": ("shift", "<<"),
}
"""Of a binary operator: the name of the change and what comes in its place."""
LOGICAL = ("LogicalAnd", "LogicalOr")
REDUCTIONS = {"BitwiseAnd": "|", "BitwiseOr": "&"}
LITERALS = ("IntegerLiteral", "UnbasedUnsizedIntegerLiteral")
FIXED = ("Parameter", "EnumValue", "Genvar", "Specparam")


def inner(expression: Any) -> Any:
    """Without conversions that nobody wrote."""
    while expression.kind.name == "Conversion" and expression.isImplicit:
        expression = expression.operand
    return expression


def text_of(node: Any, text: str) -> str:
    """As written; `node` has a sourceRange."""
    return text[node.sourceRange.start.offset : node.sourceRange.end.offset]


def constant(expression: Any) -> bool:
    """Is its value known before anything runs?"""
    names: list[bool] = []

    def look(node: Any) -> None:
        kind = node.kind.name
        if kind in ("NamedValue", "HierarchicalValue"):
            names.append(node.symbol.kind.name in FIXED)

    expression.visit(look)
    return all(names)


def changes(expression: Any, text: str, *, assigned: bool, place: str) -> Iterator[tuple[str, str]]:
    """Of an expression (already `inner`). `assigned`: it is the whole of what something becomes. `place` names it, for draws."""
    kind = expression.kind.name
    if constant(expression):
        yield from _of_constant(expression, text, place)
        return
    old = text_of(expression, text)
    if kind == "BinaryOp":
        syntax, name = _bare(expression.syntax), expression.op.name
        left, right = text_of(syntax.left, text), text_of(syntax.right, text)
        if name in SWAPS:
            operator, new = SWAPS[name]
            yield operator, f"{left} {new} {right}"
        if name in LOGICAL:
            yield "operand lost", left
            yield "operand lost", right
    elif kind == "UnaryOp":
        operand, name = text_of(_bare(expression.syntax).operand, text), expression.op.name
        if name in ("LogicalNot", "BitwiseNot"):
            yield "not lost", operand
        elif name in REDUCTIONS:
            yield "reduction", f"{REDUCTIONS[name]}{operand}"
    elif kind == "ConditionalOp":
        syntax = _bare(expression.syntax)
        yield "arms swapped", f"{text_of(syntax.predicate, text)} ? {text_of(syntax.right, text)} : {text_of(syntax.left, text)}"
    elif kind == "Inside":
        yield "relation", f"!({old})"
    if assigned:
        yield from _stuck(expression, old, place)


def _bare(syntax: Any) -> Any:
    """Without parentheses."""
    while syntax.kind.name == "ParenthesizedExpression":
        syntax = syntax.expression
    return syntax


def _one(type_: Any) -> str:
    return f"{type_.bitWidth}'{'s' if type_.isSigned else ''}d1"


def _stuck(expression: Any, old: str, place: str) -> Iterator[tuple[str, str]]:
    type_ = expression.type.canonicalType
    if not type_.isIntegral or type_.isEnum or type_.isStruct or type_.isPackedUnion:
        return
    if type_.bitWidth == 1:
        yield "stuck", "1'b0"
        yield "stuck", "1'b1"
        return
    bit = random.Random(f"{place}:bit").randrange(type_.bitWidth)
    yield "bit stuck", f"({old}) & ~({_one(type_)} << {bit})"
    yield "bit stuck", f"({old}) | ({_one(type_)} << {bit})"
    yield "off by one", f"({old}) + {_one(type_)}"


def _of_constant(expression: Any, text: str, place: str) -> Iterator[tuple[str, str]]:
    type_, old = expression.type.canonicalType, text_of(expression, text)
    if expression.kind.name == "UnbasedUnsizedIntegerLiteral":
        yield "constant", "'1" if old == "'0" else "'0"
    elif type_.isEnum:
        others = [member.name for member in type_ if member.kind.name == "EnumValue" and member.name != old.rpartition("::")[2]]
        if expression.kind.name == "NamedValue" and others:
            qualifier = old[: -len(old.rpartition("::")[2])]
            yield "constant", qualifier + random.Random(f"{place}:member").choice(others)
    elif type_.isIntegral and not type_.isStruct and not type_.isPackedUnion:
        yield ("constant", f"!({old})") if type_.bitWidth == 1 else ("off by one", f"({old}) + {_one(type_)}")
