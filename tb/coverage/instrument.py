"""Instrumented builds: what a build adds so that its models count lines, branches, toggles and assertions.

With the environment variable SHOOTDOWN_COVERAGE, every block bench and UVM simulator built is an instrumented one, and its models
write their counts into the folder that the variable names (counts.h, at_exit.cpp). The hosts of tb/hil are not: docs/coverage.md.

Promises: counting starts when the first reset is over. Assertion files are replaced by copies with a cover beside every assertion;
the copies keep file names and line numbers. `write_counts` writes what libraries of this process hold back.
Costs: a build takes some 1.3 times as long; a run 1.1 to 1.5 times (docs/coverage.md).
"""

from __future__ import annotations

import ctypes
import os
import re
import uuid
from collections.abc import Iterable
from pathlib import Path

from tb.coverage.assertions import with_covers
from tb.toolchain import ROOT

__all__ = [
    "AT_EXIT",
    "FLAGS",
    "REGISTERED",
    "START",
    "VARIABLE",
    "counted",
    "given",
    "includes",
    "made_from",
    "new_file",
    "wanted",
    "write_counts",
]

VARIABLE = "SHOOTDOWN_COVERAGE"
HERE = Path(__file__).resolve().parent
AT_EXIT = HERE / "at_exit.cpp"
START = HERE / "counts_start.cpp"
SCOPE = HERE / "scope.vlt"
INSERT = HERE / "counts_insert.h"
PROPS = ROOT / "rtl" / "props"
FLAGS = ("--coverage-line", "--coverage-toggle", "--coverage-user")
"""For verilator. Expressions are not counted: what they would add in build time buys little beside branches and mutants."""

REGISTERED = ("--compiler-include", str(INSERT))
"""For verilator, where counts.h sums the counts of many models in a process: their points are registered once."""

_LIBRARIES: dict[str, ctypes.CDLL] = {}


def wanted() -> bool:
    """Builds are to be instrumented ones."""
    return bool(os.environ.get(VARIABLE))


def new_file() -> str:
    """A file of its own for the counts of a run, in the folder that SHOOTDOWN_COVERAGE names."""
    return str(Path(os.environ[VARIABLE]) / f"{uuid.uuid4().hex}.dat")


def made_from() -> list[Path]:
    """Files that an instrumented build depends on besides its own, for its digest."""
    return [
        *sorted(HERE.glob("*.h")),
        *sorted(HERE.glob("*.cpp")),
        SCOPE,
        *(HERE / f"{name}.py" for name in ("assertions", "instrument")),
    ]


def given(sources: Iterable[Path], folder: Path, top: str = "") -> list[Path]:
    """Files to give to verilator instead of `sources`; copies are written below `folder`. `top`: a module whose reset, rst_ni or
    rst_n, starts the counting; START must then be linked. Without one the caller sees to it."""
    copies = folder / "rtl" / "props"  # as the waivers of lint know them
    copies.mkdir(parents=True, exist_ok=True)
    files = [SCOPE]
    for source in sources:
        if source.parent == PROPS:
            (copies / source.name).write_text(with_covers(source.read_text()))
            files.append(copies / source.name)
        else:
            files.append(source)
        if top and re.search(rf"^module {top}\b", text := source.read_text(), re.MULTILINE):
            reset = "rst_ni" if re.search(r"^ *input +logic +rst_ni\b", text, re.MULTILINE) else "rst_n"
            (folder / "start.sv").write_text(f"bind {top} counts_start u_counts_start (.start_i({reset}));\n")
    return [*files, HERE / "counts_start.sv", folder / "start.sv"] if top else files


def includes() -> str:
    """For the C++ compiler."""
    return f"-I{HERE}"


def counted(library: ctypes.CDLL, path: Path) -> ctypes.CDLL:
    """The same library, known to `write_counts`."""
    if hasattr(library, "counts_write"):
        _LIBRARIES[str(path)] = library
    return library


def write_counts() -> None:
    """Write what the models of this process that have ended have counted. They do it by themselves when the process exits, and when
    SHOOTDOWN_COVERAGE has changed at the end of the next model; who ends by os._exit, or looks at the folder before, calls this."""
    for library in _LIBRARIES.values():
        library.counts_write()
