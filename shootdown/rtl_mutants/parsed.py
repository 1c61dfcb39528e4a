"""The RTL as slang elaborates it: the syntax and the types behind every expression.

Promises: every module and every function below rtl/ that is not generated, each once, with positions in its file.
Needs: the pyslang wheel (a missing one is an InputError of one line).
Costs: a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shootdown.errors import InputError
from tb.toolchain import ROOT

__all__ = ["CHIPS", "RTL", "Chip", "Scope", "scopes"]

RTL = ROOT / "rtl"


@dataclass(frozen=True)
class Chip:
    """What is elaborated together: files that come first, then all of these folders."""

    name: str
    packages: tuple[str, ...]
    folders: tuple[str, ...]

    def files(self, rtl: Path) -> list[Path]:
        """Packages first."""
        first = [rtl / name for name in self.packages]
        rest = [path for folder in self.folders for path in sorted((rtl / folder).glob("*.sv")) if path not in first]
        return [*first, *sorted(rest, key=lambda path: not path.stem.endswith("_pkg"))]


CHIPS = (
    Chip("gru", ("pkg/gru_pkg.sv", "pkg/gru_int_pkg.sv", "pkg/trace_pkg.sv", "pkg/gru_eng_pkg.sv"), ("common", "gru")),
    Chip(
        "hca",
        ("hca/gen/hca_pkg.sv", "hca/gen/hca_csr_pkg.sv", "hca/hca_int_pkg.sv", "pkg/trace_pkg.sv"),
        ("common", "hca/gen", "hca"),
    ),
)


@dataclass(frozen=True)
class Scope:
    """One module's body or one function of a package, of the file `path`; `node` is slang's symbol."""

    path: Path
    node: Any
    compilation: Any


def scopes(files: Sequence[Path]) -> Iterator[Scope]:
    """Of one elaboration of these files. Raises InputError for files that slang refuses."""
    try:
        import pyslang  # noqa: PLC0415
        from pyslang import ast, syntax  # noqa: PLC0415 - only mutants need it
    except ImportError:
        raise InputError("the Python package 'pyslang' is missing", "run `make setup`") from None

    compilation, sources = ast.Compilation(), pyslang.SourceManager()  # the default one never reads a file again
    for path in files:
        compilation.addSyntaxTree(syntax.SyntaxTree.fromFile(str(path), sources))
    wrong = [found for found in compilation.getAllDiagnostics() if found.isError()]
    manager = compilation.sourceManager
    if wrong:
        at = wrong[0].location
        raise InputError(f"{manager.getFileName(at)}:{manager.getLineNumber(at)}: {wrong[0].code}", "the RTL does not elaborate")

    def path_of(symbol: Any) -> Path:
        return Path(manager.getFileName(symbol.location)).resolve()  # slang names it from where it runs

    for package in compilation.getPackages():
        if package.name != "std":
            yield from (
                Scope(path_of(member), member, compilation) for member in package if isinstance(member, ast.SubroutineSymbol)
            )
    seen: set[str] = set()
    waiting = list(compilation.getRoot().topInstances)
    while waiting:
        instance = waiting.pop()
        inner: list[Any] = []
        instance.body.visit(lambda node, found=inner: found.append(node) if isinstance(node, ast.InstanceSymbol) else None)
        waiting += inner
        if instance.definition.name not in seen:
            seen.add(instance.definition.name)
            yield Scope(path_of(instance.definition), instance.body, compilation)
